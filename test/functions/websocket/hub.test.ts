import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpportunityView, PriceView } from '#shared/schema/api.ts';
import type { Scope } from '#shared/schema/scope.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import { Hub, type Connection } from '#functions/websocket/hub.ts';
import { newsOf } from '#functions/websocket/news.ts';
import { opportunityOf, priceOf, riskMetricsOf } from '#functions/rest/views.ts';
import {
  escalationData,
  eventOf,
  fillData,
  operationData,
  opportunityData,
  orderData,
  riskOf,
  sampleOf,
} from '../support/events.ts';
import { heardFrom, type Heard } from '../support/json.ts';

/** A client whose network is a switch: what is sent while it is off stays in the buffer. */
class Client {
  readonly inbox: Heard[] = [];
  closed: string | undefined;
  buffered = 0;
  stuck = false;
  readonly #connection: Connection;

  constructor(hub: Hub, over: { scopes?: readonly Scope[]; expiresAtMs?: number; opensWith?: 'prices' } = {}) {
    const socket = {
      send: (text: string) => {
        this.inbox.push(heardFrom(text));
        if (this.stuck) this.buffered += text.length;
      },
      close: (code: number, reason: string) => {
        this.closed = `${code} ${reason}`;
      },
      bufferedBytes: () => this.buffered,
    };
    const principal = { id: 'x', scopes: over.scopes ?? ['read'], expiresAtMs: over.expiresAtMs ?? Infinity };
    this.#connection = hub.connect(socket, principal, over.opensWith);
  }

  say(message: object | string): void {
    this.#connection.message(typeof message === 'string' ? message : JSON.stringify(message));
  }

  leave(): void {
    this.#connection.closed();
  }

  recover(): void {
    this.stuck = false;
    this.buffered = 0;
  }

  updates(): Heard[] {
    return this.inbox.filter(({ type }) => type === 'price_update' || type === 'opportunity_update');
  }
}

const price = (symbol: string, bid = '1.10'): PriceView =>
  priceOf(sampleOf(`binance:${symbol}`, 1_000, { bid, ask: bid }));
const opportunity = (id: string, over: Parameters<typeof opportunityData>[1] = {}): OpportunityView =>
  opportunityOf(eventOf('opportunity', 1, opportunityData(id, over)) as Parameters<typeof opportunityOf>[0]);

const tell = (hub: Hub, event: EngineEvent): void => {
  for (const news of newsOf(event)) hub.publish(news);
};

function world(over: Partial<ConstructorParameters<typeof Hub>[0]> = {}): { hub: Hub; clock: VirtualClock } {
  const clock = new VirtualClock(0n);
  const known = new Set(['A/B', 'C/D', 'BTC/USDT']);
  const hub = new Hub({
    clock,
    isClosed: async () => false,
    isKnownSymbol: (symbol) => known.has(symbol),
    isKnownVenue: (venue) => venue === 'binance',
    ...over,
  });
  return { hub, clock };
}

describe('hub', () => {
  it('sends what was subscribed and nothing else, numbered by channel, with the id of the subscription', () => {
    const { hub } = world();
    const client = new Client(hub);
    client.say({ type: 'subscribe', channel: 'prices', symbol: 'A/B', id: 'mine' });
    hub.price(price('A/B'));
    hub.price(price('C/D'));
    hub.price(price('A/B', '1.20'));
    hub.publish({ channel: 'opportunities', data: opportunity('o') });
    expect(client.inbox[0]).toEqual({ type: 'subscribed', channel: 'prices', symbol: 'A/B', id: 'mine', seq: 0 });
    expect(client.updates().map(({ seq, symbol, id, data }) => [seq, symbol, id, data.price])).toEqual([
      [1, 'A/B', 'mine', 1.1],
      [3, 'A/B', 'mine', 1.2],
    ]);
    client.say({ type: 'unsubscribe', channel: 'prices', symbol: 'A/B' });
    hub.price(price('A/B'));
    expect(client.updates()).toHaveLength(2);
  });

  it('filters opportunities by profit', () => {
    const { hub } = world();
    const client = new Client(hub);
    client.say({ type: 'subscribe', channel: 'opportunities', min_profit: 7.5 });
    hub.publish({ channel: 'opportunities', data: opportunity('small', { notional: '5000' }) });
    hub.publish({ channel: 'opportunities', data: opportunity('large', { notional: '6000.01' }) });
    expect(client.updates().map(({ data }) => data.id)).toEqual(['large']);
  });

  it('tells of orders, trades and the system what the events say', () => {
    const { hub } = world();
    const client = new Client(hub);
    for (const channel of ['orders', 'trades', 'system']) client.say({ type: 'subscribe', channel });
    const started = { mode: 'paper' as const, epoch: 1, version: '0.1.0', config_hash: 'h', venues: [], families: [] };
    const trading = { state: 'halted' as const, reason: 'lunch', by: 'me' };
    for (const event of [
      eventOf('engine-started', 1, { ...started, instruments: 2, routes: 3 }),
      eventOf('venue-status', 2, { venue: 'binance', status: 'down', reason: 'gap' }),
      eventOf('trading-state', 3, trading),
      eventOf('order', 4, orderData('o-1', 'op-1')),
      eventOf('fill', 5, fillData('t-1', 'op-1')),
      eventOf('operation', 6, operationData('op-1')),
      eventOf('engine-stopped', 7, { reason: 'asked' }),
    ]) {
      tell(hub, event);
    }
    const told = client.inbox
      .slice(3)
      .map(({ type, seq, data }) => ({ type, seq, data: JSON.parse(JSON.stringify(data)) }));
    const timestamp = (seq: number): string => `2026-11-21T00:00:00.00${seq}Z`;
    const system = (
      seq: number,
      at: number,
      event: string,
      exchange: string | null,
      state: string,
      reason: string,
    ) => ({
      type: 'system_update',
      seq,
      data: { event, engine: 'engine-1', exchange, subject: null, state, reason, timestamp: timestamp(at) },
    });
    expect(told).toEqual([
      system(1, 1, 'engine-started', null, 'started', 'paper, version 0.1.0'),
      system(2, 2, 'venue-status', 'binance', 'down', 'gap'),
      system(3, 3, 'trading-state', null, 'halted', 'lunch'),
      {
        type: 'order_update',
        seq: 1,
        data: expect.objectContaining({ order_id: 'o-1', status: 'submitted', updated: timestamp(4) }) as object,
      },
      {
        type: 'trade_update',
        seq: 1,
        data: expect.objectContaining({ trade_id: 't-1', operation: 'op-1', price: 60000.1 }) as object,
      },
      system(4, 7, 'engine-stopped', null, 'stopped', 'asked'),
    ]);
    client.say({ type: 'resume', channel: 'system', from_seq: 3 });
    expect(client.inbox.slice(-3).map(({ type, seq }) => `${type} ${seq}`)).toEqual([
      'system_update 3',
      'system_update 4',
      'resumed 4',
    ]);
  });

  it('tells of breakers, limits and figures of risk, and of what needs a person', () => {
    const { hub } = world();
    const client = new Client(hub);
    for (const channel of ['risk', 'system']) client.say({ type: 'subscribe', channel });
    const breaker = { trips: 'halted', reason: 'lost 2600', value: '2600', limit: '2500', by: 'engine' } as const;
    const mismatch = { venue: 'binance', what: 'balance', id: 'BTC', ledger: '1', venue_says: '2' } as const;
    for (const event of [
      eventOf('breaker', 1, { id: 'window-loss', state: 'open', ...breaker }),
      eventOf('breaker', 2, { id: 'latency', state: 'open', ...breaker }),
      eventOf('risk-limits', 3, { limits: { max_var: 5 }, by: 'me', command_id: 'c' }),
      eventOf('emergency-stop', 4, { state: 'started', reason: 'smoke', by: 'me', accounts: [] }),
      eventOf('lease', 5, { state: 'lost', holder: 'other', epoch: 4, reason: 'taken' }),
      eventOf('mismatch', 6, { ...mismatch, state: 'open', reason: 'differs' }),
      eventOf('adjustment', 7, { venue: 'binance', asset: 'BTC', amount: '1', reason: 'deposit', by: 'me' }),
      eventOf('escalation', 8, escalationData('op-1')),
    ]) {
      tell(hub, event);
    }
    hub.publish({ channel: 'risk', data: { event: 'metrics', ...riskMetricsOf({ ...riskOf(1_000), var_usd: 7 }) } });
    const told = client.inbox.slice(2).map(({ type, seq, data }) => {
      const { event, subject, id, state } = JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
      return [type, seq, event, subject ?? id, state];
    });
    expect(told).toEqual([
      ['system_update', 1, 'breaker', 'window-loss', 'open'],
      ['risk_update', 1, 'breaker', 'window-loss', 'open'],
      ['system_update', 2, 'breaker', 'latency', 'open'],
      ['risk_update', 2, 'breaker', 'latency', 'open'],
      ['risk_update', 3, 'limits', undefined, undefined],
      ['system_update', 3, 'emergency-stop', undefined, 'started'],
      ['system_update', 4, 'lease', undefined, 'lost'],
      ['system_update', 5, 'mismatch', 'BTC', 'open'],
      ['system_update', 6, 'adjustment', 'BTC', 'adjusted'],
      ['system_update', 7, 'escalation', 'op-1', 'open'],
      ['risk_update', 4, 'metrics', undefined, undefined],
    ]);
    expect(client.inbox.at(-1)?.data).toMatchObject({ portfolio_var: 7, timestamp: '1970-01-01T00:00:01.000Z' });
  });

  it('filters orders, trades and the system by symbol and exchange', () => {
    const { hub } = world({ isKnownVenue: () => true });
    const client = new Client(hub);
    client.say({ type: 'subscribe', channel: 'orders', symbol: 'A/B' });
    client.say({ type: 'subscribe', channel: 'trades', exchange: 'okx' });
    client.say({ type: 'subscribe', channel: 'system', exchange: 'okx' });
    for (const instrument of ['binance:A/B', 'okx:C/D']) {
      tell(hub, eventOf('order', 1, orderData(instrument, 'op', { instrument })));
      tell(hub, eventOf('fill', 2, fillData(instrument, 'op', { instrument })));
    }
    for (const venue of ['binance', 'okx']) {
      tell(hub, eventOf('venue-status', 3, { venue, status: 'live', reason: '' }));
    }
    tell(hub, eventOf('trading-state', 4, { state: 'active', reason: '', by: 'me' }));
    const told = client.inbox.slice(3).map(({ type, seq }) => `${type} ${seq}`);
    expect(told).toEqual(['order_update 1', 'trade_update 2', 'system_update 2', 'system_update 3']);
  });

  it('keeps every trade for a slow client, and the latest state of an order', () => {
    const { hub, clock } = world();
    const client = new Client(hub);
    client.say({ type: 'subscribe', channel: 'orders' });
    client.say({ type: 'subscribe', channel: 'trades' });
    client.buffered = 70_000;
    for (const step of [1, 2, 3]) {
      tell(hub, eventOf('order', step, orderData('o-1', 'op', { filled_qty: String(step) })));
      tell(hub, eventOf('fill', step, fillData(`t-${step}`, 'op')));
    }
    client.recover();
    clock.runUntil(60e6);
    const told = client.inbox.slice(2).map(({ type, seq }) => `${type} ${seq}`);
    expect(told).toEqual(['trade_update 1', 'trade_update 2', 'order_update 3', 'trade_update 3']);
  });

  it('opens with a channel where the address says so', () => {
    const { hub } = world();
    const client = new Client(hub, { opensWith: 'prices' });
    hub.price(price('A/B'));
    expect(client.inbox.map(({ type }) => type)).toEqual(['subscribed', 'price_update']);
  });

  it('replays what is still held, and says gap where it is not', () => {
    const { hub } = world({ replayMax: 5 });
    for (let count = 0; count < 10; count += 1) hub.price(price(count % 2 === 0 ? 'A/B' : 'C/D'));
    const client = new Client(hub);
    client.say({ type: 'resume', channel: 'prices', from_seq: 8 });
    expect(client.inbox.at(-1)?.error).toMatchObject({ code: 3001 });
    client.say({ type: 'subscribe', channel: 'prices', symbol: 'A/B' });
    client.say({ type: 'resume', channel: 'prices', from_seq: 6, id: 'r' });
    expect(client.updates().map(({ seq }) => seq)).toEqual([7, 9]);
    expect(client.inbox.at(-1)).toEqual({ type: 'resumed', channel: 'prices', from_seq: 6, seq: 10, id: 'r' });
    client.say({ type: 'resume', channel: 'prices', from_seq: 5 });
    expect(client.inbox.at(-1)).toEqual({ type: 'gap', channel: 'prices', from_seq: 5, oldest_seq: 6, seq: 10 });
    client.say({ type: 'resume', channel: 'prices', from_seq: 12 });
    expect(client.inbox.at(-1)?.type).toBe('gap');
    client.say({ type: 'resume', channel: 'prices', from_seq: 11 });
    expect(client.inbox.at(-1)?.type).toBe('resumed');
  });

  it.each([
    ['text that is no JSON', '{"type":', 3001],
    ['an unknown type', { type: 'dance' }, 3001],
    ['an unknown channel', { type: 'subscribe', channel: 'gossip' }, 3001],
    ['an unknown symbol', { type: 'subscribe', channel: 'prices', symbol: 'X/Y' }, 2001],
    ['an unknown exchange', { type: 'subscribe', channel: 'prices', exchange: 'nowhere' }, 2002],
  ])('answers %s with its code, and closes after three in a row', (_, message, code) => {
    const { hub } = world();
    const client = new Client(hub);
    const good = { type: 'unsubscribe', channel: 'prices' };
    for (const each of [message, message, good, message, message]) client.say(each);
    expect(client.inbox.filter(({ type }) => type === 'error').map(({ error }) => error.code)).toEqual([
      code,
      code,
      code,
      code,
    ]);
    expect(client.closed).toBeUndefined();
    client.say(message);
    expect(client.closed).toBe('1008 three bad messages in a row');
    expect(hub.connections).toBe(0);
  });

  it('serves nobody without the scope read, nor beyond the end of the token', () => {
    const { hub, clock } = world();
    const narrow = new Client(hub, { scopes: ['trade'] });
    narrow.say({ type: 'subscribe', channel: 'prices' });
    expect(narrow.inbox[0]?.error.code).toBe(1003);

    const brief = new Client(hub, { expiresAtMs: 1_000 });
    brief.say({ type: 'subscribe', channel: 'prices' });
    clock.runUntil(999e6);
    expect(brief.closed).toBeUndefined();
    clock.runUntil(1_060e6);
    expect(brief.closed).toBe('1008 token expired');
    hub.price(price('A/B'));
    expect(brief.updates()).toHaveLength(0);
  });

  it('looks at each key every ten seconds, and lets go of those whose key is closed', async () => {
    const looks: number[] = [];
    let answer = (): boolean => false;
    const isClosed = async (): Promise<boolean> => {
      looks.push(Math.round(clock.now() / 1e9));
      return answer();
    };
    const { hub, clock } = world({ isClosed });
    const clients = [new Client(hub), new Client(hub)];
    const forward = async (seconds: number): Promise<void> => {
      clock.runUntil(clock.now() + seconds * 1e9);
      await new Promise(setImmediate);
    };
    await forward(25);
    expect(looks).toEqual([0, 10, 20]);
    answer = () => {
      throw new ApplicationError(5001);
    };
    await forward(10);
    expect(clients.map(({ closed }) => closed)).toEqual([undefined, undefined]);
    answer = () => true;
    await forward(10);
    expect(new Set(clients.map(({ closed }) => closed))).toEqual(
      new Set(['1008 the key of this token was revoked or is over']),
    );
    expect(hub.connections).toBe(0);
  });

  it('keeps a bounded number of subscriptions and connections', () => {
    const { hub } = world({ connectionsMax: 2, isKnownSymbol: () => true });
    const client = new Client(hub);
    const subscribe = (symbol: string): void => client.say({ type: 'subscribe', channel: 'prices', symbol });
    for (let count = 0; count < 200; count += 1) subscribe(`S${count}/Q`);
    subscribe('S0/Q');
    expect(client.inbox.filter(({ type }) => type === 'error')).toHaveLength(0);
    subscribe('S200/Q');
    expect(client.inbox.at(-1)?.error).toMatchObject({
      code: 3001,
      detail: 'a connection has at most 200 subscriptions',
    });

    expect(hub.isFull).toBe(false);
    new Client(hub).leave();
    new Client(hub);
    expect(hub.isFull).toBe(true);
  });

  it('gives a slow client the latest state of each subject, in order, and nothing twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ symbol: fc.constantFrom('A/B', 'C/D'), stuck: fc.boolean() }), { maxLength: 60 }),
        (script) => {
          const { hub, clock } = world();
          const client = new Client(hub);
          client.say({ type: 'subscribe', channel: 'prices' });
          script.forEach(({ symbol, stuck }, index) => {
            client.stuck = stuck;
            if (stuck) client.buffered = 70_000;
            else client.recover();
            hub.price(price(symbol, String(index + 1)));
            clock.runUntil((index + 1) * 50e6);
          });
          client.recover();
          clock.runUntil((script.length + 2) * 50e6);

          const seqs = client.updates().map(({ seq }) => seq);
          expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
          for (const symbol of ['A/B', 'C/D']) {
            const last = script.findLastIndex((step) => step.symbol === symbol);
            const shown = client.updates().findLast((update) => update.symbol === symbol);
            expect(shown?.seq).toBe(last < 0 ? undefined : last + 1);
          }
        },
      ),
    );
  });

  it('lets go of a client that asks and never reads', () => {
    const { hub, clock } = world();
    const client = new Client(hub);
    client.stuck = true;
    for (let count = 0; count < 120_000; count += 1) client.say({ type: 'unsubscribe', channel: 'prices' });
    clock.runUntil(60e6);
    expect(client.closed).toBe('1008 too slow');
  });
});
