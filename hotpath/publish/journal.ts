import {
  closeSync,
  fstatSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import { assert, BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import type { Segment } from './segments.ts';
import { lastSeqOf, liveAmong, removeSegments, segmentPath, segmentsIn } from './segments.ts';

/** Where a reader stands: the segment (its first sequence number, its epoch), the byte after the last record read, and that record. */
export type JournalPosition = {
  readonly segment: number;
  readonly epoch: number;
  readonly offset: number;
  readonly seq: number;
};
export const JOURNAL_START: JournalPosition = { segment: 0, epoch: 0, offset: 0, seq: 0 };

/** A position as it was saved; before there were epochs it had none. */
export const journalPositionFrom = (json: unknown): JournalPosition => ({
  ...JOURNAL_START,
  ...(json as Partial<JournalPosition>),
});

export type JournalRecord = { readonly seq: number; readonly json: string; readonly end: JournalPosition };

export type JournalOptions = {
  readonly directory: string;
  readonly engine: string;
  readonly clock: Clock;
  /**
   * The fencing epoch of the lease under which this writer writes, above every one before it: the writer begins a segment of its own, and what older
   * writers append from then on is void. Absent: there is no other writer, and the last segment is continued.
   */
  readonly epoch?: number | undefined;
  /** Up to where a reader found the journal good: opening looks only at what is behind it. */
  readonly known?: JournalPosition;
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
const HEX = Buffer.from('0123456789abcdef');
/** A record must fit into one Kinesis record of 1 MiB. */
const RECORD_BYTES_MAX = 1_000_000;
const BUFFER_BYTES = 4 * RECORD_BYTES_MAX;
const SEGMENT_BYTES = 64 * 1024 * 1024;

/**
 * The append-only file of everything that happened: one line a record, `crc32 seq json`, sequence numbers without a hole over restarts.
 * The truth, the audit trail and the outbox. Opening it cuts a torn tail (a process died while writing) and refuses any other damage.
 */
export class Journal {
  /** Bytes of an incomplete last record: cut off, or left behind in the segment of an older epoch. */
  readonly tornBytes: number;
  /** Of the segments written here; 0 where nobody ever held a lease. */
  readonly epoch: number;
  readonly #options: JournalOptions;
  readonly #engineText: string;
  readonly #segmentBytesMax: number;
  #key = '';
  #keyText = '""';
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #firstBufferedSeq: number;
  #seq: number;
  #fd: number | undefined;
  #segmentBytes = 0;

  /** @throws BadInput when a record that is not the last one is damaged, naming file and byte, or when a later epoch has begun. */
  constructor(options: JournalOptions) {
    const { directory, known } = options;
    this.#options = options;
    this.#engineText = JSON.stringify(options.engine);
    this.#segmentBytesMax = options.segmentBytes ?? SEGMENT_BYTES;
    mkdirSync(directory, { recursive: true });
    const last = liveAmong(segmentsIn(directory)).at(-1);
    this.epoch = options.epoch ?? last?.epoch ?? 0;
    const found = last === undefined ? EMPTY : scanSegment(segmentPath(directory, last), goodIn(last, known));
    this.tornBytes = found.tornBytes;
    this.#seq = found.lastSeq;
    this.#firstBufferedSeq = this.#seq + 1;
    if (options.epoch !== undefined) this.#begin(last);
    else if (last !== undefined) this.#continue(last, found);
  }

  /** Sequence number of the last record appended; also how many records the journal ever had. */
  get lastSeq(): number {
    return this.#seq;
  }

  /**
   * Puts one record into the buffer and returns its sequence number. A full buffer is written first: it never grows. `text`: the JSON of the data, where
   * that is known.
   */
  append<K extends EventKind>(kind: K, key: string, data: EventData<K>, text = JSON.stringify(data)): number {
    const { clock, engine, observe } = this.#options;
    const seq = this.#seq + 1;
    const at = clock.unixNs(clock.now());
    // What JSON.stringify makes of the whole event, without asking it what is known of the envelope.
    const head = `{"v":1,"engine":${this.#engineText},"seq":${seq},"at":"${at}","key":${this.#textOfKey(key)},"kind":"${kind}"`;
    this.#put(`${seq} ${head},"data":${text}}`);
    this.#seq = seq;
    // The pair (kind, data) agrees by K; TypeScript cannot follow that into the union.
    observe?.({ v: 1, engine, seq, at, key, kind, data } as unknown as EngineEvent);
    return seq;
  }

  /** Hands everything appended so far to the operating system: after this a killed process has lost nothing. */
  flush(): void {
    if (this.#buffered === 0) return;
    const rotated = this.#fd !== undefined && this.#segmentBytes >= this.#segmentBytesMax;
    if (rotated) this.#closeSegment();
    this.#fd ??= openSync(segmentPath(this.#options.directory, this.#nextSegment()), 'a');
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
   * Removes the oldest segments that hold nothing after `seq` (published and in a checkpoint), except the newest `retain`, and those in which nothing
   * counts. Returns how many went.
   */
  prune(seq: number, retain: number): number {
    const { directory } = this.#options;
    const all = segmentsIn(directory);
    const live = liveAmong(all);
    const surplus = live.slice(0, Math.max(0, live.length - Math.max(1, retain)));
    const gone = [
      ...surplus.filter((segment) => lastSeqOf(segment, all) <= seq),
      ...all.filter((segment) => !live.includes(segment)),
    ];
    removeSegments(directory, gone);
    return gone.length;
  }

  /** The new segment stands there before anything is written: from now on it is the fence. */
  #begin(last: Segment | undefined): void {
    const { directory } = this.#options;
    if (last !== undefined && last.epoch >= this.epoch) {
      throw new BadInput(
        `the journal is past this epoch: directory=${directory}, epoch=${this.epoch}, found=${last.epoch}`,
      );
    }
    this.#fd = openSync(segmentPath(directory, this.#nextSegment()), 'ax');
  }

  #continue(last: Segment, { goodBytes, tornBytes }: Scan): void {
    const path = segmentPath(this.#options.directory, last);
    if (tornBytes > 0) truncateSync(path, goodBytes);
    this.#fd = openSync(path, 'a');
    this.#segmentBytes = goodBytes;
  }

  #nextSegment(): Segment {
    return { first: this.#firstBufferedSeq, epoch: this.epoch };
  }

  /** Several records in a row have the same. */
  #textOfKey(key: string): string {
    if (key !== this.#key) {
      this.#keyText = JSON.stringify(key);
      this.#key = key;
    }
    return this.#keyText;
  }

  #put(body: string): void {
    const bytesMax = CRC_CHARS + 1 + 3 * body.length + 1;
    if (this.#buffered + bytesMax > BUFFER_BYTES) this.flush();
    assert(bytesMax <= BUFFER_BYTES, 'a journal record is longer than the buffer');
    const start = this.#buffered + CRC_CHARS + 1;
    const end = start + this.#buffer.write(body, start, 'utf8');
    assert(end - start <= RECORD_BYTES_MAX, 'a journal record is longer than a stream record may be');
    putCrc(this.#buffer, this.#buffered, crc32(this.#buffer.subarray(start, end)));
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

  /** After the last record that was given out. */
  get position(): JournalPosition {
    return this.#position;
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
    const all = segmentsIn(this.#directory);
    const live = liveAmong(all);
    const { segment: first, epoch, seq } = this.#position;
    // What was read past a fence is void: the reader goes back to it.
    const next = Math.min(seq, lastSeqOf({ first, epoch }, all)) + 1;
    const own = next > seq ? all.find((found) => found.first === first && found.epoch === epoch) : undefined;
    const wanted = first === 0 ? live[0] : (own ?? live.find((found) => found.first === next));
    if (wanted === undefined) {
      if (first === 0) return false;
      throw new BadInput(`journal segment ${first} is missing in ${this.#directory}`);
    }
    if (wanted !== own) this.#position = startOf(wanted);
    this.#fd = openSync(segmentPath(this.#directory, wanted), 'r');
    return true;
  }

  /** Reads what is there and keeps the complete lines; returns how many bytes were left of an incomplete one. */
  #readChunk(records: JournalRecord[], recordsMax: number, bytesMax: number): number {
    const { segment: first, epoch, offset } = this.#position;
    const path = segmentPath(this.#directory, { first, epoch });
    const length = readSync(this.#fd!, this.#chunk, 0, this.#chunk.length, offset);
    if (length === 0 && fstatSync(this.#fd!).size < offset) {
      throw new BadInput(`position is beyond the journal: file=${path}, offset=${offset}`);
    }
    // Asked after the bytes were read: a fence that stands by now holds for them.
    const lastSeq = lastSeqOf({ first, epoch }, segmentsIn(this.#directory));
    const bytes = this.#chunk.subarray(0, length);
    let at = 0;
    while (records.length < recordsMax && at < bytesMax && this.#position.seq < lastSeq) {
      const end = bytes.indexOf(NEWLINE, at);
      if (end < 0) break;
      const seq = this.#position.seq + 1;
      const json = recordIn(bytes.subarray(at, end), seq);
      if (json === undefined) {
        if (lastSeq === Infinity && isTornTail(readFileSync(path), offset + at)) break;
        throw damaged(path, offset + at, seq);
      }
      at = end + 1;
      this.#position = { segment: first, epoch, offset: offset + at, seq };
      records.push({ seq, json, end: this.#position });
    }
    return length - at;
  }

  #nextSegment(bytesLeft: number): boolean {
    const { segment: first, epoch, offset, seq } = this.#position;
    const all = segmentsIn(this.#directory);
    const next = lastSeqOf({ first, epoch }, all) + 1;
    // Who is past a fence that was put up since goes back to it: what stands behind it is void.
    const wanted = next <= seq + 1 ? liveAmong(all).find((found) => found.first === next) : undefined;
    if (wanted === undefined) return false;
    // What a writer of an older epoch left behind is void; within an epoch nothing is left behind.
    if (wanted.epoch === epoch && bytesLeft > 0)
      throw damaged(segmentPath(this.#directory, { first, epoch }), offset, next);
    this.close();
    this.#position = startOf(wanted);
    return true;
  }
}

/** Every event after a sequence number, in order, up to the last complete record. @throws BadInput on damage. */
export function* readJournal(directory: string, afterSeq = 0): Generator<EngineEvent> {
  const reader = readerBefore(directory, afterSeq + 1);
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

/** A reader at the begin of the segment in which a record is, or will be. */
export function readerBefore(directory: string, seq: number): JournalReader {
  const segment = liveAmong(segmentsIn(directory)).findLast(({ first }) => first <= seq);
  return new JournalReader(directory, segment === undefined ? JOURNAL_START : startOf(segment));
}

const startOf = ({ first, epoch }: Segment): JournalPosition => ({ segment: first, epoch, offset: 0, seq: first - 1 });

type Scan = { readonly lastSeq: number; readonly goodBytes: number; readonly tornBytes: number };
const EMPTY: Scan = { lastSeq: 0, goodBytes: 0, tornBytes: 0 };

/** From where a segment must be looked at. */
const goodIn = (segment: Segment, known: JournalPosition | undefined): JournalPosition =>
  known?.segment === segment.first && known.epoch === segment.epoch ? known : startOf(segment);

/** Up to where the records of a segment are good. @throws BadInput when what follows is no torn tail. */
function scanSegment(path: string, { seq: known, offset }: JournalPosition): Scan {
  const bytes = bytesFrom(path, offset);
  let seq = known;
  let at = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    if (recordIn(bytes.subarray(at, end), seq + 1) === undefined) break;
    seq += 1;
    at = end + 1;
  }
  if (!isTornTail(bytes, at)) throw damaged(path, offset + at, seq + 1);
  return { lastSeq: seq, goodBytes: offset + at, tornBytes: bytes.length - at };
}

function bytesFrom(path: string, offset: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.max(0, fstatSync(fd).size - offset));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, offset));
  } finally {
    closeSync(fd);
  }
}

/** What does not continue the journal is a torn tail when no good record stands in it; otherwise somebody damaged the file. */
function isTornTail(bytes: Buffer, from: number): boolean {
  for (let start = from, end = bytes.indexOf(NEWLINE, from); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    if (recordIn(bytes.subarray(start, end)) !== undefined) return false;
    start = end + 1;
  }
  return true;
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

/** The same in its place, without a text of its own. */
function putCrc(into: Uint8Array, from: number, crc: number): void {
  for (let at = from + CRC_CHARS - 1, rest = crc; at >= from; at -= 1, rest >>>= 4) into[at] = HEX[rest & 0xf]!;
}

const damaged = (path: string, offset: number, seq: number): BadInput =>
  new BadInput(`journal damaged: file=${path}, offset=${offset}, record=${seq}`);
