import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { archiveTexts } from '#local/archive.ts';
import { tempDir } from '../functions/support/world.ts';

const dir = tempDir();
const OBJECTS: Readonly<Record<string, Buffer>> = {
  'events/2026/11/21/00/a': gzipSync('{"n":1}\n{"n":2}\n'),
  'events/2026/11/21/01/b': Buffer.from('{"n":3}\n\n{"n":4}'),
  'events/2026/11/21/02/empty': Buffer.alloc(0),
  'failed/x': Buffer.from('{"n":9}\n'),
};
/** A bucket, listed one object a page. */
const bucket = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://bucket');
  if (!pathname.startsWith('/audit')) {
    response.writeHead(404, { 'content-type': 'application/xml' });
    response.end('<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>');
    return;
  }
  if (!searchParams.has('list-type')) {
    response.end(OBJECTS[decodeURIComponent(pathname.slice('/audit/'.length))]);
    return;
  }
  const keys = Object.keys(OBJECTS).filter((key) => key.startsWith(searchParams.get('prefix') ?? ''));
  const at = Number(searchParams.get('continuation-token') ?? 0);
  const isLast = at + 1 >= keys.length;
  response.end(
    `<ListBucketResult><IsTruncated>${String(!isLast)}</IsTruncated>` +
      (isLast ? '' : `<NextContinuationToken>${at + 1}</NextContinuationToken>`) +
      `<Contents><Key>${keys[at] ?? ''}</Key></Contents></ListBucketResult>`,
  );
});

beforeAll(async () => {
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${(bucket.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});
afterEach(() => bucket.closeAllConnections());
afterAll(() => {
  vi.unstubAllEnvs();
  bucket.close();
  dir.remove();
});

async function linesOf(place: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of archiveTexts(place)) lines.push(line);
  return lines;
}
const FOUR = ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}'];

it('reads a bucket page by page, gzip or plain', async () => {
  expect(await linesOf('s3://audit/events/')).toEqual(FOUR);
  expect(await linesOf('s3://audit')).toEqual([...FOUR, '{"n":9}']);
});

it('reads a folder as it reads a bucket', async () => {
  for (const [key, bytes] of Object.entries(OBJECTS)) {
    mkdirSync(join(dir.path, key, '..'), { recursive: true });
    writeFileSync(join(dir.path, key), bytes);
  }
  expect(await linesOf(join(dir.path, 'events'))).toEqual(FOUR);
});

it('names what it cannot read', async () => {
  await expect(linesOf('s3://nobody/events')).rejects.toThrow(
    /^s3:[/][/]nobody[/]events cannot be listed: NoSuchBucket/,
  );
  await expect(linesOf(join(dir.path, 'nowhere'))).rejects.toThrow(/no archive here/);
  mkdirSync(join(dir.path, 'torn'));
  writeFileSync(join(dir.path, 'torn/x'), gzipSync('{"n":1}\n'.repeat(9)).subarray(0, 25));
  await expect(linesOf(join(dir.path, 'torn'))).rejects.toThrow(BadInput);
});
