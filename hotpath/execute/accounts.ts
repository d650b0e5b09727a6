import { assert, BadInput } from '#shared/assert.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { Fence, OrderGateway, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Decimal } from 'decimal.js';
import type { Account, Credentials, PositionState } from '../venues/venue-account.ts';
import type { Venue } from '../venues/venue.ts';
import { AccountRouter } from './account-router.ts';
import type { AccountSetup, Outside } from './account/account-client.ts';
import { AccountClient, AccountUnreachable } from './account/account-client.ts';
import { feesOf } from './account/account-fees.ts';
import { CcxtAccount } from './account/ccxt-account.ts';
import { RequestLine } from './account/request-line.ts';
import { TradingAccount } from './account/trading-account.ts';
import type { AccountHoldings } from './account/trading-gateway.ts';
import { VenueGateway } from './venue-gateway.ts';

export type Earlier = { readonly request: OrderRequest; readonly sentMs: number };

/** Which accounts a run has, and how it may use them. */
export type AccountsSetup = Outside & {
  readonly config: Config;
  readonly venues: readonly Venue[];
  readonly instruments: readonly Instrument[];
  /** By venue. */
  readonly credentials: ReadonlyMap<string, Credentials>;
};

export type AccountsOptions = AccountsSetup & {
  readonly onReport: (report: OrderReport) => void;
  /** A venue has reduced a position by itself. It may be told more than once. */
  readonly onForced: (fill: ForcedFill) => void;
  /** An order of an earlier start, whose fate is asked for. */
  readonly orderOf: (id: ClientOrderId) => Earlier | undefined;
  readonly fence: Fence;
};

/** What became of the open orders of one account. */
export type Cleared = {
  readonly venue: string;
  readonly account: string;
  readonly open: number;
  readonly left: number;
  /** Whether the venue has said so; otherwise nobody knows what is left. */
  readonly isKnown: boolean;
  readonly ms: number;
};

/** What a venue holds for us, over all its accounts. */
export type VenueHoldings = {
  readonly balances: ReadonlyMap<string, Decimal>;
  readonly positions: ReadonlyMap<InstrumentId, PositionState>;
};

type Plan = {
  readonly venue: Venue;
  /** Undefined: ccxt. */
  readonly account: Account | undefined;
  readonly instruments: readonly Instrument[];
};

/** All accounts of a run behind one order gateway: an order goes to the account that trades its instrument. */
export class Accounts {
  readonly gateway: OrderGateway;
  readonly list: readonly TradingAccount[];
  readonly #options: AccountsOptions;
  readonly #byInstrument: ReadonlyMap<InstrumentId, TradingAccount>;

  constructor(options: AccountsOptions) {
    this.#options = options;
    const lines = new Map<VenueId, RequestLine>();
    this.list = accountPlans(options).map((plan) => {
      const line = lines.get(plan.venue.id) ?? new RequestLine();
      lines.set(plan.venue.id, line);
      return openAccount(plan, options, line);
    });
    this.#byInstrument = new Map(this.list.flatMap((each) => each.instruments.map(({ id }) => [id, each] as const)));
    this.gateway = new AccountRouter(
      (instrument) => this.#byInstrument.get(instrument),
      (order) => options.orderOf(order)?.request.instrument,
    );
  }

  /** Which account trades an instrument. */
  trading(instrument: InstrumentId): TradingAccount | undefined {
    return this.#byInstrument.get(instrument);
  }

  of(venue: VenueId): readonly TradingAccount[] {
    return this.list.filter((account) => account.venue === venue);
  }

  get venues(): readonly VenueId[] {
    return [...new Set(this.list.map(({ venue }) => venue))];
  }

  /** Asks every account of a venue what it holds; undefined unless all have answered. */
  askHoldings(venue: VenueId, done: (holdings: VenueHoldings | undefined) => void): void {
    const accounts = this.of(venue);
    eachAnswer(
      accounts,
      (account, told: (answer: AccountHoldings | undefined) => void) => account.gateway.askHoldings(told),
      (answers) => {
        answers.forEach((answer, at) => {
          if (answer !== undefined) accounts[at]!.noteHoldings(answer);
        });
        done(answers.includes(undefined) ? undefined : holdingsOf(accounts));
      },
    );
  }

  /** Ends every open order everywhere, all accounts at once, and asks until none is left. */
  cancelAll(done: (cleared: readonly Cleared[]) => void): void {
    const { clock } = this.#options;
    const startedNs = clock.now();
    eachAnswer(
      this.list,
      (account, told: (cleared: Cleared) => void) => {
        const open = account.gateway.openOrders;
        account.gateway.cancelAll((left, isKnown) => {
          const ms = (clock.now() - startedNs) / 1e6;
          const { venue, id } = account;
          told({ venue, account: id, open: Math.max(open, left.length), left: left.length, isKnown, ms });
        });
      },
      done,
    );
  }

  stop(done: () => void): void {
    eachAnswer(this.list, (account, told: (answer: null) => void) => account.stop(() => told(null)), done);
  }
}

/**
 * Asks every key whether it may be used, and every account what it pays. An account that does not answer in time keeps the fees of the configuration.
 * @throws BadInput when a key is refused, may withdraw, or is missing
 */
export async function feesOfAccounts(setup: AccountsSetup, withinMs: number): Promise<ReadonlyMap<InstrumentId, Fees>> {
  const { clock, logger } = setup;
  const found = new Map<InstrumentId, Fees>();
  const ask = (plan: Plan): Promise<void> =>
    new Promise((resolve, reject) => {
      const { venue, account, instruments } = plan;
      if (account === undefined) {
        resolve();
        return;
      }
      const client = new AccountClient(nativeSetup(venue, account, setup), setup);
      const timer = clock.after(withinMs, () => {
        logger.warn('account-fees-unknown', { ...client.name, text: 'no answer in time' });
        client.stop();
        resolve();
      });
      client.start((problem) => {
        if (problem !== undefined) {
          timer.cancel();
          if (problem instanceof AccountUnreachable) resolve();
          else reject(problem);
          return;
        }
        feesOf(client, [...Map.groupBy(instruments, ({ market }) => market).values()], (fees) => {
          timer.cancel();
          for (const [id, fee] of fees) found.set(id, fee);
          client.stop();
          resolve();
        });
      });
    });
  await Promise.all(accountPlans(setup).map(ask));
  return found;
}

/** Instruments that an account of this run can trade. */
export function tradableOf(
  { config, venues }: Pick<AccountsSetup, 'config' | 'venues'>,
  instruments: readonly Instrument[],
): readonly Instrument[] {
  return instruments.filter(({ venue: id, market }) => {
    const isCcxt = config.accounts[id]?.gateway === 'ccxt';
    const accounts = venues.find((venue) => venue.id === id)?.accounts ?? [];
    return isCcxt || accounts.some(({ markets }) => markets.includes(market));
  });
}

/** Every account that trades anything of this run. */
function accountPlans({ config, venues, instruments }: AccountsSetup): readonly Plan[] {
  return venues.flatMap((venue): readonly Plan[] => {
    const here = instruments.filter((instrument) => instrument.venue === venue.id);
    if (here.length === 0) return [];
    if (config.accounts[venue.id]?.gateway === 'ccxt') return [{ venue, account: undefined, instruments: here }];
    return (venue.accounts ?? []).flatMap((account) => {
      const traded = here.filter(({ market }) => account.markets.includes(market));
      return traded.length === 0 ? [] : [{ venue, account, instruments: traded }];
    });
  });
}

function openAccount(plan: Plan, options: AccountsOptions, line: RequestLine): TradingAccount {
  const { venue, account, instruments } = plan;
  const { config, clock, logger, onReport, onForced, orderOf, fence, transport, random } = options;
  const common = { venue: venue.id, instruments, clock, onReport };
  if (account === undefined) {
    const { via } = config.venues[venue.id] ?? {};
    const gateway = new CcxtAccount(
      {
        exchange: venue.id,
        venue: venue.id,
        credentials: keyOf(venue.id, options),
        ...(via === undefined ? {} : { via }),
        clock,
        logger,
        onReport,
        orderOf,
        fence,
      },
      instruments,
    );
    return new TradingAccount({ ...common, id: 'ccxt', kind: 'ccxt', gateway, venueClientId: (id) => id });
  }
  const gateway = new VenueGateway({
    transport,
    clock,
    logger,
    random: random.fork(`account ${venue.id} ${account.id}`),
    setup: { ...nativeSetup(venue, account, options), line },
    instruments,
    onReport,
    onForced,
    orderOf,
    fence,
    onBalance: (balance) => trading.noteBalance(balance),
    onPosition: (position) => trading.notePosition(position),
  });
  const trading: TradingAccount = new TradingAccount({
    ...common,
    id: account.id,
    kind: 'native',
    gateway,
    venueClientId: account.clientOrderId,
  });
  return trading;
}

function nativeSetup({ id }: Venue, account: Account, setup: AccountsSetup): AccountSetup {
  const { accounts, venues } = setup.config;
  const settings = accounts[id];
  const { via } = venues[id] ?? {};
  return {
    venue: id,
    account,
    credentials: keyOf(id, setup),
    marginMode: settings?.margin_mode ?? 'cross',
    leverage: settings?.leverage ?? 1,
    reserved: settings?.reserved_limit_share ?? RESERVED_SHARE,
    allowWithdraw: settings?.allow_withdraw ?? false,
    ...(via === undefined ? {} : { via }),
  };
}

/** Of every limit, for cancels and hedges, where the configuration says nothing of the account. */
const RESERVED_SHARE = 0.2;

function keyOf(venue: VenueId, { credentials }: AccountsSetup): Credentials {
  const found = credentials.get(venue);
  if (found === undefined) throw new BadInput(`no key for ${venue}`);
  return found;
}

function holdingsOf(accounts: readonly TradingAccount[]): VenueHoldings {
  const balances = new Map<string, Decimal>();
  const positions = new Map<InstrumentId, PositionState>();
  for (const account of accounts) {
    for (const { asset, total } of account.balances.values())
      balances.set(asset, (balances.get(asset) ?? ZERO).plus(total));
    for (const [id, position] of account.positions) positions.set(id, position);
  }
  return { balances, positions };
}

/** Asks all at once; `done` gets the answers in the order of what was asked. */
function eachAnswer<Asked, Answer>(
  asked: readonly Asked[],
  ask: (one: Asked, told: (answer: Answer) => void) => void,
  done: (answers: readonly Answer[]) => void,
): void {
  const answers = new Array<Answer>(asked.length);
  let awaited = asked.length;
  if (awaited === 0) done([]);
  asked.forEach((one, at) => {
    ask(one, (answer) => {
      assert(awaited > 0, 'a question is answered once');
      answers[at] = answer;
      awaited -= 1;
      if (awaited === 0) done(answers);
    });
  });
}
