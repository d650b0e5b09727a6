import { BadInput } from '#shared/assert.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { ConnectionState } from '../feed/connection-state.ts';
import { newMarketUpdate, newReferenceUpdate, newTradePrint } from '../feed/sink.ts';
import { Frame } from '../runtime/frame.ts';
import { unpackerOf } from '../runtime/inflate.ts';
import type { MarketSink, Venue } from '../venues/venue.ts';
import type { FrameLine, Progress } from './frame-file.ts';
import { readFrameFile } from './frame-file.ts';
import type { Lane } from './lane.ts';
import { lanesOfUrl, nameOf, snapshotSymbolOf } from './lane.ts';

/** What a frame file holds, found out by reading it once: a registry must be complete before the first book is built. */
export type Survey = {
  readonly path: string;
  readonly lines: number;
  readonly firstUnixNs: bigint;
  readonly lastUnixNs: bigint;
  /** One a market. */
  readonly lanes: readonly SurveyedLane[];
  /** Connection → its lane's position in `lanes`. */
  readonly laneOf: ReadonlyMap<string, number>;
};

export type SurveyedLane = Lane & {
  /** Markets that share the connection; the lane's, the first that understood something of it, speaks for all of them. */
  readonly siblings: readonly Lane[];
  /** Venue symbols in the order in which they were met. */
  readonly symbols: readonly string[];
  /** The recorded answers to snapshot requests, by venue symbol, in file order. */
  readonly snapshots: ReadonlyMap<string, readonly RecordedSnapshot[]>;
};

export type RecordedSnapshot = { readonly line: number; readonly body: Uint8Array };

export type SurveyOptions = {
  readonly venues: readonly Venue[];
  /** Overrides what the recorded URLs say. */
  readonly lane?: Lane;
  readonly onProgress?: Progress;
};

/** Snapshots are kept in memory: a day of resyncs fits, a file made of snapshots does not. */
const SNAPSHOT_BYTES_MAX = 512 * 1024 * 1024;
/** Frames that may wait for the first URL of their connection or of any request. */
const UNPLACED_MAX = 10_000;

/**
 * Reads a frame file to find its markets (from recorded URLs) and symbols (from frames and snapshot requests).
 * @throws BadInput when the file cannot be read, is empty, or does not tell which venue spoke.
 */
export async function surveyFile(path: string, options: SurveyOptions): Promise<Survey> {
  const surveyor = new Surveyor(path, options);
  for await (const batch of readFrameFile(path, options.onProgress)) {
    for (const line of batch) surveyor.read(line);
  }
  return surveyor.finish();
}

class Surveyor {
  readonly #path: string;
  readonly #options: SurveyOptions;
  readonly #lanes: LaneSurvey[] = [];
  readonly #laneOf = new Map<string, LaneSurvey>();
  /** Snapshot URLs of a file whose sockets carry no URL tell the market, too. */
  #restLanes: readonly Lane[] = [];
  #unplaced: FrameLine[] = [];
  #snapshotBytes = 0;
  #lines = 0;
  #firstUnixNs: bigint | undefined;
  #lastUnixNs = 0n;

  constructor(path: string, options: SurveyOptions) {
    this.#path = path;
    this.#options = options;
  }

  read(line: FrameLine): void {
    this.#lines += 1;
    this.#firstUnixNs ??= line.unixNs;
    this.#lastUnixNs = line.unixNs;
    switch (line.kind) {
      case 'open':
      case 'out':
        this.#place(line.connection, line.url);
        return;
      case 'http':
        this.#readRequest(line);
        return;
      case 'in':
        this.#readFrame(line);
    }
  }

  finish(): Survey {
    this.#readUnplaced();
    if (this.#firstUnixNs === undefined) throw new BadInput(`${this.#path}: no frames`);
    if (this.#unplaced.length > 0 || this.#lanes.length === 0) throw this.#unknownMarket();
    return {
      path: this.#path,
      lines: this.#lines,
      firstUnixNs: this.#firstUnixNs,
      lastUnixNs: this.#lastUnixNs,
      lanes: this.#lanes.map((lane) => lane.result()),
      laneOf: new Map([...this.#laneOf].map(([connection, lane]) => [connection, this.#lanes.indexOf(lane)])),
    };
  }

  #place(connection: string, url: string | undefined): void {
    if (this.#laneOf.has(connection)) return;
    const { lane, venues } = this.#options;
    const lanes = lane === undefined ? (url === undefined ? this.#restLanes : lanesOfUrl(url, venues)) : [lane];
    if (lanes.length === 0) return;
    this.#laneOf.set(connection, this.#laneFor(lanes));
  }

  #laneFor(lanes: readonly Lane[]): LaneSurvey {
    const known = this.#lanes.find((lane) => nameOf(lane.siblings[0]!) === nameOf(lanes[0]!));
    if (known !== undefined) return known;
    const lane = new LaneSurvey(lanes);
    this.#lanes.push(lane);
    return lane;
  }

  #readRequest({ url = '', line, bytes }: FrameLine): void {
    const lanes = lanesOfUrl(url, this.#options.venues);
    if (this.#restLanes.length === 0 && lanes.length > 0) this.#restLanes = lanes;
    this.#readUnplaced();
    const asked = this.#lanes.some((lane) => lane.meetRequest(url, { line, body: bytes }));
    if (asked) this.#snapshotBytes += bytes.length;
    if (this.#snapshotBytes > SNAPSHOT_BYTES_MAX) throw new BadInput(`${this.#path}:${line + 1}: too many snapshots`);
  }

  #readFrame(line: FrameLine): void {
    this.#place(line.connection, line.url);
    const lane = this.#laneOf.get(line.connection);
    if (lane !== undefined) {
      lane.meetFrame(line.bytes);
      return;
    }
    this.#unplaced.push(line);
    if (this.#unplaced.length > UNPLACED_MAX) throw this.#unknownMarket();
  }

  #readUnplaced(): void {
    const waiting = this.#unplaced;
    this.#unplaced = [];
    for (const line of waiting) this.#readFrame(line);
  }

  #unknownMarket(): BadInput {
    return new BadInput(`${this.#path}: the recorded URLs do not tell the venue: say --venue VENUE:MARKET`);
  }
}

/** Collects symbols: a sink that follows nothing and remembers what it was asked for. */
class LaneSurvey implements MarketSink {
  readonly update: MarketUpdate = newMarketUpdate();
  readonly print = newTradePrint();
  readonly reference = newReferenceUpdate();
  /** Only instruments that we follow have channels here: there are none. */
  readonly connection = new ConnectionState();
  readonly siblings: readonly Lane[];
  /** Whose protocol this is: the first sibling that found a symbol. */
  #speaker: Lane | undefined;
  readonly #symbols = new Set<string>();
  readonly #snapshots = new Map<string, RecordedSnapshot[]>();
  readonly #frame = new Frame();

  constructor(siblings: readonly Lane[]) {
    this.siblings = siblings;
  }

  meetFrame(bytes: Uint8Array): void {
    if (this.#speaker !== undefined) {
      this.#decode(this.#speaker, bytes);
      return;
    }
    for (const lane of this.siblings) {
      this.#decode(lane, bytes);
      if (this.#symbols.size === 0) continue;
      this.#speaker = lane;
      return;
    }
  }

  #decode({ market }: Lane, bytes: Uint8Array): void {
    try {
      const text = unpackerOf(market.compression)?.(bytes) ?? bytes;
      market.decode(this.#frame.window(text, 0, text.length), this);
    } catch (error) {
      // The replay itself counts malformed frames.
      if (!(error instanceof BadInput)) throw error;
    }
  }

  meetRequest(url: string, snapshot: RecordedSnapshot): boolean {
    const candidates = this.#speaker === undefined ? this.siblings : [this.#speaker];
    const lane = candidates.find(({ market }) => snapshotSymbolOf(market, url) !== undefined);
    const symbol = lane === undefined ? undefined : snapshotSymbolOf(lane.market, url);
    if (symbol === undefined) return false;
    this.#speaker ??= lane;
    this.#symbols.add(symbol);
    const known = this.#snapshots.get(symbol);
    if (known === undefined) this.#snapshots.set(symbol, [snapshot]);
    else known.push(snapshot);
    return true;
  }

  find(frame: Frame, start: number, end: number): -1 {
    this.#symbols.add(frame.text(start, end));
    return -1;
  }

  publish(): void {
    // Nothing is followed yet.
  }

  publishPrint(): void {
    // Nor is any tape.
  }

  clearReference(): void {
    // Nobody reads it.
  }

  publishReference(): void {
    // Nobody is told.
  }

  control(): void {
    // Acks say nothing about symbols that frames do not.
  }

  result(): SurveyedLane {
    const lane = this.#speaker ?? this.siblings[0]!;
    return { ...lane, siblings: this.siblings, symbols: [...this.#symbols], snapshots: this.#snapshots };
  }
}
