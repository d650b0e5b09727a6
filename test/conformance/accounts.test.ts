import { readFileSync } from 'node:fs';
import { Decimal } from 'decimal.js';
import { afterEach, describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Call,
  OrderRef,
  OrderTicket,
} from '#hotpath/venues/venue-account.ts';
import type { Venue } from '#hotpath/venues/venue.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { Qty } from '#shared/money/grid.ts';
import { lotQty, textOf } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { AccountSimulation, listedOf } from '#test/support/account-simulation.ts';
import { CREDENTIALS } from '#test/support/account-rig.ts';
import { fixturesOf } from '#test/support/venue-fixture.ts';

/** Every account of every venue against one suite: its data alone, then whole on the simulated venue. */

type Row = {
  readonly account?: string;
  readonly reject?: string;
  readonly means?: string;
  readonly call?: 'place' | 'cancel' | 'query';
  readonly status?: number;
  readonly socket?: string;
  readonly event?: string;
  /** The frame says nothing that matters: a heartbeat, a status. */
  readonly silent?: boolean;
  readonly encoding?: BufferEncoding;
};

const rowsOf = (venue: Venue, account: Account): readonly Row[] =>
  readFileSync(`test/fixtures/venues/${venue.id}.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
    .filter((row) => row.account === account.id);

const ACCOUNTS = venues.flatMap((venue) =>
  (venue.accounts ?? []).map((account) => ({ venue, account, name: `${venue.id} ${account.id}` })),
);

/** Instruments of the account in its fixture. */
const instrumentsOf = (venue: Venue, account: Account): readonly Instrument[] =>
  fixturesOf(venue)
    .filter(({ market }) => account.markets.includes(market.id))
    .flatMap(({ market, bodies }) => market.instruments.parse(bodies, market.defaultFees));

let nonce = 1_795_219_200_000_000;
const context = (): AccountContext => {
  nonce += 1;
  // Whatever a request must name is there.
  const facts = new Proxy<Record<string, string>>({}, { get: () => '7' });
  return { credentials: CREDENTIALS, nowMs: 1_795_219_200_000, nonce, facts, marginMode: 'cross', leverage: 2 };
};
const ID = 'a00020000010' as ClientOrderId;
const ticketOf = (instrument: Instrument): OrderTicket => ({
  clientOrderId: ID,
  instrument,
  side: 'buy',
  type: 'limit',
  price: textOf(instrument.tick.times(1_000)),
  qty: textOf(Decimal.max(instrument.minQty, instrument.lot)),
  timeInForce: 'IOC',
  postOnly: false,
  reduceOnly: false,
});
const refOf = (instrument: Instrument): OrderRef => ({
  clientOrderId: ID,
  instrument,
  side: 'buy',
  venueOrderId: '123',
  sentMs: 1_795_219_100_000,
});

const AMENDED = { price: '100', qty: '1', postOnly: false };

const callsOf = (
  { rest }: Account,
  instrument: Instrument,
): Readonly<Record<'place' | 'cancel' | 'query', Call<unknown>>> => ({
  place: rest.place(ticketOf(instrument), context()),
  cancel: rest.cancel(refOf(instrument), context()),
  query: rest.query(refOf(instrument), context()),
});

const bytesOf = ({ event, reject, encoding }: Row): Buffer => Buffer.from(event ?? reject ?? '', encoding);

/** What a frame says; BadInput is an answer too. */
function heard(socket: AccountSocket, bytes: Uint8Array): readonly AccountEvent[] | 'bad' {
  try {
    return socket.decode(bytes);
  } catch (error) {
    if (error instanceof BadInput) return 'bad';
    throw error;
  }
}

/** How many events; undefined for a frame that cannot be read. */
const eventsIn = (events: readonly AccountEvent[] | 'bad'): number | undefined =>
  events === 'bad' ? undefined : events.length;

/** What a frame's refusals mean. */
const meaningsIn = (events: readonly AccountEvent[] | 'bad'): string[] =>
  events === 'bad'
    ? ['bad']
    : events.flatMap((event) => {
        if (event.kind === 'answer') return event.answer.kind === 'refused' ? [event.answer.meaning] : ['ok'];
        if (event.kind === 'error') return [event.refusal.meaning];
        if (event.kind === 'order') return event.order.reason === undefined ? [] : [event.order.reason];
        return event.kind === 'ended' && event.reason !== undefined ? [event.reason] : [];
      });

const UNKNOWN = [
  '{"unknown":"frame"}',
  '{}',
  '[]',
  '{"channel":"weather","data":[{"sky":"blue"}]}',
  '{"event":"hello","id":9}',
];

describe.each(ACCOUNTS)('$name', ({ venue, account }) => {
  const rows = rowsOf(venue, account);
  const rejects = rows.filter(({ reject }) => reject !== undefined);
  const events = rows.filter(({ event }) => event !== undefined);
  const instruments = instrumentsOf(venue, account);
  const socketsOf = ({ socket }: Row): readonly AccountSocket[] =>
    account.sockets.filter(({ id }) => socket === undefined || id === socket);

  it('trades markets that the venue has, each in one account', () => {
    const known = venue.markets.map(({ id }) => id);
    expect(account.markets.filter((id) => !known.includes(id))).toEqual([]);
    const others = (venue.accounts ?? []).filter((each) => each.id !== account.id);
    expect(
      others.filter(({ markets }) => markets.some((id) => account.markets.includes(id))).map(({ id }) => id),
    ).toEqual([]);
    expect(instruments.length, 'instruments in the fixture').toBeGreaterThan(0);
  });

  it('has refusals and private frames in its fixture', () => {
    expect(rejects.length, 'rows with "reject"').toBeGreaterThanOrEqual(8);
    if (account.sockets.some(({ carries }) => carries.includes('events'))) {
      expect(events.length, 'rows with "event"').toBeGreaterThan(0);
    }
  });

  it('weighs its requests in buckets that it has, and each fits', () => {
    const { buckets } = account.limits;
    const [instrument] = instruments;
    const { rest } = account;
    const calls: readonly Pick<Call<unknown>, 'weight'>[] = [
      ...Object.values(callsOf(account, instrument!)),
      ...(rest.amend === undefined ? [] : [rest.amend(refOf(instrument!), AMENDED, context())]),
      ...rest.cancelAll(instruments, context()),
      ...rest.openOrders(instruments, context()),
      ...rest.fillsSince(instruments, 1_795_219_100_000, context()),
      ...rest.fees(instruments, context()),
      rest.balances(context()),
      ...(rest.positions === undefined ? [] : [rest.positions(context())]),
      ...(rest.permissions === undefined ? [] : [rest.permissions(context())]),
      ...(rest.fillsOf === undefined ? [] : [rest.fillsOf(refOf(instrument!), context())]),
      ...(rest.time === undefined ? [] : [rest.time]),
      ...(account.prepare?.(context()) ?? []),
      ...account.sockets.flatMap(({ orders, pass }) => [
        ...(orders === undefined ? [] : [orders]),
        ...(pass === undefined ? [] : [pass.ask(context())]),
      ]),
    ];
    for (const { weight } of calls)
      for (const [bucket, units] of Object.entries(weight)) {
        expect(Object.keys(buckets), 'buckets').toContain(bucket);
        expect(units, bucket).toBeLessThanOrEqual(buckets[bucket]!.units);
      }
  });

  it('makes the same request of the same context, and client ids of its form', () => {
    const fixed = context();
    const [instrument] = instruments;
    const made = (): unknown => ({ ...account.rest.place(ticketOf(instrument!), fixed), read: undefined });
    expect(made()).toEqual(made());
    expect(account.clientOrderId(ID)).toBe(account.clientOrderId(ID));
    expect(account.clientOrderId(ID)).not.toBe(account.clientOrderId('a00020000011' as ClientOrderId));
  });

  it('reads every refusal of the fixture as it says', () => {
    const calls = callsOf(account, instruments[0]!);
    const read = rejects.map((row) => {
      const text = row.reject!;
      const means =
        row.socket === undefined
          ? (() => {
              const answer = calls[row.call ?? 'place'].read({ status: row.status ?? 200, headers: {}, text });
              return answer.kind === 'refused' ? answer.meaning : 'ok';
            })()
          : (socketsOf(row).flatMap((socket) => meaningsIn(heard(socket, bytesOf(row))))[0] ??
            `nothing on ${row.socket}`);
      return { text: text.slice(0, 160), means };
    });
    expect(read).toEqual(rejects.map(({ reject, means }) => ({ text: reject!.slice(0, 160), means })));
  });

  it('reads every private frame of the fixture', () => {
    const wrong = events.filter((row) => {
      const isSilent = socketsOf(row).every((socket) => [0, undefined].includes(eventsIn(heard(socket, bytesOf(row)))));
      return isSilent !== (row.silent === true);
    });
    expect(
      wrong.map(({ event }) => event!.slice(0, 160)),
      'frames read otherwise than their row says',
    ).toEqual([]);
  });

  it('makes nothing of frames that it does not know, and crashes on none', () => {
    for (const socket of account.sockets) {
      for (const text of UNKNOWN) {
        const said = heard(socket, Buffer.from(text));
        expect(said === 'bad' ? [] : said, `${socket.id}: ${text}`).toEqual([]);
      }
      for (const row of [...events, ...rejects]) {
        const bytes = bytesOf(row);
        const step = Math.max(1, Math.floor(bytes.length / 60));
        for (let end = 0; end < bytes.length; end += step) heard(socket, bytes.subarray(0, end));
      }
    }
  });

  it('takes no answer that is cut for a definite one', () => {
    const calls = callsOf(account, instruments[0]!);
    // A cancel is followed by a question whatever its answer was.
    for (const row of rejects.filter(({ socket, call }) => socket === undefined && call !== 'cancel')) {
      const text = row.reject!;
      for (let end = 0; end < text.length - 1; end += Math.max(1, Math.floor(text.length / 40))) {
        const answer = calls[row.call ?? 'place'].read({ status: 200, headers: {}, text: text.slice(0, end) });
        expect(answer, text.slice(0, end)).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
      }
    }
  });

  it('takes no server error for a definite answer', () => {
    const calls = callsOf(account, instruments[0]!);
    for (const status of [500, 502, 503, 504]) {
      for (const text of ['', '<html>busy</html>', '{}']) {
        const answer = calls.place.read({ status, headers: {}, text });
        expect(answer, `${status} ${text}`).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
      }
    }
  });
});

const SIMULATED = ACCOUNTS.flatMap(({ venue, account }) =>
  listedOf(venue, account).map((listed) => ({
    venue,
    account,
    listed,
    name: `${venue.id} ${account.id} ${listed.symbol}`,
  })),
);
const MISSING = ACCOUNTS.filter(({ venue, account }) => listedOf(venue, account).length === 0);

it('simulates a market of every account', () => {
  expect(MISSING.map(({ venue, account }) => `${venue.id} ${account.id}`)).toEqual([]);
});

describe.each(SIMULATED)('$name on the simulator', ({ venue, account, listed }) => {
  const rigs: AccountSimulation[] = [];
  const rig = (deadManMs?: number): AccountSimulation => {
    const made = new AccountSimulation(venue, account, listed, deadManMs);
    rigs.push(made);
    return made;
  };
  /** What ends without a fill, by whatever name. */
  const ENDED = /^(expired|canceled)$/;

  afterEach(() => {
    for (const { gateway } of rigs.splice(0)) gateway.stop();
  });

  it('reads its fees, and that the key is fit to trade', () => {
    const { gateway, forward, listing, instrument, log } = bound(rig());
    const fees: unknown[] = [];
    gateway.fees((found) => fees.push(found.get(instrument.id)));
    forward(2_000);
    expect(fees).toMatchObject([{ maker: listing.maker, taker: listing.taker }]);
    expect(log.count('account-key-cannot-trade')).toBe(0);
    expect(gateway.status.current || account.sockets.every(({ carries }) => !carries.includes('events'))).toBe(true);
  });

  it('places, fills and books to the last digit as the venue does', () => {
    const sim = rig();
    const buy = sim.order();
    const words = sim.send(buy);
    expect(words[0], sim.log.lines.join('\n')).toBe('accepted');
    expect(new Set(words.slice(1))).toEqual(new Set(['fill']));
    expect(sim.filled(buy).toFixed()).toBe(buy.qty.toFixed());
    const sell = sim.order({ side: 'sell', qty: sim.qty(2) });
    sim.send(sell);
    expect(sim.filled(sell).toFixed()).toBe(sell.qty.toFixed());
    const { ours, venues: theirs } = sim.ledgers();
    expect(ours).toEqual(theirs);
  });

  it('ends what cannot fill at once: IOC with what it got, FOK with nothing, where it has FOK', () => {
    const sim = rig();
    expect(sim.send(sim.order({ price: sim.resting('buy') })).at(-1)).toMatch(ENDED);
    sim.fault({ kind: 'partial-fill', ratio: 0.5 });
    const half = sim.order();
    expect(sim.send(half).at(-1)).toMatch(ENDED);
    expect(sim.filled(half).gt(0) && sim.filled(half).lt(half.qty)).toBe(true);
    const fok = sim.order({ timeInForce: 'FOK', price: sim.resting('buy') });
    const words = sim.send(fok);
    expect(['rejected not-allowed', 'rejected not-filled', 'expired', 'canceled']).toContain(words.at(-1));
    expect(sim.fills(fok)).toEqual([]);
    if (words.at(-1) !== 'rejected not-allowed') {
      const whole = sim.order({ timeInForce: 'FOK' });
      sim.send(whole);
      expect(sim.filled(whole).toFixed()).toBe(whole.qty.toFixed());
    }
    expect(sim.orders().some(({ status }) => status === 'open')).toBe(false);
  });

  it('rests, is found, and is cancelled', () => {
    const sim = rig();
    const order = sim.order({ timeInForce: 'GTC', price: sim.resting('buy') });
    expect(sim.send(order), sim.log.lines.join('\n')).toEqual(['accepted']);
    sim.gateway.probe(order.clientOrderId);
    sim.forward(1_000);
    expect(sim.words(order)).toEqual(['accepted', 'accepted']);
    sim.gateway.cancel(order.clientOrderId);
    sim.forward(2_000);
    expect(sim.words(order).at(-1)).toBe('canceled');
    expect(sim.orders().map(({ status }) => status)).toEqual(['canceled']);
    sim.gateway.probe(order.clientOrderId);
    sim.forward(2_000);
    expect(['canceled', 'not-found']).toContain(sim.words(order).at(-1));
  });

  it('changes an order where it stands, or says that it cannot', () => {
    const sim = rig();
    const order = sim.order({ timeInForce: 'GTC', price: sim.resting('buy') });
    sim.send(order);
    const to = { price: sim.resting('buy', 2), qty: sim.qty(60) };
    expect(sim.gateway.replace(order.clientOrderId, to)).toBe(account.rest.amend !== undefined);
    sim.forward(2_000);
    if (account.rest.amend === undefined) {
      expect(sim.standing(order)).toEqual(sim.standing(order, order));
      return;
    }
    expect(sim.standing(order), sim.log.lines.join('\n')).toEqual(sim.standing(order, to));
    expect(sim.told(order)?.standing).toMatchObject(to);
    expect(sim.orders()).toHaveLength(1);
    // Somebody takes a part of it while it is being changed to less: it fills no more than that.
    const less = { price: to.price, qty: sim.qty(40) };
    sim.sellInto(sim.orders()[0]!, lotQty(less.qty.div(2), sim.instrument.lot).div(sim.instrument.lot).toNumber());
    sim.gateway.replace(order.clientOrderId, less);
    sim.forward(2_000);
    if (sim.orders()[0]!.status === 'open') sim.sellInto(sim.orders()[0]!, sim.orders()[0]!.qty);
    sim.forward(3_000);
    expect(sim.standing(order)).toEqual(sim.standing(order, less));
    expect(sim.filled(order).toFixed()).toBe(less.qty.toFixed());
    const { ours, venues: theirs } = sim.ledgers();
    expect(ours).toEqual(theirs);
  });

  it.runIf(account.rest.amend !== undefined)('keeps an order that is full, and one that it may not change', () => {
    const sim = rig();
    const resting = sim.order({ timeInForce: 'GTC', price: sim.resting('buy') });
    sim.send(resting);
    const unit = sim.instrument.inverse
      ? sim.instrument.contractSize
      : sim.best('bid').times(sim.instrument.contractSize);
    const dear = lotQty(new Decimal(80_000_000).div(unit), sim.instrument.lot);
    sim.gateway.replace(resting.clientOrderId, { price: resting.price, qty: dear });
    sim.forward(2_000);
    expect(sim.words(resting), sim.log.lines.join('\n')).toContain('kept insufficient-funds');
    expect(sim.standing(resting)).toEqual(sim.standing(resting, resting));
    const full = sim.order({ timeInForce: 'GTC' });
    sim.send(full);
    expect(sim.filled(full).toFixed()).toBe(full.qty.toFixed());
    sim.gateway.replace(full.clientOrderId, { price: full.price, qty: sim.qty(9) });
    sim.forward(3_000);
    expect(sim.words(full).filter((word) => word === 'accepted')).toHaveLength(1);
    expect(sim.filled(full).toFixed()).toBe(full.qty.toFixed());
  });

  it.runIf(account.rest.amend !== undefined)('finds what a lost answer to a change left in doubt', () => {
    const sim = rig();
    const order = sim.order({ timeInForce: 'GTC', price: sim.resting('buy') });
    sim.send(order);
    sim.fault({ kind: 'lost-ack' });
    const to = { price: order.price, qty: sim.qty(6) };
    sim.gateway.replace(order.clientOrderId, to);
    sim.forward(4_000);
    sim.gateway.probe(order.clientOrderId);
    sim.forward(3_000);
    expect(sim.told(order), sim.log.lines.join('\n')).toMatchObject({ standing: to });
    expect(sim.orders()).toHaveLength(1);
  });

  it('takes nothing with a post-only order', () => {
    const sim = rig();
    const taking = sim.order({ timeInForce: 'GTC', postOnly: true });
    expect(sim.send(taking).at(-1)).toMatch(/^(expired|canceled|rejected (would-take|not-allowed))$/);
    expect(sim.fills(taking)).toEqual([]);
    const resting = sim.order({ timeInForce: 'GTC', postOnly: true, price: sim.resting('buy') });
    const words = sim.send(resting);
    expect(words).toEqual(
      sim.words(taking).at(-1) === 'rejected not-allowed' ? ['rejected not-allowed'] : ['accepted'],
    );
  });

  it('rejects for want of money, and below the minimum, for the reason there is', () => {
    const sim = rig();
    const { lot, minQty, minNotional } = sim.instrument;
    const unit = sim.instrument.inverse
      ? sim.instrument.contractSize
      : sim.best('bid').times(sim.instrument.contractSize);
    const dear = new Decimal(40_000_000).div(unit).div(lot).floor().times(lot) as Qty;
    expect(sim.send(sim.order({ qty: dear })).at(-1), sim.log.lines.slice(-3).join('\n')).toBe(
      'rejected insufficient-funds',
    );
    if (minQty.gt(lot) || minNotional.gt(0)) {
      const small = minQty.gt(lot) ? lotQty(minQty.minus(lot), lot) : Decimal.max(minQty, lot);
      if (minQty.gt(lot) || small.times(unit).lt(minNotional)) {
        expect(sim.send(sim.order({ qty: small as Qty })).at(-1)).toBe('rejected below-minimum');
      }
    }
    expect(sim.fills()).toEqual([]);
  });

  it('finds what a lost answer left in doubt, and sends it once', () => {
    const sim = rig();
    sim.fault({ kind: 'lost-ack' });
    const order = sim.order();
    sim.send(order, 4_000);
    sim.gateway.probe(order.clientOrderId);
    sim.forward(3_000);
    expect(sim.filled(order).toFixed(), sim.log.lines.join('\n')).toBe(order.qty.toFixed());
    expect(sim.orders()).toHaveLength(1);
    const never = sim.order();
    sim.fault({ kind: 'server-error' });
    const words = sim.send(never, 3_000);
    if (words.at(-1) === 'unknown server-error') {
      sim.gateway.probe(never.clientOrderId);
      sim.forward(3_000);
      sim.gateway.probe(never.clientOrderId);
      sim.forward(3_000);
      expect(sim.words(never).slice(-2)).toEqual(['not-found', 'not-found']);
    }
    const { ours, venues: theirs } = sim.ledgers();
    expect(ours).toEqual(theirs);
  });

  it('makes good what happened while the private stream was down', () => {
    const sim = rig(600_000);
    const best = sim.best('bid');
    const order = sim.order({ timeInForce: 'GTC', price: best as never, qty: sim.qty(8) });
    const gone = sim.order({ timeInForce: 'GTC', price: sim.resting('buy') });
    sim.send(order);
    sim.send(gone);
    const [placed, other] = sim.orders();
    const lots = placed!.qty;
    const isDisconnecting = account.deadMan.kind === 'disconnect';
    sim.sellInto(placed!, Math.floor(lots / 4));
    sim.forward(1_000);
    sim.fault({ kind: 'disconnect', duration_ms: 8_000 });
    sim.forward(500);
    if (placed!.status === 'open') sim.sellInto(placed!, Math.floor(lots / 4));
    if (!isDisconnecting) sim.exchange.cancel(other!);
    sim.forward(4_000);
    if (placed!.status === 'open') sim.sellInto(placed!, 1);
    sim.forward(60_000);
    const { ours, venues: theirs } = sim.ledgers();
    expect(ours, sim.log.lines.slice(-12).join('\n')).toEqual(theirs);
    expect(sim.words(gone).at(-1)).toMatch(ENDED);
    expect(sim.gateway.trouble.malformed).toBe(0);
    expect(sim.gateway.trouble.unlisted).toBe(0);
  });

  it('ends with what is true at the venue, whatever goes wrong on the way', () => {
    const sim = rig(600_000);
    const random = randomFrom(43);
    const faults = [
      { kind: 'lost-ack' },
      { kind: 'slow-ack', ms: 900 },
      { kind: 'slow-ack', ms: 3_000 },
      { kind: 'server-error' },
      { kind: 'rate-limited', ms: 1_000 },
      { kind: 'partial-fill', ratio: 0.3 },
      { kind: 'reject' },
      { kind: 'disconnect', duration_ms: 2_000 },
    ] as const;
    const sent: OrderRequest[] = [];
    for (let round = 0; round < 24; round += 1) {
      if (random.next() < 0.5) sim.fault(faults[random.integer(faults.length)]!);
      const side = random.next() < 0.6 ? 'buy' : 'sell';
      const rests = random.next() < 0.3;
      const price = random.next() < 0.7 ? sim.crossing(side) : sim.resting(side);
      const order = sim.order({ side, price, timeInForce: rests ? 'GTC' : 'IOC', qty: sim.qty(2 + random.integer(5)) });
      sent.push(order);
      sim.gateway.submit([order]);
      sim.forward(random.next() * 1_500);
      if (random.next() < 0.3) sim.gateway.cancel(sent[random.integer(sent.length)]!.clientOrderId);
      if (random.next() < 0.2) sim.gateway.probe(sent[random.integer(sent.length)]!.clientOrderId);
    }
    sim.forward(120_000);
    for (const { clientOrderId } of [...sent, ...sent]) {
      sim.gateway.probe(clientOrderId);
      sim.forward(2_500);
    }
    const { ours, venues: theirs } = sim.ledgers();
    expect(ours, sim.log.lines.slice(-20).join('\n')).toEqual(theirs);
    for (const order of sent) {
      const there = sim.bookedAs(order, account.clientOrderId(order.clientOrderId));
      const message = `${order.clientOrderId}: ${sim.words(order).join(', ')}`;
      expect(there.length, `${message}: sent once`).toBeLessThanOrEqual(1);
      const last = sim.words(order).at(-1)!;
      if (there[0] === undefined) expect(last, message).toMatch(/^(not-found|rejected .*)$/);
      else if (there[0].status === 'open') expect(last, message).toBe('accepted');
      else if (there[0].status === 'filled') expect(sim.filled(order).toFixed(), message).toBe(order.qty.toFixed());
      else expect(last, message).toMatch(/^(expired|canceled|not-found|rejected .*)$/);
    }
  });

  it('leaves nothing open after cancel-all', () => {
    const sim = rig();
    const orders = [1, 2, 3].map((times) =>
      sim.order({ timeInForce: 'GTC', price: sim.resting('buy'), qty: sim.qty(3 + times) }),
    );
    sim.gateway.submit(orders);
    sim.forward(2_000);
    expect(
      sim.orders().filter(({ status }) => status === 'open'),
      sim.log.lines.join('\n'),
    ).toHaveLength(3);
    const left: unknown[] = [];
    sim.gateway.cancelAll((orphans) => left.push(orphans));
    sim.forward(15_000);
    expect(left).toEqual([[]]);
    expect(sim.orders().filter(({ status }) => status === 'open')).toEqual([]);
    for (const order of orders) expect(sim.words(order).at(-1)).toBe('canceled');
  });
});

/** A simulation whose parts may be taken apart. */
function bound(sim: AccountSimulation) {
  const { gateway, listing, instrument, log } = sim;
  return { gateway, listing, instrument, log, forward: (ms: number) => sim.forward(ms) };
}
