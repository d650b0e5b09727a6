import { describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { command as commandSchema, type Command } from '#shared/schema/command.ts';
import { ANSWERED, Commands, done, refused, type Answer, type Handlers } from '#hotpath/commands.ts';

const NOW_MS = 1_000_000;

/** Every handler says the same, and what was carried out and recorded is kept. */
function world(answer: Answer, known: readonly string[] = []) {
  const [carriedOut, recorded]: [string[], unknown[]] = [[], []];
  const handler = ({ id }: { readonly id: string }): Answer => {
    carriedOut.push(id);
    return answer;
  };
  const handlers = new Proxy({}, { get: () => handler }) as Handlers;
  let flushes = 0;
  const recorder = {
    record: (kind: string, key: string, data: unknown) => recorded.push([kind, key, data]),
    flush: () => void (flushes += 1),
  };
  const commands = new Commands(recorder, handlers, known, () => NOW_MS);
  return { commands, carriedOut, recorded, flushes: () => flushes };
}
const order = (id: string, at_ms = NOW_MS): Command => ({
  v: 1,
  id,
  by: 'me',
  at_ms,
  kind: 'order',
  instrument: 'okx:BTC/USDT',
  side: 'buy',
  type: 'limit',
  qty: '1',
  price: '1',
  time_in_force: 'GTC',
});
const stop = (id: string, at_ms: number): Command => ({ v: 1, id, by: 'me', at_ms, kind: 'stop', reason: '' });

describe('commands', () => {
  it('are carried out once, also when they were before a restart', () => {
    const { commands, carriedOut } = world(done(), ['before']);
    for (const id of ['before', 'a', 'a', 'b', 'before']) commands.obey(order(id));
    expect(carriedOut).toEqual(['a', 'b']);
  });

  it.each<[Answer, readonly unknown[]]>([
    [
      done({ order_id: 'o' }),
      [['command-done', 'command:a', { command_id: 'a', command: 'order', by: 'me', detail: { order_id: 'o' } }]],
    ],
    [refused(3002, 'poor'), [['command-refused', 'command:a', { command_id: 'a', code: 3002, reason: 'poor' }]]],
    [ANSWERED, []],
  ])('are answered in the journal: %j', (answer, told) => {
    const { commands, recorded, flushes } = world(answer);
    commands.obey(order('a'));
    expect([recorded, flushes()]).toEqual([told, 1]);
  });

  it('that a handler cannot read are refused, and a refusal is never long', () => {
    const handlers = new Proxy(
      {},
      {
        get: () => (): Answer => {
          throw new BadInput(`not a decimal: ${'9'.repeat(1e6)}`);
        },
      },
    ) as Handlers;
    const reasons: string[] = [];
    const recorder = {
      record: (kind: string, _key: string, data: unknown) =>
        reasons.push(`${kind} ${(data as { readonly reason: string }).reason}`),
      flush: () => undefined,
    };
    new Commands(recorder, handlers).obey(order('odd'));
    expect(reasons).toEqual([expect.stringMatching(/^command-refused not a decimal: 9{900,985}$/)]);
  });

  it('are read within bounds', () => {
    expect(commandSchema.safeParse(order('a')).success).toBe(true);
    const odd = [{ qty: '9'.repeat(61) }, { price: `0.${'1'.repeat(60)}` }, { instrument: 'x'.repeat(201) }];
    for (const more of odd) expect(commandSchema.safeParse({ ...order('a'), ...more }).success).toBe(false);
  });

  it('of their moment are refused when it is over; a stop is never too late', () => {
    const { commands, carriedOut, recorded } = world(done());
    commands.obey(order('just', NOW_MS - 30_000));
    commands.obey(order('late', NOW_MS - 30_001));
    commands.obey(order('ahead', NOW_MS + 60_000));
    commands.obey(stop('old', 0));
    expect(carriedOut).toEqual(['just', 'ahead', 'old']);
    expect(recorded).toContainEqual([
      'command-refused',
      'command:late',
      { command_id: 'late', code: 5002, reason: 'COMMAND_TOO_OLD: age_ms=30001, max=30000' },
    ]);
  });
});
