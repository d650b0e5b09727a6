import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { VenueHoldings } from '#hotpath/execute/accounts.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { AccountVerifier } from '#hotpath/live/account-verifier.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { PositionState } from '#hotpath/venues/venue-account.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { LogBook } from '#test/support/account-rig.ts';
import { MemoryJournal, spot } from '../execute/trading.ts';

const OKX = 'okx' as VenueId;
const EVERY_MS = 10_000;

let clock: VirtualClock;
let journal: MemoryJournal;
let ledger: Ledger;
let log: LogBook;
let verifier: AccountVerifier;
let adjusted: string[];
/** What the venue would say; undefined: nothing. */
let says: Record<string, number> | undefined;

const holdings = (balances: Record<string, number>): VenueHoldings => ({
  balances: new Map(Object.entries(balances).map(([asset, total]) => [asset, new Decimal(total)])),
  positions: new Map(),
});
const forward = (ms: number): void => clock.runUntil(clock.now() + ms * 1e6);
const adjust = (asset: string, amount: string) =>
  verifier.adjust({ v: 1, id: 'c1', by: 'me', at_ms: 0, kind: 'adjust', venue: 'okx', asset, amount, reason: 'x' });
const totals = (): Record<string, string> =>
  Object.fromEntries(ledger.assetsOf(OKX).map((asset) => [asset, ledger.totalOf(OKX, asset).toFixed()]));

beforeEach(() => {
  clock = new VirtualClock(1_795_219_200_000_000_000n);
  journal = new MemoryJournal(clock);
  ledger = new Ledger(clock);
  log = new LogBook();
  adjusted = [];
  says = { USDT: 1_000, BTC: 1, DOGE: 77 };
  verifier = new AccountVerifier({
    clock,
    logger: log.logger,
    recorder: journal,
    ledger,
    settings: { every_ms: EVERY_MS, tolerance_usd: 5, confirm: 3, open_orders_every_ms: 0, alien_orders: 'tell' },
    instruments: [spot('okx', 'BTC/USDT', 'received')],
    feeAssets: new Map([[OKX, 'OKB']]),
    ask: (_venue, done) => void clock.after(20, () => done(says === undefined ? undefined : holdings(says))),
    rateOf: (asset) => ({ USDT: 1, BTC: 50_000 })[asset],
    open: [],
    isStanding: () => false,
    onAdjusted: (id) => void adjusted.push(id),
  });
  verifier.fund(OKX, holdings(says));
  verifier.watch(OKX);
});

describe('the verifier', () => {
  it('funds the ledger with what is traded, and nothing else that the account has', () => {
    expect(totals()).toEqual({ USDT: '1000', BTC: '1' });
    expect(journal.of('balance')).toHaveLength(2);
  });

  it('says nothing while all is well', () => {
    forward(20 * EVERY_MS);
    expect(journal.of('mismatch')).toEqual([]);
    expect(verifier.doubtOf(OKX)).toBeUndefined();
  });

  it('doubts a venue that differs, until somebody says that it is right', () => {
    says = { USDT: 900, BTC: 1 };
    forward(4 * EVERY_MS);
    expect(verifier.doubtOf(OKX)).toBe('balance USDT: ledger 1000, venue 900');
    expect(log.count('account-mismatch')).toBe(1);
    expect(totals()).toEqual({ USDT: '1000', BTC: '1' });
    // What is traded between the telling and the word stays.
    ledger.deposit(OKX, 'USDT', new Decimal(7));
    expect(adjust('USDT', '900')).toMatchObject({
      kind: 'done',
      detail: { total: '907', added: '-100', value: '-100.00' },
    });
    expect(verifier.doubtOf(OKX)).toBeUndefined();
    expect(journal.of('adjustment')).toMatchObject([{ amount: '-100', by: 'me', command_id: 'c1' }]);
    expect(journal.of('mismatch').map(({ state }) => state)).toEqual(['open', 'settled']);
  });

  it('makes the ledger what a person says where nothing differs', () => {
    expect(adjust('BTC', '3')).toMatchObject({ kind: 'done', detail: { total: '3', added: '2' } });
    expect(totals()).toMatchObject({ BTC: '3' });
    expect(adjust('XYZ', '3')).toMatchObject({ kind: 'refused', code: 2001 });
  });

  it('doubts a venue that says nothing three times in a row, and believes it again when it does', () => {
    says = undefined;
    forward(2 * EVERY_MS + 100);
    expect(verifier.doubtOf(OKX)).toBeUndefined();
    forward(2 * EVERY_MS);
    expect(verifier.doubtOf(OKX)).toMatch(/does not say/);
    says = { USDT: 1_000, BTC: 1 };
    forward(2 * EVERY_MS);
    expect(verifier.doubtOf(OKX)).toBeUndefined();
  });

  it('takes over what is held of an asset in which only fees were paid', () => {
    ledger.adjust(OKX, 'XYZ', new Decimal('-0.5'));
    says = { USDT: 1_000, BTC: 1, XYZ: 41.5 };
    forward(2 * EVERY_MS);
    expect(totals()).toMatchObject({ XYZ: '41.5' });
    expect(journal.of('adjustment')).toMatchObject([{ asset: 'XYZ', amount: '42', by: 'engine' }]);
    expect(journal.of('mismatch')).toEqual([]);
  });

  it('follows the asset in which the account pays its fees', () => {
    says = { USDT: 1_000, BTC: 1, OKB: 12 };
    forward(4 * EVERY_MS);
    // Nobody can value it, so that no difference is small.
    expect(journal.of('mismatch')).toMatchObject([{ id: 'OKB', state: 'open', ledger: '0', venue_says: '12' }]);
  });

  it('settles what was strange about an order once all of the money is where it should be', () => {
    const order = { venue: 'okx', what: 'order', id: 'a1', ledger: 'none', venue_says: 'open', reason: 'x' } as const;
    verifier.note(order);
    verifier.note(order);
    expect(verifier.doubtOf(OKX)).toMatch(/^order a1/);
    forward(2 * EVERY_MS);
    expect(journal.of('mismatch').map(({ state }) => state)).toEqual(['open', 'settled']);
    verifier.stop();
    const asked = journal.events.length;
    forward(10 * EVERY_MS);
    expect(journal.events).toHaveLength(asked);
  });
});

describe('a position that is not what the venue says', () => {
  const PERPETUAL: Instrument = {
    ...spot('okx', 'BTC/USDT', 'quote'),
    id: 'okx:BTC/USDT:USDT' as InstrumentId,
    venueSymbol: 'BTC-USDT-SWAP',
    kind: 'perpetual',
    contractSize: new Decimal('0.01'),
    lot: new Decimal(1),
  };
  let contracts: AccountVerifier;
  let size: string;
  const made = (entryPrice: string) =>
    contracts.adjustPosition({
      v: 1,
      id: 'c2',
      by: 'ann',
      at_ms: 0,
      kind: 'adjust-position',
      instrument: PERPETUAL.id,
      size,
      entry_price: entryPrice,
      reason: 'traded by hand',
    });

  beforeEach(() => {
    size = '-3';
    ledger = new Ledger(clock, {
      fraction: new Decimal('0.1'),
      underlyingOf: () => new Decimal(0),
      instrumentOf: () => PERPETUAL,
    });
    const position = (): PositionState => ({
      venueSymbol: PERPETUAL.venueSymbol,
      qty: new Decimal(size),
      entryPrice: new Decimal(50_000),
    });
    contracts = new AccountVerifier({
      clock,
      logger: log.logger,
      recorder: journal,
      ledger,
      settings: { every_ms: EVERY_MS, tolerance_usd: 5, confirm: 3, open_orders_every_ms: 0, alien_orders: 'tell' },
      instruments: [PERPETUAL],
      feeAssets: new Map(),
      ask: (_venue, done) =>
        void clock.after(20, () =>
          done({ balances: new Map([['USDT', new Decimal(1_000)]]), positions: new Map([[PERPETUAL.id, position()]]) }),
        ),
      rateOf: () => 50_000,
      open: [],
      isStanding: () => false,
      onAdjusted: (id) => void adjusted.push(id),
    });
    contracts.fund(OKX, { balances: new Map([['USDT', new Decimal(1_000)]]), positions: new Map() });
    contracts.watch(OKX);
    forward(10 * EVERY_MS);
  });

  it('is made so by command: journalled, settled, margined, and no profit', () => {
    expect(contracts.open).toMatchObject([{ what: 'position', id: PERPETUAL.id, venue_says: '-3' }]);
    expect(made('50000')).toMatchObject({ kind: 'done', detail: { size: '-3', entry_price: '50000' } });
    expect(contracts.open).toEqual([]);
    expect(adjusted).toEqual([PERPETUAL.id]);
    expect(ledger.positionOf(PERPETUAL.id)).toMatchObject({ size: new Decimal(-3), entryPrice: new Decimal(50_000) });
    expect(ledger.reservedOf(OKX, 'USDT').toNumber()).toBeGreaterThan(0);
    expect([ledger.pnl.realised.toNumber(), ledger.totalOf(OKX, 'USDT').toNumber()]).toEqual([0, 1_000]);
    forward(10 * EVERY_MS);
    expect(contracts.open).toEqual([]);

    const state = new JournalState();
    for (const event of journal.events) state.apply(event);
    const [folded] = state.ledger().positions;
    expect(folded).toMatchObject({ instrument: PERPETUAL.id, size: new Decimal(-3), entryPrice: new Decimal(50_000) });
    for (const asset of ['BTC', 'USDT'])
      expect(state.ledger().deviations[asset]?.toNumber()).toBe(ledger.deviationOf(asset));

    // Back to nothing: what it stood for is gone to the last digit.
    size = '0';
    expect(made('0')).toMatchObject({ kind: 'done' });
    expect(['BTC', 'USDT'].map((asset) => ledger.deviationOf(asset))).toEqual([0, 0]);
    expect(ledger.reservedOf(OKX, 'USDT').toNumber()).toBe(0);
  });

  it('is refused without a price, off the grid, and for what nobody trades', () => {
    expect(made('0')).toMatchObject({ kind: 'refused', code: 3001 });
    size = '0.5';
    expect(made('50000')).toMatchObject({ kind: 'refused', code: 3001 });
    expect(journal.of('position-adjustment')).toEqual([]);
  });
});
