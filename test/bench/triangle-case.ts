import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { randomFrom } from '#shared/random.ts';
import type { Levels, PaperBook } from '#test/support/market.ts';
import { Books, spot } from '#test/support/market.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import { engine } from './decision.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { ResultHash } from './result-hash.ts';

/** With every pair of them listed: 325 books, 600 triangles from USDT. */
const COINS = 25;
const TRIANGLES = 600;
const LEVELS = 50;
const FEE = '0.0005';
/** What a bot tries to put in, in USDT. */
const INVESTMENTS = Array.from({ length: 20 }, (_none, step) => 250 * (step + 1));
/** Standard deviations of a price from its value: that of most changes pays nothing after fees. */
const USUAL = 0.0002;
const MISPRICED = 0.004;
const MISPRICED_SHARE = 0.005;
/** What most changes offer. */
const NOTHING: readonly (readonly [number, Route])[] = [];

/**
 * A changed book → which of its triangles earn anything, and with what investment. The usual way walks the depth of three books for every investment and
 * every triangle that the book is in; ours walks only those that pay at best prices: a conversion only gets worse with size.
 */
export function triangleCase(messages: number, rounds: number): Row {
  const listed = market();
  const instruments = listed.map(({ instrument }) => instrument);
  const { routes } = compileRoutes(
    instruments,
    { ...engine, families: ['cycle'], max_legs: 3, start_assets: ['USDT'] },
    0,
  );
  if (routes.length !== TRIANGLES) throw new Error(`the bench expects ${TRIANGLES} triangles, not ${routes.length}`);
  const random = randomFrom(5);
  const changes = Array.from({ length: messages }, () => {
    const index = random.integer(instruments.length);
    const shift = random.next() < MISPRICED_SHARE ? MISPRICED : USUAL;
    return { index, book: bookAt(listed[index]!, shift * random.normal()) };
  });
  const touching = instruments.map((_one, index) =>
    [...routes.entries()].filter(([, { legs }]) => legs.some(({ instrument }) => instrument === index)),
  );
  const triangles = changes.reduce((sum, { index }) => sum + touching[index]!.length, 0);
  const contender = (
    candidatesOn: (books: Books) => (index: number) => readonly (readonly [number, Route])[],
  ): Contender => ({
    prepare: () => {
      const books = new Map<number, PaperBook>();
      const tops = new Books(instruments.length);
      const apply = (index: number, book: PaperBook): void => {
        books.set(index, book);
        tops.set(index, book);
      };
      for (const [index, one] of listed.entries()) apply(index, bookAt(one, 0));
      const hash = new ResultHash();
      const candidatesOf = candidatesOn(tops);
      const run = (): void => {
        for (const { index, book } of changes) {
          apply(index, book);
          for (const [number, route] of candidatesOf(index)) {
            const best = bestInvestment(route, books);
            if (best === undefined) continue;
            hash.integer(number);
            hash.integer(best.investment);
            hash.double(best.profit);
          }
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const fast = contender(({ tops }) => {
    const evaluator = new Evaluator(instruments, routes, { tops, minEdge: 0 });
    return (index) => {
      const count = evaluator.screen(index as InstrumentIndex);
      if (count === 0) return NOTHING;
      const found = [...evaluator.found.subarray(0, count)].sort((a, b) => a - b);
      return found.map((route) => [route, routes[route]!]);
    };
  });
  const plain = contender(() => (index) => touching[index]!);
  return row(
    `triangles, ${TRIANGLES} of them, ${LEVELS} levels`,
    compare(triangles, rounds, fast, plain),
    'ns/triangle',
    { of: 'ratio', least: 50 },
  );
}

/** Undefined when no investment earns anything. */
function bestInvestment(
  { legs }: Route,
  books: ReadonlyMap<number, PaperBook>,
): { readonly investment: number; readonly profit: number } | undefined {
  let best: { readonly investment: number; readonly profit: number } | undefined;
  for (const investment of INVESTMENTS) {
    let amount = investment;
    for (const { instrument, side } of legs) {
      const { asks, bids } = books.get(instrument)!;
      const kept = 1 - Number(FEE);
      amount = kept * (side === 'buy' ? bought(amount, asks) : sold(amount, bids));
    }
    const profit = amount - investment;
    if (profit > (best?.profit ?? 0)) best = { investment, profit };
  }
  return best;
}

function bought(quote: number, asks: Levels): number {
  let left = quote;
  let base = 0;
  for (const [price, qty] of asks) {
    const given = Math.min(left, price * qty);
    base += given / price;
    left -= given;
    if (left <= 0) break;
  }
  return base;
}

function sold(base: number, bids: Levels): number {
  let left = base;
  let quote = 0;
  for (const [price, qty] of bids) {
    const given = Math.min(left, qty);
    quote += given * price;
    left -= given;
    if (left <= 0) break;
  }
  return quote;
}

/** `price` in the quote, `value` of one unit of base in USDT. */
type ListedBook = { readonly instrument: Instrument; readonly price: number; readonly value: number };

function market(): readonly ListedBook[] {
  const coins = Array.from({ length: COINS }, (_none, rank) => ({ code: `C${rank}`, value: 50_000 / (rank + 1) ** 2 }));
  const listedAs = (
    base: (typeof coins)[number],
    quote: { readonly code: string; readonly value: number },
  ): ListedBook => ({
    instrument: spot(`a:${base.code}/${quote.code}`, { fee: FEE }),
    price: base.value / quote.value,
    value: base.value,
  });
  return [
    ...coins.map((coin) => listedAs(coin, { code: 'USDT', value: 1 })),
    ...coins.flatMap((quote, rank) => coins.slice(rank + 1).map((base) => listedAs(base, quote))),
  ];
}

/** Some hundred dollars on each level, a basis point apart. */
function bookAt({ price, value }: ListedBook, shift: number): PaperBook {
  const mid = price * (1 + shift);
  const side = (direction: 1 | -1): Levels =>
    Array.from({ length: LEVELS }, (_none, level) => [
      mid * (1 + direction * 0.0001 * (level + 1)),
      (200 * (1 + (level % 5))) / value,
    ]);
  return { bids: side(-1), asks: side(1) };
}
