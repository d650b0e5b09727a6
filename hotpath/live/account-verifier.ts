import type { Decimal } from 'decimal.js';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { decimalFrom, textOf, ZERO } from '#shared/money/grid.ts';
import { contractOf } from '#shared/money/pnl.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Answer } from '../commands.ts';
import { done, refused } from '../commands.ts';
import type { VenueHoldings } from '../execute/accounts.ts';
import type { Ledger } from '../execute/ledger.ts';
import { contractText } from '../execute/operation.ts';
import type { Comparison, Mismatch } from '../recover/verification.ts';
import { Mismatches } from '../recover/verification.ts';
import type { Logger } from '../runtime/logger.ts';
import { LiquidationWatch } from './account-positions.ts';
import { LedgerWindow } from './ledger-window.ts';

export type VerifierOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly ledger: Ledger;
  readonly settings: Config['verification'];
  /** Of every venue that has accounts. */
  readonly instruments: readonly Instrument[];
  /** Assets in which a venue takes fees, beside those that are traded. */
  readonly feeAssets: ReadonlyMap<VenueId, string>;
  readonly ask: (venue: VenueId, done: (holdings: VenueHoldings | undefined) => void) => void;
  readonly rateOf: (asset: string) => number | undefined;
  /** What an earlier start has told and nobody has settled. */
  readonly open: readonly Mismatch[];
  /** Whether an order that was told of is open still, whatever the money says. */
  readonly isStanding: (venue: VenueId, order: string) => boolean;
  /** A person has said what a position is. */
  readonly onAdjusted: (instrument: InstrumentId) => void;
};

/** After the venue's answer: what filled before it may still be on its way to us. */
const GRACE_MS = 1_000;
/** A venue that has not answered so often in a row is verified no more. */
const SILENCES_MAX = 3;
/** Funding that fell due so shortly ago is the likeliest cause of a difference in what contracts settle in. */
const FUNDING_MS = 15 * 60_000;

/**
 * Compares the ledger with what the venues say, again and again, and tells what stays different. The ledger is not bent by it: a person says
 * which of the two is right.
 */
export class AccountVerifier {
  readonly #options: VerifierOptions;
  readonly #mismatches: Mismatches;
  readonly #windows = new Map<VenueId, LedgerWindow>();
  readonly #liquidations = new Map<VenueId, LiquidationWatch>();
  readonly #silences = new Map<VenueId, number>();
  readonly #timers = new Map<VenueId, Timer>();
  #stopped = false;

  constructor(options: VerifierOptions) {
    const { tolerance_usd: tolerance, confirm } = options.settings;
    this.#options = options;
    this.#mismatches = new Mismatches({ tolerance, confirm }, options.open);
  }

  get open(): readonly Mismatch[] {
    return this.#mismatches.open;
  }

  /** Undefined while the venue is heard and agrees; else why it is not trusted. */
  doubtOf(venue: VenueId): string | undefined {
    if ((this.#silences.get(venue) ?? 0) >= SILENCES_MAX) return 'the venue does not say what it holds';
    const found = this.open.find((mismatch) => mismatch.venue === venue);
    if (found === undefined) return undefined;
    return `${found.what} ${found.id}: ledger ${found.ledger}, venue ${found.venue_says}`;
  }

  /** From now on the venue is compared; its accounts must be open. */
  watch(venue: VenueId): void {
    this.#later(venue, this.#options.settings.every_ms);
  }

  /** Something was booked at a venue. */
  booked(venue: VenueId): void {
    this.#windows.get(venue)?.look();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** What a venue holds becomes the ledger's: at its first start. */
  fund(venue: VenueId, { balances }: VenueHoldings): void {
    const { ledger, recorder } = this.#options;
    const followed = this.#followedAt(venue);
    for (const [asset, total] of balances) if (followed.has(asset)) ledger.deposit(venue, asset, total);
    this.#recordChanges();
    recorder.flush();
  }

  /** Tells of something that is surely wrong. */
  note(mismatch: Omit<Mismatch, 'state'>): void {
    this.#tell(this.#mismatches.note(mismatch));
  }

  /** A person's word: the venue is right. What was traded since the difference was told stays. */
  adjust({ id, by, venue: name, asset, amount, reason }: CommandOf<'adjust'>): Answer {
    const { ledger, instruments, rateOf } = this.#options;
    const venue = name as VenueId;
    if (!instruments.some((instrument) => instrument.venue === venue)) return refused(2002, `no account at ${name}`);
    if (!this.#followedAt(venue).has(asset) && !ledger.assetsOf(venue).includes(asset))
      return refused(2001, `nothing is held or traded in ${asset} at ${name}`);
    const told = this.open.find((open) => open.venue === venue && open.what === 'balance' && open.id === asset);
    const gap = told === undefined ? ZERO : decimalFrom(amount).minus(told.ledger);
    const total = told === undefined ? decimalFrom(amount) : ledger.totalOf(venue, asset).plus(gap);
    const added = this.#adjust(venue, asset, total, { reason, by, command_id: id });
    this.#tell(this.#mismatches.settle({ venue, what: 'balance', id: asset }, `adjusted by ${by}`));
    const rate = rateOf(asset);
    return done({
      venue,
      asset,
      total: textOf(total),
      added: textOf(added),
      ...(rate === undefined ? {} : { value: added.times(rate).toFixed(2) }),
    });
  }

  /** The same of a position. What of it holdings had and is not there is no longer theirs; what they have left is looked after. */
  adjustPosition({ id, by, instrument: name, size, entry_price: price, reason }: CommandOf<'adjust-position'>): Answer {
    const { ledger, recorder, instruments, onAdjusted } = this.#options;
    const instrument = instruments.find((each) => each.id === name);
    const contract = instrument === undefined ? undefined : contractOf(instrument);
    if (instrument === undefined) return refused(2001, `no account trades ${name}`);
    if (contract === undefined) return refused(3001, 'coins are adjusted as a balance of their asset');
    const to = { size: decimalFrom(size), entryPrice: decimalFrom(price) };
    if (!to.size.isZero() && !to.entryPrice.gt(0)) return refused(3001, 'a position has an entry price above zero');
    if (!to.size.mod(instrument.lot).isZero())
      return refused(3001, `size is off the grid: lot=${textOf(instrument.lot)}`);
    const { venue, base, quote } = instrument;
    const told = this.open.find((open) => open.venue === venue && open.what === 'position' && open.id === name);
    // What was traded since the difference was told stays.
    const since = told === undefined ? ZERO : ledger.positionOf(instrument.id).size.minus(told.ledger);
    const made = { ...to, size: to.size.plus(since) };
    ledger.adjustPosition(instrument, made);
    recorder.record('position-adjustment', instrument.id, {
      venue,
      instrument: instrument.id,
      base,
      quote,
      size: textOf(made.size),
      entry_price: textOf(made.entryPrice),
      contract: contractText(contract),
      reason,
      by,
      command_id: id,
    });
    onAdjusted(instrument.id);
    this.#recordChanges();
    this.booked(venue);
    this.#tell(this.#mismatches.settle({ venue, what: 'position', id: instrument.id }, `adjusted by ${by}`));
    return done({ instrument: instrument.id, size: textOf(made.size), entry_price: textOf(made.entryPrice) });
  }

  #recordChanges(): void {
    const { ledger, recorder } = this.#options;
    const { balances, positions } = ledger.changes();
    for (const balance of balances) recorder.record('balance', `${balance.venue}:${balance.asset}`, balance);
    for (const position of positions) recorder.record('position', position.id, position);
  }

  #adjust(
    venue: VenueId,
    asset: string,
    total: Decimal,
    who: Pick<EventData<'adjustment'>, 'reason' | 'by' | 'command_id'>,
  ): Decimal {
    const { ledger, recorder } = this.#options;
    const added = ledger.adjust(venue, asset, total);
    recorder.record('adjustment', `${venue}:${asset}`, { venue, asset, amount: textOf(added), ...who });
    this.#recordChanges();
    this.booked(venue);
    return added;
  }

  #later(venue: VenueId, delayMs: number): void {
    if (this.#stopped) return;
    this.#timers.set(
      venue,
      this.#options.clock.after(delayMs, () => this.#verify(venue)),
    );
  }

  #verify(venue: VenueId): void {
    const { ask, ledger, clock, settings, instruments } = this.#options;
    const contracts = instruments.filter((each) => each.venue === venue && each.kind !== 'spot').map(({ id }) => id);
    const window = new LedgerWindow(ledger, venue, contracts);
    this.#windows.set(venue, window);
    ask(venue, (holdings) => {
      if (holdings === undefined) this.#silences.set(venue, (this.#silences.get(venue) ?? 0) + 1);
      else this.#silences.delete(venue);
      if (this.#stopped) return;
      this.#timers.set(
        venue,
        clock.after(holdings === undefined ? 0 : GRACE_MS, () => {
          this.#windows.delete(venue);
          window.look();
          if (holdings !== undefined) this.#compare(venue, holdings, window);
          this.#later(venue, settings.every_ms);
        }),
      );
    });
  }

  #compare(venue: VenueId, holdings: VenueHoldings, window: LedgerWindow): void {
    const { instruments, rateOf, isStanding } = this.#options;
    this.#adoptFeeAssets(venue, holdings, window);
    const followed = this.#followedAt(venue);
    const assets = [...new Set([...followed, ...window.assets])];
    const balances = assets.map((asset): Comparison => {
      const says = holdings.balances.get(asset) ?? ZERO;
      const [had, cause] = [window.balance(asset), this.#causeOf(venue, asset)];
      return { what: 'balance', id: asset, says, had, unitValue: finite(rateOf(asset)), cause };
    });
    const contracts = instruments.filter((each) => each.venue === venue && each.kind !== 'spot');
    const positions = contracts.map((instrument): Comparison => {
      const had = window.position(instrument.id);
      const says = holdings.positions.get(instrument.id)?.qty ?? ZERO;
      const unitValue = finite(this.#unitValueOf(instrument));
      const cause = 'a trade that nobody told us, or one of somebody else';
      return { what: 'position', id: instrument.id, says, had, unitValue, cause };
    });
    for (const mismatch of this.#mismatches.compare(venue, [...balances, ...positions])) this.#tell(mismatch);
    const watch = this.#liquidations.get(venue) ?? new LiquidationWatch();
    this.#liquidations.set(venue, watch);
    for (const near of watch.look(holdings.positions))
      this.#options.logger.error('account-liquidation-near', { venue, ...near });
    // What was strange about an order is settled once all of the money is where it should be.
    const open = this.open.filter((each) => each.venue === venue);
    if (open.some(({ what }) => what !== 'order')) return;
    for (const { what, id } of open)
      if (!isStanding(venue, id))
        this.#tell(this.#mismatches.settle({ venue, what, id }, 'balances and positions agree'));
  }

  /** Fees may be taken in an asset that nobody follows: how much of it was there before does not matter. */
  #adoptFeeAssets(venue: VenueId, { balances }: VenueHoldings, window: LedgerWindow): void {
    const followed = this.#followedAt(venue);
    for (const asset of window.assets) {
      const now = this.#options.ledger.totalOf(venue, asset);
      if (followed.has(asset) || !now.isNegative()) continue;
      const total = balances.get(asset) ?? ZERO;
      this.#adjust(venue, asset, total, { reason: 'fees are taken in an asset that is not followed', by: 'engine' });
    }
  }

  #causeOf(venue: VenueId, asset: string): string {
    const { instruments, ledger, clock } = this.#options;
    const nowMs = clock.unixMs(clock.now());
    const isFunded = instruments.some(
      ({ venue: at, kind, settle, id, funding }) =>
        at === venue &&
        kind === 'perpetual' &&
        settle === asset &&
        !ledger.positionOf(id).size.isZero() &&
        funding !== undefined &&
        (nowMs - (funding.paidMs ?? 0)) % funding.intervalMs < FUNDING_MS,
    );
    return isFunded
      ? 'a funding payment other than reckoned, or what else nobody told us'
      : 'a deposit, a withdrawal, or what else nobody told us';
  }

  /** What one unit of a contract stands for, in the numeraire. */
  #unitValueOf({ contractSize, inverse, base, quote }: Instrument): number | undefined {
    const rate = this.#options.rateOf(inverse ? quote : base);
    return rate === undefined ? undefined : contractSize.toNumber() * rate;
  }

  /** What is traded at a venue, and what its fees are taken in. */
  #followedAt(venue: VenueId): ReadonlySet<string> {
    const { instruments, feeAssets } = this.#options;
    const here = instruments.filter((instrument) => instrument.venue === venue);
    const token = feeAssets.get(venue);
    return new Set([
      ...here.flatMap(({ kind, base, quote, settle }) => (kind === 'spot' ? [base, quote] : [settle])),
      ...(token === undefined ? [] : [token]),
    ]);
  }

  #tell(mismatch: Mismatch | undefined): void {
    if (mismatch === undefined) return;
    const { recorder, logger } = this.#options;
    const { venue, what, id, state } = mismatch;
    recorder.record('mismatch', `${venue}:${what}:${id}`, mismatch);
    recorder.flush();
    logger[state === 'open' ? 'error' : 'info']('account-mismatch', mismatch);
  }
}

const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;
