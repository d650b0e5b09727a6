import { Decimal } from 'decimal.js';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Closing, ForcedFill, Held, HeldLeg, HeldState, SettledTerms } from '#shared/domain/held.ts';
import { afterClosing, afterFunding, endedOf, isCountedInQuote, isFlat } from '#shared/domain/held.ts';
import type { Asset, InstrumentId, OperationId } from '#shared/domain/ids.ts';
import type { Taking } from '#shared/domain/recovery.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { decimalFrom, textOf, ZERO } from '#shared/money/grid.ts';
import type { FillFacts, Pnl } from '#shared/money/pnl.ts';
import { contractOf, fillFactsOf, tradeKey } from '#shared/money/pnl.ts';
import { closingOf } from '#shared/money/position.ts';
import type { EventData } from '#shared/schema/event.ts';
import { holdingEventOf } from '#shared/schema/held-event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { heldKey } from './exposures.ts';
import type { HoldingKeeper, Share } from './operations.ts';
import type { ExitMarket, ExitQuote, ExitReason } from './exit.ts';
import { exitPlanOf, exitReasonOf, expectedFunding, quoteExit } from './exit.ts';
import type { FundingDue, FundingWord } from './funding.ts';
import { fundingEventOf } from './funding.ts';
import type { Ledger } from './ledger.ts';
import type { LegOutcome, Operation } from './operation.ts';
import { contractText, exposedOf, exposureOf } from './operation.ts';
import { ratesText } from './operation-from.ts';
import type { Settlement } from './settlement.ts';

export type HoldingsOptions = {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly market: ExitMarket;
  /** The venue's closing of what has expired; undefined while its price is not known. */
  readonly settle: (terms: SettledTerms, size: Decimal) => Settlement | undefined;
  /** What a perpetual's venue says of its next funding; undefined while it has not said all. */
  readonly fundingOf: (id: InstrumentId) => FundingWord | undefined;
  readonly rateOf: (asset: Asset) => number | undefined;
  readonly nextOperation: () => OperationId;
  /** Asks the risk gate and sends, or does nothing: it is asked again at the next look. */
  readonly exit: (plan: Plan) => void;
  /** An open operation trades the instrument: what it holds there is about to change. */
  readonly busy: (id: InstrumentId) => boolean;
  /** Of open operations what no holding has yet. */
  readonly entries: {
    readonly sharesOf: (taken: Pick<Taking, 'instrument' | 'side' | 'qty'>) => readonly Share[];
    readonly take: (id: OperationId, taking: Taking) => void;
  };
  /** Whether an exit of the holding is on its way. */
  readonly isExiting: (holding: OperationId) => boolean;
  /** Routes that end by trading are left after so long. */
  readonly horizonMs: number;
  /** What has lost this share of its notional is left. */
  readonly stopLoss: () => number;
  /** What is older is left; Infinity: nothing is. */
  readonly maxAgeMs: (family: string) => number;
  /** Its venue is near to reducing it. */
  readonly isNextToGo: (id: InstrumentId) => boolean;
};

const LOOK_EVERY_MS = 1_000;
/** Ways out that are reckoned in one look: each takes a fraction of a millisecond of the thread that trades. */
const TURNS_A_LOOK = 4;
/** First wait after an exit that has not closed everything; doubled each time up to the maximum. */
const RETRY_AFTER_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** How far beyond the worst price walked a leg may trade that must be closed. */
const FORCED_SLACK = new Decimal('0.002');
/** Holdings that are over and that a late fill can still wake: as many as operations that it can find. */
const ENDED_MAX = 400;

/** By the clock that is never set: a holding may be one-sided while it waits. */
type Retry = { readonly tries: number; readonly notBeforeNs: number };

/**
 * What sum operations have entered and not yet left. Looks at it on a timer, far from the ticks: pays funding when it is due, settles what has expired, and
 * leaves by trading when that is due. Every change is journalled, and each of them can be the last before a restart.
 */
export class Holdings implements HoldingKeeper {
  readonly #options: HoldingsOptions;
  readonly #held = new Map<OperationId, Held>();
  /** Over, and flat: their dust is told. */
  readonly #ended = new Map<OperationId, Held>();
  readonly #reasons = new Map<OperationId, ExitReason>();
  readonly #retries = new Map<OperationId, Retry>();
  /** Of which a venue has taken something by itself. */
  readonly #reduced = new Set<OperationId>();
  /** Of trades that the last start did not book to the end. */
  readonly #rests = new Map<string, Decimal>();
  /** When each perpetual was last paid for, and what is due next. */
  readonly #fundedMs = new Map<InstrumentId, number>();
  readonly #dues = new Map<InstrumentId, FundingDue>();
  /** Money has moved without an operation that would tell of it. */
  #hasBooked = false;
  #timer: Timer | undefined;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  get open(): readonly Held[] {
    return [...this.#held.values()];
  }

  /** Takes over what the journal says, before any operation is taken up. */
  restore({ open, ended, fundedMs, forcedRests }: HeldState): void {
    for (const held of open) this.#keep(held);
    for (const held of ended) this.#ended.set(held.id, held);
    for (const [trade, rest] of forcedRests) this.#rests.set(trade, rest);
    for (const [id, ms] of fundedMs) this.#fundedMs.set(id as InstrumentId, ms);
  }

  start(): void {
    this.#timer = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** One look at everything that is open. */
  look(): void {
    const { clock } = this.#options;
    const nowMs = clock.unixMs(clock.now());
    this.#payFunding(nowMs);
    let turns = TURNS_A_LOOK;
    for (const id of [...this.#held.keys()]) {
      const hasSettled = this.#settleExpired(id, nowMs);
      if (!hasSettled && turns === 0) continue;
      turns = Math.max(0, turns - 1);
      // The next look begins with the others.
      const held = this.#held.get(id)!;
      this.#held.delete(id);
      this.#held.set(id, held);
      this.#leave(id, nowMs);
    }
    this.#settleLoose(nowMs);
    if (this.#hasBooked) this.#tellChanges();
  }

  /**
   * A venue has reduced a position by itself. It is booked, once, to what it was held for: the oldest first, as far as that goes, then to what is being
   * entered. What is one-legged by it is left at once, and again until it is; an entry recovers.
   */
  readonly onForced = (fill: ForcedFill): void => {
    const { ledger, recorder, market, clock, entries } = this.#options;
    const terms = market.instrumentOf(fill.instrument);
    if (terms === undefined || ledger.knows(fill)) return;
    const touched: OperationId[] = [];
    let left: Decimal = this.#rests.get(tradeKey(fill)) ?? fill.qty;
    for (const held of this.open) {
      const size = sizeIn(held, fill.instrument);
      const isTaken = fill.side === 'buy' ? size.isNegative() : size.gt(0);
      const qty = Decimal.min(left, size.abs());
      if (!isTaken || qty.isZero()) continue;
      left = left.minus(qty);
      const { closing, pnl } = this.#bookForced(terms, partOf(fill, qty), { held, rest: left });
      this.#held.set(held.id, afterClosing(held, fill.instrument, closing, pnl));
      this.#reduced.add(held.id);
      touched.push(held.id);
    }
    const shares = left.isZero() ? [] : entries.sharesOf({ ...fill, qty: left });
    for (const { id: entry, qty } of shares) {
      left = left.minus(qty);
      this.#bookForced(terms, partOf(fill, qty), { entry, rest: left });
    }
    ledger.noteForced(fill);
    this.#rests.delete(tradeKey(fill));
    this.#tellChanges();
    recorder.flush();
    const nowMs = clock.unixMs(clock.now());
    for (const id of touched) this.#leave(id, nowMs);
    const feeRate = this.#rateOf(fill.feeAsset);
    for (const { id, qty } of shares) if (id !== undefined) entries.take(id, { ...partOf(fill, qty), feeRate });
  };

  /** A person has said what a position is: what holdings have of it and is not there is taken from them, the oldest first. It earned nothing. */
  readonly onAdjusted = (id: InstrumentId): void => {
    const { ledger, recorder } = this.#options;
    const { size } = ledger.positionOf(id);
    let missing: Decimal = this.open.reduce((sum, held) => sum.plus(sizeIn(held, id)), size.neg());
    for (const held of this.open) {
      const had = sizeIn(held, id);
      if (had.isZero() || missing.isZero() || had.isNegative() !== missing.isNegative()) continue;
      const taken = had.abs().lt(missing.abs()) ? had : missing;
      missing = missing.minus(taken);
      const changed = afterClosing(held, id, { change: taken.neg(), quote: ZERO }, NOTHING_EARNED);
      this.#held.set(held.id, changed);
      this.#reduced.add(held.id);
      recorder.record('holding', held.id, holdingEventOf(changed));
    }
  };

  readonly entered: HoldingKeeper['entered'] = (operation) => {
    const { clock, recorder } = this.#options;
    const before = this.#held.get(operation.id) ?? this.#ended.get(operation.id);
    const outcomes = operation.outcomes();
    if (outcomes.length === 0 && before === undefined) return;
    const held = this.#expecting(heldOf(operation, outcomes, before, clock.unixMs(clock.now())));
    this.#keep(held);
    recorder.record('holding', held.id, holdingEventOf(held));
  };

  readonly closing: HoldingKeeper['closing'] = (id, instrument, closing, pnl) => {
    const held = this.#held.get(id);
    if (held !== undefined) this.#held.set(id, afterClosing(held, instrument, closing, pnl));
    const ended = this.#ended.get(id);
    if (ended !== undefined) this.#keep(afterClosing(ended, instrument, closing, pnl));
  };

  readonly exited: HoldingKeeper['exited'] = (id) => {
    const held = this.#held.get(id);
    if (held === undefined) return;
    const { clock, recorder } = this.#options;
    if (isFlat(held)) {
      this.#close(held, this.#reasons.get(id) ?? 'exit', {});
      return;
    }
    const tries = (this.#retries.get(id)?.tries ?? 0) + 1;
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_AFTER_MS * 2 ** (tries - 1));
    this.#retries.set(id, { tries, notBeforeNs: clock.now() + waitMs * 1e6 });
    recorder.record('holding', id, holdingEventOf(held));
  };

  /** What a venue has not said, nobody has counted on. */
  #expecting(held: Held): Held {
    const { market, horizonMs } = this.#options;
    const funding = expectedFunding(held, market, (held.endsMs ?? held.openedMs + horizonMs) - held.openedMs);
    return Number.isNaN(funding) ? held : { ...held, expectedFunding: new Decimal(funding) };
  }

  /** Whether anything was. */
  #settleExpired(id: OperationId, nowMs: number): boolean {
    let hasSettled = false;
    for (const { terms, instrument, size } of this.#held.get(id)!.legs) {
      if (size.isZero() || !isExpired(terms, nowMs) || this.#options.busy(instrument)) continue;
      const held = this.#held.get(id)!;
      const closed = this.#settle(terms, size, { id, rates: held.rates });
      if (closed === undefined) continue;
      this.#held.set(id, afterClosing(held, instrument, closed.closing, closed.pnl));
      // What was to be left for another reason has not been.
      this.#reasons.delete(id);
      hasSettled = true;
    }
    return hasSettled;
  }

  /** Positions that no holding has: what an operation that failed has left, and dust. What nobody can value waits. */
  #settleLoose(nowMs: number): void {
    const { ledger, market, busy, rateOf } = this.#options;
    for (const id of ledger.openPositions()) {
      const terms = market.instrumentOf(id);
      if (terms === undefined || !isExpired(terms, nowMs) || busy(id)) continue;
      const { size, cost } = ledger.positionOf(id);
      const loose = this.open.reduce((left, held) => left.minus(sizeIn(held, id)), size);
      const assets = [terms.base, terms.quote, terms.settle];
      if (loose.isZero() || assets.some((asset) => rateOf(asset) === undefined)) continue;
      const rates: Record<string, Decimal> = {};
      for (const asset of assets) rates[asset] = this.#rateOf(asset);
      // Worth what it cost: what it pays beyond that is its profit.
      rates[id] = (cost ?? ZERO).div(size).times(rates[terms.quote]!);
      this.#settle(terms, loose, { rates });
    }
  }

  #settle(
    terms: SettledTerms,
    size: Decimal,
    { id, rates }: { readonly id?: OperationId; readonly rates: Held['rates'] },
  ): Closed | undefined {
    const { ledger, recorder, settle } = this.#options;
    const settlement = settle(terms, size);
    if (settlement === undefined) return undefined;
    const facts = this.#factsOf(terms, settlement, rates);
    recorder.record('settlement', id ?? terms.id, {
      ...(id === undefined ? {} : { holding: id }),
      ...closingText(terms, facts, rates),
      underlying_price: textOf(settlement.underlyingPrice),
    });
    this.#hasBooked = true;
    return { closing: closingOf(facts), pnl: ledger.settle(terms, facts, rates) };
  }

  #bookForced(
    terms: SettledTerms,
    fill: ForcedFill,
    { held, entry, rest }: { readonly held?: Held; readonly entry?: OperationId | undefined; readonly rest: Decimal },
  ): Closed {
    const { ledger, recorder } = this.#options;
    const { id, rates } = held ?? { rates: this.#ratesNow(terms, fill) };
    const facts = this.#factsOf(terms, fill, rates);
    recorder.record('settlement', id ?? terms.id, {
      ...(id === undefined ? {} : { holding: id }),
      ...(entry === undefined ? {} : { entry }),
      forced: fill.forced,
      trade_id: fill.tradeId,
      ...(rest.isZero() ? {} : { rest: textOf(rest) }),
      ...closingText(terms, facts, rates),
    });
    return { closing: closingOf(facts), pnl: ledger.force(terms, facts, rates) };
  }

  /** Of what no holding has: an option is worth what it was sold for. */
  #ratesNow(terms: SettledTerms, { price }: ForcedFill): Held['rates'] {
    const rates: Record<string, Decimal> = {};
    for (const asset of [terms.base, terms.quote, terms.settle]) rates[asset] = this.#rateOf(asset);
    rates[terms.id] = price.times(terms.contractSize).times(rates[terms.quote]!);
    return rates;
  }

  #factsOf(terms: SettledTerms, closing: Parameters<typeof fillFactsOf>[0], rates: Held['rates']): FillFacts {
    const { feeAsset } = closing;
    const feeRate = rates[feeAsset] === undefined ? this.#rateOf(feeAsset as Asset) : undefined;
    return fillFactsOf(closing, terms, feeRate);
  }

  /** Closes the books on what is flat, and leaves what is to be left. */
  #leave(id: OperationId, nowMs: number): void {
    const { market, isExiting, exit, nextOperation, clock } = this.#options;
    const held = this.#held.get(id)!;
    if (isExiting(id)) return;
    if (isFlat(held)) {
      this.#close(
        held,
        this.#reasons.get(id) ?? (held.legs.some(({ terms }) => isExpired(terms, nowMs)) ? 'expired' : 'exit'),
        {},
      );
      return;
    }
    if (clock.now() < (this.#retries.get(id)?.notBeforeNs ?? 0)) return;
    if (held.legs.some(({ terms, size }) => isExpired(terms, nowMs) && !size.isZero())) return;
    const quote = quoteExit(held, market);
    if (quote === undefined) return;
    if (quote.legs.length === 0) {
      if (held.legs.every(({ terms, size }) => size.isZero() || terms.expiryMs === undefined))
        this.#close(held, this.#reasons.get(id) ?? 'dust', dustOf(held));
      return;
    }
    const reason = this.#reasonToLeave(held, quote, nowMs);
    if (reason === undefined) return;
    const slack = reason === 'converged' ? ZERO : FORCED_SLACK;
    this.#reasons.set(id, reason);
    exit(exitPlanOf(held, quote, { operation: nextOperation(), slack, nowNs: clock.now() }));
  }

  #reasonToLeave(held: Held, quote: ExitQuote, nowMs: number): ExitReason | undefined {
    const { market, horizonMs, stopLoss, maxAgeMs, isNextToGo } = this.#options;
    const rules = { nowMs, horizonMs, stopLoss: stopLoss(), maxAgeMs: maxAgeMs(held.family) };
    const reason = exitReasonOf(held, quote, market, rules);
    if (reason === 'unbalanced' && this.#reduced.has(held.id)) return 'deleveraged';
    if (reason !== undefined) return reason;
    return held.legs.some(({ instrument, size }) => !size.isZero() && isNextToGo(instrument)) ? 'adl-rank' : undefined;
  }

  #close(held: Held, reason: string, dust: Readonly<Record<string, Decimal>>): void {
    const { ledger, recorder } = this.#options;
    this.#held.delete(held.id);
    this.#ended.set(held.id, endedOf(held));
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.keys().next().value!);
    this.#reasons.delete(held.id);
    this.#retries.delete(held.id);
    this.#reduced.delete(held.id);
    ledger.unexpose(heldKey(held.id));
    for (const [asset, amount] of Object.entries(dust)) ledger.addDust(asset, amount);
    recorder.record('holding', held.id, holdingEventOf(held, { reason, dust }));
  }

  /** What is held stands to move as much as when it was entered. */
  #keep(held: Held): void {
    this.#ended.delete(held.id);
    this.#held.set(held.id, held);
    const key = heldKey(held.id);
    this.#options.ledger.unexpose(key);
    this.#options.ledger.expose(
      key,
      held.family,
      held.legs.map((leg) => exposedOf(leg.terms, exposureIn(leg, held.rates))),
    );
  }

  /** Pays what is due, at the rate that was last said before it fell due; what fell due while nobody listened is not known and not booked. */
  #payFunding(nowMs: number): void {
    const { ledger, market, fundingOf } = this.#options;
    // Two that are held against each other make no position, and each is paid all the same.
    const held = this.open.flatMap(({ legs }) => legs.filter(({ size }) => !size.isZero()));
    const open = new Set([...ledger.openPositions(), ...held.map(({ instrument }) => instrument)]);
    for (const id of this.#dues.keys()) if (!open.has(id)) this.#dues.delete(id);
    for (const id of open) {
      const instrument = market.instrumentOf(id);
      if (instrument?.kind !== 'perpetual') continue;
      const word = fundingOf(id);
      const said = word === undefined ? undefined : { ...word, dueMs: word.nextMs };
      const due = this.#dues.get(id) ?? (said !== undefined && this.#heldBefore(id, said.dueMs) ? said : undefined);
      if (due !== undefined && due.dueMs <= nowMs) {
        this.#dues.delete(id);
        if (due.dueMs > (this.#fundedMs.get(id) ?? 0)) this.#pay(instrument, due);
      }
      if (said !== undefined && said.dueMs > nowMs) this.#dues.set(id, said);
    }
  }

  /** After a restart its venue may still speak of what fell due in between. */
  #heldBefore(id: InstrumentId, ms: number): boolean {
    return this.open.some((held) => held.openedMs < ms && !sizeIn(held, id).isZero());
  }

  /** Each holding its share, and what no holding has by itself. */
  #pay(terms: SettledTerms, due: FundingDue): void {
    const { ledger } = this.#options;
    this.#fundedMs.set(terms.id, due.dueMs);
    let loose = ledger.positionOf(terms.id).size;
    for (const held of this.open) {
      const size = sizeIn(held, terms.id);
      if (size.isZero()) continue;
      loose = loose.minus(size);
      const value = this.#payOne(terms, size, due, held);
      this.#held.set(held.id, afterFunding(held, value));
    }
    if (!loose.isZero()) this.#payOne(terms, loose, due, undefined);
  }

  #payOne(terms: SettledTerms, size: Decimal, due: FundingDue, held: Held | undefined): Decimal {
    const { ledger, recorder } = this.#options;
    const rate = held?.rates[terms.settle] ?? this.#rateOf(terms.settle);
    const event = fundingEventOf(terms, size, due, rate);
    recorder.record('funding', held?.id ?? terms.id, held === undefined ? event : { ...event, holding: held.id });
    const amount = decimalFrom(event.amount);
    const value = amount.times(rate);
    ledger.fund(terms.venue, terms.settle, amount, value);
    this.#hasBooked = true;
    return value;
  }

  #rateOf(asset: Asset): Decimal {
    return new Decimal(this.#options.rateOf(asset) ?? 0);
  }

  #tellChanges(): void {
    const { ledger, recorder } = this.#options;
    this.#hasBooked = false;
    const { balances, positions } = ledger.changes();
    for (const balance of balances) recorder.record('balance', `${balance.venue}:${balance.asset}`, balance);
    for (const position of positions) recorder.record('position', position.id, position);
  }
}

type Closed = { readonly closing: Closing; readonly pnl: Pnl };

const NOTHING_EARNED: Pnl = { realised: ZERO, fees: ZERO };

/** So much of a trade, with its share of the fee. */
const partOf = (fill: ForcedFill, qty: Decimal): ForcedFill =>
  qty.eq(fill.qty) ? fill : { ...fill, qty, fee: fill.fee.times(qty).div(fill.qty).toDecimalPlaces(18) };

/** What a closing is in the journal. */
function closingText(
  terms: SettledTerms,
  { side, price, qty, fee, feeAsset, feeRate }: FillFacts,
  rates: Held['rates'],
): Omit<EventData<'settlement'>, 'holding' | 'entry' | 'forced' | 'trade_id' | 'rest' | 'underlying_price'> {
  const contract = contractOf(terms);
  return {
    instrument: terms.id,
    base: terms.base,
    quote: terms.quote,
    side,
    price: textOf(price),
    qty: textOf(qty),
    fee: textOf(fee),
    fee_asset: feeAsset,
    ...(feeRate === undefined ? {} : { fee_rate: textOf(feeRate) }),
    ...(contract === undefined ? {} : { contract: contractText(contract) }),
    rates: ratesText(rates),
  };
}

const isExpired = ({ expiryMs }: SettledTerms, nowMs: number): boolean => expiryMs !== undefined && expiryMs <= nowMs;

const sizeIn = ({ legs }: Held, id: InstrumentId): Decimal =>
  legs.find(({ instrument }) => instrument === id)?.size ?? ZERO;

/** What an entry has come to: a new holding, or the same one after a late fill, of which something may have been closed already. */
function heldOf(operation: Operation, outcomes: readonly LegOutcome[], before: Held | undefined, nowMs: number): Held {
  const { facts, bond, realised, fees } = operation;
  const planned = bond!.units;
  const units = operation.matchedUnits();
  const share = units.div(planned);
  const legs: HeldLeg[] = operation.legs.map(({ instrument }, at) => {
    const outcome = outcomes[at];
    const inQuote = isCountedInQuote(bond!, { terms: instrument });
    const entered = (inQuote ? outcome?.traded : outcome?.size) ?? ZERO;
    const known = before?.legs[at];
    const closed = known === undefined ? ZERO : known.size.minus(known.entered);
    return {
      instrument: instrument.id,
      terms: instrument,
      entered,
      size: entered.plus(closed),
      entryPrice: outcome?.price ?? ZERO,
    };
  });
  const { endsMs } = bond!;
  return {
    id: operation.id,
    opportunity: facts.opportunity as Held['opportunity'],
    route: facts.route as Held['route'],
    family: facts.type,
    asset: bond!.asset,
    units,
    legs,
    rates: operation.rates,
    notional: decimalFrom(facts.notional).times(share).toSignificantDigits(18),
    expectedProfit: decimalFrom(facts.expected_profit).times(share).toSignificantDigits(18),
    expectedFunding: before?.expectedFunding ?? ZERO,
    openedMs: before?.openedMs ?? nowMs,
    ...(endsMs === undefined ? {} : { endsMs }),
    pnl: {
      entry: realised.plus(fees),
      entryFees: fees,
      funding: before?.pnl.funding ?? ZERO,
      exit: before?.pnl.exit ?? ZERO,
      exitFees: before?.pnl.exitFees ?? ZERO,
    },
  };
}

function exposureIn({ terms, entered, entryPrice }: HeldLeg, rates: Held['rates']): Decimal {
  return exposureOf({ instrument: terms, price: entryPrice, qty: entered.abs() }, rates);
}

/** What is left below the smallest order: coins by asset, contracts by instrument. */
function dustOf({ legs }: Held): Readonly<Record<string, Decimal>> {
  const dust: Record<string, Decimal> = {};
  for (const { instrument, terms, size } of legs) {
    const asset = terms.kind === 'spot' ? terms.base : instrument;
    if (!size.isZero()) dust[asset] = (dust[asset] ?? ZERO).plus(size);
  }
  return dust;
}
