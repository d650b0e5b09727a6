import { createRoute } from '@hono/zod-openapi';
import { positionsData, positionsQuery } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { Mismatches, midOf, positionOf, splitInstrument } from '../views.ts';

/** Positions by id, under both of their paths. There is at most one an instrument, so they are read whole; the cursor is an id. */
export function mountPositions(app: App, options: AppOptions, guards: Guards): void {
  for (const path of ['/v1/trading/positions', '/v1/positions']) {
    const list = createRoute({
      method: 'get',
      path,
      tags: ['trading'],
      summary: 'Positions',
      security: secured('read'),
      middleware: [guards.scope('read')] as const,
      request: { query: positionsQuery },
      responses: { 200: answers(positionsData, 'A page of positions'), ...fails(400), ...denials },
    });
    app.openapi(list, async (context) => {
      const { limit, cursor = '', status, symbol } = context.req.valid('query');
      const { store } = options;
      const [positions, samples, open, engine] = await Promise.all([
        store.positions(),
        store.markets(),
        store.openMismatches(),
        store.status(),
      ]);
      const mismatches = new Mismatches(open);
      const said = (engine?.accounts ?? []).flatMap((account) => account.positions ?? []);
      const atVenue = new Map(said.map((position) => [position.instrument, position]));
      const mids = new Map(samples.map((sample) => [sample.instrument, midOf(sample)]));
      const matching = positions
        .filter(({ data }) => status === undefined || data.status === status)
        .filter(({ data }) => symbol === undefined || splitInstrument(data.instrument).symbol === symbol)
        .filter(({ data }) => data.id > cursor)
        .sort((a, b) => (a.data.id < b.data.id ? -1 : 1));
      const page = matching.slice(0, limit);
      const data = {
        positions: page.map((position) => {
          const { instrument } = position.data;
          const [mid, told] = [mids.get(instrument), atVenue.get(instrument)];
          return positionOf(position, { nowMs: nowMs(options), mid, atVenue: told, mismatches });
        }),
        next_cursor: matching.length > limit ? page.at(-1)!.data.id : null,
      };
      return context.json(success(data, nowMs(options)), 200);
    });
  }
}
