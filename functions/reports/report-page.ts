import { html } from 'hono/html';
import type { ReportData } from '#shared/schema/api.ts';

type Html = ReturnType<typeof html>;

const WIDTH = 720;
const HEIGHT = 200;
/** Room for the hours below the bars. */
const BASE = 20;

/** A daily report for people: one page, charts inline, nothing fetched from elsewhere. Every text is escaped. */
export function reportPage(report: ReportData): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${report.engine} ${report.date}</title>
        <style>
          body {
            font:
              15px/1.5 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 50rem;
            padding: 0 1rem;
          }
          table {
            border-collapse: collapse;
            margin: 1rem 0 2rem;
          }
          td,
          th {
            border-bottom: 1px solid #ddd;
            padding: 0.2rem 1.5rem 0.2rem 0;
            text-align: left;
          }
          td.number {
            font-variant-numeric: tabular-nums;
            text-align: right;
          }
          .up {
            fill: #2a7f4f;
          }
          .down {
            fill: #b3382c;
          }
          svg {
            width: 100%;
          }
        </style>
      </head>
      <body>
        <h1>${report.engine}, ${report.date}</h1>
        <p>
          ${report.final ? 'Final.' : 'Not final: the day is not settled.'} Made ${report.generated_at}. Amounts are in
          the numeraire, times in UTC.
          ${report.truncated ? 'There were more operations than are counted here: only the newest are.' : ''}
        </p>
        ${figures(report)}
        <h2>Profit by hour</h2>
        ${bars(report.hours.map(({ pnl }) => pnl))}
        <h2>Profit so far</h2>
        ${line(report.hours.map(({ cumulative }) => cumulative))} ${parts('Families', report.attribution.families)}
        ${parts('Venues', report.attribution.venues)} ${parts('Symbols', report.attribution.symbols)}
        ${sources(report.attribution.sources)}
      </body>
    </html>`;
}

function figures(report: ReportData): Html {
  const rows: readonly (readonly [string, string])[] = [
    ['Profit after fees', text(report.total_pnl)],
    ['Fees', text(report.fees)],
    ['Operations ended', text(report.operations)],
    ['Operations open', text(report.open_operations)],
    ['Win rate', text(report.win_rate)],
    ['Profit factor', text(report.profit_factor)],
    ['Maximum drawdown', text(report.max_drawdown)],
    ['Sharpe ratio (hours, annualised)', text(report.sharpe_ratio)],
    ['Sortino ratio (hours, annualised)', text(report.sortino_ratio)],
    ['Volatility (annualised)', text(report.volatility)],
    ['Mean duration, s', text(report.avg_trade_duration)],
    ['Best operation', report.best === null ? '–' : `${report.best.id} ${text(report.best.pnl)}`],
    ['Worst operation', report.worst === null ? '–' : `${report.worst.id} ${text(report.worst.pnl)}`],
  ];
  return html`<table>
    ${rows.map(
      ([name, value]) =>
        html`<tr>
          <th>${name}</th>
          <td class="number">${value}</td>
        </tr>`,
    )}
  </table>`;
}

function parts(title: string, rows: ReportData['attribution']['families']): Html {
  return html`<h2>${title}</h2>
    <table>
      <tr>
        <th>Name</th>
        <th>Profit</th>
        <th>Operations</th>
      </tr>
      ${rows.map(
        ({ name, pnl, operations }) =>
          html`<tr>
            <td>${name}</td>
            <td class="number">${text(pnl)}</td>
            <td class="number">${operations}</td>
          </tr>`,
      )}
    </table>`;
}

/** Reports that were kept before anybody said where profit came from have none. */
function sources(found: ReportData['attribution']['sources']): Html | string {
  if (found === undefined) return '';
  return html`<h2>Sources</h2>
    <table>
      ${Object.entries(found).map(
        ([name, value]) =>
          html`<tr>
            <th>${name}</th>
            <td class="number">${text(value)}</td>
          </tr>`,
      )}
    </table>`;
}

function bars(values: readonly number[]): Html {
  const y = scaleOf(values);
  const step = WIDTH / Math.max(1, values.length);
  const drawn = values.map((value, hour) => {
    const [top, bottom] = [Math.min(y(value), y(0)), Math.max(y(value), y(0))];
    const box = { x: (hour * step + 2).toFixed(1), width: (step - 4).toFixed(1), height: (bottom - top).toFixed(1) };
    return html`<rect
      class="${value < 0 ? 'down' : 'up'}"
      x="${box.x}"
      y="${top.toFixed(1)}"
      width="${box.width}"
      height="${box.height}"
    >
      <title>${hour}:00 ${text(value)}</title>
    </rect>`;
  });
  return chart('Profit by hour', y(0), drawn);
}

function line(values: readonly number[]): Html {
  const y = scaleOf(values);
  const step = WIDTH / Math.max(1, values.length);
  const points = values.map((value, hour) => `${((hour + 0.5) * step).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  return chart('Profit so far', y(0), [
    html`<polyline points="${points}" fill="none" stroke="#24567a" stroke-width="2" />`,
  ]);
}

function chart(title: string, zero: number, drawn: readonly Html[]): Html {
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT + BASE}" role="img" aria-label="${title}">
    <line x1="0" x2="${WIDTH}" y1="${zero.toFixed(1)}" y2="${zero.toFixed(1)}" stroke="#999" />
    ${drawn}
    ${[0, 6, 12, 18].map(
      (hour) =>
        html`<text x="${(hour * WIDTH) / 24}" y="${HEIGHT + BASE - 4}" font-size="12" fill="#666">${hour}:00</text>`,
    )}
  </svg>`;
}

/** Value → height in the chart, with zero always in view. A drawing needs no more than doubles. */
function scaleOf(values: readonly number[]): (value: number) => number {
  const high = Math.max(0, ...values);
  const low = Math.min(0, ...values);
  const span = high - low || 1;
  return (value) => ((high - value) / span) * (HEIGHT - 10) + 5;
}

/** For people; the exact amounts are in the JSON. */
const text = (value: number | null): string =>
  value === null ? '–' : value.toLocaleString('en-US', { maximumFractionDigits: 8 });
