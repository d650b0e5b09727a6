import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { EngineMessage } from '#hotpath/main.ts';
import { clientOrderIdParts } from '#hotpath/execute/client-order-id.ts';
import { JournalReader, readJournal } from '#hotpath/publish/journal.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { ENGINE_ENV, ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import { simulatorConfigOf, simulatorKeyEnv, throughSimulator } from '#local/simulated.ts';
import { Child } from '#local/supervisor.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { RunningServer } from '#simulator/server.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { heldAt, liveConfig, ordersAt } from '../hotpath/live/live-world.ts';

const VENUES = ['okx', 'bybit', 'bitget'] as const;
/** Without contracts: a venue that is asked by ten new processes a minute what an account pays for each of them answers none of them. */
const SYMBOLS = ['BTC/USDT', 'ETH/USDT', 'ETH/BTC', 'SOL/USDT'];
const WITHIN_MS = 60_000;
/** Records that are told when something did not happen. */
const LAST = 12;

/** When an engine began, and when it first sent an order: Unix ms. */
type Start = { readonly startedMs: number; orderedMs: number | undefined };

/** From when the lease was free: until it was held, the engine was put together, and had begun. */
export type TakenOver = { readonly leaseMs: number; readonly engineMs: number; readonly startMs: number };

/** One engine that trades and one that waits, as processes; venues on loopback sockets, whose truth can be looked at; tables and streams beside them. */
export class TakeoverWorld {
  readonly clock: Clock = systemClock();
  readonly dataDir: string;
  readonly simulator: Simulator;
  readonly troubles: string[] = [];
  /** Where the time of each takeover went, as its engine said. */
  readonly takenOver: TakenOver[] = [];
  /** The journal as it is followed. */
  readonly state = new JournalState();
  records = 0;
  epoch = 0;
  /** Process id of the engine that has the lease, or had it last. */
  activePid: number | undefined;
  readonly #known = new Set<string>();
  readonly #last: string[] = [];
  readonly #starts = new Map<number, Start>();
  readonly #server: RunningServer;
  readonly #cloud: CloudChild;
  readonly #engines: readonly EngineChild[];
  readonly #reader: JournalReader;

  private constructor(simulator: Simulator, server: RunningServer, cloud: CloudChild, config: Config, dataDir: string) {
    this.simulator = simulator;
    this.#server = server;
    this.#cloud = cloud;
    this.dataDir = dataDir;
    this.#engines = [1, 2].map((seed) => new EngineChild(config, seed, cloud.urls, (line) => this.#note(line)));
    this.#reader = new JournalReader(this.journalDir);
  }

  static async start(seed: number): Promise<TakeoverWorld> {
    const clock = systemClock();
    const dataDir = mkdtempSync(join(tmpdir(), 'arb-takeover-'));
    mkdirSync(join(dataDir, 'journal'));
    const live = liveConfig();
    const plain: Config = {
      ...live,
      system: { ...live.system, data_dir: dataDir, log_level: 'info' },
      api: { ...live.api, port: 0 },
      engine: { ...live.engine, venues: [...VENUES], symbols: SYMBOLS, families: ['spatial', 'cycle'] },
      lease: { ...live.lease, enabled: true },
      breakers: { ...live.breakers, enabled: false },
      simulator: { ...live.simulator, updates_per_second: 40, dislocations_per_minute: 600 },
    };
    const simulator = createSimulator({ clock, random: randomFrom(seed), config: simulatorConfigOf(plain) });
    const server = await serveSimulator({ simulator, clock, port: 0 });
    simulator.start();
    const config = { ...plain, venues: throughSimulator(plain, server.port) };
    return new TakeoverWorld(simulator, server, await CloudChild.start(config), config, dataDir);
  }

  get journalDir(): string {
    return join(this.dataDir, 'journal');
  }

  /** Reads what the journal says by now. */
  follow(): void {
    for (;;) {
      const records = this.#reader.read(1_000, 1_000_000);
      if (records.length === 0) return;
      for (const { json } of records) this.#hear(JSON.parse(json) as EngineEvent);
    }
  }

  #hear(event: EngineEvent): void {
    this.records += 1;
    this.#last.push(`${event.kind}@${new Date(unixMs(event)).toISOString().slice(11, 23)}`);
    if (this.#last.length > LAST) this.#last.shift();
    this.state.apply(event);
    if (event.kind === 'order') {
      this.#known.add(event.data.client_order_id);
      const started = this.#starts.get(this.epoch);
      if (started !== undefined) started.orderedMs ??= unixMs(event);
    }
    if (event.kind === 'engine-started') {
      this.epoch = event.data.epoch;
      this.#starts.set(this.epoch, { startedMs: unixMs(event), orderedMs: undefined });
    }
    if (event.kind === 'lease' && event.data.state === 'held') this.activePid = pidOf(event.data.holder);
  }

  get pids(): readonly number[] {
    return this.#engines.flatMap(({ child }) => child.pid ?? []);
  }

  /** One engine trades, and the other waits. */
  get isWhole(): boolean {
    return this.#engines.some(({ child, waitingPid }) => waitingPid !== undefined && waitingPid === child.pid);
  }

  /** Waits until something holds. @throws when it takes too long */
  async until(holds: () => boolean, what: string): Promise<void> {
    const untilNs = this.clock.now() + WITHIN_MS * 1e6;
    for (;;) {
      this.follow();
      if (holds()) return;
      if (this.clock.now() > untilNs)
        throw new Error(`not within a minute: ${what}; ${this.#where()}; ${this.troubles.slice(-5).join(' | ')}`);
      await wait(10);
    }
  }

  /** For whoever must find out why something did not happen. */
  #where(): string {
    const started = this.#starts.get(this.epoch)?.startedMs;
    const aliveS = started === undefined ? NaN : (this.clock.unixMs(this.clock.now()) - started) / 1e3;
    const open = this.state.openOperations().map(({ id, state }) => `${id} ${state}`);
    return `epoch ${String(this.epoch)} for ${aliveS.toFixed(1)} s, last records ${this.#last.join(' ')}, open ${open.join(', ')}`;
  }

  /**
   * Waits until whatever is open now has ended. The engine goes on trading: something is open at almost any moment.
   * @throws when it takes too long
   */
  async settled(): Promise<void> {
    const open = new Set(this.state.openOperations().map(({ id }) => id));
    await this.until(() => {
      for (const id of open) if (!this.state.openOperations().some((left) => left.id === id)) open.delete(id);
      return open.size === 0;
    }, 'the end of what was open');
  }

  /** How many orders the journal knows. */
  get orders(): number {
    return this.#known.size;
  }

  startOf(epoch: number): Start | undefined {
    return this.#starts.get(epoch);
  }

  /** What must hold at any time: looked at first at the venues, then in the journal, which is written before. */
  wrongNow(): readonly string[] {
    const sent = VENUES.flatMap((venue) =>
      ordersAt(this.simulator.exchange(venue)).map(({ clientOrderId: id }) => ({ venue, id })),
    );
    this.follow();
    const orphans = sent.filter(({ id }) => !this.#known.has(id)).map(({ venue, id }) => `orphan: ${venue} ${id}`);
    const late = VENUES.flatMap((venue) => lateAt(ordersAt(this.simulator.exchange(venue)), venue));
    const twice = sent.length - new Set(sent.map(({ id }) => id)).size;
    return [...orphans, ...late, ...(twice === 0 ? [] : [`sent twice: ${twice}`])];
  }

  /** Stops the standby, then the engine, which drains. True when it came to its last word. */
  async rest(): Promise<boolean> {
    const active = this.activePid;
    const inOrder = [...this.#engines].sort((a, b) => Number(a.child.pid === active) - Number(b.child.pid === active));
    for (const { child } of inOrder) await child.stop(40_000);
    this.follow();
    return inOrder.at(-1)!.finished;
  }

  /** What differs at rest: orders that are open at a venue, operations in the journal, balances between the two. */
  wrongAtRest(): readonly string[] {
    const state = new JournalState();
    for (const event of readJournal(this.journalDir)) state.apply(event);
    const open = VENUES.flatMap((venue) =>
      ordersAt(this.simulator.exchange(venue))
        .filter(({ status }) => status === 'open')
        .map(({ clientOrderId }) => `open order: ${venue} ${clientOrderId}`),
    );
    const operations = state.openOperations().map(({ id, state: how }) => `open operation: ${id} ${how}`);
    const balances = state.ledger().balances.flatMap(({ venue, asset, total }) => {
      const theirs = heldAt(this.simulator.exchange(venue), asset, SYMBOLS);
      return total.minus(theirs).abs().lte('1e-9')
        ? []
        : [`balance: ${venue} ${asset} ${total.toFixed()} not ${theirs.toFixed()}`];
    });
    return [...this.wrongNow(), ...open, ...operations, ...balances];
  }

  /** How many records are projected, once it is all of them: the streams are read behind the engines. Fewer only when a minute brings no more. */
  async projected(): Promise<number> {
    const untilNs = this.clock.now() + WITHIN_MS * 1e6;
    for (;;) {
      const count = await this.#cloud.projected();
      if (count >= this.records || this.clock.now() > untilNs) return count;
      await wait(100);
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#engines) await child.stop(5_000);
    this.simulator.stop();
    await this.#server.close();
    await this.#cloud.child.stop(10_000);
  }

  #note(line: string): void {
    if (line.includes('"taken-over"')) this.takenOver.push(JSON.parse(line) as TakenOver);
    if (!line.includes('"level":"info"')) this.#complain(line);
  }

  #complain(line: string): void {
    this.troubles.push(line.slice(0, 300));
    if (this.troubles.length > 200) this.troubles.shift();
  }
}

type Urls = { readonly dynamodbUrl: string; readonly kinesisUrl: string };

class EngineChild {
  readonly child: Child;
  /** The process that waits for the lease: one that was killed since waits no more, and the one after it not yet. */
  waitingPid: number | undefined;
  finished = false;

  constructor(config: Config, seed: number, { kinesisUrl, dynamodbUrl }: Urls, onTrouble: (line: string) => void) {
    const aws = { region: 'us-east-1', kinesisEndpoint: kinesisUrl, dynamodbEndpoint: dynamodbUrl };
    this.child = new Child({
      name: 'engine',
      entry: 'hotpath/main.ts',
      nodeOptions: ENGINE_NODE_OPTIONS,
      env: { ...ENGINE_ENV, ...simulatorKeyEnv(config.engine.venues) },
      args: [JSON.stringify({ config, seed, aws })],
      restart: { max: 1_000, backoffMs: 50 },
      onMessage: (message) => this.#hear(message as EngineMessage),
      onLine: () => undefined,
      onTrouble,
      onGone: onTrouble,
    });
  }

  #hear({ kind }: EngineMessage): void {
    this.waitingPid = kind === 'standby' ? this.child.pid : undefined;
    this.finished = kind === 'finished';
  }
}

class CloudChild {
  readonly child: Child;
  readonly urls: Urls;
  readonly #answers = new Map<number, (value: number) => void>();
  readonly #engine: string;
  #asked = 0;

  private constructor(config: Config, child: (onMessage: (message: unknown) => void) => Child, urls: Urls) {
    this.#engine = config.engine.name;
    this.urls = urls;
    this.child = child((message) => {
      const { id, value } = message as { readonly id: number; readonly value: number };
      this.#answers.get(id)?.(value);
      this.#answers.delete(id);
    });
  }

  static async start(config: Config): Promise<CloudChild> {
    let hear: (message: unknown) => void = () => undefined;
    const child = await new Promise<{ readonly child: Child; readonly urls: Urls }>((resolve, reject) => {
      const started: Child = new Child({
        name: 'cloud',
        entry: 'infra/local/main.ts',
        args: [JSON.stringify({ config, dataDir: config.system.data_dir })],
        onMessage: (message) => hear(message),
        onLine: (line) => resolve({ child: started, urls: (JSON.parse(line) as { ready: Urls }).ready }),
        onTrouble: () => undefined,
        onGone: (how) => reject(new Error(how)),
      });
    });
    return new CloudChild(
      config,
      (onMessage) => {
        hear = onMessage;
        return child.child;
      },
      child.urls,
    );
  }

  projected(): Promise<number> {
    return new Promise((resolve) => {
      this.#asked += 1;
      this.#answers.set(this.#asked, resolve);
      this.child.send({ ask: 'projected', id: this.#asked, engine: this.#engine });
    });
  }
}

type Sent = { readonly clientOrderId: string; readonly createdMs: number };

/** Orders that came after one of a later epoch: the word of an engine that was no engine any more. */
function lateAt(orders: readonly Sent[], venue: string): readonly string[] {
  let highest = 0;
  return orders.flatMap(({ clientOrderId }) => {
    const epoch = clientOrderIdParts(clientOrderId)?.epoch ?? Infinity;
    highest = Math.max(highest, epoch);
    return epoch < highest ? [`late: ${venue} ${clientOrderId} after epoch ${String(highest)}`] : [];
  });
}

/** A holder is host, process and chance. */
const pidOf = (holder: string): number => Number(/-(\d+)-[0-9a-f]+$/.exec(holder)?.[1]);
const unixMs = ({ at }: EngineEvent): number => Number(BigInt(at) / 1_000n) / 1e3;
