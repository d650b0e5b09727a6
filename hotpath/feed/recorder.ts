import { isUtf8 } from 'node:buffer';
import { createWriteStream, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Gzip } from 'node:zlib';
import { createGzip } from 'node:zlib';
import type { Clock } from '#shared/clock/clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Transport } from '../runtime/transport.ts';

/** Not yet on the disk. A disk that is slower than the market for so long stops the recording, never the engine. */
const UNWRITTEN_BYTES_MAX = 64 * 1024 * 1024;
const REST = 'rest';

/**
 * Writes what a transport carries as a frame file: gzip, one JSON object a line with `t` (receive time, Unix nanoseconds), `k` (open, out, in, http),
 * `c` (connection), `u` (URL), `d` (text) or `b` (base64). `arb replay` reads it back.
 *
 * A file with something in it is an earlier start's and stays: this one goes on in `name.2.jsonl.gz`, and so on. A start after a crash
 * would else wipe out what led to the crash.
 */
export class FrameRecorder {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #gzip: Gzip;
  readonly #written: Promise<void>;
  #connections = 0;
  #stopped = false;

  constructor(path: string, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
    this.#gzip = createGzip();
    const file = createWriteStream(unusedFrom(path));
    file.on('error', (error) => this.#stop(error.message));
    this.#written = finished(this.#gzip.pipe(file)).catch(() => undefined);
  }

  /** The same transport, with everything written down that passes. Failed requests leave no line. */
  around(inner: Transport): Transport {
    return {
      open: (url, handlers, use) => {
        this.#connections += 1;
        const connection = `ws.${this.#connections}`;
        this.#write('open', connection, this.#clock.now(), { u: url });
        const socket = inner.open(
          url,
          {
            ...handlers,
            onFrame: (bytes, start, end, receivedTimeNs) => {
              this.#write('in', connection, receivedTimeNs, dataOf(bytes.subarray(start, end)));
              handlers.onFrame(bytes, start, end, receivedTimeNs);
            },
          },
          use,
        );
        return {
          close: () => socket.close(),
          ping: () => socket.ping?.(),
          send: (text) => {
            this.#write('out', connection, this.#clock.now(), { d: text });
            socket.send(text);
          },
        };
      },
      request: (request, done) => {
        inner.request(request, (result) => {
          if (result.kind === 'response' && result.status >= 200 && result.status < 300) {
            this.#write('http', REST, this.#clock.now(), { u: request.url, ...dataOf(result.body) });
          }
          done(result);
        });
      },
    };
  }

  /** Resolves once everything is in the file. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#gzip.end();
    await this.#written;
  }

  #write(kind: 'open' | 'out' | 'in' | 'http', connection: string, at: TimeNs, data: Record<string, string>): void {
    if (this.#stopped) return;
    this.#gzip.write(`${JSON.stringify({ t: this.#clock.unixNs(at), k: kind, c: connection, ...data })}\n`);
    if (this.#gzip.writableLength > UNWRITTEN_BYTES_MAX) this.#stop('the disk is slower than the market');
  }

  #stop(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#gzip.end();
    this.#logger.error('recording-stopped', { reason });
  }
}

function unusedFrom(path: string): string {
  const [stem, ...suffixes] = basename(path).split('.');
  for (let part = 1; ; part += 1) {
    const name = [stem, ...(part === 1 ? [] : [part]), ...suffixes].join('.');
    const candidate = join(dirname(path), name);
    if ((statSync(candidate, { throwIfNoEntry: false })?.size ?? 0) === 0) return candidate;
  }
}

function dataOf(bytes: Uint8Array): { d: string } | { b: string } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? { d: buffer.toString() } : { b: buffer.toString('base64') };
}
