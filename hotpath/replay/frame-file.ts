import type { ReadStream } from 'node:fs';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BadInput } from '#shared/assert.ts';

/** One line of a frame file: what was opened, sent or received, and when. */
export type FrameLine = {
  /** 0-based. */
  readonly line: number;
  readonly unixNs: bigint;
  readonly kind: 'open' | 'out' | 'in' | 'http';
  /** Empty in files of one connection. */
  readonly connection: string;
  readonly url: string | undefined;
  /** The frame or body, byte for byte; empty where the line has none. */
  readonly bytes: Uint8Array;
};

/** How much has been done, 0 to 1. */
export type Progress = (share: number) => void;

const LINE_CHARS_MAX = 128 * 1024 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b] as const;
const kinds = new Set(['open', 'out', 'in', 'http']);

/**
 * Reads a frame file, gzip or plain, in batches as it comes from the disk: memory stays bounded however long it is.
 * @throws BadInput naming file and line: missing or damaged file, a line that is not of the format.
 */
export async function* readFrameFile(path: string, onProgress?: Progress): AsyncGenerator<readonly FrameLine[]> {
  const { source, text, totalBytes } = await openText(path);
  let line = 0;
  let rest = '';
  try {
    const decoder = new TextDecoder();
    for await (const chunk of text as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      if (rest.length > LINE_CHARS_MAX) throw new BadInput(`${path}:${line + 1}: line without an end`);
      const batch: FrameLine[] = [];
      for (const json of lines) {
        if (json !== '') batch.push(frameLineFrom(json, path, line));
        line += 1;
      }
      onProgress?.(source.bytesRead / totalBytes);
      yield batch;
    }
  } catch (error) {
    throw readable(error, path, line);
  } finally {
    source.destroy();
  }
  if (rest !== '') yield [frameLineFrom(rest, path, line)];
}

async function openText(path: string): Promise<{ source: ReadStream; text: Readable; totalBytes: number }> {
  try {
    await using file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    const { size } = await file.stat();
    const source = createReadStream(path, { highWaterMark: 256 * 1024 });
    if (!GZIP_MAGIC.every((byte, at) => buffer[at] === byte)) return { source, text: source, totalBytes: size };
    const gunzip = createGunzip({ chunkSize: 256 * 1024 });
    source.on('error', (error) => gunzip.destroy(error));
    // Its reader hears of damage from the iteration; damage found after the reader has gone is nobody's.
    gunzip.on('error', () => undefined);
    return { source, text: source.pipe(gunzip), totalBytes: size };
  } catch (error) {
    throw readable(error, path, 0);
  }
}

/** A file that cannot be read is the outside's fault; anything else is passed on as it is. */
function readable(error: unknown, path: string, line: number): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  if (code === 'ENOENT') return new BadInput(`${path}: no such file`);
  if (code.startsWith('Z_')) return new BadInput(`${path}:${line + 1}: damaged gzip: ${error.message}`);
  return new BadInput(`${path}: ${error.message}`);
}

function frameLineFrom(json: string, path: string, line: number): FrameLine {
  const bad = (trouble: string): BadInput => new BadInput(`${path}:${line + 1}: ${trouble}`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw bad('not JSON');
  }
  if (!isRawLine(value)) throw bad('not a frame line: needs "t" in nanoseconds and "k" of open, out, in, http');
  const { t, k, c = '', u, d, b } = value;
  if (k !== 'open' && d === undefined && b === undefined) throw bad(`"${k}" without data: needs "d" or "b"`);
  const bytes = b === undefined ? Buffer.from(d ?? '') : Buffer.from(b, 'base64');
  return { line, unixNs: BigInt(t), kind: k, connection: c, url: u, bytes };
}

type RawLine = { t: string; k: FrameLine['kind']; c?: string; u?: string; d?: string; b?: string };

function isRawLine(value: unknown): value is RawLine {
  if (typeof value !== 'object' || value === null) return false;
  const { t, k, c, u, d, b } = value as Record<string, unknown>;
  const texts = [c, u, d, b].every((field) => field === undefined || typeof field === 'string');
  return texts && typeof t === 'string' && /^\d{1,20}$/.test(t) && typeof k === 'string' && kinds.has(k);
}
