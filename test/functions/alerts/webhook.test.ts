import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signedHeaders } from '#functions/alerts/webhook.ts';
import { systemClock } from '#shared/clock/clock.ts';

const clock = systemClock();
const hasPython = spawnSync('python3', ['--version']).status === 0;
/** The block of the page, as its reader would copy it. */
const check = /```python\n([\s\S]+?)```/.exec(readFileSync('docs/alerts.md', 'utf8'))?.[1] ?? '';
const BODY = JSON.stringify({ text: 'Überfall < & 😀' });

/** What the page's own check says of a delivery. */
function isGenuine(over: { readonly body?: string; readonly secret?: string; readonly ageMs?: number } = {}): boolean {
  const nowMs = clock.unixMs(clock.now()) - (over.ageMs ?? 0);
  const headers = signedHeaders(BODY, { secret: 'shared', id: 'x', nowMs });
  const named = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()),
      value,
    ]),
  );
  const input = JSON.stringify({ headers: named, body: over.body ?? BODY, secret: over.secret ?? 'shared' });
  const script = `${check}
import json, sys
given = json.load(sys.stdin)
print(is_genuine(given["secret"].encode(), given["headers"], given["body"].encode()))`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script], { input, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim() === 'True';
}

it.skipIf(!hasPython)('the check that docs/alerts.md gives accepts what we sign, and nothing else', () => {
  expect(isGenuine()).toBe(true);
  expect(isGenuine({ body: `${BODY} ` })).toBe(false);
  expect(isGenuine({ secret: 'another' })).toBe(false);
  expect(isGenuine({ ageMs: 301_000 })).toBe(false);
});

it('is not signed where there is no secret', () => {
  expect(signedHeaders(BODY, { secret: '', id: 'x', nowMs: 0 })).not.toHaveProperty('x-arbitrage-signature');
});
