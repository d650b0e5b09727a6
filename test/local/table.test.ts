import { describe, expect, it } from 'vitest';
import { tableOf } from '#local/table.ts';
import type { EngineStatus } from '#shared/schema/status.ts';

const status: EngineStatus = {
  engine: 'engine-1',
  epoch: 1,
  mode: 'paper',
  at_ms: 0,
  started_at_ms: 0,
  trading_state: 'active',
  reason: '',
  version: '0.1.0',
  venues: [
    {
      id: 'kraken',
      status: 'live',
      health: 1,
      messages: 12_345,
      gaps: 1,
      resyncs: 2,
      reconnects: 0,
      books: 8,
      live_books: 7,
      age_ms: 3.21,
      age_ms_p99: 42,
      clock_offset_ms: 0,
    },
  ],
  messages: 12_345,
  messages_per_second: 401.4,
  decision_ns: { p50: 900, p99: 12_000, p999: 40_000 },
  opportunities: {
    detected: 120,
    executed: 11,
    rejected_by_reason: { EV_BELOW_THRESHOLD: 7, BOOK_TOO_OLD: 40 },
    top: [{ route: 'spatial:a>b', type: 'spatial', net_edge_bps: 12.345, notional: 1000, reason: 'BOOK_TOO_OLD' }],
  },
  operations: { completed: 10, failed: 0, recovering: 0, open: 1 },
  fills: 22,
  pnl: { realised: '12.3456789', fees: '4.2' },
  journal: { records: 900, published: 890, lag_records: 10, lag_ms: 1500 },
  memory_bytes: 123e6,
  cpu_percent: 12,
};
const extras = { apiUrl: 'http://127.0.0.1:8080', restarts: 0, seconds: 5, ofSeconds: 30 };
const plain = (lines: readonly string[]): string => lines.join('\n').replace(new RegExp('\u001b\\[[0-9;]*m', 'g'), '');

describe('tableOf', () => {
  it('shows venues with age and health, opportunities with edge and reason, operations, PnL, rates and latency', () => {
    const text = plain(tableOf(status, extras));
    expect(text).toMatch(/kraken +live +1\.00 +7\/8 +3\.2 ms +42 ms +12,345 +1 +2 +0/);
    expect(text).toMatch(/spatial +12\.35 +1000 +BOOK_TOO_OLD +spatial:a>b/);
    expect(text).toContain('401 messages/s   decision p50 0.9 µs  p99 12.0 µs');
    expect(text).toContain('completed 10  failed 0  recovering 0  open 1   fills 22');
    expect(text).toContain('realised 12.35  fees 4.20   journal 900  published 890  lag 10 (1.5 s)');
    expect(text).toContain('refused: BOOK_TOO_OLD 40  EV_BELOW_THRESHOLD 7');
  });

  it('keeps every line within the width, not counting what colours it', () => {
    for (const line of plain(tableOf(status, extras, 40)).split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('fits a low terminal: opportunities give way, the rest stays', () => {
    const full = tableOf(status, extras, 100);
    const busy = {
      ...status,
      opportunities: { ...status.opportunities, top: Array(8).fill(status.opportunities.top[0]) },
    };
    const low = tableOf(busy, extras, 100, full.length);
    expect(low).toEqual(full);
    expect(tableOf(status, extras, 100, 5)).toHaveLength(5);
  });
});
