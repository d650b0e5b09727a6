import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import type { VenueGatewayOptions } from '#hotpath/execute/venue-gateway.ts';
import { VenueGateway } from '#hotpath/execute/venue-gateway.ts';
import type { Account } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId, VenueId } from '#shared/domain/ids.ts';
import type { Fees } from '#shared/domain/instrument.ts';
import { tradeKey } from '#shared/money/pnl.ts';
import { accountRig, BTC, ETH, orderOf, told } from '#test/support/account-rig.ts';
import { MemoryJournal, planOf } from './trading.ts';
import type { BookedOrder } from '#test/support/account-venue.ts';
import { scriptedAccount, scriptedOrderSocket } from '#test/support/account-venue.ts';

const id = (text: string): ClientOrderId => text as ClientOrderId;

/** A gateway that has started, and whose sockets are up. */
function started(account: Account = scriptedAccount(), more: Partial<VenueGatewayOptions> = {}) {
  const rig = accountRig(account);
  const gateway = new VenueGateway({ ...rig.options, ...more });
  const problems: (BadInput | undefined)[] = [];
  gateway.start((problem) => problems.push(problem));
  rig.forward(2_000);
  expect(problems).toEqual([undefined]);
  const of = (clientOrderId: string): BookedOrder => rig.venue.orders.find(({ cid }) => cid === `x-${clientOrderId}`)!;
  const words = (clientOrderId: string): string[] =>
    rig.reports.filter((report) => report.clientOrderId === clientOrderId).map(told);
  return { ...rig, gateway, of, words };
}

describe('start', () => {
  it('asks for the clock, the facts, the key, and what is held, then opens the sockets', () => {
    const { venue, balances, gateway } = started();
    expect(venue.names().slice(0, 6)).toEqual(['time', 'prepare', 'key', 'open', 'balances', 'balances']);
    expect(venue.said.slice(0, 1)).toEqual(['/private']);
    expect(balances[0]).toEqual({ asset: 'USDT', total: new Decimal(100), available: new Decimal(90) });
    expect(gateway.status).toEqual({ socket: false, current: true, bannedMs: 0 });
  });

  it('refuses a key that may withdraw, and opens nothing', () => {
    const { venue, options, forward } = accountRig(scriptedAccount());
    venue.withdraw = true;
    const problems: (BadInput | undefined)[] = [];
    new VenueGateway(options).start((problem) => problems.push(problem));
    forward(60_000);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toBeInstanceOf(BadInput);
    expect(problems[0]!.message).toMatch(/scripted: the key may withdraw/);
    expect(venue.said).toEqual([]);
  });

  it('refuses a key that the venue refuses, and an account without one', () => {
    const { venue, options, forward, setup } = accountRig(scriptedAccount());
    venue.override('balances', { text: '{"code":"nobody"}' });
    const problems: (BadInput | undefined)[] = [];
    new VenueGateway(options).start((problem) => problems.push(problem));
    forward(60_000);
    expect(problems.map((problem) => problem?.message)).toEqual([expect.stringMatching(/key is refused/)]);
    const keyless = { ...options, setup: { ...setup, credentials: { apiKey: '', secret: '' } } };
    expect(() => new VenueGateway(keyless)).toThrow(BadInput);
  });

  it('waits for a venue that does not answer yet', () => {
    const { venue, options, forward } = accountRig(scriptedAccount());
    venue.override('time', { status: 503, text: 'later' }, { delayMs: Infinity });
    venue.override('balances', { status: 502, text: '' });
    const problems: unknown[] = [];
    new VenueGateway(options).start((problem) => problems.push(problem));
    forward(60_000);
    expect(problems).toEqual([undefined]);
  });

  it('says that orders are open which nobody knows', () => {
    const rig = accountRig(scriptedAccount());
    rig.venue.orders.push({
      id: 'v9',
      cid: 'by-hand',
      symbol: 'ETH/USDT',
      side: 'buy',
      price: '1',
      qty: '1',
      filled: '0',
      status: 'open',
      tif: 'GTC',
    });
    new VenueGateway(rig.options).start(() => undefined);
    rig.forward(2_000);
    expect(rig.log.lines.find((line) => line.includes('account-orders-of-others'))).toMatch(/by-hand/);
  });

  it('reads what this account pays, and keeps the rest', () => {
    const { gateway, forward } = started();
    const found: ReadonlyMap<string, Fees>[] = [];
    gateway.fees((fees) => found.push(fees));
    forward(100);
    expect(found[0]!.get(BTC.id)).toEqual({
      maker: new Decimal('-0.0001'),
      taker: new Decimal('0.0004'),
      currency: 'received',
    });
    expect(found[0]!.get(ETH.id)).toEqual(ETH.fees);
  });
});

describe.each([
  ['by REST', scriptedAccount(), 'place'],
  ['over the order socket', scriptedAccount({ sockets: [scriptedOrderSocket()] }), 'ws-place'],
] as const)('orders %s', (_how, account, place) => {
  it('reports what the venue says: taken, filled, expired', () => {
    const { gateway, venue, forward, of, words } = started(account);
    venue.onPlace = (order) => {
      venue.trade(order, '1.5');
      venue.end(order, 'expired');
    };
    gateway.submit([orderOf({ clientOrderId: id('a') })]);
    forward(100);
    expect(words('a')).toEqual(['accepted v1', 'fill t2 1.5 0.01 BNB', 'expired']);
    expect(of('a')).toMatchObject({ price: '100', qty: '2', side: 'buy', tif: 'IOC' });
    expect(venue.names().filter((name) => name.endsWith('place'))).toEqual([place]);
  });

  it('rejects what is definite, and doubts everything else', () => {
    const { gateway, venue, forward, words, log } = started(account);
    const answers = ['poor', 'doubt', 'strange-code', 'none'];
    venue.isTalking = false;
    for (const code of answers) {
      venue.override(place, { text: JSON.stringify({ code }) });
      gateway.submit([orderOf({ clientOrderId: id(code), timeInForce: 'GTC' })]);
      forward(100);
    }
    expect(words('poor').at(-1)).toBe('rejected insufficient-funds');
    for (const code of answers.slice(1)) expect(words(code).at(-1), code).toBe('unknown server-error');
    expect(gateway.trouble.unlisted).toBe(1);
    expect(log.lines.filter((line) => line.includes('account-code-unlisted'))).toEqual([
      'warn account-code-unlisted {"venue":"scripted","account":"main","request":"place","code":"strange-code","text":"refused: strange-code"}',
    ]);
  });

  it('settles a lost acknowledgement by asking, and sends the order once', () => {
    const { gateway, venue, forward, words } = started(account);
    venue.isTalking = false;
    venue.onPlace = (order) => {
      venue.trade(order, '2');
    };
    venue.override(place, { delayMs: Infinity, does: true });
    gateway.submit([orderOf({ clientOrderId: id('lost') })]);
    forward(6_000);
    expect(words('lost')).toEqual(['unknown timeout']);
    gateway.probe(id('lost'));
    forward(100);
    expect(words('lost')).toEqual(['unknown timeout', 'accepted v1', 'fill t2 2 0.01 BNB']);
    expect(venue.names().filter((name) => name.endsWith('place'))).toHaveLength(1);
  });

  it('cancels, and says so when the venue does', () => {
    const { gateway, venue, forward, words } = started(account);
    gateway.submit([orderOf({ clientOrderId: id('c'), timeInForce: 'GTC' })]);
    forward(100);
    gateway.cancel(id('c'));
    forward(1_000);
    expect(words('c')).toEqual(['accepted v1', 'canceled']);
    venue.isTalking = false;
    gateway.submit([orderOf({ clientOrderId: id('quiet'), timeInForce: 'GTC' })]);
    forward(100);
    gateway.cancel(id('quiet'));
    forward(1_000);
    expect(words('quiet')).toEqual(['accepted v2', 'canceled']);
  });
});

describe('orders', () => {
  it('does not send what the account cannot say, and tells it later', () => {
    const { gateway, venue, forward, reports } = started();
    gateway.submit([orderOf({ timeInForce: 'FOK' })]);
    expect(reports).toEqual([]);
    forward(1);
    expect(reports).toMatchObject([{ kind: 'rejected', reason: 'not-allowed', text: 'no fill-or-kill here' }]);
    expect(venue.names()).not.toContain('place');
  });

  it('ends an order that was refused and works all the same', () => {
    const { gateway, venue, forward, of, words, log } = started();
    venue.isTalking = false;
    venue.override('place', { text: '{"code":"poor"}', does: true });
    gateway.submit([orderOf({ clientOrderId: id('r'), timeInForce: 'GTC' })]);
    forward(100);
    expect(words('r')).toEqual(['rejected insufficient-funds']);
    venue.isTalking = true;
    venue.tell({ kind: 'order', ...of('r') });
    forward(1_000);
    expect(of('r').status).toBe('canceled');
    expect(words('r')).toEqual(['rejected insufficient-funds', 'canceled']);
    expect(log.lines.filter((line) => line.includes('account-order-risen'))).toHaveLength(1);
  });

  it('reports what fills of an order that was refused, and ends its rest', () => {
    const { gateway, venue, forward, of, words } = started();
    venue.isTalking = false;
    venue.override('place', { text: '{"code":"poor"}', does: true });
    gateway.submit([orderOf({ clientOrderId: id('r'), timeInForce: 'GTC' })]);
    forward(100);
    venue.isTalking = true;
    venue.trade(of('r'), '0.5');
    forward(1_000);
    expect(of('r').status).toBe('canceled');
    expect(words('r').slice(1)).toEqual(['fill t2 0.5 0.01 BNB', 'canceled']);
  });

  it('hears the end of a refused order without a word, and ends nothing', () => {
    const { gateway, venue, forward, of, words } = started();
    venue.isTalking = false;
    venue.override('place', { text: '{"code":"poor"}', does: true });
    gateway.submit([orderOf({ clientOrderId: id('r'), timeInForce: 'GTC' })]);
    forward(100);
    venue.isTalking = true;
    venue.end(of('r'), 'expired');
    forward(1_000);
    expect(words('r')).toEqual(['rejected insufficient-funds']);
    expect(venue.names()).not.toContain('cancel');
  });

  it('leaves the last word to an end that the stream told before the refusal', () => {
    const { gateway, venue, forward, words } = started();
    venue.onPlace = (order) => venue.end(order, 'expired');
    venue.override('place', { text: '{"code":"poor"}', does: true, delayMs: 50 });
    gateway.submit([orderOf({ clientOrderId: id('e') })]);
    forward(2_000);
    expect(words('e')).toEqual(['accepted v1', 'expired']);
  });

  it('does not believe the refusal of an order that the stream has told', () => {
    const { gateway, venue, forward, words } = started();
    venue.override('place', { text: '{"code":"twice"}', does: true, delayMs: 50 });
    gateway.submit([orderOf({ clientOrderId: id('d'), timeInForce: 'GTC' })]);
    forward(200);
    expect(words('d')).toEqual(['accepted v1', 'unknown server-error']);
    gateway.probe(id('d'));
    forward(1_000);
    expect(words('d').at(-1)).toBe('accepted v1');
  });

  it('falls back to REST while the order socket is down', () => {
    const { gateway, venue, forward, words } = started(scriptedAccount({ sockets: [scriptedOrderSocket()] }));
    expect(gateway.status.socket).toBe(true);
    venue.isReachable = false;
    venue.disconnect();
    forward(20);
    gateway.submit([orderOf({ clientOrderId: id('r') })]);
    forward(100);
    expect(words('r')).toEqual(['accepted v1']);
    expect(venue.names()).toContain('place');
    expect(gateway.counts.overSocket).toBe(0);
  });

  it('doubts what was on a socket that broke, and does not send it again', () => {
    const { gateway, venue, forward, words } = started(scriptedAccount({ sockets: [scriptedOrderSocket()] }));
    venue.override('ws-place', { does: false });
    gateway.submit([orderOf({ clientOrderId: id('b') })]);
    forward(20);
    venue.disconnect();
    forward(20_000);
    expect(words('b')).toEqual(['unknown disconnect']);
    gateway.probe(id('b'));
    forward(100);
    gateway.probe(id('b'));
    forward(100);
    expect(words('b')).toEqual(['unknown disconnect', 'not-found', 'not-found']);
    expect(venue.names().filter((name) => name.endsWith('place'))).toEqual(['ws-place']);
  });

  it('rejects an order that waited too long for its turn; cancels and hedges have room', () => {
    const { gateway, forward, words } = started();
    for (let at = 0; at < 20; at += 1) gateway.submit([orderOf({ clientOrderId: id(`n${at}`) })]);
    forward(0);
    gateway.submit([orderOf({ clientOrderId: id('h'), purpose: 'hedge' })]);
    forward(600);
    expect(words('n15')).toEqual([expect.stringMatching(/^accepted/)]);
    expect(words('h')).toEqual([expect.stringMatching(/^accepted/)]);
    expect(words('n16')).toEqual(['rejected rate-limited']);
  });

  it('denies no order that still waits for its turn, nor one that has just left', () => {
    const limits = { buckets: { ip: { units: 100, windowMs: 1_000 }, orders: { units: 20, windowMs: 4_000 } } };
    const { gateway, venue, forward, words } = started(scriptedAccount({ limits }));
    for (let at = 0; at < 20; at += 1) gateway.submit([orderOf({ clientOrderId: id(`f${at}`), purpose: 'hedge' })]);
    forward(100);
    venue.override('place', { delayMs: Infinity, does: false, text: '' });
    gateway.submit([orderOf({ clientOrderId: id('h'), purpose: 'hedge' })]);
    for (let ms = 0; ms < 3_500; ms += 500) {
      forward(500);
      gateway.probe(id('h'));
    }
    expect(words('h')).toEqual([]);
    forward(1_000);
    gateway.probe(id('h'));
    forward(1_000);
    expect(words('h')).toEqual([]);
    forward(2_000);
    gateway.probe(id('h'));
    forward(100);
    expect(words('h')).toEqual(['not-found']);
  });

  it('is silent through a ban', () => {
    const { gateway, venue, forward, clock, words } = started();
    venue.override('place', { status: 429, text: '{}', headers: { 'retry-after': '3' } });
    gateway.submit([orderOf({ clientOrderId: id('x') })]);
    forward(50);
    expect(words('x')).toEqual(['rejected rate-limited']);
    expect(gateway.status.bannedMs).toBeGreaterThan(2_900);
    const untilMs = clock.unixMs(clock.now()) + gateway.status.bannedMs;
    gateway.cancel(id('x'));
    const before = venue.asked.length;
    forward(5_000);
    expect(venue.asked.length).toBeGreaterThan(before);
    for (const { atMs } of venue.asked.slice(before)) expect(atMs).toBeGreaterThanOrEqual(untilMs - 1);
  });

  it('tells an order of an earlier start, fills first', () => {
    const request = orderOf({ clientOrderId: id('old'), timeInForce: 'GTC' });
    const { gateway, venue, forward, words, log } = started(scriptedAccount(), {
      orderOf: (each) => (each === 'old' ? { request, sentMs: 0 } : undefined),
    });
    const order: BookedOrder = {
      id: 'v9',
      cid: 'x-old',
      symbol: 'BTC/USDT',
      side: 'buy',
      price: '100',
      qty: '2',
      filled: '0',
      status: 'open',
      tif: 'GTC',
    };
    venue.orders.push(order);
    venue.isTalking = false;
    venue.trade(order, '0.5', { asset: '', fee: '0' });
    venue.trade(order, '0.5', { asset: '', fee: '0.02' });
    venue.end(order, 'canceled');
    gateway.probe(id('old'));
    gateway.probe(id('never'));
    forward(100);
    // Fees by the instrument's rule where the venue says none: 0.1 % of what is received.
    expect(words('old')).toEqual(['accepted v9', 'fill t1 0.5 0.0005 BTC', 'fill t2 0.5 0.02 BTC', 'canceled']);
    expect(log.count('account-order-unknown')).toBe(1);
  });

  it('hears the end of an order that was made larger before a restart, though what it was sent for has filled', () => {
    const request = orderOf({ clientOrderId: id('grown'), timeInForce: 'GTC' });
    const { gateway, venue, forward, words } = started(scriptedAccount(), {
      orderOf: (each) => (each === 'grown' ? { request, sentMs: 0 } : undefined),
    });
    const facts = { symbol: 'BTC/USDT', side: 'buy', price: '100', filled: '0', status: 'open', tif: 'GTC' } as const;
    const order: BookedOrder = { ...facts, id: 'v9', cid: 'x-grown', qty: '5' };
    venue.orders.push(order);
    gateway.probe(id('grown'));
    venue.trade(order, '2');
    forward(100);
    venue.trade(order, '1');
    venue.end(order, 'canceled');
    forward(100);
    expect(words('grown').filter((word) => word.startsWith('fill'))).toHaveLength(2);
    expect(words('grown').at(-1)).toBe('canceled');
  });

  it('does not take an order for ended before its fills are told', () => {
    const { gateway, venue, forward, words } = started();
    venue.onPlace = (order) => {
      venue.isTalking = false;
      venue.trade(order, '0.5');
      venue.isTalking = true;
      venue.end(order, 'canceled');
    };
    venue.override('fills', { status: 500, text: '' }, { text: '[]' });
    gateway.submit([orderOf({ clientOrderId: id('f') })]);
    forward(300);
    expect(words('f')).toEqual(['accepted v1']);
    forward(3_000);
    expect(words('f')).toEqual(['accepted v1', 'fill t2 0.5 0.01 BNB', 'canceled']);
  });

  it("joins fills that overtook the acknowledgement and name only the venue's id", () => {
    const { gateway, venue, forward, words } = started();
    venue.isTalking = false;
    venue.onPlace = (order) => {
      venue.isTalking = true;
      venue.trade(order, '2', { cid: '' });
      venue.isTalking = false;
    };
    venue.override('place', { delayMs: 200 });
    gateway.submit([orderOf({ clientOrderId: id('o') })]);
    forward(100);
    expect(words('o')).toEqual([]);
    forward(200);
    expect(words('o')).toEqual(['accepted v1', 'fill t2 2 0.01 BNB']);
  });
});

describe('the private stream', () => {
  it('makes good by REST what happened while it was down', () => {
    const { gateway, venue, forward, of, words, balances } = started();
    for (const each of ['full', 'part', 'gone']) {
      gateway.submit([orderOf({ clientOrderId: id(each), timeInForce: 'GTC' })]);
      forward(20);
    }
    forward(3_000);
    venue.isReachable = false;
    venue.disconnect();
    forward(4_000);
    venue.trade(of('full'), '2');
    venue.trade(of('part'), '0.5');
    venue.end(of('gone'), 'canceled');
    const before = balances.length;
    forward(300_000);
    venue.isReachable = true;
    forward(60_000);
    expect(words('full')).toEqual(['accepted v1', 'fill t4 2 0.01 BNB']);
    expect(words('part')).toEqual(['accepted v2', 'fill t5 0.5 0.01 BNB']);
    expect(words('gone')).toEqual(['accepted v3', 'canceled']);
    expect(balances.length).toBeGreaterThan(before);
    expect(gateway.trouble.reconnects).toBe(1);
    expect(gateway.status.current).toBe(true);
  });

  it('loses nothing that happens after an early resync and before the socket is back', () => {
    const { gateway, venue, forward, of, words } = started();
    gateway.submit([orderOf({ clientOrderId: id('g'), timeInForce: 'GTC' })]);
    forward(3_000);
    venue.isReachable = false;
    venue.disconnect();
    forward(200_000);
    venue.override('fills', ...Array.from({ length: 30 }, () => ({ status: 500, text: '' })));
    venue.trade(of('g'), '0.25');
    forward(200_000);
    venue.isReachable = true;
    venue.trade(of('g'), '0.25');
    forward(120_000);
    expect(words('g').filter((word) => word.startsWith('fill'))).toHaveLength(2);
    expect(gateway.status.current).toBe(true);
  });

  it('asks again after a frame that cannot be read, and leaves a socket that sends many', () => {
    const { gateway, venue, forward } = started(
      scriptedAccount({
        sockets: [
          {
            ...scriptedAccount().sockets[0]!,
            decode: (frame) => {
              const text = new TextDecoder().decode(frame);
              if (text.startsWith('!')) throw new BadInput(text);
              return scriptedAccount().sockets[0]!.decode(frame);
            },
          },
        ],
      }),
    );
    const before = venue.names().filter((name) => name === 'balances').length;
    venue.broadcast('!');
    forward(500);
    expect(venue.names().filter((name) => name === 'balances').length).toBe(before + 1);
    venue.broadcast('!');
    venue.broadcast('!');
    forward(5_000);
    expect(gateway.trouble).toMatchObject({ malformed: 3, reconnects: 1 });
  });

  it('tells each trade once, in whatever order, however often and by whatever way it is told', () => {
    const way = fc.constantFrom('stream', 'repeat', 'late', 'rest');
    fc.assert(
      fc.property(
        fc.array(fc.record({ way, lots: fc.integer({ min: 1, max: 9 }) }), { minLength: 1, maxLength: 12 }),
        (trades) => {
          const { gateway, venue, forward, of, reports, words } = started();
          gateway.submit([orderOf({ clientOrderId: id('p'), timeInForce: 'GTC', qty: new Decimal(20) as never })]);
          forward(50);
          const order = of('p');
          const late: (() => void)[] = [];
          for (const trade of trades) {
            venue.isTalking = trade.way === 'stream' || trade.way === 'repeat';
            venue.trade(order, String(trade.lots / 10));
            const row = { kind: 'fill', ...venue.fills.at(-1)! };
            if (trade.way === 'repeat') venue.tell(row);
            if (trade.way === 'late') late.push(() => venue.tell(row));
            forward(20);
          }
          venue.isTalking = true;
          venue.disconnect();
          forward(40_000);
          for (const tell of late.reverse()) tell();
          venue.end(order, 'canceled');
          gateway.probe(id('p'));
          forward(2_000);
          const keys = reports.flatMap((report) => (report.kind === 'fill' ? [tradeKey(report.fill)] : []));
          expect(keys.toSorted()).toEqual(venue.fills.map((fill) => `${BTC.id} buy ${fill.id}`).toSorted());
          expect(words('p').at(-1)).toBe('canceled');
          gateway.stop();
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('cancelAll', () => {
  it('asks until nothing is open', () => {
    const { gateway, venue, forward, words } = started();
    gateway.submit([
      orderOf({ clientOrderId: id('1'), timeInForce: 'GTC' }),
      orderOf({ clientOrderId: id('2'), timeInForce: 'GTC' }),
    ]);
    forward(100);
    venue.isTalking = false;
    venue.override('cancel-all', { status: 500, text: '' }, { status: 500, text: '' });
    venue.override('open', { delayMs: Infinity });
    const left: unknown[] = [];
    gateway.cancelAll((orders) => left.push(orders));
    forward(20_000);
    expect(left).toEqual([[]]);
    expect([words('1').at(-1), words('2').at(-1)]).toEqual(['canceled', 'canceled']);
  });

  it('says what it could not end', () => {
    const { gateway, venue, forward, log } = started();
    gateway.submit([orderOf({ clientOrderId: id('s'), timeInForce: 'GTC' })]);
    forward(100);
    venue.override('cancel-all', ...Array.from({ length: 9 }, () => ({ text: '{"code":"doubt"}' })));
    const left: string[] = [];
    gateway.cancelAll((orders) => left.push(...orders.map(({ venueOrderId }) => venueOrderId)));
    forward(60_000);
    expect(left).toEqual(['v1']);
    expect(log.count('account-orders-left')).toBe(1);
  });

  it('leaves alone what is sent once the fence is open again', () => {
    let closed: string | undefined;
    const { gateway, venue, forward, of, words } = started(scriptedAccount(), { fence: () => closed });
    gateway.submit([orderOf({ clientOrderId: id('1'), timeInForce: 'GTC' })]);
    forward(100);
    closed = 'stop';
    venue.override('cancel-all', { text: '{"code":"doubt"}' });
    const ended: boolean[] = [];
    gateway.cancelAll((_left, isKnown) => ended.push(isKnown));
    forward(50);
    closed = undefined;
    gateway.submit([orderOf({ clientOrderId: id('2'), timeInForce: 'GTC' })]);
    forward(30_000);
    expect(ended).toHaveLength(1);
    expect(words('2')).toEqual(['accepted v2']);
    expect(of('2').status).toBe('open');
  });
});

describe('the dead-man switch', () => {
  const armable = (): Account => {
    const plain = scriptedAccount();
    const arm = (timeoutMs: number, nonce: number) => ({
      ...plain.rest.cancelAll([], { nonce } as never)[0]!,
      path: '/arm',
      body: JSON.stringify({ timeoutMs, nonce }),
    });
    return {
      ...plain,
      deadMan: {
        kind: 'timer',
        minMs: 10_000,
        maxMs: 30_000,
        arm: (timeoutMs, _instruments, { nonce }) => [arm(timeoutMs, nonce)],
      },
    };
  };
  const timeouts = (asked: readonly { readonly name: string; readonly fields: Record<string, string> }[]): number[] =>
    asked.filter(({ name }) => name === 'arm').map(({ fields }) => Number(fields['timeoutMs']));

  it('is armed while an order may rest, and disarmed on a clean stop', () => {
    const { gateway, venue, forward } = started(armable());
    gateway.submit([orderOf({ timeInForce: 'IOC' })]);
    forward(60_000);
    expect(timeouts(venue.asked)).toEqual([]);
    gateway.submit([orderOf({ clientOrderId: id('rest'), timeInForce: 'GTC' })]);
    forward(10);
    expect(timeouts(venue.asked)).toEqual([30_000]);
    forward(35_000);
    expect(timeouts(venue.asked)).toEqual([30_000, 30_000, 30_000, 30_000]);
    let stopped = false;
    gateway.stop(() => {
      stopped = true;
    });
    forward(1_000);
    expect([stopped, timeouts(venue.asked).at(-1)]).toEqual([true, 0]);
    const asked = venue.asked.length;
    forward(600_000);
    expect(venue.asked.length).toBe(asked);
  });

  it('runs out when nothing rests any more', () => {
    const { gateway, venue, forward } = started(armable());
    gateway.submit([orderOf({ clientOrderId: id('rest'), timeInForce: 'GTC' })]);
    forward(1_000);
    gateway.cancel(id('rest'));
    forward(120_000);
    expect(timeouts(venue.asked)).toEqual([30_000]);
  });

  it('is armed again soon when that failed', () => {
    const { gateway, venue, forward } = started(armable());
    venue.override('arm', { status: 500, text: '' });
    gateway.submit([orderOf({ timeInForce: 'GTC' })]);
    forward(1_500);
    expect(timeouts(venue.asked)).toEqual([30_000, 30_000]);
  });
});

describe('the executor over this gateway', () => {
  it("ends every operation with the venue's fills in its ledger, whatever is lost", () => {
    const mishap = fc.constantFrom('none', 'none', 'lost', 'never-came', 'busy', 'broken', 'mute');
    const leg = fc.record({ mishap, filled: fc.constantFrom('0', '0.3', '1') });
    fc.assert(
      fc.property(fc.array(fc.tuple(leg, leg), { minLength: 1, maxLength: 4 }), fc.boolean(), (plans, overSocket) => {
        const rig = accountRig(overSocket ? scriptedAccount({ sockets: [scriptedOrderSocket()] }) : scriptedAccount());
        const { clock, venue, forward } = rig;
        const byId = new Map([BTC, ETH].map((instrument) => [instrument.id, instrument]));
        const ledger = new Ledger(clock);
        for (const asset of ['USDT', 'BTC', 'ETH'])
          ledger.deposit('scripted' as VenueId, asset, new Decimal(1_000_000));
        const gateway = new VenueGateway({ ...rig.options, onReport: (report) => executor.onReport(report) });
        const executor: Executor = new Executor({
          clock,
          gateway,
          ledger,
          recorder: new MemoryJournal(clock),
          instrumentOf: (each) => byId.get(each),
          decide: () => ({ kind: 'complete' }),
          opportunityOf: (seen) => seen,
          epoch: 1,
          patience: PATIENCE,
        });
        gateway.start(() => undefined);
        forward(2_000);
        for (const [at, legs] of plans.entries()) {
          const place = overSocket ? 'ws-place' : 'place';
          const shares = legs.map(({ filled }) => filled);
          venue.onPlace = (order) => {
            const share = shares.shift() ?? '0';
            if (share !== '0')
              venue.trade(order, new Decimal(order.qty).times(share).toFixed(), { fee: '0.01', asset: 'USDT' });
            if (order.status === 'open') venue.end(order, 'expired');
          };
          for (const { mishap: kind } of legs) {
            if (kind === 'lost') venue.override(place, { delayMs: Infinity, does: true });
            else if (kind === 'never-came') venue.override(place, { delayMs: Infinity, does: false, text: '' });
            else if (kind === 'busy') venue.override(place, { status: 503, text: '{"code":"doubt"}', does: true });
            else venue.override(place, {});
          }
          venue.isTalking = legs.every(({ mishap: kind }) => kind !== 'mute');
          executor.submit(
            planOf(`op-${at}`, [
              [BTC.id, 'buy', '2', '100'],
              [ETH.id, 'sell', '3', '50'],
            ]),
          );
          if (legs.some(({ mishap: kind }) => kind === 'broken')) venue.disconnect();
          forward(4_000);
        }
        venue.isTalking = true;
        forward(120_000);
        expect(executor.counts).toMatchObject({ open: 0, failed: 0, completed: plans.length });
        expect(executor.anomalies).toBe(0);
        expect(venue.orders.length).toBeLessThanOrEqual(plans.length * 2);
        const sum = (side: string): Decimal =>
          venue.fills.filter((fill) => fill.side === side).reduce((total, { qty }) => total.plus(qty), new Decimal(0));
        expect(
          ledger
            .totalOf('scripted' as VenueId, 'BTC')
            .minus(1_000_000)
            .toFixed(),
        ).toBe(sum('buy').toFixed());
        expect(
          ledger
            .totalOf('scripted' as VenueId, 'ETH')
            .minus(1_000_000)
            .toFixed(),
        ).toBe(sum('sell').negated().toFixed());
        gateway.stop();
      }),
      { numRuns: 60 },
    );
  });
});
