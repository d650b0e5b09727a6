import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Command } from '#shared/schema/command.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import { LeaseGate } from '../lease/lease-gate.ts';
import { Backoff } from '../runtime/backoff.ts';
import { dynamodbFrom, kinesisFrom, putRecordsTo, putStatus } from './aws.ts';
import type { CommandPosition } from './command-poller.ts';
import { CommandPoller } from './command-poller.ts';
import { JOURNAL_START, journalPositionFrom, JournalReader } from './journal.ts';
import type { OutboxRecord } from './outbox.ts';
import { BATCH_RECORDS_MAX } from './outbox.ts';
import { positionFile } from './position-file.ts';
import { errorText, isOutside, Shipper } from './shipper.ts';
import { ToldReader } from './told.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './worker-messages.ts';

/** Looks for new records this often when there were none. */
const IDLE_MS = 20;
const REPORT_MS = 250;
const COMMANDS_MS = 250;
/** It is woken where there is something. */
const TOLD_MS = 1_000;
const RETRY_MS = 1_000;

assert(parentPort !== null, 'the publish worker is started as a worker thread');
const port = parentPort;
const options = workerData as WorkerOptions;
const clock = systemClock();
const nowMs = (): number => clock.unixMs(clock.now());
const kinesis = kinesisFrom(options.aws);
const dynamodb = dynamodbFrom(options.aws);
const putMarket = putRecordsTo(kinesis, options.streams.market);
const putEvents = putRecordsTo(kinesis, options.streams.events);
const gate = options.lease === undefined ? undefined : new LeaseGate(options.lease.memory);
const writer = options.lease === undefined ? '' : `-${String(options.lease.epoch)}`;

const position = positionFile(options.positionFile, journalPositionFrom, writer);
const start = position.load() ?? JOURNAL_START;
const shipper = new Shipper(
  {
    reader: new JournalReader(options.journalDir, start),
    position,
    // What was read while the lease is good was written while it was: another engine's word on it cannot differ.
    put: async (records) => {
      await whileHeld();
      return await putEvents(records);
    },
    backoff: new Backoff({ minMs: 100, maxMs: 2_000 }, randomFrom(options.seed)),
    sleep: wait,
  },
  start,
);

/** What the engine says once a second; an older word that found no time is dropped. */
const told = new ToldReader(options.told);
let isPosting = false;
let drainTo: number | undefined;
/** The last failure of everything that may fail without loss: samples, status, commands. Cleared by the next success of the same thing. */
const failures = new Map<string, string>();

const tell = (message: FromWorker): void => port.postMessage(message);

/** Returns while this engine may speak. One that was paused and has lost its lease stays here until it ends. */
async function whileHeld(): Promise<void> {
  while (gate?.isOpen === false) await wait(IDLE_MS);
}

/** Does something that the outside may refuse; remembers what it said. */
async function attempt(what: string, task: () => Promise<void>): Promise<boolean> {
  try {
    await task();
    failures.delete(what);
    return true;
  } catch (error) {
    if (!isOutside(error)) throw error;
    failures.set(what, `${what}: ${errorText(error)}`);
    return false;
  }
}

async function shipForEver(): Promise<void> {
  for (;;) {
    let shipped = 0;
    const isGood = await attempt('journal', async () => {
      shipped = await shipper.shipBatch();
    });
    if (drainTo !== undefined && shipper.published >= drainTo && told.isEmpty && !isPosting) return;
    if (!isGood) await wait(RETRY_MS);
    else if (shipped === 0) await wait(IDLE_MS);
  }
}

async function postForEver(): Promise<void> {
  for (;;) {
    const current = told.take();
    if (current === undefined) {
      await told.wait(TOLD_MS);
      continue;
    }
    isPosting = true;
    await whileHeld();
    await attempt('status', () => putStatus(dynamodb, options.stateTable, current.status));
    await attempt('market', () => sendSamples(current.market));
    isPosting = false;
  }
}

/** Samples may be lost: one attempt, and the next second brings newer ones. */
async function sendSamples(samples: readonly MarketSample[]): Promise<void> {
  for (let at = 0; at < samples.length; at += BATCH_RECORDS_MAX) {
    await putMarket(samples.slice(at, at + BATCH_RECORDS_MAX).map(sampleRecord));
  }
}

const sampleRecord = (sample: MarketSample): OutboxRecord => ({
  seq: 0,
  key: sample.instrument,
  json: JSON.stringify(sample),
});

/** Told one at a time: the poller waits for each. */
let onObeyed: (id: string) => void = () => undefined;

async function carryOut(command: Command): Promise<void> {
  await new Promise<void>((resolve) => {
    onObeyed = (id) => {
      if (id === command.id) resolve();
    };
    tell({ kind: 'command', command });
  });
  // Obeyed under a lease that had ended it counts for nothing: who has the lease now must hear it too.
  await whileHeld();
}

async function listenForEver(): Promise<void> {
  const poller = new CommandPoller({
    kinesis,
    stream: options.streams.commands,
    position: positionFile(options.commandsFile, (json) => json as CommandPosition, writer),
    nowMs,
    onCommand: carryOut,
  });
  for (;;) {
    await whileHeld();
    const { malformed } = poller;
    const isGood = await attempt('commands', () => poller.poll());
    if (poller.malformed > malformed) {
      failures.set('malformed', 'commands: a record that is no command was skipped');
      report();
      failures.delete('malformed');
    }
    await wait(isGood ? COMMANDS_MS : RETRY_MS);
  }
}

async function reportForEver(): Promise<void> {
  for (;;) {
    // Also while a post is on its way for long: what is read makes room.
    told.listen();
    report();
    await wait(REPORT_MS);
  }
}

function report(): void {
  const { oldestAt, published, lastError } = shipper;
  const lagMs = oldestAt === undefined ? 0 : Math.max(0, nowMs() - Number(BigInt(oldestAt) / 1_000_000n));
  const [failure = ''] = failures.values();
  tell({ kind: 'report', published, lagMs, lastError: lastError === '' ? failure : `events: ${lastError}` });
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'drain':
      drainTo = message.seq;
      return;
    case 'obeyed':
      onObeyed(message.id);
  }
});

await Promise.race([shipForEver(), postForEver(), listenForEver(), reportForEver()]);
report();
tell({ kind: 'drained', published: shipper.published });
kinesis.destroy();
dynamodb.destroy();
port.close();
