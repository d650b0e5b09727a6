import { Decimal } from 'decimal.js';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { FaultKind } from './faults.ts';
import { RECOVERY_LIMITS } from '#hotpath/recover/recovery.ts';
import { Weather } from './faults.ts';
import { Judge, Violation } from './judge.ts';
import { Life } from './life.ts';
import { FUNDS, instrumentOf } from './listings.ts';
import { Market } from './market.ts';
import { drawManual, drawPlan, drawStanding } from './plans.ts';
import type { Profile } from './profiles.ts';
import { PROFILES } from './profiles.ts';
import type { Asker } from './venues.ts';
import { filledOf, TRAVEL_MS_MAX, Venues } from './venues.ts';
import type { OperationOutcome } from './watched.ts';
import { Watched } from './watched.ts';

export type EpisodeOptions = {
  readonly seed: number;
  /** Every engine is killed a few times; otherwise some are. */
  readonly crashes: boolean;
  /** Hears the story. */
  readonly tell?: (line: string) => void;
};

export type Outcome = {
  readonly operations: readonly OperationOutcome[];
  readonly faults: ReadonlyMap<FaultKind | EngineFault, number>;
  readonly steps: number;
  readonly events: number;
  readonly orders: number;
  /** Trades that only a comparison of balances can find. */
  readonly mismatches: number;
  /** Orders at work that only a list of open orders can find. */
  readonly unseen: number;
  /** Of the whole journal and the time it took. */
  readonly hash: number;
};

type EngineFault = 'kill' | 'takeover';

const ORIGIN_NS = 1_700_000_000_000_000_000n;
const OPERATIONS_MAX = 3;
const MANUALS_MAX = 3;
/** The list of what a venue has done by itself is read within so long; at a start at once. */
const LIST_WITHIN_MS = 60_000;
const LIST_FIRST_MS = 500;
const HELD_LOOKS_MAX = 400;
const HELD_LOOKS_OFTEN = 30;
const KILLS_MAX = 3;
/** Calls to the outside within which a kill strikes. */
const KILL_WITHIN = 160;
const LEASE_ENDS_WITHIN = 40;
/** Or in the middle of a report: after so many calls of the n-th. */
const AIMED_WITHIN = 4;
const AIMED_REPORTS = 30;
/** In a few episodes recovery may try and lose so little that a person is asked. */
const STRICT = { ...RECOVERY_LIMITS, roundsMax: 1, lossMax: 1, ageMsMax: 5_000 } as const;
const STRICT_SHARE = 0.06;
const STEPS_MAX = 200_000;
const END_NS = 7 * 86_400e9;
const PLAN_DRAWS_MAX = 20;
const TAKE_BACK_EVERY_MS = 15_000;
const TAKE_BACK_TIMES = 60;
/** So often somebody sees that nothing works at the venue before he says that an order is over. */
const LOOKS = 3;

/** The seed of one episode of a run. */
export const episodeSeed = (seed: number, episode: number): number => Math.imul(seed, 0x9e3779b1) + episode;

/** One seeded story from the first plan to the last word, with every promise asked after every step. @throws Violation, with what was not kept. */
export function runEpisode(options: EpisodeOptions): Outcome {
  return new World(options).run();
}

class World {
  readonly #options: EpisodeOptions;
  readonly #clock = new VirtualClock(ORIGIN_NS);
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #profiles: readonly Profile[];
  readonly #names: readonly string[];
  readonly #market: Market;
  readonly #venues: Venues;
  readonly #judge: Judge;
  readonly #watched = new Map<string, Watched>();
  readonly #engineFaults = new Map<EngineFault, number>();
  /** The engine whose journal counts, and those that it has displaced and that do not know it yet. */
  #life: Life | undefined;
  readonly #displaced = new Set<Life>();
  #killsLeft = 0;
  /** Reports until the engine is killed within one. */
  #reportsLeft = Infinity;
  readonly #isStrict: boolean;
  readonly #asked = new Map<string, EventData<'escalation'>>();
  /** How often the person has seen at the venue that nothing works. */
  readonly #looks = new Map<string, number>();

  #isLooking = false;
  #heldLooksLeft = 0;

  constructor(options: EpisodeOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    const random = this.#random;
    this.#weather = new Weather(random.fork('weather'));
    this.#isStrict = random.next() < STRICT_SHARE;
    this.#profiles = drawSome(random, PROFILES, 2 + random.integer(3));
    this.#names = this.#profiles.map(({ venue }) => venue);
    this.#market = new Market(random.fork('market'), () => this.#clock.now() / 1e6);
    this.#venues = new Venues({
      clock: this.#clock,
      random: random.fork('venues'),
      weather: this.#weather,
      market: this.#market,
      profiles: this.#profiles,
      hear: (report, asker) => this.#hear(report, asker),
      onFill: (fill, order) => {
        this.#judge.onFill(fill, order, this.#clock.now() / 1e6);
      },
      onForced: (fill, isTold) => {
        this.#onForced(fill, isTold);
      },
      onPoor: (order) => {
        this.#judge.onPoor(order);
      },
      onMet: (order, met) => {
        this.#judge.onMet(order, met);
      },
      tell: this.#tell,
    });
    for (const venue of this.#names)
      for (const [asset, amount] of Object.entries(FUNDS)) this.#venues.truth.add(venue, asset, new Decimal(amount));
    this.#judge = new Judge({
      venues: this.#venues,
      names: this.#names,
      watched: this.#watched,
      isClockSet: () => this.#weather.counts.has('wall-step'),
      onEscalation: (escalation) => {
        this.#onEscalation(escalation);
      },
    });
  }

  run(): Outcome {
    this.#schedule();
    for (let steps = 1; steps <= STEPS_MAX; steps += 1) {
      if (!this.#clock.step(END_NS)) return this.#end(steps);
      const life = this.#life;
      if (life?.isAlive !== true) continue;
      this.#judge.check(life);
      // The journal's timer.
      if (this.#random.next() < 0.3) life.journal.flush();
    }
    throw new Violation('the story has no end');
  }

  /** What happens beside what follows from it. */
  #schedule(): void {
    const random = this.#random.fork('schedule');
    const { crashes } = this.#options;
    const later = (withinMs: number, task: () => void): void => void this.#clock.after(random.next() * withinMs, task);
    this.#boot();
    const count = 1 + random.integer(OPERATIONS_MAX);
    for (let at = 0; at < count; at += 1) later(2_000, () => this.#submit(`op-${at}`));
    for (let manual = random.integer(MANUALS_MAX + 1); manual > 0; manual -= 1)
      later(4_000, () => this.#order(`by-hand-${manual}`, random));
    for (let strikes = random.integer(6); strikes > 0; strikes -= 1) later(8_000, () => this.#venues.strike());
    for (let strikes = random.integer(6); strikes > 0; strikes -= 1) later(60_000, () => this.#venues.force());
    later(6_000, () => this.#disturb(random));
    const isTakenOver = random.next() < 0.15;
    this.#killsLeft = crashes ? 1 + random.integer(KILLS_MAX) : random.next() < 0.3 ? 1 + random.integer(2) : 0;
    if (this.#killsLeft > 0) {
      const how = random.next();
      if (how < 0.3) this.#reportsLeft = random.integer(AIMED_REPORTS);
      else if (how < 0.7) later(2_500, () => this.#life?.killAfter(random.integer(KILL_WITHIN)));
      else later(12_000, () => this.#life?.kill());
    }
    if (isTakenOver) later(4_000, () => this.#life?.loseLeaseAfter(random.integer(LEASE_ENDS_WITHIN)));
  }

  /** The process stands still, or its wall clock is set. */
  #disturb(random: Random): void {
    const life = this.#life;
    if (life === undefined) return;
    if (this.#weather.strikes('clock-jump')) {
      life.pausedUntilMs = this.#clock.now() / 1e6 + random.next() * 40_000;
      this.#tell(() => `the engine stands still until ${life.pausedUntilMs.toFixed(0)} ms`);
    }
    if (this.#weather.strikes('wall-step')) life.wallStepMs += (random.next() - 0.5) * 2 * 86_400_000;
  }

  #boot(): void {
    const before = this.#life;
    const events = before === undefined ? [] : before.journal.events.slice(0, before.journal.flushed);
    const life: Life = new Life({
      clock: this.#clock,
      venues: this.#names,
      events,
      levels: (instrument, side) =>
        this.#venues.isSeen(instrument.venue) ? this.#market.levels(instrument, side) : [],
      place: (order, from) => {
        this.#place(order, from);
      },
      cancel: (id, from) => {
        if (from === this.#life) this.#judge.onCancel(id);
        this.#venues.cancel(id);
      },
      replace: (id, to, from) => this.#replace(id, to, from),
      probe: (id, asker) => {
        this.#venues.probe(id, asker);
      },
      onExit: (plan, from) => {
        if (from === this.#life) this.#watched.set(plan.operation, new Watched(plan));
      },
      onKilled: (killed) => {
        this.#onKilled(killed);
      },
      limits: this.#isStrict ? STRICT : RECOVERY_LIMITS,
      onLeaseLost: (displaced) => {
        this.#onLeaseLost(displaced);
      },
      isCheckpointed: this.#random.next() < 0.5,
    });
    this.#life = life;
    this.#asked.clear();
    this.#judge.begin(life);
    this.#tell(() => `engine ${life.epoch} starts with ${events.length} records`);
    if (this.#killsLeft > 0 && life.epoch > 1) {
      if (this.#random.next() < 0.5) this.#reportsLeft = this.#random.integer(AIMED_REPORTS);
      else life.killAfter(this.#random.integer(KILL_WITHIN));
    }
    life.start();
    // Every start reads the venues' lists of what they have done by themselves.
    for (const fill of this.#venues.forced) this.#listForced(fill, LIST_FIRST_MS);
    if (this.#venues.forced.length > 0) this.#lookAfter();
  }

  /** Told by the private stream, once or twice; by the list in any case. */
  #onForced(fill: ForcedFill, isTold: boolean): void {
    for (let times = isTold ? 1 + this.#random.integer(2) : 0; times > 0; times -= 1)
      this.#clock.after(this.#random.next() * 2_000, () => {
        for (const life of [...this.#displaced, this.#life!]) life.hearForced(fill);
      });
    this.#listForced(fill, LIST_WITHIN_MS);
    this.#lookAfter();
  }

  /** A venue's list names what it has done by itself: asked again until it answers. */
  #listForced(fill: ForcedFill, withinMs: number): void {
    const asker = this.#life;
    this.#clock.after(this.#random.next() * withinMs, () => {
      if (asker !== this.#life) return;
      if (this.#venues.answers(instrumentOf(fill.instrument)!.venue)) asker?.hearForced(fill);
      else this.#listForced(fill, LIST_WITHIN_MS);
    });
  }

  /** The timer of what is held: as long as something of it is one-sided, or may be once what is under way has ended. */
  #lookAfter(): void {
    this.#heldLooksLeft = HELD_LOOKS_MAX;
    if (this.#isLooking) return;
    this.#isLooking = true;
    const again = (): void => {
      const isEarly = this.#heldLooksLeft > HELD_LOOKS_MAX - HELD_LOOKS_OFTEN;
      this.#clock.after(isEarly ? 1_000 : 20_000, () => {
        this.#heldLooksLeft -= 1;
        const life = this.#life!;
        life.look();
        const isOver = life.isAlive && life.executor.counts.open === 0 && this.#judge.isWhole(life);
        this.#isLooking = this.#heldLooksLeft > 0 && !isOver;
        if (this.#isLooking) again();
      });
    };
    again();
  }

  #submit(operation: string): void {
    const life = this.#life;
    if (life?.isAlive !== true) return;
    for (let draw = 0; draw < PLAN_DRAWS_MAX; draw += 1) {
      const plan = drawPlan(operation, { random: this.#random, market: this.#market, venues: this.#names });
      if (plan === undefined || sentLegs(plan.legs).some((leg) => life.isInTheWay(leg))) continue;
      this.#watched.set(operation, new Watched(plan));
      this.#tell(
        () =>
          `${operation}: ${plan.legs.map((leg) => `${leg.side} ${leg.qty.toFixed()} ${leg.instrument} at ${leg.price.toFixed()}`).join(', ')}`,
      );
      life.submit(plan);
      return;
    }
  }

  /** A person sends an order, and takes it back sooner or later, as often as that takes. */
  #order(operation: string, random: Random): void {
    const life = this.#life;
    if (life?.isAlive !== true) return;
    const order = drawManual(operation, { random, market: this.#market, venues: this.#names });
    if (order === undefined) return;
    life.run(() => {
      life.executor.submitManual(order);
    });
    for (let changes = random.integer(6); changes > 0; changes -= 1)
      this.#clock.after(100 + random.next() * 4_000, () => this.#rethink(operation, random));
    this.#takeBack(operation, 500 + random.next() * 20_000);
  }

  /** The person wants an order to be another. */
  #rethink(operation: string, random: Random): void {
    const life = this.#life;
    for (const { request, instrument, state } of this.#venues.orders.values()) {
      if (request.operation !== operation || state !== 'live') continue;
      const to = drawStanding(request, instrument, random);
      life?.run(() => {
        life.executor.replaceOrder(request.clientOrderId, to);
      });
    }
  }

  #replace(id: ClientOrderId, to: Standing, from: Life): boolean {
    this.#tell(() => `engine ${from.epoch} changes ${id} to ${to.qty.toFixed()} at ${to.price.toFixed()}`);
    this.#judge.onReplace(id, to, from, from === this.#life);
    return this.#venues.replace(id, to);
  }

  #takeBack(operation: string, afterMs: number, times = TAKE_BACK_TIMES): void {
    this.#clock.after(afterMs, () => {
      const open = [...this.#venues.orders.values()].filter(
        (order) => order.request.operation === operation && (order.state === 'live' || order.state === 'travelling'),
      );
      const life = this.#life;
      life?.run(() => {
        for (const { request } of open) life.executor.cancelOrder(request.clientOrderId);
      });
      if (times > 0) this.#takeBack(operation, TAKE_BACK_EVERY_MS, times - 1);
    });
  }

  #place(order: OrderRequest, from: Life): void {
    this.#tell(
      () =>
        `engine ${from.epoch} sends ${order.clientOrderId}: ${order.operation} ${order.purpose} ${order.side} ${order.qty.toFixed()} ${order.instrument} at ${order.price.toFixed()}`,
    );
    this.#judge.onPlace(order, from, from === this.#life);
    this.#venues.place(order);
  }

  /** Every engine that lives hears the account's stream; the answer to a question only who has asked. */
  #hear(report: OrderReport, asker: Asker | undefined): boolean {
    this.#reportsLeft -= 1;
    if (this.#venues.forced.length > 0) this.#lookAfter();
    if (this.#killsLeft > 0 && (this.#reportsLeft === 0 || this.#isLate(report)))
      this.#life?.killAfter(this.#random.integer(AIMED_WITHIN));
    if (asker !== undefined) {
      const isHeard = asker === this.#life && asker.isAlive;
      asker.hear(report);
      return isHeard;
    }
    for (const displaced of this.#displaced) displaced.hear(report);
    const life = this.#life;
    if (life?.isAlive !== true) return false;
    life.hear(report);
    return true;
  }

  /** A trade of an operation that was taken for ended. */
  #isLate(report: OrderReport): boolean {
    if (report.kind !== 'fill') return false;
    const operation = this.#venues.orders.get(report.clientOrderId)?.request.operation ?? '';
    return this.#watched.get(operation)?.isOver === true;
  }

  #onKilled(life: Life): void {
    this.#tell(() => `engine ${life.epoch} is killed`);
    this.#engineFaults.set('kill', (this.#engineFaults.get('kill') ?? 0) + 1);
    if (this.#displaced.delete(life)) return;
    this.#killsLeft -= 1;
    // The operating system may have been given more of the journal than what was asked for.
    const { journal } = life;
    journal.flushed += this.#random.integer(journal.events.length - journal.flushed + 1);
    this.#clock.after(TRAVEL_MS_MAX + this.#random.next() * 10_000, () => this.#boot());
  }

  /** The lease has ended, the engine goes on for a while and may send nothing; another one takes over. */
  #onLeaseLost(life: Life): void {
    const random = this.#random;
    this.#engineFaults.set('takeover', (this.#engineFaults.get('takeover') ?? 0) + 1);
    this.#tell(() => `engine ${life.epoch} has lost its lease`);
    this.#clock.after(TRAVEL_MS_MAX + random.next() * 3_000, () => {
      if (this.#life !== life || !life.isAlive) return;
      this.#displaced.add(life);
      this.#clock.after(random.next() * 60_000, () => {
        life.stop();
        this.#displaced.delete(life);
      });
      this.#boot();
    });
  }

  #onEscalation(escalation: EventData<'escalation'>): void {
    const { operation, state } = escalation;
    const isNew = !this.#asked.has(operation);
    if (state !== 'open') {
      this.#asked.delete(operation);
      return;
    }
    this.#asked.set(operation, escalation);
    this.#tell(() => `the engine asks about ${operation}: ${escalation.reason}`);
    if (isNew) this.#clock.after(2_000 + this.#random.next() * 120_000, () => this.#answer(operation));
  }

  /** A person takes one of the ways out, or things as they are; but first looks at the venue when nobody knows what became of an order. */
  #answer(operation: string): void {
    const asked = this.#asked.get(operation);
    const life = this.#life;
    if (asked === undefined || life === undefined) return;
    this.#clock.after(30_000 + this.#random.next() * 60_000, () => this.#answer(operation));
    if (asked.reason.startsWith('ORDER_UNKNOWN')) {
      // The engine asks on, and mostly needs nobody once the venue answers again.
      const looks = (this.#looks.get(operation) ?? 0) + (this.#isSettled(operation) ? 1 : 0);
      this.#looks.set(operation, looks);
      if (looks < LOOKS) return;
    }
    const proposal = asked.proposals[this.#random.integer(asked.proposals.length + 1)];
    const word = { by: 'somebody', commandId: `c-${this.#clock.now()}` };
    const watched = this.#watched.get(operation);
    if (watched !== undefined) {
      watched.wasAnswered = true;
      if (proposal === undefined || proposal.kind === 'accept') watched.isAccepted = true;
    }
    this.#tell(() => `somebody answers ${operation}: ${proposal?.id ?? 'cancel'}`);
    life.run(() => {
      if (proposal === undefined) life.executor.cancelRecovery(operation as OperationId, word);
      else life.executor.approveRecovery(operation as OperationId, proposal.id, word);
    });
  }

  /** Whether the venues can be looked at, nothing of the operation works there, and all of it is known. */
  #isSettled(operation: string): boolean {
    for (const order of this.#venues.orders.values()) {
      if (order.request.operation !== operation) continue;
      const isKnown = filledOf(order).eq(this.#judge.toldOf(order.request.clientOrderId));
      if (order.state === 'live' || !isKnown || !this.#venues.answers(order.instrument.venue)) return false;
    }
    return true;
  }

  #end(steps: number): Outcome {
    const life = this.#life!;
    const { mismatches, unseen } = this.#judge.end(life);
    const operations = [...this.#watched.values()].filter(({ state }) => state !== undefined);
    const { events } = life.journal;
    return {
      operations: operations.map((each) => each.outcome(this.#clock.now() / 1e6, this.#isStrict)),
      faults: new Map<FaultKind | EngineFault, number>([...this.#weather.counts, ...this.#engineFaults]),
      steps,
      events: events.length,
      orders: this.#venues.orders.size,
      mismatches,
      unseen,
      hash: hashOf(
        events,
        `${this.#options.seed} ${life.ledger.pnl.realised.toFixed()} ${life.ledger.pnl.fees.toFixed()}`,
      ),
    };
  }

  readonly #tell = (text: () => string): void => {
    const { tell } = this.#options;
    if (tell !== undefined) tell(`${(this.#clock.now() / 1e9).toFixed(6)}s ${text()}`);
  };
}

function drawSome<T>(random: Random, list: readonly T[], count: number): readonly T[] {
  const left = [...list];
  return Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)[0]!);
}

/** FNV-1a over what an episode wrote. */
function hashOf(events: Life['journal']['events'], rest: string): number {
  let hash = 0x811c9dc5;
  const add = (text: string): void => {
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  };
  for (const { at, key, kind, data } of events) {
    add(at);
    add(kind);
    add(key);
    if (kind === 'order') add(`${data.client_order_id} ${data.status} ${data.filled_qty}`);
    if (kind === 'fill') add(`${data.trade_id} ${data.price} ${data.qty} ${data.fee}`);
  }
  add(rest);
  return hash >>> 0;
}
