import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { dynamoClient, kinesisClient } from '#functions/common/clients.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { lockFolder } from '#local/path-lock.ts';
import { ensureStreams, ensureTables, startDynamo, startKinesis } from '#local/peers.ts';
import { tempDir } from '../functions/support/world.ts';

const dirs = [tempDir(), tempDir(), tempDir()];
afterAll(() => dirs.forEach(({ remove }) => remove()));

describe('peers', () => {
  it('keep what was stored over a stop and a close', async () => {
    const dataDir = dirs[0]!.path;
    const tables = tableDefinitions({ state_table: 'state', events_table: 'events' });
    const key = { pk: { S: 'a' }, sk: { S: 'b' } };

    const first = await startDynamo({ dataDir, port: 0 });
    const client = dynamoClient({ endpoint: first.url, attempts: 1 });
    await ensureTables(client, tables);
    await client.send(new PutItemCommand({ TableName: 'state', Item: { ...key, n: { N: '1' } } }));
    await first.stop();
    await expect(client.send(new GetItemCommand({ TableName: 'state', Key: key }))).rejects.toThrow();
    await first.start();
    await ensureTables(client, tables);
    expect((await client.send(new GetItemCommand({ TableName: 'state', Key: key }))).Item?.['n']).toEqual({ N: '1' });
    await first.close();

    const second = await startDynamo({ dataDir, port: 0 });
    const again = dynamoClient({ endpoint: second.url });
    expect((await again.send(new GetItemCommand({ TableName: 'state', Key: key }))).Item?.['n']).toEqual({ N: '1' });
    await second.close();
  });

  it('name a taken port', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const dataDir = dirs[1]!.path;
    await expect(startKinesis({ dataDir, port })).rejects.toThrow(new BadInput(`port ${port} on 127.0.0.1 is taken`));
    squatter.close();
    // The failed start gave the folder back.
    const peer = await startKinesis({ dataDir, port: 0 });
    await ensureStreams(kinesisClient({ endpoint: peer.url }), ['one'], 1);
    await peer.close();
  });

  it('name the process that holds a folder, and take over from a dead one', async () => {
    const folder = join(dirs[2]!.path, 'dynamodb');
    const held = lockFolder(folder);
    await expect(startDynamo({ dataDir: dirs[2]!.path, port: 0 })).rejects.toThrow(/in use by this process/);
    held.release();

    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    writeFileSync(join(folder, 'owner.lock'), String(other.pid));
    await expect(startDynamo({ dataDir: dirs[2]!.path, port: 0 })).rejects.toThrow(`in use by process ${other.pid!}`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    const peer = await startDynamo({ dataDir: dirs[2]!.path, port: 0 });
    await peer.close();
  });

  it('survive a client that hangs up in the middle of a request', async () => {
    const peer = await startKinesis({ dataDir: dirs[1]!.path, port: 0 });
    const socket = connect(Number(new URL(peer.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"half');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await ensureStreams(kinesisClient({ endpoint: peer.url }), ['two'], 1);
    await peer.close();
  });
});
