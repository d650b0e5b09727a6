import { expect, it } from 'vitest';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

function logged(level: 'info' | 'debug') {
  const lines: string[] = [];
  const clock = new VirtualClock(1_700_000_000_000_000_000n);
  const logger = createLogger({ name: 'engine-1', level, clock, to: { write: (line) => lines.push(line) } });
  return { logger, clock, lines };
}

it('writes an event name, fields, and the passed clock as JSON', () => {
  const { logger, clock, lines } = logged('info');
  clock.jumpTo(1_500e6);
  logger.debug('not-said');
  logger.warn('feed-closed', { venue: 'okx', code: 1006 });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { level: 'warn', time: 1_700_000_001_500, name: 'engine-1', venue: 'okx', code: 1006, event: 'feed-closed' },
  ]);
});

it('never writes a secret, at the top or one level down', () => {
  const { logger, lines } = logged('debug');
  logger.info('signed', { apiKey: 'k-1', account: { secret: 's-1', passphrase: 'p-1', name: 'main' } });
  logger.error('request', { headers: { authorization: 'Bearer t-1' } });
  const text = lines.join('');
  for (const secret of ['k-1', 's-1', 'p-1', 't-1']) expect(text).not.toContain(secret);
  expect(text).toContain('main');
});
