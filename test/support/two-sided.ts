import type { Depths } from '#shared/domain/capital.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';

export type BookSide = [price: number, qty: number][];

/** What a gateway on paper reads of the one book there is, as it stands when it is asked. */
export function depthsOf(book: {
  readonly status: () => BookStatus;
  readonly asks: () => BookSide;
  readonly bids: () => BookSide;
}): Depths {
  const write =
    (side: () => BookSide): Depths['asks'] =>
    (_, prices, qtys) => {
      side().forEach(([price, qty], at) => {
        prices[at] = price;
        qtys[at] = qty;
      });
      return side().length;
    };
  return { status: book.status, asks: write(book.asks), bids: write(book.bids), ageMs: () => 0 };
}
