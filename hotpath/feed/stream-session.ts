import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import type { StreamKind, StreamRules } from '../venues/venue.ts';
import type { ConnectionContext, ConnectionState } from './connection.ts';
import { Connection } from './connection.ts';

/** What the stream sessions of one market share. */
export type StreamContext = ConnectionContext & {
  readonly onPrint: (print: TradePrint) => void;
  readonly onReference: (reference: ReferenceUpdate) => void;
};

/** What one stream session follows. */
export type Streamed = {
  readonly rules: StreamRules;
  readonly url: string;
  readonly kinds: readonly StreamKind[];
  readonly indices: readonly InstrumentIndex[];
};

/** Trades and reference prices of one market over a socket beside its books: their volume never delays a book, and their loss breaks none. */
export class StreamSession {
  readonly #connection: Connection;

  constructor(context: StreamContext, { rules, url, kinds, indices }: Streamed) {
    const { instruments, tally } = context;
    const symbols = indices.map((instrument) => instruments[instrument]!.venueSymbol);
    const subscribe = (): void => {
      const connection = this.#connection;
      connection.send(rules.subscribe(kinds, symbols, connection.nextRequest()));
    };
    this.#connection = new Connection(context, url, {
      onOpen: subscribe,
      onDoubt: () => undefined,
      onClosed: () => undefined,
      // A book that comes along is another connection's.
      onUpdate: () => undefined,
      onPrint: (print) => {
        this.#connection.prove();
        tally.prints += 1;
        context.onPrint(print);
      },
      onReference: (reference) => {
        this.#connection.prove();
        tally.references += 1;
        context.onReference(reference);
      },
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  start(): void {
    this.#connection.start();
  }

  stop(): void {
    this.#connection.stop();
  }
}

/** Which of the wanted channels stand here for an instrument: nobody marks or funds what is on the spot. */
export const kindsFor = (
  { kinds }: StreamRules,
  isSpot: boolean,
  wanted: readonly StreamKind[],
): readonly StreamKind[] => wanted.filter((kind) => kinds.includes(kind) && !(isSpot && kind === 'reference'));
