import type { TimeInForce } from '#shared/domain/order.ts';

/**
 * What ccxt does wrong at an exchange, so that it is refused instead of done. Found in its source and in the requests it makes (4.5.84).
 * @see https://github.com/ccxt/ccxt/tree/master/ts/src
 */
export type CcxtDefects = {
  /** Times in force that are sent as something else. */
  readonly timesInForce?: {
    readonly values: readonly TimeInForce[];
    /** `derivatives`: spot is sent as asked. */
    readonly on: 'all' | 'derivatives';
  };
  /** Our id does not reach the order: one whose answer is lost could not be found again. */
  readonly losesClientId?: true;
  /** Its cancel-all ends orders of every symbol. */
  readonly cancelsAllSymbols?: true;
};

/** Where spot and contracts share one wallet, which ccxt tells for each of them: to be counted once. Elsewhere each has its own. */
export const ccxtOneWallet: ReadonlySet<string> = new Set(['okx', 'bybit', 'deribit']);

export const ccxtDefects: Readonly<Record<string, CcxtDefects>> = {
  // Sent as a resting limit order.
  krakenfutures: { timesInForce: { values: ['IOC', 'FOK'], on: 'all' } },
  // Sent as type 1, a resting limit order.
  mexc: { timesInForce: { values: ['IOC', 'FOK'], on: 'derivatives' } },
  // `clientOrderId` is not sent as `label`.
  deribit: { losesClientId: true },
  bitfinex: { cancelsAllSymbols: true },
  kraken: { cancelsAllSymbols: true },
};
