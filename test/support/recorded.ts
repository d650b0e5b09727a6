import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Real captures with known answers; they stand beside the project, and tests that need them are skipped without. */
export const recordedDir = process.env['RECORDED_DIR'] ?? '../shared/recorded';
export const hasRecorded = existsSync(`${recordedDir}/README.md`);

export type RecordedLine = { readonly t: string; readonly k: string; readonly u?: string; readonly d?: string };

export const recordedLines = (name: string): readonly RecordedLine[] =>
  gunzipSync(readFileSync(`${recordedDir}/${name}.frames.jsonl.gz`))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedLine);
