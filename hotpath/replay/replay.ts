import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { BROKEN, DELTA } from '#shared/domain/market-event.ts';
import { BookStore } from '../book/book-store.ts';
import { FeedSink } from '../feed/sink.ts';
import { Frame } from '../runtime/frame.ts';
import { unpackerOf } from '../runtime/inflate.ts';
import type { BookRules } from '../venues/venue.ts';
import type { FrameLine } from './frame-file.ts';
import type { RecordedSnapshot, Survey, SurveyedLane } from './survey.ts';

/** One recorded file with its instruments. */
export type ReplaySource = { readonly survey: Survey; readonly instruments: readonly Instrument[] };

/** After each update of a followed instrument: the book stage's answer, and the 0-based line of the frame. */
export type ReplayObserver = (update: MarketUpdate, outcome: ApplyOutcome, line: number) => void;

type Player = {
  readonly lane: SurveyedLane;
  readonly unpack: ReturnType<typeof unpackerOf>;
  /** By the recording's name of the connection: each is numbered and counted by its venue on its own. */
  readonly sinks: Map<string, FeedSink>;
  readonly connection: number;
};

type RestSnapshot = Extract<BookRules['snapshot'], { from: 'rest' }>;
/** A book that needs a snapshot, and the file's answers to choose from. */
type Request = {
  readonly snapshot: RestSnapshot;
  readonly answers: readonly RecordedSnapshot[];
  readonly sink: FeedSink;
  /** Line of the request; Infinity while the book wants none. */
  sinceLine: number;
};

/**
 * Recorded frames through the engine's own decode and books, on a clock that the recording moves. A snapshot request is answered at once with the
 * first recorded answer at or after it; deltas that the answer already holds are dropped by the venue's own rule.
 */
export class Replay {
  readonly clock: VirtualClock;
  readonly instruments: readonly Instrument[];
  readonly store: BookStore;
  frames = 0;
  updates = 0;
  malformed = 0;
  /** Times that a socket's own count showed that frames of it are missing. */
  losses = 0;
  readonly #originUnixNs: bigint;
  readonly #players: readonly (readonly Player[])[];
  readonly #laneOf: readonly ReadonlyMap<string, number>[];
  readonly #requests: (Request | undefined)[] = [];
  readonly #frame = new Frame();
  readonly #answerFrame = new Frame();
  readonly #observer: ReplayObserver;
  #line = 0;

  constructor(sources: readonly ReplaySource[], observer: ReplayObserver) {
    const origins = sources.map(({ survey }) => survey.firstUnixNs);
    this.#originUnixNs = origins.reduce((first, next) => (next < first ? next : first));
    this.#observer = observer;
    this.clock = new VirtualClock(this.#originUnixNs);
    this.instruments = sources.flatMap(({ instruments }) => instruments);
    const markets = new Map(
      sources.flatMap(({ survey }) => survey.lanes.map((lane) => [`${lane.venue.id}:${lane.market.id}`, lane.market])),
    );
    this.store = new BookStore({
      instruments: this.instruments,
      rulesOf: ({ venue, market }) => markets.get(`${venue}:${market}`)!.book,
      clock: this.clock,
      staleAfterMs: Infinity,
    });
    let connection = 0;
    this.#laneOf = sources.map(({ survey }) => survey.laneOf);
    this.#players = sources.map(({ survey }) => survey.lanes.map((lane) => this.#playerOf(lane, (connection += 1))));
  }

  /** Plays one line of source number `source`. Lines must come in time order; one that is late counts as now. */
  play(source: number, line: FrameLine): void {
    const receivedNs = Math.max(this.clock.now(), Number(line.unixNs - this.#originUnixNs)) as TimeNs;
    this.clock.jumpTo(receivedNs);
    this.#line = line.line;
    if (line.kind === 'open') this.#playOpen(source, line);
    if (line.kind === 'in') this.#playFrame(source, line, receivedNs);
    if (line.kind === 'http') this.#playAnswer(line.line);
  }

  #playFrame(source: number, { connection, bytes }: FrameLine, receivedNs: TimeNs): void {
    const player = this.#players[source]![this.#laneOf[source]!.get(connection)!]!;
    const sink = player.sinks.get(connection) ?? this.#sinkOf(player, connection);
    this.frames += 1;
    this.store.heard(player.connection, receivedNs);
    sink.update.receivedTimeNs = receivedNs;
    try {
      const text = player.unpack === undefined ? bytes : player.unpack(bytes);
      player.lane.market.decode(this.#frame.window(text, 0, text.length), sink);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.malformed += 1;
      this.#distrust(player.lane);
    }
  }

  /** What the connection's last socket said of channels is over. */
  #playOpen(source: number, { connection }: FrameLine): void {
    const lane = this.#laneOf[source]!.get(connection);
    if (lane !== undefined) this.#players[source]![lane]!.sinks.get(connection)?.connection.reset();
  }

  /** Malformed and lost frames of the recording are treated as the feed treats live ones. */
  #distrust(lane: SurveyedLane): void {
    for (const [index, { venue, market }] of this.instruments.entries()) {
      if (venue !== lane.venue.id || market !== lane.market.id) continue;
      this.store.distrust(index as InstrumentIndex);
      this.#request(index as InstrumentIndex);
    }
  }

  #playerOf(lane: SurveyedLane, connection: number): Player {
    const answerSink = this.#newSink(lane, (update) => this.#apply(update));
    for (const [index, { venue, market, venueSymbol }] of this.instruments.entries()) {
      if (venue !== lane.venue.id || market !== lane.market.id) continue;
      this.store.assign(index as InstrumentIndex, connection);
      const { snapshot } = lane.market.book;
      if (snapshot.from !== 'rest') continue;
      const answers = lane.snapshots.get(venueSymbol) ?? [];
      this.#requests[index] = { snapshot, answers, sink: answerSink, sinceLine: 0 };
    }
    return { lane, unpack: unpackerOf(lane.market.compression), sinks: new Map(), connection };
  }

  #sinkOf({ lane, sinks }: Player, connection: string): FeedSink {
    const sink = this.#newSink(lane, (update) => this.#onUpdate(update));
    sinks.set(connection, sink);
    return sink;
  }

  #newSink(lane: SurveyedLane, onUpdate: (update: MarketUpdate) => void): FeedSink {
    return new FeedSink({
      instruments: this.instruments,
      venue: lane.venue.id,
      market: lane.market.id,
      onUpdate,
      onControl: (kind) => {
        if (kind !== 'lost') return;
        this.losses += 1;
        this.#distrust(lane);
      },
    });
  }

  #onUpdate(update: MarketUpdate): void {
    const request = this.#requests[update.instrument];
    if (update.kind === DELTA && request !== undefined && request.sinceLine !== Infinity) {
      // Without a recorded answer there is no book: its deltas would only wait.
      if (!this.#answer(update.instrument, request)) return;
    }
    this.#apply(update);
  }

  #apply(update: MarketUpdate): void {
    this.updates += 1;
    const outcome = this.store.apply(update);
    if (outcome === BROKEN) this.#request(update.instrument);
    this.#observer(update, outcome, this.#line);
  }

  #request(instrument: InstrumentIndex): void {
    const request = this.#requests[instrument];
    if (request !== undefined) request.sinceLine = this.#line + 1;
  }

  /** A snapshot that comes before its instrument's first delta. */
  #playAnswer(line: number): void {
    for (const [index, request] of this.#requests.entries()) {
      if (
        request !== undefined &&
        request.answers.some((answer) => answer.line === line) &&
        request.sinceLine <= line
      ) {
        this.#answer(index as InstrumentIndex, request);
      }
    }
  }

  #answer(instrument: InstrumentIndex, request: Request): boolean {
    const answer = request.answers.find(({ line }) => line >= request.sinceLine);
    if (answer === undefined) return false;
    request.sinceLine = Infinity;
    request.sink.update.receivedTimeNs = this.clock.now();
    try {
      request.snapshot.decode(this.#answerFrame.window(answer.body, 0, answer.body.length), request.sink, instrument);
      // The books refused it: it must not be given again.
      if (request.sinceLine !== Infinity) request.sinceLine = Math.max(request.sinceLine, answer.line + 1);
      return true;
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.malformed += 1;
      request.sinceLine = answer.line + 1;
      return false;
    }
  }
}
