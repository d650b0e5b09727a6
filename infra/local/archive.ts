import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BadInput } from '#shared/assert.ts';
import { JournalReader } from '#hotpath/publish/journal.ts';

/** The records of a journal, as they were written. @throws BadInput on damage, or when there is no journal */
export function* journalTexts(directory: string): Generator<string> {
  const reader = new JournalReader(directory);
  try {
    for (;;) {
      const records = reader.read(10_000, 1_000_000);
      if (records.length === 0) return;
      for (const { json } of records) yield json;
    }
  } finally {
    reader.close();
  }
}

/**
 * The lines of an archive as Firehose leaves it: every object of a folder or of `s3://bucket/prefix`, gzip or plain, in the order of their names.
 * @throws BadInput when it cannot be read
 */
export async function* archiveTexts(place: string): AsyncGenerator<string> {
  const objects = place.startsWith('s3://') ? objectsOfBucket(place) : objectsOfFolder(place);
  for await (const { name, open } of objects) {
    try {
      const lines = createInterface({ input: await plain(await open()), crlfDelay: Infinity });
      for await (const line of lines) if (line !== '') yield line;
    } catch (error) {
      throw new BadInput(`${name} cannot be read: ${(error as Error).message}`);
    }
  }
}

type ArchiveObject = { readonly name: string; readonly open: () => Promise<Readable> };

function objectsOfFolder(folder: string): readonly ArchiveObject[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort();
  } catch (error) {
    throw new BadInput(`no archive here: ${folder} (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`);
  }
  return names.map((name) => ({ name, open: () => Promise.resolve(createReadStream(name)) }));
}

async function* objectsOfBucket(place: string): AsyncGenerator<ArchiveObject> {
  const { hostname: Bucket, pathname } = new URL(place);
  const { GetObjectCommand, paginateListObjectsV2, S3Client } = await import('@aws-sdk/client-s3');
  const { AWS_REGION: region = 'us-east-1', AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 = AWS_ENDPOINT_URL } = process.env;
  // Buckets of a local peer have no names of their own in DNS.
  const client = new S3Client({ region, forcePathStyle: AWS_ENDPOINT_URL_S3 !== undefined });
  try {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: pathname.slice(1) })) {
      for (const { Key } of Contents) {
        const open = async (): Promise<Readable> =>
          (await client.send(new GetObjectCommand({ Bucket, Key }))).Body as Readable;
        yield { name: `s3://${Bucket}/${Key!}`, open };
      }
    }
  } catch (error) {
    if (error instanceof BadInput) throw error;
    throw new BadInput(`${place} cannot be listed: ${(error as Error).name}: ${(error as Error).message}`);
  } finally {
    client.destroy();
  }
}

/** Firehose names no compression: the first two bytes tell. */
async function plain(stream: Readable): Promise<Readable> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  const whole = Readable.from(
    (async function* (): AsyncGenerator<Buffer> {
      for (let next = first; next.done !== true; next = await chunks.next()) yield next.value;
    })(),
  );
  const isGzip = first.done !== true && first.value[0] === 0x1f && first.value[1] === 0x8b;
  if (!isGzip) return whole;
  const unzipped = createGunzip();
  whole.on('error', (error) => unzipped.destroy(error));
  return whole.pipe(unzipped);
}
