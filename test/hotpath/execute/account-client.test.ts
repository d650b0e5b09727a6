import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '#hotpath/execute/account/account-client.ts';
import { AccountClient, textOfOutcome } from '#hotpath/execute/account/account-client.ts';
import { feesFrom } from '#hotpath/execute/account/account-fees.ts';
import { RequestLine } from '#hotpath/execute/account/request-line.ts';
import { VenueGateway } from '#hotpath/execute/venue-gateway.ts';
import type { Account, Call } from '#hotpath/venues/venue-account.ts';
import { ok, refused } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { Decimal } from 'decimal.js';
import { accountRig, BTC, CREDENTIALS, orderOf } from '#test/support/account-rig.ts';
import { scriptedAccount, scriptedOrderSocket } from '#test/support/account-venue.ts';

function clientRig(account: Account = scriptedAccount()) {
  const rig = accountRig(account);
  const client = new AccountClient(rig.setup, rig.outside);
  const outcomes: Outcome<unknown>[] = [];
  const keep = (outcome: Outcome<unknown>): void => void outcomes.push(outcome);
  return { ...rig, client, outcomes, keep };
}
const options = { name: 'test', priority: 'query' } as const;
const call = <T>(path: string, read: Call<T>['read'], weight: Record<string, number> = { ip: 1 }): Call<T> => ({
  method: 'POST',
  path: `/${path}`,
  headers: {},
  body: '{}',
  weight,
  read,
});

describe('AccountClient', () => {
  it("knows the venue's clock, and makes nonces that only grow, however requests wait", () => {
    const { client, venue, forward } = clientRig();
    venue.aheadMs = -90_000;
    client.start((problem) => expect(problem).toBeUndefined());
    forward(1_000);
    expect(Math.abs(client.venueOffsetMs + 90_000)).toBeLessThan(20);
    expect(Math.abs(client.nowMs() - venue.nowMs)).toBeLessThan(20);
    for (let at = 0; at < 300; at += 1) {
      client.ask(client.setup.account.rest.balances, options, () => undefined);
      if (at % 40 === 0) forward(100);
    }
    forward(10_000);
    const nonces = venue.asked.filter(({ name }) => name === 'balances').map(({ nonce }) => nonce);
    // The wire may mix up what it carries, never what we make.
    expect(nonces.length).toBeGreaterThan(200);
    expect(new Set(nonces).size).toBe(nonces.length);
    for (const { nonce, atMs } of venue.asked.filter(({ name }) => name === 'balances'))
      expect(Math.abs(nonce / 1_000 - (atMs - venue.aheadMs)), 'signed when sent').toBeLessThan(50);
  });

  it('sends one at a time where nonces must come in their order, the most urgent next, over all accounts of a key', () => {
    const plain = scriptedAccount();
    const serial: Account = { ...plain, limits: { ...plain.limits, serial: true } };
    const line = new RequestLine();
    const rig = accountRig(serial, { line });
    const clients = [new AccountClient(rig.setup, rig.outside), new AccountClient(rig.setup, rig.outside)] as const;
    for (let at = 0; at < 12; at += 1) {
      const client = clients[at % 2]!;
      client.ask(client.setup.account.rest.balances, { name: 'q', priority: 'query' }, () => undefined);
    }
    rig.venue.override('balances', { delayMs: Infinity });
    clients[0].ask(
      ({ nonce }) => ({ ...call('urgent', () => ok(1)), body: JSON.stringify({ nonce }) }),
      { name: 'c', priority: 'cancel' },
      () => undefined,
    );
    rig.forward(20_000);
    const nonces = rig.venue.asked.map(({ nonce }) => nonce);
    expect(nonces).toHaveLength(13);
    expect(nonces).toEqual(nonces.toSorted((a, b) => a - b));
    expect(rig.venue.names().indexOf('urgent')).toBe(1);
  });

  it('does not move its clock by an answer that took long', () => {
    const { client, venue, forward } = clientRig();
    client.syncClock();
    forward(1_000);
    venue.aheadMs = 20_000;
    venue.override('time', { delayMs: 8_000 });
    client.syncClock();
    forward(9_000);
    expect(Math.abs(client.venueOffsetMs)).toBeLessThan(20);
    client.syncClock();
    forward(1_000);
    expect(Math.abs(client.venueOffsetMs - 20_000)).toBeLessThan(20);
  });

  it('does not send what became too late in the line', () => {
    const plain = scriptedAccount();
    const { client, venue, forward, keep, outcomes } = clientRig({
      ...plain,
      limits: { ...plain.limits, serial: true },
    });
    venue.override('balances', { delayMs: Infinity });
    client.ask(client.setup.account.rest.balances, options, () => undefined);
    client.ask(() => call('order', () => ok(1)), { name: 'o', priority: 'order', withinMs: 500 }, keep);
    client.ask(() => call('later', () => ok(2)), { name: 'l', priority: 'order' }, keep);
    forward(30_000);
    expect(outcomes).toEqual([
      { kind: 'unsent', why: 'too-late' },
      { kind: 'ok', value: 2 },
    ]);
    expect(venue.names()).not.toContain('order');
  });

  it('puts what it was told before into every request', () => {
    const { client, venue, forward, keep } = clientRig();
    client.start(() => undefined);
    forward(1_000);
    client.ask(
      (context) => client.setup.account.rest.place({ ...ticket, clientOrderId: 'f' as ClientOrderId }, context),
      options,
      keep,
    );
    forward(100);
    expect(venue.asked.at(-1)!.fields['uid']).toBe('7');
  });

  it('follows pages, each signed anew, and not for ever', () => {
    const { client, outcomes, keep, forward, log } = clientRig();
    const page = (at: number, last: number): Call<readonly number[]> =>
      call('page', () => ({ kind: 'ok', value: [at], ...(at < last ? { more: () => page(at + 1, last) } : {}) }));
    client.all(() => [page(1, 3), page(11, 12)], options, keep);
    forward(1_000);
    expect(outcomes).toEqual([{ kind: 'ok', value: [[1], [2], [3], [11], [12]] }]);
    client.pages(() => page(1, Infinity), options, keep);
    forward(60_000);
    expect(outcomes[1]).toMatchObject({ kind: 'ok' });
    expect((outcomes[1] as { value: unknown[] }).value).toHaveLength(50);
    expect(log.count('account-list-cut')).toBe(1);
  });

  it('looks elsewhere before it says that there is nothing', () => {
    const { client, outcomes, keep, forward } = clientRig();
    const nothing = refused('not-found', '1', 'not among the open');
    client.ask(() => call('a', () => ({ ...nothing, elsewhere: () => call('b', () => ok('there')) })), options, keep);
    client.ask(() => call('a', () => ({ ...nothing, elsewhere: () => call('b', () => nothing) })), options, keep);
    forward(1_000);
    expect(outcomes.map(textOfOutcome).toSorted()).toEqual(['not-found (1) not among the open', 'ok']);
  });

  it('says whether a request may have been done', () => {
    const { client, venue, outcomes, keep, forward } = clientRig();
    venue.override('place', { status: 503, text: '' }, { delayMs: Infinity }, { status: 200, text: '<html>' });
    for (let at = 0; at < 3; at += 1) {
      client.ask((context) => client.setup.account.rest.place(ticket, context), { ...options, timeoutMs: 500 }, keep);
      forward(1_000);
    }
    client.ask(() => call('heavy', () => ok(1), { ip: 1_000 }), options, keep);
    expect(outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.meaning : textOfOutcome(outcome)))).toEqual([
      'in-doubt',
      'timeout',
      'in-doubt',
      'not sent: too-heavy',
    ]);
  });

  it('asks a fence when its turn has come', () => {
    const { client, venue, forward, keep, outcomes } = clientRig();
    const { balances } = client.setup.account.rest;
    let closed: string | undefined = 'fire';
    client.ask(balances, { ...options, fence: () => closed }, keep);
    expect(outcomes.map(textOfOutcome)).toEqual(['not sent: fenced']);
    closed = undefined;
    client.ask(balances, { ...options, fence: () => closed }, keep);
    forward(50);
    expect(venue.asked).toHaveLength(1);
  });

  it.each([
    [{ status: 429, headers: { 'retry-after': '7' } }, 7_000],
    [{ status: 429, headers: {} }, 1_000],
    [{ status: 418, headers: {} }, 120_000],
    [{ status: 503, headers: { 'retry-after': 'Sat, 21 Nov 2026 00:00:30 GMT' } }, 30_000],
  ])('is silent for as long as %o asks', (answer, pauseMs) => {
    const { client, venue, forward, clock, keep } = clientRig();
    venue.override('balances', { ...answer, text: '{}' });
    client.ask(client.setup.account.rest.balances, options, keep);
    forward(50);
    const sinceMs = clock.unixMs(clock.now()) - 50;
    client.ask(client.setup.account.rest.balances, { ...options, priority: 'cancel' }, keep);
    forward(pauseMs + 1_000);
    const [first, second] = venue.asked;
    expect(second!.atMs - sinceMs).toBeGreaterThanOrEqual(pauseMs - 50);
    expect(second!.atMs - first!.atMs).toBeLessThan(pauseMs + 100);
  });

  it('believes the venue on what is used', () => {
    const { client, venue, forward, keep } = clientRig();
    venue.override('balances', { headers: { 'X-Used': '80' } });
    client.ask(client.setup.account.rest.balances, options, keep);
    forward(50);
    client.ask(client.setup.account.rest.balances, options, keep);
    expect(client.limiter.waiting).toBe(1);
    forward(1_100);
    expect(venue.asked).toHaveLength(2);
  });

  it('does not believe a host on the limits of another', () => {
    const { client, venue, forward, keep } = clientRig();
    venue.override('balances', { headers: { 'X-Used': '80' } });
    // Answered by the same host here, weighed where the other counts: its word on `ip` is of its own window.
    const { balances } = client.setup.account.rest;
    client.ask((context) => ({ ...balances(context), weight: { orders: 1 } }), options, keep);
    forward(50);
    client.ask(balances, options, keep);
    expect(client.limiter.waiting).toBe(0);
  });

  it('compares clocks again when it is refused for its time', () => {
    const { client, venue, forward, keep } = clientRig();
    client.start(() => undefined);
    forward(1_000);
    venue.aheadMs = 30_000;
    venue.override('balances', { text: '{"code":"skew"}' });
    client.ask(client.setup.account.rest.balances, options, keep);
    forward(1_000);
    expect(Math.abs(client.venueOffsetMs - 30_000)).toBeLessThan(20);
  });
});

describe('fees', () => {
  const state = { market: 'spot', maker: new Decimal('0.0001'), taker: new Decimal('0.0002') };
  it("are the instrument's, else its market's, else what they were", () => {
    const own = { ...state, venueSymbol: BTC.venueSymbol, maker: new Decimal('-0.0001') };
    expect(feesFrom(BTC, [state, own]).maker.toFixed()).toBe('-0.0001');
    expect(feesFrom(BTC, [state, { ...own, venueSymbol: 'ETH/USDT' }]).maker.toFixed()).toBe('0.0001');
    expect(feesFrom(BTC, [{ ...state, market: 'swap' }])).toBe(BTC.fees);
    expect(feesFrom(BTC, [])).toBe(BTC.fees);
  });
});

describe('secrets', () => {
  it('are in no log line, no report and no error, whatever the venue and the wire say', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/=._ -]{8,40}$/);
    const names = fc.constantFrom(
      'time',
      'prepare',
      'key',
      'open',
      'balances',
      'pass',
      'place',
      'query',
      'cancel',
      'fills',
      'ws-place',
      'cancel-all',
    );
    const echoes = fc.array(
      fc.record({
        name: names,
        status: fc.constantFrom(200, 400, 401, 429, 500),
        code: fc.constantFrom('nobody', 'poor', 'strange', 'doubt', 'none'),
        count: fc.integer({ min: 1, max: 4 }),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(secret, secret, secret, echoes, (apiKey, password, passphrase, faults) => {
        const [socket] = [scriptedOrderSocket()];
        const account = scriptedAccount({
          sockets: [
            {
              ...socket,
              pass: {
                ask: ({ nonce }) => ({
                  ...call('pass', ({ text }) => readPass(text)),
                  body: JSON.stringify({ nonce }),
                }),
              },
              path: (_context, pass) => `?key=${pass}`,
            },
          ],
        });
        const {
          venue,
          options: rigged,
          setup,
          reports,
          log,
          forward,
        } = accountRig(account, {
          credentials: { apiKey, secret: password, passphrase },
        });
        const said = `your key ${apiKey} with ${password}, ${encodeURIComponent(password)} and ${passphrase}`;
        for (const { name, status, code, count } of faults)
          venue.override(
            name,
            ...Array.from({ length: count }, () => ({ status, text: JSON.stringify({ code, text: said }) })),
          );
        const gateway = new VenueGateway({ ...rigged, setup });
        const problems: string[] = [];
        gateway.start((problem) => problems.push(problem?.message ?? ''));
        forward(30_000);
        for (const clientOrderId of ['s1', 's2', 's3'] as ClientOrderId[]) {
          gateway.submit([orderOf({ clientOrderId, timeInForce: 'GTC' })]);
          forward(500);
          gateway.probe(clientOrderId);
          gateway.cancel(clientOrderId);
          forward(3_000);
        }
        venue.broadcast(JSON.stringify({ kind: 'over', text: `${said} listen-key-1234` }));
        venue.broadcast(
          JSON.stringify({
            kind: 'error',
            refusal: { kind: 'refused', meaning: 'unauthorised', code: '1', text: said },
          }),
        );
        gateway.cancelAll(() => undefined);
        forward(30_000);
        gateway.stop();
        const everything = [...log.lines, ...problems, ...reports.map((report) => JSON.stringify(report))].join('\n');
        expect(everything).not.toContain('listen-key-1234');
        // A text of the venue that has nothing of ours in it may still hold what looks like a short key.
        for (const hidden of [apiKey, password, passphrase, encodeURIComponent(password)]) {
          if (!PUBLIC.includes(hidden)) expect(everything).not.toContain(hidden);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are hidden where they are part of one another', () => {
    const { client } = clientRig();
    const told = client.redaction.text(`${CREDENTIALS.secret}|${CREDENTIALS.apiKey}`);
    expect(told).toBe('[redacted]|[redacted]');
  });
});

/** Words of ours that a drawn secret might happen to be. */
const PUBLIC = 'account-request-failed account-code-unlisted account-socket-closed scripted private --------';
const readPass = (text: string) => {
  const { pass, code } = JSON.parse(text) as { pass?: string; code?: string; text?: string };
  return pass === undefined ? refused('unauthorised', code ?? '', text) : ok(pass);
};
const ticket = {
  clientOrderId: 'x' as ClientOrderId,
  instrument: BTC,
  side: 'buy',
  type: 'limit',
  price: '1',
  qty: '1',
  timeInForce: 'IOC',
  postOnly: false,
  reduceOnly: false,
} as const;
