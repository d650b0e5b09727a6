import type { EngineStatus } from '#shared/schema/status.ts';

export type TableExtras = {
  readonly apiUrl: string;
  readonly restarts: number;
  /** Seconds since the run began, and the whole run where `--for` said. */
  readonly seconds: number;
  readonly ofSeconds?: number | undefined;
  readonly notice?: string | undefined;
};

const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`;
const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`;

/**
 * The whole live view as lines of text, at most `width` columns and `height` lines: where there is little room, the opportunities go
 * first. Pure: the terminal belongs to the caller.
 */
export function tableOf(status: EngineStatus, extras: TableExtras, width = 100, height = Infinity): string[] {
  const { opportunities: seen } = status;
  const over = Math.max(0, linesOf(status, extras).length - height);
  const top = seen.top.slice(0, Math.max(0, seen.top.length - over));
  return linesOf({ ...status, opportunities: { ...seen, top } }, extras)
    .slice(0, height)
    .map((line) => cut(line, width));
}

function linesOf(status: EngineStatus, extras: TableExtras): string[] {
  return [
    ...head(status, extras),
    '',
    ...venues(status),
    '',
    ...opportunities(status),
    '',
    ...totals(status),
    '',
    dim(`API ${extras.apiUrl}   Ctrl-C drains and stops, twice stops at once`),
    ...(extras.notice === undefined ? [] : [dim(extras.notice)]),
  ];
}

function head(status: EngineStatus, { seconds, ofSeconds, restarts }: TableExtras): string[] {
  const time =
    ofSeconds === undefined ? `${seconds.toFixed(0)} s` : `${seconds.toFixed(0)} of ${ofSeconds.toFixed(0)} s`;
  const again = restarts === 0 ? '' : `   restarts ${String(restarts)}`;
  return [
    `${bold('arbitrage-engine')}  ${status.mode}  trading ${status.trading_state}  ${time}${again}`,
    `${count(status.messages_per_second)} messages/s   decision p50 ${us(status.decision_ns.p50)}  p99 ${us(status.decision_ns.p99)}  p99.9 ${us(status.decision_ns.p999)}   memory ${(status.memory_bytes / 1e6).toFixed(0)} MB   cpu ${status.cpu_percent.toFixed(0)} %`,
  ];
}

function venues({ venues: list }: EngineStatus): string[] {
  const rows = list.map((venue) => [
    venue.id,
    venue.status,
    venue.health.toFixed(2),
    `${String(venue.live_books)}/${String(venue.books)}`,
    ms(venue.age_ms),
    ms(venue.age_ms_p99),
    count(venue.messages),
    String(venue.gaps),
    String(venue.resyncs),
    String(venue.reconnects),
  ]);
  const titles = ['venue', 'status', 'health', 'books', 'age', 'age p99', 'messages', 'gaps', 'resyncs', 'reconnects'];
  return columns([titles, ...rows], [0, 1]);
}

function opportunities({ opportunities: { top, detected, executed } }: EngineStatus): string[] {
  const rows = top.map(({ route, type, net_edge_bps, notional, reason }) => [
    type,
    net_edge_bps.toFixed(2),
    notional < 100 ? notional.toPrecision(3) : notional.toFixed(0),
    reason === '' ? 'executed' : reason,
    route,
  ]);
  return [
    `${bold('opportunities')}  detected ${count(detected)}  executed ${count(executed)}`,
    ...columns([['type', 'net bps', 'size', 'outcome', 'route'], ...rows], [0, 3, 4]),
  ];
}

function totals({ operations, fills, pnl, journal, opportunities: { rejected_by_reason } }: EngineStatus): string[] {
  const reasons = Object.entries(rejected_by_reason)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([reason, times]) => `${reason} ${count(times)}`)
    .join('  ');
  return [
    `${bold('operations')}  completed ${count(operations.completed)}  failed ${count(operations.failed)}  recovering ${count(operations.recovering)}  open ${count(operations.open)}   fills ${count(fills)}`,
    `${bold('PnL')}  realised ${money(pnl.realised)}  fees ${money(pnl.fees)}   journal ${count(journal.records)}  published ${count(journal.published)}  lag ${count(journal.lag_records)} (${(journal.lag_ms / 1e3).toFixed(1)} s)`,
    ...(reasons === '' ? [] : [dim(`refused: ${reasons}`)]),
  ];
}

/** Pads cells into columns: the listed ones to the left, the rest (numbers) to the right. */
function columns(rows: readonly (readonly string[])[], left: readonly number[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  return [dim(lines[0] ?? ''), ...lines.slice(1)];
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const us = (ns: number): string => `${(ns / 1e3).toFixed(1)} µs`;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const money = (text: string): string => Number(text).toFixed(2);

/** Cuts a line to its visible width: escape sequences take no room. */
function cut(line: string, width: number): string {
  let seen = 0;
  // eslint's no-control-regex has a point elsewhere; here the escape is what is matched.
  return line.replace(new RegExp('\\u001b\\[[0-9;]*m|.', 'gu'), (part) => {
    if (part.startsWith('\u001b')) return part;
    seen += 1;
    return seen <= width ? part : '';
  });
}
