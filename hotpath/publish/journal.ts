import {
  closeSync,
  fstatSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert, BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';

/** Where a reader stands: the segment (named by its first sequence number), the byte after the last record read, and that record. */
export type JournalPosition = { readonly segment: number; readonly offset: number; readonly seq: number };
export const JOURNAL_START: JournalPosition = { segment: 0, offset: 0, seq: 0 };

export type JournalRecord = { readonly seq: number; readonly json: string; readonly end: JournalPosition };

export type JournalOptions = {
  readonly directory: string;
  readonly engine: string;
  readonly clock: Clock;
  /** A segment is closed once it is at least this long. */
  readonly segmentBytes?: number;
  /** Also survives the machine, not only the process: an fdatasync a flush. */
  readonly fsync?: boolean;
  /** Told of each record as it is appended. */
  readonly observe?: (event: EngineEvent) => void;
  /** Told when a segment was closed, with the last sequence number in it: a good moment for a checkpoint. */
  readonly onRotate?: (lastSeq: number) => void;
};

const NEWLINE = 0x0a;
const SPACE = 0x20;
const CRC_CHARS = 8;
/** A record must fit into one Kinesis record of 1 MiB. */
const RECORD_BYTES_MAX = 1_000_000;
const BUFFER_BYTES = 4 * RECORD_BYTES_MAX;
const SEGMENT_BYTES = 64 * 1024 * 1024;

/**
 * The append-only file of everything that happened: one line a record, `crc32 seq json`, sequence numbers without a hole over restarts.
 * The truth, the audit trail and the outbox. Opening it cuts a torn tail (a process died while writing) and refuses any other damage.
 */
export class Journal {
  /** Bytes of an incomplete last record that opening cut off. */
  readonly tornBytes: number;
  readonly #options: JournalOptions;
  readonly #segmentBytesMax: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #firstBufferedSeq: number;
  #seq: number;
  #fd: number | undefined;
  #segmentBytes = 0;

  /** @throws BadInput when a record that is not the last one is damaged, naming file and byte. */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#segmentBytesMax = options.segmentBytes ?? SEGMENT_BYTES;
    mkdirSync(options.directory, { recursive: true });
    const last = segmentsIn(options.directory).at(-1);
    if (last === undefined) {
      this.#seq = 0;
      this.tornBytes = 0;
    } else {
      const path = segmentPath(options.directory, last);
      const { lastSeq, goodBytes, tornBytes } = scanSegment(path, last);
      if (tornBytes > 0) truncateSync(path, goodBytes);
      this.#seq = lastSeq;
      this.#fd = openSync(path, 'a');
      this.#segmentBytes = goodBytes;
      this.tornBytes = tornBytes;
    }
    this.#firstBufferedSeq = this.#seq + 1;
  }

  /** Sequence number of the last record appended; also how many records the journal ever had. */
  get lastSeq(): number {
    return this.#seq;
  }

  /** Puts one record into the buffer and returns its sequence number. A full buffer is written first: it never grows. */
  append<K extends EventKind>(kind: K, key: string, data: EventData<K>): number {
    const { clock, engine, observe } = this.#options;
    const seq = this.#seq + 1;
    const event = { v: 1, engine, seq, at: clock.unixNs(clock.now()), key, kind, data };
    this.#put(`${seq} ${JSON.stringify(event)}`);
    this.#seq = seq;
    // The pair (kind, data) agrees by K; TypeScript cannot follow that into the union.
    observe?.(event as unknown as EngineEvent);
    return seq;
  }

  /** Hands everything appended so far to the operating system: after this a killed process has lost nothing. */
  flush(): void {
    if (this.#buffered === 0) return;
    const rotated = this.#fd !== undefined && this.#segmentBytes >= this.#segmentBytesMax;
    if (rotated) this.#closeSegment();
    this.#fd ??= openSync(segmentPath(this.#options.directory, this.#firstBufferedSeq), 'a');
    for (let at = 0; at < this.#buffered;) at += writeSync(this.#fd, this.#buffer, at, this.#buffered - at);
    if (this.#options.fsync === true) fdatasyncSync(this.#fd);
    const closedSeq = this.#firstBufferedSeq - 1;
    this.#segmentBytes += this.#buffered;
    this.#buffered = 0;
    this.#firstBufferedSeq = this.#seq + 1;
    if (rotated) this.#options.onRotate?.(closedSeq);
  }

  close(): void {
    this.flush();
    this.#closeSegment();
  }

  /**
   * Removes the oldest segments that hold nothing after `seq` (published and in a checkpoint), except the newest `retain`.
   * Returns how many went.
   */
  prune(seq: number, retain: number): number {
    const segments = segmentsIn(this.#options.directory);
    const surplus = segments.slice(0, Math.max(0, segments.length - Math.max(1, retain)));
    const gone = surplus.filter((_, at) => segments[at + 1]! <= seq + 1);
    for (const first of gone) unlinkSync(segmentPath(this.#options.directory, first));
    return gone.length;
  }

  #put(body: string): void {
    const bytesMax = CRC_CHARS + 1 + 3 * body.length + 1;
    if (this.#buffered + bytesMax > BUFFER_BYTES) this.flush();
    assert(bytesMax <= BUFFER_BYTES, 'a journal record is longer than the buffer');
    const start = this.#buffered + CRC_CHARS + 1;
    const end = start + this.#buffer.write(body, start, 'utf8');
    assert(end - start <= RECORD_BYTES_MAX, 'a journal record is longer than a stream record may be');
    this.#buffer.write(crcText(this.#buffer.subarray(start, end)), this.#buffered, 'latin1');
    this.#buffer[start - 1] = SPACE;
    this.#buffer[end] = NEWLINE;
    this.#buffered = end + 1;
  }

  #closeSegment(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#segmentBytes = 0;
  }
}

/** Reads records in order, over segments, and goes on where a writer has appended since: replay and outbox use the same one. */
export class JournalReader {
  readonly #directory: string;
  readonly #chunk = Buffer.allocUnsafe(2 * RECORD_BYTES_MAX);
  #position: JournalPosition;
  #fd: number | undefined;

  constructor(directory: string, from: JournalPosition = JOURNAL_START) {
    this.#directory = directory;
    this.#position = from;
  }

  /**
   * The next complete records, at most so many and about so many bytes; none when the writer has written no more yet.
   * @throws BadInput on damage, once what stands before it has been given out: the position is past that already.
   */
  read(recordsMax: number, bytesMax: number): JournalRecord[] {
    const records: JournalRecord[] = [];
    try {
      this.#readInto(records, recordsMax, bytesMax);
    } catch (error) {
      if (!(error instanceof BadInput) || records.length === 0) throw error;
    }
    return records;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #readInto(records: JournalRecord[], recordsMax: number, bytesMax: number): void {
    let bytes = 0;
    while (records.length < recordsMax && bytes < bytesMax) {
      if (this.#fd === undefined && !this.#openSegment()) break;
      const before = this.#position.offset;
      const got = this.#readChunk(records, recordsMax, bytesMax - bytes);
      bytes += this.#position.offset - before;
      if (this.#position.offset === before && !this.#nextSegment(got)) break;
    }
  }

  #openSegment(): boolean {
    const segments = segmentsIn(this.#directory);
    const { segment, seq } = this.#position;
    const wanted = segment === 0 ? segments[0] : segments.find((first) => first === segment || first === seq + 1);
    if (wanted === undefined) {
      if (segment === 0) return false;
      throw new BadInput(`journal segment ${segment} is missing in ${this.#directory}`);
    }
    if (wanted !== segment) this.#position = { segment: wanted, offset: 0, seq: wanted - 1 };
    this.#fd = openSync(segmentPath(this.#directory, wanted), 'r');
    return true;
  }

  /** Reads what is there and keeps the complete lines; returns how many bytes were left of an incomplete one. */
  #readChunk(records: JournalRecord[], recordsMax: number, bytesMax: number): number {
    const { segment, offset } = this.#position;
    const length = readSync(this.#fd!, this.#chunk, 0, this.#chunk.length, offset);
    if (length === 0 && fstatSync(this.#fd!).size < offset) {
      throw new BadInput(
        `position is beyond the journal: file=${segmentPath(this.#directory, segment)}, offset=${offset}`,
      );
    }
    const bytes = this.#chunk.subarray(0, length);
    let at = 0;
    while (records.length < recordsMax && at < bytesMax) {
      const end = bytes.indexOf(NEWLINE, at);
      if (end < 0) break;
      const seq = this.#position.seq + 1;
      const json = recordIn(bytes.subarray(at, end), seq);
      if (json === undefined) throw damaged(segmentPath(this.#directory, segment), offset + at, seq);
      at = end + 1;
      this.#position = { segment, offset: offset + at, seq };
      records.push({ seq, json, end: this.#position });
    }
    return length - at;
  }

  #nextSegment(bytesLeft: number): boolean {
    const next = this.#position.seq + 1;
    if (next === this.#position.segment || !segmentsIn(this.#directory).includes(next)) return false;
    // The writer closed this segment after our read; what it appended in between is still to be read here.
    if (bytesLeft === 0 && readSync(this.#fd!, this.#chunk, 0, 1, this.#position.offset) > 0) return true;
    if (bytesLeft > 0) throw damaged(segmentPath(this.#directory, this.#position.segment), this.#position.offset, next);
    this.close();
    this.#position = { segment: next, offset: 0, seq: next - 1 };
    return true;
  }
}

/** Every event after a sequence number, in order, up to the last complete record. @throws BadInput on damage. */
export function* readJournal(directory: string, afterSeq = 0): Generator<EngineEvent> {
  const segment = segmentsIn(directory).findLast((first) => first <= afterSeq + 1) ?? 0;
  const reader = new JournalReader(directory, segment === 0 ? JOURNAL_START : { segment, offset: 0, seq: segment - 1 });
  try {
    for (;;) {
      const records = reader.read(10_000, RECORD_BYTES_MAX);
      if (records.length === 0) return;
      for (const { seq, json } of records) {
        // The CRC says that these are our own words: they need no second schema check.
        if (seq > afterSeq) yield JSON.parse(json) as EngineEvent;
      }
    }
  } finally {
    reader.close();
  }
}

/** First sequence numbers of the segments, ascending. @throws BadInput when there is no such directory. */
function segmentsIn(directory: string): number[] {
  return namesIn(directory)
    .filter((name) => /^\d{16}[.]journal$/.test(name))
    .map((name) => Number(name.slice(0, 16)))
    .sort((a, b) => a - b);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new BadInput(`no journal here: directory=${directory}`);
  }
}

const segmentPath = (directory: string, firstSeq: number): string =>
  join(directory, `${String(firstSeq).padStart(16, '0')}.journal`);

/** What does not continue the journal is a torn tail when no good record stands in it; otherwise somebody damaged the file. */
function scanSegment(path: string, firstSeq: number): { lastSeq: number; goodBytes: number; tornBytes: number } {
  const bytes = readFileSync(path);
  let seq = firstSeq - 1;
  let at = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    if (recordIn(bytes.subarray(at, end), seq + 1) === undefined) break;
    seq += 1;
    at = end + 1;
  }
  for (
    let start = at, end = bytes.indexOf(NEWLINE, at);
    end >= 0;
    start = end + 1, end = bytes.indexOf(NEWLINE, start)
  ) {
    if (recordIn(bytes.subarray(start, end)) !== undefined) throw damaged(path, at, seq + 1);
  }
  return { lastSeq: seq, goodBytes: at, tornBytes: bytes.length - at };
}

/** The JSON of a line that is a whole record (of this sequence number, when one is given), else undefined. */
function recordIn(line: Buffer, seq?: number): string | undefined {
  if (line[CRC_CHARS] !== SPACE) return undefined;
  const body = line.subarray(CRC_CHARS + 1);
  if (line.toString('latin1', 0, CRC_CHARS) !== crcText(body)) return undefined;
  const space = body.indexOf(SPACE);
  if (seq !== undefined && body.toString('latin1', 0, space) !== String(seq)) return undefined;
  return body.toString('utf8', space + 1);
}

const crcText = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(CRC_CHARS, '0');

const damaged = (path: string, offset: number, seq: number): BadInput =>
  new BadInput(`journal damaged: file=${path}, offset=${offset}, record=${seq}`);
