import type { Account, AccountContext, Call } from '#hotpath/venues/venue-account.ts';
import type { Instrument } from '#shared/domain/instrument.ts';

/** One signed request that a maintained client made with made-up keys at a fixed time. */
export type RecordedRequest = {
  readonly exchange: string;
  /** What was called: `spot.createOrder.limit.IOC`. */
  readonly call: string;
  readonly transport: 'rest' | 'ws';
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The frame of a WebSocket request. */
  readonly frame?: unknown;
};

/** A request of ours, made from the same inputs. */
export type OurRequest =
  | { readonly kind: 'rest'; readonly account: Account; readonly call: Call<unknown> }
  | { readonly kind: 'frame'; readonly frame: string; readonly url?: string };

export type SigningTable = {
  /** Value of `exchange` in the recordings that this table answers for. */
  readonly exchanges: readonly string[];
  /** An instrument of each symbol that the recordings trade. */
  readonly instruments: readonly Instrument[];
  /** Keys, clock and facts of the recordings in the venue's form. */
  readonly context: AccountContext;
  /**
   * Ours for a recorded request, or why there is none (`{ skip: reason }`: an endpoint that we do not use, a public request, a first frame that we never send).
   */
  readonly ours: (recorded: RecordedRequest) => OurRequest | { readonly skip: string };
  /**
   * What may differ, with its reason: field names of query, body, headers or frame, per call (a pattern over `call`). A signature that covers a field which differs is compared by
   * signing the recorded fields with our signer: `resign` returns the signature that our signer gives for the recorded request's own bytes.
   */
  readonly differences: readonly {
    readonly call: RegExp;
    readonly fields: readonly string[];
    readonly reason: string;
  }[];
  readonly resign?: (recorded: RecordedRequest) => { readonly recorded: string; readonly ours: string };
};
