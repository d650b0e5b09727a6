import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LeaseGate } from '#hotpath/lease/lease-gate.ts';
import { RemoteStore } from '#hotpath/lease/remote-store.ts';
import { dynamodbFrom } from '#hotpath/publish/aws.ts';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { createStateTable } from '#test/support/state-table.ts';

const clock = systemClock();
let peer: Server;
let endpoint: string;
const crashes: Error[] = [];
const stores: RemoteStore[] = [];

beforeAll(async () => {
  peer = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(peer.address() as AddressInfo).port}`;
  await createStateTable(dynamodb());
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  expect(crashes).toEqual([]);
});
afterAll(
  () =>
    new Promise((resolve) => {
      peer.close(resolve);
      peer.closeAllConnections();
    }),
);

const dynamodb = () => dynamodbFrom({ region: 'eu-west-1', dynamodbEndpoint: endpoint });

function storeOf(engine: string, { timeoutMs = 5_000, at = endpoint, stateTable = 'state' } = {}): RemoteStore {
  const aws = { region: 'eu-west-1', dynamodbEndpoint: at };
  const store = new RemoteStore({
    clock,
    worker: { engine, stateTable, aws, timeoutMs },
    onCrash: (error) => crashes.push(error),
  });
  stores.push(store);
  return store;
}

describe('the record of a lease in DynamoDB', () => {
  it('is written only where it is what the writer saw', async () => {
    const [one, other] = [storeOf('e'), storeOf('e')];
    expect(await one.read()).toBeUndefined();
    const first = { holder: 'one', epoch: 1, beat: 1 };
    expect(await one.replace(undefined, first)).toBe(true);
    expect(await other.replace(undefined, { holder: 'other', epoch: 1, beat: 1 })).toBe(false);
    expect(await other.read()).toEqual(first);
    for (const seen of [
      { ...first, beat: 2 },
      { ...first, epoch: 2 },
      { ...first, holder: '' },
    ])
      expect(await other.replace(seen, { holder: 'other', epoch: 2, beat: 2 })).toBe(false);
    const released = { holder: '', epoch: 1, beat: 2 };
    expect(await one.replace(first, released)).toBe(true);
    expect(await other.replace(released, { holder: 'other', epoch: 2, beat: 3 })).toBe(true);
    expect(await one.read()).toEqual({ holder: 'other', epoch: 2, beat: 3 });
  });

  it('belongs to one engine', async () => {
    const [one, other] = [storeOf('one'), storeOf('two')];
    expect(await one.replace(undefined, { holder: 'a', epoch: 1, beat: 1 })).toBe(true);
    expect(await other.read()).toBeUndefined();
  });

  it('is taken by one of many who try at once', async () => {
    const [one, other] = [storeOf('race'), storeOf('race')];
    const tries = Array.from({ length: 12 }, (_, at) =>
      (at % 2 === 0 ? one : other).replace(undefined, { holder: String(at), epoch: 1, beat: 1 }),
    );
    expect((await Promise.all(tries)).filter(Boolean).length).toBe(1);
  });

  it('is bad input where somebody else wrote it, or the table is not there, or nobody answers', async () => {
    await dynamodb().send(
      new PutItemCommand({
        TableName: 'state',
        Item: { pk: { S: 'ENGINE#alien' }, sk: { S: 'LEASE' }, x: { N: '1' } },
      }),
    );
    await expect(storeOf('alien').read()).rejects.toThrow(BadInput);
    await expect(storeOf('e', { stateTable: 'nowhere' }).read()).rejects.toThrow('ResourceNotFoundException');
    await expect(storeOf('e', { at: 'http://127.0.0.1:1' }).read()).rejects.toThrow('ECONNREFUSED');
  });
});

describe('the gate of a lease', () => {
  it('is open until its deadline passes or it is closed, for whoever has its memory', async () => {
    const gate = new LeaseGate();
    const elsewhere = new LeaseGate(gate.memory);
    expect([gate.isOpen, elsewhere.isOpen]).toEqual([false, false]);
    gate.openFor(() => 60_000);
    expect([gate.isOpen, elsewhere.isOpen]).toEqual([true, true]);
    gate.close();
    expect(elsewhere.isOpen).toBe(false);
    gate.openFor(() => 5);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(elsewhere.isOpen).toBe(false);
  });
});
