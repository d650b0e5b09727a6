import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '#shared/assert.ts';
import { dynamodbFrom } from '../publish/aws.ts';
import { errorText, isOutside } from '../publish/shipper.ts';
import { leaseStoreIn } from './dynamodb-store.ts';
import type {
  FromLeaseWorker,
  LeaseAnswer,
  LeaseQuestion,
  LeaseWorkerOptions,
  ToLeaseWorker,
} from './worker-messages.ts';

/** The requests of the lease, on a thread of their own: the one that trades must not sign them, and the one that ships must not hold them up. */

assert(parentPort !== null, 'the lease worker is started as a worker thread');
const port = parentPort;
const { aws, stateTable, engine, timeoutMs } = workerData as LeaseWorkerOptions;
const store = leaseStoreIn(dynamodbFrom(aws, timeoutMs), stateTable, engine);

async function answerTo(question: LeaseQuestion): Promise<LeaseAnswer> {
  try {
    if (question.kind === 'read') return { kind: 'record', record: await store.read() };
    return { kind: 'replaced', done: await store.replace(question.seen, question.next) };
  } catch (error) {
    if (!isOutside(error)) throw error;
    return { kind: 'failed', error: errorText(error) };
  }
}

port.on('message', ({ id, question }: ToLeaseWorker) => {
  void answerTo(question).then((answer) => port.postMessage({ id, answer } satisfies FromLeaseWorker));
});
