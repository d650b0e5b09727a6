import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { FeeState } from '../../venues/venue-account.ts';
import type { AccountClient } from './account-client.ts';
import { textOfOutcome } from './account-client.ts';

const ATTEMPTS_MAX = 4;

/**
 * The fees that this account pays, asked market by market; an instrument keeps its own where the venue does not say. `markets` are the instruments of each.
 */
export function feesOf(
  client: AccountClient,
  markets: readonly (readonly Instrument[])[],
  done: (fees: ReadonlyMap<InstrumentId, Fees>) => void,
): void {
  const { fees } = client.setup.account.rest;
  const found = new Map<InstrumentId, Fees>();
  const next = (at: number): void => {
    const instruments = markets[at];
    if (instruments === undefined) {
      done(found);
      return;
    }
    client.persist<readonly (readonly FeeState[])[]>(
      (told) => client.all((context) => fees(instruments, context), { name: 'fees', priority: 'query' }, told),
      ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind !== 'ok') {
          client.logger.warn('account-fees-unknown', { ...client.name, text: textOfOutcome(outcome) });
        }
        const states = outcome.kind === 'ok' ? outcome.value.flat() : [];
        for (const instrument of instruments) found.set(instrument.id, feesFrom(instrument, states));
        next(at + 1);
      },
    );
  };
  next(0);
}

/** The instrument's own rate before its market's, and in the asset that its rule says. */
export function feesFrom(instrument: Instrument, states: readonly FeeState[]): Fees {
  const inMarket = states.filter(({ market }) => market === instrument.market);
  const state =
    inMarket.find(({ venueSymbol }) => venueSymbol === instrument.venueSymbol) ??
    inMarket.find(({ venueSymbol }) => venueSymbol === undefined);
  if (state === undefined) return instrument.fees;
  return { ...instrument.fees, maker: state.maker, taker: state.taker };
}
