import type { EngineStatus } from '#shared/schema/status.ts';
import type { TableExtras } from './table.ts';
import { tableOf } from './table.ts';

const LINE_EVERY = 5;

/** Where a run is shown: a table that is redrawn on a terminal, a line every few seconds elsewhere. */
export class Screen {
  readonly #table: boolean;
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  #shown = 0;

  constructor(out: NodeJS.WriteStream, table: boolean) {
    this.#out = out;
    this.#table = table;
  }

  show(status: EngineStatus, extras: TableExtras): void {
    this.#shown += 1;
    if (this.#table) {
      // A terminal that does not know its size says 0. The cursor cannot go back to lines that have left the screen: one line is its own.
      const { columns, rows } = this.#out;
      const lines = tableOf(status, extras, columns > 0 ? columns : 100, rows > 1 ? rows - 1 : Infinity);
      this.#out.write(`${this.#eraser()}${lines.join('\n')}\n`);
      this.#drawn = lines.length;
    } else if (this.#shown % LINE_EVERY === 1) {
      this.#out.write(`${lineOf(status, extras)}\n`);
    }
  }

  /** A line that stays: the table is drawn again below it. */
  say(line: string): void {
    this.#out.write(`${this.#eraser()}${line}\n`);
    this.#drawn = 0;
  }

  #eraser(): string {
    return this.#drawn === 0 ? '' : `\u001b[${String(this.#drawn)}A\u001b[J`;
  }
}

function lineOf(
  { venues, opportunities, operations, pnl, journal, messages_per_second }: EngineStatus,
  { seconds }: TableExtras,
): string {
  const live = venues.map(({ id, status, live_books, books }) => `${id} ${status} ${live_books}/${books}`).join(', ');
  return `${seconds.toFixed(0)} s  ${messages_per_second.toFixed(0)} messages/s  [${live}]  opportunities ${opportunities.detected}  operations ${operations.completed} completed, ${operations.failed} failed, ${operations.open} open  PnL ${Number(pnl.realised).toFixed(2)}  lag ${journal.lag_records}`;
}
