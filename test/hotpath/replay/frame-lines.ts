import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll } from 'vitest';

export const ORIGIN_NS = 1_700_000_000_000_000_000n;

export type Line = { at?: number; k: 'open' | 'out' | 'in' | 'http'; c?: string; u?: string; d?: unknown; b?: string };

/** Text of a frame file; `at` is milliseconds after the first line, a millisecond a line where it is not given. */
export function frameLines(lines: readonly Line[]): string {
  const texts = lines.map(({ at, d, ...line }, index) => {
    const data = d === undefined ? {} : { d: typeof d === 'string' ? d : JSON.stringify(d) };
    return JSON.stringify({ t: String(ORIGIN_NS + BigInt(Math.round((at ?? index) * 1e6))), ...line, ...data });
  });
  return `${texts.join('\n')}\n`;
}

/** Writes a file into a fresh folder; `.gz` names are compressed. */
export function fileOf(content: string | Uint8Array, name = 'day.frames.jsonl.gz', dir = newFolder()): string {
  const path = join(dir, name);
  writeFileSync(path, name.endsWith('.gz') && typeof content === 'string' ? gzipSync(content) : content);
  return path;
}

const root = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
export const newFolder = (): string => mkdtempSync(join(root, 'case-'));
