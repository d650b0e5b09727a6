import { Decimal } from 'decimal.js';
import type { z } from 'zod';
import { assert } from '#shared/assert.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import {
  orderCancelled,
  orderHeaders,
  orderParams,
  orderPending,
  orderReplace,
  orderRequest,
  orderView,
} from '#shared/schema/api.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import type { Entity, EventOf } from '../../common/store.ts';
import { checked, exactBodyFrom } from '../body.ts';
import {
  acceptedFrom,
  carriedOut,
  commandOf,
  found,
  namedCommand,
  patienceOf,
  type Accepted,
  type Wish,
} from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { knownMarkets } from '../known-markets.ts';
import { orderOf } from '../views.ts';

type OrderRequest = z.infer<typeof orderRequest>;
type Order = EventOf<'order'>['data'];

const OVER: ReadonlySet<Order['status']> = new Set(['filled', 'canceled', 'rejected', 'expired']);
const PENDING = 'Not answered within 3 s; it stays on its way, and the command can be asked for';

/** One order by a person, and its end. */
export function mountOrderEntry(app: App, options: AppOptions, guards: Guards): void {
  for (const path of ['/v1/trading/orders', '/v1/orders']) {
    mountPlace(app, options, guards, path);
    mountReplace(app, options, guards, `${path}/{order_id}`);
    mountCancel(app, options, guards, `${path}/{order_id}`);
  }
}

function mountPlace(app: App, options: AppOptions, guards: Guards, path: string): void {
  app.openAPIRegistry.registerPath({
    method: 'post',
    path,
    tags: ['trading'],
    summary: 'Send one order',
    security: secured('trade'),
    request: {
      headers: orderHeaders,
      body: { required: true, content: { 'application/json': { schema: orderRequest } } },
    },
    responses: {
      201: answers(orderView, 'The order, as the venue has last told of it'),
      202: answers(orderPending, PENDING),
      ...fails(400, 404, 409),
      ...denials,
    },
  });
  app.post(path, guards.scope('trade'), async (context) => {
    const asked = exactBodyFrom(await context.req.text(), orderRequest);
    const { 'idempotency-key': key } = checked(context.req.header(), orderHeaders);
    const name = key ?? asked.client_order_id;
    await demandKnown(options, asked);
    const untilNs = patienceOf(options);
    const { command_id, answer } = await placed(options, {
      by: context.get('principal').id,
      name,
      wish: wishOf(asked),
      untilNs,
    });
    const detail = answer === undefined ? undefined : detailIn(answer);
    const { order_id, operation } = detail ?? {};
    context.set('auditDetail', order_id === undefined ? `command ${command_id}` : `order ${order_id}`);
    const order =
      order_id === undefined || operation === undefined
        ? undefined
        : await toldOf(options, { operation, order: order_id }, untilNs, ({ status }) => status !== 'submitted');
    if (order === undefined) {
      const data = { status: 'pending' as const, command_id, order_id: order_id ?? null };
      return context.json(success(data, nowMs(options)), 202);
    }
    return context.json(success(orderOf(order), nowMs(options)), 201);
  });
}

function mountReplace(app: App, options: AppOptions, guards: Guards, path: string): void {
  app.openAPIRegistry.registerPath({
    method: 'patch',
    path,
    tags: ['trading'],
    summary: 'Give a resting order another price or quantity',
    security: secured('trade'),
    request: {
      params: orderParams,
      headers: orderHeaders,
      body: { required: true, content: { 'application/json': { schema: orderReplace } } },
    },
    responses: {
      200: answers(orderView, 'The order as it stands: under its own id, or the one that was sent for what was left'),
      202: answers(orderPending, PENDING),
      ...fails(400, 404, 409),
      ...denials,
    },
  });
  app.patch(path.replace('{order_id}', ':order_id'), guards.scope('trade'), async (context) => {
    const { order_id: order } = checked(context.req.param(), orderParams);
    const { price, quantity } = exactBodyFrom(await context.req.text(), orderReplace);
    const { 'idempotency-key': name } = checked(context.req.header(), orderHeaders);
    const untilNs = patienceOf(options);
    const wanted = { ...(price === undefined ? {} : { price }), ...(quantity === undefined ? {} : { qty: quantity }) };
    const wish = { kind: 'order-replace', order, ...wanted } as const;
    const by = context.get('principal').id;
    const { command_id, answer } = await placed(options, { by, name, wish, untilNs });
    const operation = answer === undefined ? undefined : detailIn(answer)['operation'];
    const replaced =
      operation === undefined ? undefined : await replacedOrder(options, { operation, order, wanted }, untilNs);
    if (replaced === undefined)
      return context.json(success({ status: 'pending' as const, command_id, order_id: order }, nowMs(options)), 202);
    return context.json(success(orderOf(replaced), nowMs(options)), 200);
  });
}

/**
 * The order as it was wanted, or the one in its stead; undefined while nobody has said.
 * @throws ApplicationError 3001 when its venue has not replaced it, 3003 or 3004 when it ended first
 */
async function replacedOrder(
  options: AppOptions,
  {
    operation,
    order,
    wanted,
  }: { readonly operation: string; readonly order: string; readonly wanted: Partial<Standing> },
  untilNs: TimeNs,
): Promise<Entity<'order'> | undefined> {
  const stands = ({ price, qty }: Order): boolean =>
    Object.entries({ price, qty }).every(([key, value]) => {
      const asked = wanted[key as keyof Standing];
      return asked === undefined || new Decimal(asked).eq(value);
    });
  const isKept = ({ reason }: Order): boolean => reason?.startsWith('kept: ') === true;
  const isOver = ({ status, replacing }: Order): boolean => OVER.has(status) && replacing === undefined;
  const told = await toldOf(
    options,
    { operation, order },
    untilNs,
    (data) =>
      data.replaced_by !== undefined || (data.replacing === undefined && stands(data)) || isKept(data) || isOver(data),
  );
  if (told === undefined) return undefined;
  const { data } = told.event;
  if (data.replaced_by !== undefined)
    return toldOf(options, { operation, order: data.replaced_by }, untilNs, ({ status }) => status !== 'submitted');
  if (data.replacing !== undefined) return undefined;
  if (stands(data)) return told;
  if (isKept(data)) throw new ApplicationError(3001, `it stands as before, ${data.reason ?? ''}`);
  if (isOver(data)) throw new ApplicationError(data.status === 'filled' ? 3004 : 3003, `it was ${data.status} first`);
  return undefined;
}

type Standing = { readonly price: string; readonly qty: string };

function mountCancel(app: App, options: AppOptions, guards: Guards, path: string): void {
  app.openAPIRegistry.registerPath({
    method: 'delete',
    path,
    tags: ['trading'],
    summary: 'Cancel an order',
    security: secured('trade'),
    request: { params: orderParams },
    responses: {
      200: answers(orderCancelled, 'The venue has said that it is cancelled'),
      202: answers(orderPending, PENDING),
      ...fails(400, 404, 409),
      ...denials,
    },
  });
  app.delete(path.replace('{order_id}', ':order_id'), guards.scope('trade'), async (context) => {
    const { order_id } = checked(context.req.param(), orderParams);
    const untilNs = patienceOf(options);
    const command = commandOf(options, context.get('principal').id, { kind: 'cancel', order: order_id });
    const answer = await carriedOut(options, command, untilNs);
    const operation = answer === undefined ? undefined : detailIn(answer)['operation'];
    const order =
      operation === undefined
        ? undefined
        : await toldOf(options, { operation, order: order_id }, untilNs, ({ status }) => OVER.has(status));
    const status = order?.event.data.status;
    if (order === undefined || status === undefined || !OVER.has(status)) {
      const data = { status: 'pending' as const, command_id: command.id, order_id };
      return context.json(success(data, nowMs(options)), 202);
    }
    if (status !== 'canceled') throw new ApplicationError(3004, `it was ${status} before it could be cancelled`);
    const data = { order_id, status: 'cancelled' as const, timestamp: isoFromNs(order.event.at) };
    return context.json(success(data, nowMs(options)), 200);
  });
}

/** @throws ApplicationError 2001, 2002 */
async function demandKnown(options: AppOptions, { symbol, exchange }: OrderRequest): Promise<void> {
  const { symbols, venues } = knownMarkets(options, await options.store.markets());
  if (!symbols.has(symbol)) throw new ApplicationError(2001, symbol);
  if (exchange !== undefined && !venues.has(exchange)) throw new ApplicationError(2002, exchange);
}

function wishOf(asked: OrderRequest): Extract<Wish, { kind: 'order' }> {
  const { symbol, exchange, side, type, quantity, price, time_in_force, post_only, reduce_only } = asked;
  return {
    kind: 'order',
    instrument: exchange === undefined ? symbol : `${exchange}:${symbol}`,
    side,
    type,
    qty: quantity,
    ...(price === undefined ? {} : { price }),
    time_in_force: time_in_force ?? (type === 'market' || exchange === undefined ? 'IOC' : 'GTC'),
    ...(post_only === undefined ? {} : { post_only }),
    ...(reduce_only === undefined ? {} : { reduce_only }),
  };
}

/** Sent once, however often it is asked for under one name. */
async function placed(
  options: AppOptions,
  asked: { readonly by: string; readonly name: string | undefined; readonly wish: Wish; readonly untilNs: TimeNs },
): Promise<{ readonly command_id: string; readonly answer: Accepted | undefined }> {
  const { by, name, wish, untilNs } = asked;
  const named = name === undefined ? undefined : await namedCommand(options, { by, name, wish });
  const command = commandOf(options, by, wish, named?.id);
  const known = named?.isRepeated === true ? await options.store.commandAnswer(command.id) : undefined;
  const answer = known === undefined ? await carriedOut(options, command, untilNs) : acceptedFrom(known);
  return { command_id: command.id, answer };
}

function detailIn(answer: Accepted): Readonly<Record<string, string>> {
  assert(answer.kind === 'command-done', `an order is not answered by ${answer.kind}`);
  return answer.data.detail;
}

/**
 * The order once `isEnough` is told of it, or whatever is told of it when the time is over. It is on its way whether or not that can be read: an
 * error here would have it sent again.
 */
async function toldOf(
  options: AppOptions,
  { operation, order }: { readonly operation: string; readonly order: string },
  untilNs: TimeNs,
  isEnough: (order: Order) => boolean,
): Promise<Entity<'order'> | undefined> {
  let latest: Entity<'order'> | undefined;
  try {
    await found(options.clock, untilNs, async () => {
      latest = await options.store.order(operation, order);
      return latest !== undefined && isEnough(latest.event.data) ? latest : undefined;
    });
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    options.log.warn('order-unread', { order, cause: error.message });
  }
  return latest;
}
