import { Decimal } from 'decimal.js';
import type {
  Account,
  AccountEvent,
  Answer,
  Call,
  OrderState,
  Reply,
  VenueFill,
} from '#hotpath/venues/venue-account.ts';
import type { InProcessPeer, PeerClient } from '#local/in-process-transport.ts';
import type { VirtualClock } from '#shared/clock/virtual-clock.ts';

/**
 * A venue in a few lines, with an account that speaks to it: JSON both ways, and every fault to be had for the asking. What is tested is what drives an
 * account, not a protocol.
 */
export type BookedOrder = {
  id: string;
  cid: string;
  symbol: string;
  side: 'buy' | 'sell';
  price: string;
  qty: string;
  filled: string;
  status: OrderState['status'];
  tif: string;
};
type BookedFill = {
  id: string;
  order: string;
  cid: string;
  symbol: string;
  side: 'buy' | 'sell';
  price: string;
  qty: string;
  fee: string;
  asset: string;
  ms: number;
};
export type Override = Partial<{
  /** The answer instead of the venue's own; what was asked is done all the same when `does` is true. */
  status: number;
  text: string;
  headers: Record<string, string>;
  delayMs: number;
  does: boolean;
}>;
type Asked = {
  readonly name: string;
  readonly nonce: number;
  readonly fields: Record<string, string>;
  readonly atMs: number;
};
type Body = Record<string, string>;

const JSON_HEADERS = { 'content-type': 'application/json' };
const NEVER = { filled: '0' };

export class ScriptedVenue implements InProcessPeer {
  readonly orders: BookedOrder[] = [];
  readonly fills: BookedFill[] = [];
  readonly asked: Asked[] = [];
  readonly clients = new Set<PeerClient>();
  readonly said: string[] = [];
  /** The venue's clock less ours. */
  aheadMs = 0;
  withdraw = false;
  /** Whether the stream tells orders and fills. */
  isTalking = true;
  /** Whether sockets are taken at all. */
  isReachable = true;
  /** What an order that comes in does at once. */
  onPlace: (order: BookedOrder) => void = () => undefined;
  readonly #clock: VirtualClock;
  readonly #overrides = new Map<string, Override[]>();
  #count = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get nowMs(): number {
    return Math.round(this.#clock.unixMs(this.#clock.now())) + this.aheadMs;
  }

  /** The next requests of this name are answered so. */
  override(name: string, ...overrides: Override[]): void {
    this.#overrides.set(name, [...(this.#overrides.get(name) ?? []), ...overrides]);
  }

  names(): string[] {
    return this.asked.map(({ name }) => name);
  }

  trade(order: BookedOrder, qty: string, more: Partial<BookedFill> = {}): void {
    this.#count += 1;
    const fill: BookedFill = {
      id: `t${this.#count}`,
      order: order.id,
      cid: order.cid,
      symbol: order.symbol,
      side: order.side,
      price: order.price,
      qty,
      fee: '0.01',
      asset: 'BNB',
      ms: this.nowMs,
      ...more,
    };
    this.fills.push(fill);
    order.filled = new Decimal(order.filled).plus(qty).toFixed();
    if (new Decimal(order.filled).gte(order.qty)) order.status = 'filled';
    this.tell({ kind: 'fill', ...fill });
  }

  end(order: BookedOrder, status: 'canceled' | 'expired'): void {
    order.status = status;
    this.tell({ kind: 'order', ...order });
  }

  tell(event: unknown): void {
    if (this.isTalking) this.broadcast(JSON.stringify(event));
  }

  broadcast(text: string): void {
    for (const client of this.clients) client.send(text);
  }

  disconnect(): void {
    for (const client of [...this.clients]) {
      this.clients.delete(client);
      client.close(1006, 'gone');
    }
  }

  readonly connect: InProcessPeer['connect'] = (path, client) => {
    this.said.push(path);
    if (!this.isReachable) return undefined;
    this.clients.add(client);
    return {
      message: (text) => this.#onMessage(client, text),
      closed: () => void this.clients.delete(client),
    };
  };

  readonly request: InProcessPeer['request'] = ({ path, body }) => {
    const name = path.split('/').at(-1)!;
    const fields = JSON.parse(body) as Body;
    this.asked.push({ name, nonce: Number(fields['nonce']), fields, atMs: this.nowMs });
    const [override, ...rest] = this.#overrides.get(name) ?? [];
    this.#overrides.set(name, rest);
    const isDone = override === undefined || override.does === true || override.text === undefined;
    const answer = isDone ? JSON.stringify(this.#do(name, fields)) : '';
    return {
      status: override?.status ?? 200,
      headers: { ...JSON_HEADERS, ...override?.headers },
      body: override?.text ?? answer,
      delayMs: override?.delayMs ?? 0,
    };
  };

  #onMessage(client: PeerClient, text: string): void {
    this.said.push(text);
    const fields = JSON.parse(text) as Body;
    if (fields['op'] === 'login') client.send('{"kind":"ready"}');
    if (fields['op'] !== 'place' && fields['op'] !== 'cancel') return;
    const name = `ws-${fields['op']}`;
    this.asked.push({ name, nonce: Number(fields['nonce']), fields, atMs: this.nowMs });
    const [override, ...rest] = this.#overrides.get(name) ?? [];
    this.#overrides.set(name, rest);
    if (override?.does === false) return;
    const answer = this.#do(fields['op'], fields);
    if (override?.delayMs === Infinity) return;
    const reply = override?.text === undefined ? answer : (JSON.parse(override.text) as unknown);
    client.send(JSON.stringify({ kind: 'answer', to: fields['op'], request: fields['request'], reply }));
  }

  #do(name: string, fields: Body): unknown {
    const find = (): BookedOrder | undefined => this.orders.find(({ cid }) => cid === fields['cid']);
    switch (name) {
      case 'time':
        return this.nowMs;
      case 'prepare':
        return { uid: '7' };
      case 'key':
        return { trade: true, withdraw: this.withdraw };
      case 'place':
        return this.#place(fields);
      case 'cancel': {
        const order = find();
        if (order?.status !== 'open') return { code: 'not-open' };
        this.end(order, 'canceled');
        return {};
      }
      case 'cancel-all':
        for (const order of this.orders) if (order.status === 'open') this.end(order, 'canceled');
        return {};
      case 'query':
        return find() ?? { code: 'none' };
      case 'open':
        return this.orders.filter(({ status }) => status === 'open');
      case 'fills':
        return this.fills.filter(({ ms, cid }) =>
          fields['cid'] === undefined ? ms >= Number(fields['since']) : cid === fields['cid'],
        );
      case 'balances':
        return [{ asset: 'USDT', total: '100', available: '90' }];
      case 'fees':
        return [{ symbol: 'BTC/USDT', maker: '-0.0001', taker: '0.0004' }];
      case 'pass':
        return { pass: 'listen-key-1234' };
      default:
        return {};
    }
  }

  #place(fields: Body): unknown {
    if (this.orders.some(({ cid }) => cid === fields['cid'])) return { code: 'twice' };
    this.#count += 1;
    const order: BookedOrder = {
      id: `v${this.#count}`,
      cid: fields['cid']!,
      symbol: fields['symbol']!,
      side: fields['side'] as 'buy' | 'sell',
      price: fields['price']!,
      qty: fields['qty']!,
      tif: fields['tif']!,
      status: 'open',
      ...NEVER,
    };
    this.orders.push(order);
    this.tell({ kind: 'order', ...order });
    this.onPlace(order);
    return { id: order.id };
  }
}

const MEANINGS: Readonly<
  Record<
    string,
    | 'insufficient-funds'
    | 'not-found'
    | 'not-open'
    | 'in-doubt'
    | 'duplicate-id'
    | 'rate-limited'
    | 'clock-skew'
    | 'unauthorised'
  >
> = {
  poor: 'insufficient-funds',
  none: 'not-found',
  'not-open': 'not-open',
  doubt: 'in-doubt',
  twice: 'duplicate-id',
  limit: 'rate-limited',
  skew: 'clock-skew',
  nobody: 'unauthorised',
};

const orderOf = (row: BookedOrder): OrderState => ({
  venueSymbol: row.symbol,
  clientOrderId: row.cid,
  venueOrderId: row.id,
  side: row.side,
  status: row.status,
  price: new Decimal(row.price),
  qty: new Decimal(row.qty),
  filled: new Decimal(row.filled),
  timeMs: NaN,
});

const fillOf = (row: BookedFill): VenueFill => ({
  venueSymbol: row.symbol,
  clientOrderId: row.cid,
  venueOrderId: row.order,
  tradeId: row.id,
  side: row.side,
  price: new Decimal(row.price),
  qty: new Decimal(row.qty),
  fee: new Decimal(row.fee),
  feeAsset: row.asset,
  liquidity: 'taker',
  timeMs: row.ms,
});

function answerOf<T>(value: unknown, read: (value: never) => T): Answer<T> {
  const code = (value as { code?: string } | null)?.code;
  if (code === undefined) return { kind: 'ok', value: read(value as never) };
  return {
    kind: 'refused',
    meaning: MEANINGS[code] ?? 'unlisted',
    code,
    text: (value as { text?: string }).text ?? `refused: ${code}`,
  };
}

function readOf<T>(read: (value: never) => T): (reply: Reply) => Answer<T> {
  return ({ status, text }) => {
    try {
      const value: unknown = JSON.parse(text);
      if (status === 200 || (value as { code?: string }).code !== undefined) return answerOf(value, read);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    const meaning = status === 429 || status === 418 ? 'rate-limited' : 'in-doubt';
    return { kind: 'refused', meaning, code: String(status), text };
  };
}

/** The account of the venue above. `shape` changes what a test is about. */
export function scriptedAccount(shape: Partial<Account> = {}): Account {
  const call = <T>(
    name: string,
    fields: Record<string, unknown>,
    read: (value: never) => T,
    weight: Record<string, number> = { ip: 1 },
  ): Call<T> => ({
    method: 'POST',
    path: `/${name}`,
    headers: { 'x-key': String(fields['key']) },
    body: JSON.stringify(fields),
    weight,
    read: readOf(read),
  });
  return {
    id: 'main',
    markets: ['spot'],
    restUrl: 'https://rest.scripted.test',
    clientOrderId: (id) => `x-${id}`,
    refuses: ({ timeInForce }) => (timeInForce === 'FOK' ? 'no fill-or-kill here' : undefined),
    limits: {
      buckets: { ip: { units: 100, windowMs: 1_000 }, orders: { units: 20, windowMs: 1_000 } },
      used: (headers) => (headers['x-used'] === undefined ? {} : { ip: Number(headers['x-used']) }),
    },
    prepare: ({ nonce }) => [call('prepare', { nonce }, (value: Record<string, string>) => value)],
    rest: {
      place: (order, { nonce, facts }) =>
        call(
          'place',
          {
            nonce,
            uid: facts['uid'],
            cid: `x-${order.clientOrderId}`,
            symbol: order.instrument.venueSymbol,
            side: order.side,
            price: order.price,
            qty: order.qty,
            tif: order.timeInForce,
          },
          ({ id }: { id: string }) => ({ venueOrderId: id }),
          { ip: 1, orders: 1 },
        ),
      cancel: ({ clientOrderId }, { nonce }) => call('cancel', { nonce, cid: `x-${clientOrderId}` }, () => undefined),
      cancelAll: (_instruments, { nonce }) => [call('cancel-all', { nonce }, () => undefined)],
      query: ({ clientOrderId }, { nonce }) => call('query', { nonce, cid: `x-${clientOrderId}` }, orderOf),
      openOrders: (_instruments, { nonce }) => [call('open', { nonce }, (rows: BookedOrder[]) => rows.map(orderOf))],
      fillsSince: (_instruments, since, { nonce }) => [
        call('fills', { nonce, since }, (rows: BookedFill[]) => rows.map(fillOf)),
      ],
      balances: ({ nonce }) =>
        call('balances', { nonce }, (rows: { asset: string; total: string; available: string }[]) =>
          rows.map(({ asset, total, available }) => ({
            asset,
            total: new Decimal(total),
            available: new Decimal(available),
          })),
        ),
      fees: (_instruments, { nonce }) => [
        call('fees', { nonce }, (rows: { symbol: string; maker: string; taker: string }[]) =>
          rows.map(({ symbol, maker, taker }) => ({
            venueSymbol: symbol,
            market: 'spot',
            maker: new Decimal(maker),
            taker: new Decimal(taker),
          })),
        ),
      ],
      permissions: ({ nonce }) =>
        call('key', { nonce }, (value: { trade: boolean; withdraw: boolean }) => ({ ...value })),
      time: call('time', {}, (value: number) => value),
    },
    sockets: [scriptedSocket()],
    deadMan: { kind: 'none', why: 'the test needs none' },
    ...shape,
  };
}

export function scriptedSocket(shape: Partial<Account['sockets'][number]> = {}): Account['sockets'][number] {
  return {
    id: 'private',
    carries: ['events'],
    wsUrl: 'wss://ws.scripted.test/private',
    login: ({ nonce }) => [JSON.stringify({ op: 'login', nonce })],
    subscribe: () => ['{"op":"subscribe"}'],
    heartbeat: { kind: 'client-text', text: () => '{"op":"beat"}', everyMs: 15_000 },
    idleMs: 60_000,
    decode: (frame) => eventsOf(new TextDecoder().decode(frame)),
    ...shape,
  };
}

/** The same socket, with orders over it. */
export const scriptedOrderSocket = (): Account['sockets'][number] =>
  scriptedSocket({
    carries: ['events', 'orders'],
    orders: {
      weight: { orders: 1 },
      place: (order, { nonce }, request) =>
        JSON.stringify({
          op: 'place',
          request,
          nonce,
          cid: `x-${order.clientOrderId}`,
          symbol: order.instrument.venueSymbol,
          side: order.side,
          price: order.price,
          qty: order.qty,
          tif: order.timeInForce,
        }),
      cancel: ({ clientOrderId }, { nonce }, request) =>
        JSON.stringify({ op: 'cancel', request, nonce, cid: `x-${clientOrderId}` }),
    },
  });

type FrameRow = { kind: string } & Record<string, unknown>;

function eventsOf(text: string): readonly AccountEvent[] {
  const row = JSON.parse(text) as FrameRow;
  switch (row.kind) {
    case 'order':
      return [{ kind: 'order', order: orderOf(row as unknown as BookedOrder) }];
    case 'fill':
      return [{ kind: 'fill', fill: fillOf(row as unknown as BookedFill) }];
    case 'answer': {
      const { request, to, reply } = row as unknown as { request: string; to: 'place' | 'cancel'; reply: unknown };
      const answer = answerOf(reply, ({ id }: { id?: string }) => ({ venueOrderId: id ?? '' }));
      return [{ kind: 'answer', request, to, answer }];
    }
    default:
      return [row as unknown as AccountEvent];
  }
}
