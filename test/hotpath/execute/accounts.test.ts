import { describe, expect, it } from 'vitest';
import { Accounts, feesOfAccounts, tradableOf } from '#hotpath/execute/accounts.ts';
import type { AccountsSetup, Cleared, VenueHoldings } from '#hotpath/execute/accounts.ts';
import type { Venue } from '#hotpath/venues/venue.ts';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import type { OrderReport } from '#shared/domain/order.ts';
import { accountRig, BTC, CREDENTIALS, ETH, orderOf } from '#test/support/account-rig.ts';
import { scriptedAccount } from '#test/support/account-venue.ts';

const SCRIPTED = 'scripted' as VenueId;

function accountsRig(more: Partial<AccountsSetup> = {}) {
  const account = scriptedAccount();
  const rig = accountRig(account);
  const venue = { id: SCRIPTED, markets: [], accounts: [account] } as unknown as Venue;
  const setup: AccountsSetup = {
    ...rig.outside,
    config: loadConfig({ dir: 'config', env: {} }),
    venues: [venue],
    instruments: [BTC, ETH],
    credentials: new Map([['scripted', CREDENTIALS]]),
    ...more,
  };
  const reports: OrderReport[] = [];
  const opened = (): Accounts =>
    new Accounts({
      ...setup,
      onReport: (report) => void reports.push(report),
      onForced: () => undefined,
      orderOf: () => undefined,
      fence: () => undefined,
    });
  return { ...rig, setup, reports, opened };
}

/** Time goes on until the promise is settled. */
async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const results = Promise.allSettled([promise]);
  const state = { isOver: false };
  void results.then(() => (state.isOver = true));
  for (let step = 0; step < 200 && !state.isOver; step += 1) {
    clock.runUntil(clock.now() + 1e9);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return (await results)[0];
}

describe('before anything opens', () => {
  it('an account says what it pays', async () => {
    const { clock, setup } = accountsRig();
    const result = await settled(clock, feesOfAccounts(setup, 5_000));
    expect(result).toMatchObject({ status: 'fulfilled' });
    const fees = (result as PromiseFulfilledResult<Awaited<ReturnType<typeof feesOfAccounts>>>).value;
    expect([...fees.keys()]).toEqual([BTC.id, ETH.id]);
  });

  it('a key that may withdraw is refused, unless the configuration says that it may', async () => {
    const { clock, venue, setup } = accountsRig();
    venue.withdraw = true;
    const refused = await settled(clock, feesOfAccounts(setup, 5_000));
    expect(refused).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/may withdraw/) } });
    const account = { gateway: 'native', margin_mode: 'cross', leverage: 1, reserved_limit_share: 0.2 } as const;
    const config = { ...setup.config, accounts: { scripted: { ...account, allow_withdraw: true } } };
    expect(await settled(clock, feesOfAccounts({ ...setup, config }, 5_000))).toMatchObject({ status: 'fulfilled' });
  });

  it('an account that does not answer keeps nobody waiting', async () => {
    const { clock, venue, setup, log } = accountsRig();
    venue.override('time', ...Array.from({ length: 20 }, () => ({ delayMs: Infinity })));
    const result = await settled(clock, feesOfAccounts(setup, 2_000));
    expect(result).toMatchObject({ status: 'fulfilled', value: new Map() });
    expect(log.count('account-fees-unknown')).toBe(1);
  });

  it('a venue without a key is named', async () => {
    const { clock, setup } = accountsRig({ credentials: new Map() });
    const result = await settled(
      clock,
      Promise.resolve().then(() => feesOfAccounts(setup, 2_000)),
    );
    expect(result).toMatchObject({ status: 'rejected', reason: new BadInput('no key for scripted') });
  });

  it('what no account trades is left out', () => {
    const { setup } = accountsRig();
    const strange = { ...BTC, market: 'options' };
    expect(tradableOf(setup, [BTC, strange])).toEqual([BTC]);
    const account = { margin_mode: 'cross', leverage: 1, reserved_limit_share: 0.2, allow_withdraw: false } as const;
    const config = { ...setup.config, accounts: { scripted: { ...account, gateway: 'ccxt' as const } } };
    expect(tradableOf({ ...setup, config }, [BTC, strange])).toEqual([BTC, strange]);
  });
});

describe('accounts', () => {
  it('send nothing before they are open, and say so', () => {
    const { opened, forward, reports, venue } = accountsRig();
    const accounts = opened();
    accounts.gateway.submit([orderOf()]);
    forward(10);
    expect(reports).toMatchObject([{ kind: 'rejected', reason: 'venue-down' }]);
    expect(venue.orders).toEqual([]);
    expect(accounts.list.map(({ state }) => state)).toEqual(['starting']);
  });

  it('open again and again while nobody answers', () => {
    const { opened, forward, venue } = accountsRig();
    const accounts = opened();
    venue.override('time', ...Array.from({ length: 6 }, () => ({ status: 503, text: '' })));
    const problems: unknown[] = [];
    accounts.list[0]!.start((problem) => problems.push(problem));
    forward(60_000);
    expect(problems).toEqual([undefined]);
    expect(accounts.list.map(({ isOpen, state }) => [isOpen, state])).toEqual([[true, 'live']]);
  });

  it('are refused for good when their key may withdraw', () => {
    const { opened, forward, venue } = accountsRig();
    venue.withdraw = true;
    const accounts = opened();
    const problems: (BadInput | undefined)[] = [];
    accounts.list[0]!.start((problem) => problems.push(problem));
    forward(60_000);
    expect(problems.map((problem) => problem?.message)).toEqual([expect.stringMatching(/may withdraw/)]);
    expect(accounts.list.map(({ state, reason }) => [state, reason])).toEqual([
      ['refused', expect.stringMatching(/may withdraw/)],
    ]);
  });

  it('say what they hold, and end what is open', () => {
    const { opened, forward, venue } = accountsRig();
    const accounts = opened();
    accounts.list[0]!.start(() => undefined);
    forward(2_000);
    const held: (VenueHoldings | undefined)[] = [];
    accounts.askHoldings(SCRIPTED, (holdings) => held.push(holdings));
    forward(500);
    expect(held).toHaveLength(1);
    accounts.gateway.submit([orderOf({ timeInForce: 'GTC' }), orderOf({ timeInForce: 'GTC' })]);
    forward(500);
    expect(venue.orders.filter(({ status }) => status === 'open')).toHaveLength(2);
    const cleared: (readonly Cleared[])[] = [];
    accounts.cancelAll((all) => cleared.push(all));
    forward(5_000);
    expect(cleared).toMatchObject([[{ venue: 'scripted', open: 2, left: 0, isKnown: true }]]);
    expect(venue.orders.filter(({ status }) => status === 'open')).toEqual([]);
    expect(accounts.trading(BTC.id)).toBe(accounts.list[0]);
    accounts.stop(() => cleared.push([]));
    forward(1_000);
    expect(cleared).toHaveLength(2);
  });
});
