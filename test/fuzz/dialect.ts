import type { BookEvent, TruthBook } from './truth.ts';

/** One frame, or (with a symbol) the answer to a snapshot request. A binary frame is `latin1` text, a character a byte. */
export type Traffic = { readonly symbol?: string; readonly text: string; readonly encoding?: BufferEncoding };

/** How one market tells of its books, read and written by an implementation that shares nothing with the engine's. */
export type Dialect = {
  /** Undefined for whatever changes no book. */
  readonly eventFrom: (text: string) => BookEvent | undefined;
  /** The answer to a snapshot request. */
  readonly snapshotFrom: (symbol: string, text: string) => BookEvent;
  /** A snapshot of a book as it stands, as the venue would send it. */
  readonly snapshotText: (symbol: string, book: TruthBook) => string;
  /**
   * Where a socket's frames are counted: the frames that say what its later ones mean. They come unharmed, and each snapshot comes in its turn,
   * on another socket.
   */
  readonly preamble?: readonly string[];
};

/** JSON with its numbers as texts. */
export const parseExactly = (text: string): unknown =>
  JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? context!.source! : value,
  );
