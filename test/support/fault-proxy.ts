import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '#shared/clock/clock.ts';
import type { Random } from '#shared/random.ts';

/** How often each fault happens, as a share of the requests; the shares add up to at most 1. */
export type Faults = {
  /** The whole request is refused: ProvisionedThroughputExceededException. */
  readonly throttled: number;
  /** Of PutRecords and BatchWriteItem a random part is taken and the rest handed back; other requests pass. */
  readonly partial: number;
  /** 500 or 503, and nothing was done. */
  readonly serverError: number;
  /** 500, and yet it was done. */
  readonly doneServerError: number;
  /** The connection ends before the request was passed on. */
  readonly reset: number;
  /** The connection ends after it was passed on: it was done, and nobody is told. */
  readonly doneReset: number;
  /** The answer comes late, by up to `slowMs`. */
  readonly slow: number;
  readonly slowMs: number;
};
type Fault = Exclude<keyof Faults, 'slowMs'>;

const NONE = { throttled: 0, partial: 0, serverError: 0, doneServerError: 0, reset: 0, doneReset: 0, slow: 0 };
export const NO_FAULTS: Faults = { ...NONE, slowMs: 0 };

export type FaultProxy = {
  readonly url: string;
  readonly counts: Readonly<Record<Fault | 'requests' | 'refused', number>>;
  readonly setFaults: (faults: Faults) => void;
  /** While it is out every connection ends at once, those in hand too. */
  readonly setOut: (isOut: boolean) => void;
  readonly close: () => Promise<void>;
};

type Options = { readonly target: string; readonly faults: Faults; readonly random: Random; readonly clock: Clock };
type Passed = { readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: Buffer };

/**
 * Stands on loopback between our code and a Kinesis- or DynamoDB-compatible peer, and does to requests what networks and AWS do. Which request meets
 * which fault follows from the seed and the order of the requests.
 */
export async function startFaultProxy({ target, faults, random, clock }: Options): Promise<FaultProxy> {
  const counts = { ...NONE, requests: 0, refused: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const sockets = new Set<Socket>();
  let current = faults;
  let isOut = false;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    counts.requests += 1;
    const fault = drawn(current, random);
    if (fault !== undefined) counts[fault] += 1;
    const pass = (changed: Buffer = body): Promise<Passed> => passOn({ target, agent, request, body: changed });
    if (fault === 'slow') await pause(clock, random.next() * current.slowMs);
    const partial = fault === 'partial' ? partialOf(request, body, random) : undefined;
    const answered = fault !== undefined && UNDONE.has(fault) ? undefined : await pass(partial?.body);
    if (fault === 'reset' || fault === 'doneReset') request.socket.destroy();
    else if (fault === 'throttled') answer(response, refusal(400, THROTTLED));
    else if (fault === 'serverError') answer(response, refusal(random.next() < 0.5 ? 500 : 503, 'InternalFailure'));
    else if (fault === 'doneServerError') answer(response, refusal(500, 'InternalFailure'));
    else answer(response, partial?.completed(answered!) ?? answered!);
  };
  const server = createServer((request, response) => {
    // A client that hangs up, or a peer that does: the connection ends.
    serve(request, response).catch(() => request.socket.destroy());
  });
  server.on('connection', (socket) => {
    if (isOut) {
      counts.refused += 1;
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    setFaults: (wanted) => {
      current = wanted;
    },
    setOut: (wanted) => {
      isOut = wanted;
      if (isOut) for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      agent.destroy();
    },
  };
}

const THROTTLED = 'ProvisionedThroughputExceededException';
const FAULTS: readonly Fault[] = [
  'throttled',
  'partial',
  'serverError',
  'doneServerError',
  'reset',
  'doneReset',
  'slow',
];

/** The peer never hears of these. */
const UNDONE: ReadonlySet<Fault> = new Set(['throttled', 'serverError', 'reset']);

function drawn(faults: Faults, random: Random): Fault | undefined {
  let at = random.next();
  for (const fault of FAULTS) {
    at -= faults[fault];
    if (at < 0) return fault;
  }
  return undefined;
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function passOn(passed: {
  readonly target: string;
  readonly agent: Agent;
  readonly request: IncomingMessage;
  readonly body: Buffer;
}): Promise<Passed> {
  const { target, agent, request, body } = passed;
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, 'content-length': body.length };
    const onward = httpRequest(new URL(request.url ?? '/', target), { method: request.method, headers, agent });
    onward.on('response', (response) => {
      bodyOf(response).then(
        (answered) => resolve({ status: response.statusCode ?? 502, headers: response.headers, body: answered }),
        reject,
      );
    });
    onward.on('error', reject);
    onward.end(body);
  });
}

/** What these say of a body or a connection holds no longer. */
const STALE: ReadonlySet<string> = new Set(['x-amz-crc32', 'transfer-encoding', 'connection']);

function answer(response: ServerResponse, { status, headers, body }: Passed): void {
  const kept = Object.entries(headers).filter(([name]) => !STALE.has(name));
  response.writeHead(status, { ...Object.fromEntries(kept), 'content-length': body.length }).end(body);
}

const refusal = (status: number, type: string): Passed => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: Buffer.from(JSON.stringify({ __type: type, message: 'of the fault proxy' })),
});

type Partial = { readonly body: Buffer; readonly completed: (answered: Passed) => Passed };

/** The part that the peer gets to see, and its answer as if it had seen all; undefined for what cannot be done in part. */
function partialOf(request: IncomingMessage, body: Buffer, random: Random): Partial | undefined {
  const operation = String(request.headers['x-amz-target']).split('.').at(-1);
  if (operation === 'PutRecords') return partialRecords(JSON.parse(body.toString()) as PutRecords, random);
  if (operation === 'BatchWriteItem') return partialWrites(JSON.parse(body.toString()) as BatchWrite, random);
  return undefined;
}

type PutRecords = { readonly Records: readonly object[] };
type PutAnswer = { readonly Records: readonly object[] };

function partialRecords(asked: PutRecords, random: Random): Partial | undefined {
  const isTaken: boolean[] = asked.Records.map(() => random.next() < 0.5);
  // The peer takes no empty request.
  isTaken[random.integer(isTaken.length)] = true;
  return {
    body: json({ ...asked, Records: asked.Records.filter((_record, at) => isTaken[at] === true) }),
    completed: (answered) => {
      if (answered.status !== 200) return answered;
      const taken = [...(JSON.parse(answered.body.toString()) as PutAnswer).Records];
      const refused = { ErrorCode: THROTTLED, ErrorMessage: 'Rate exceeded for shard' };
      const Records = isTaken.map((taking) => (taking ? taken.shift()! : refused));
      return { ...answered, body: json({ FailedRecordCount: isTaken.filter((taking) => !taking).length, Records }) };
    },
  };
}

type BatchWrite = { readonly RequestItems: Readonly<Record<string, readonly object[]>> };

function partialWrites({ RequestItems, ...rest }: BatchWrite, random: Random): Partial | undefined {
  const [table, writes = []] = Object.entries(RequestItems)[0] ?? [''];
  if (writes.length < 2) return undefined;
  const taken = writes.slice(0, 1 + random.integer(writes.length - 1));
  return {
    body: json({ ...rest, RequestItems: { [table]: taken } }),
    completed: (answered) =>
      answered.status === 200
        ? { ...answered, body: json({ UnprocessedItems: { [table]: writes.slice(taken.length) } }) }
        : answered,
  };
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });
