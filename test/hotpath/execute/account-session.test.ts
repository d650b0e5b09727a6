import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { AccountClient } from '#hotpath/execute/account/account-client.ts';
import type { AccountNews } from '#hotpath/execute/account/account-session.ts';
import { AccountSession } from '#hotpath/execute/account/account-session.ts';
import type { AccountSocket, Call } from '#hotpath/venues/venue-account.ts';
import { ok, refused } from '#hotpath/venues/venue-tools.ts';
import { accountRig, BTC } from '#test/support/account-rig.ts';
import { scriptedAccount, scriptedSocket } from '#test/support/account-venue.ts';

function sessionRig(shape: Partial<AccountSocket>, via?: string) {
  const rig = accountRig(scriptedAccount(), via === undefined ? {} : { via });
  const client = new AccountClient(rig.setup, rig.outside);
  const events: AccountNews[] = [];
  const lost: number[] = [];
  let ready = 0;
  const session = new AccountSession({
    client,
    socket: scriptedSocket(shape),
    instruments: [BTC],
    onEvent: (event) => void events.push(event),
    onReady: () => {
      ready += 1;
    },
    onLost: (heardMs) => void lost.push(heardMs),
  });
  session.start();
  return { ...rig, client, session, events, lost, readies: () => ready };
}

const call = <T>(path: string, read: Call<T>['read']): Call<T> => ({
  method: 'POST',
  path: `/${path}`,
  headers: {},
  body: '{}',
  weight: { ip: 1 },
  read,
});
const passCall = call('pass', ({ text }) => ok((JSON.parse(text) as { pass: string }).pass));
const sent = (said: readonly string[]): string[] => said.filter((text) => text.startsWith('{'));
const operations = (said: readonly string[]): string[] =>
  sent(said).map((text) => (JSON.parse(text) as { op: string }).op);

describe('AccountSession', () => {
  it('logs in, then subscribes, then hears', () => {
    const { venue, forward, readies, events, session } = sessionRig({});
    forward(100);
    expect(operations(venue.said)).toEqual(['login', 'subscribe']);
    expect([readies(), session.isReady]).toEqual([1, true]);
    venue.broadcast('{"kind":"balance","balance":{}}');
    venue.broadcast('{"kind":"pong"}');
    forward(100);
    expect(events).toEqual([{ kind: 'balance', balance: {} }]);
  });

  it('is ready as soon as it is open where nobody asks for a login', () => {
    const { venue, forward, readies } = sessionRig({ login: () => [] });
    forward(100);
    expect(operations(venue.said)).toEqual(['subscribe']);
    expect(readies()).toBe(1);
  });

  it('goes through another address, wherever the pass leads', () => {
    const pass = { ask: () => passCall };
    const near = sessionRig({ pass, path: (_context, key) => `/ws?key=${key}` }, 'http://127.0.0.1:9');
    near.forward(100);
    expect(near.venue.said[0]).toBe('/ws.scripted.test/private/ws?key=listen-key-1234');
    const far = sessionRig({ pass, path: (_context, key) => `wss://else.where:99/${key}` }, 'http://127.0.0.1:9');
    far.forward(100);
    expect(far.venue.said[0]).toBe('/else.where:99/listen-key-1234');
  });

  it('keeps its pass alive, and gets a new one when that fails', () => {
    const pass: NonNullable<AccountSocket['pass']> = {
      ask: () => passCall,
      renew: {
        everyMs: 60_000,
        call: () => call('renew', ({ status }) => (status === 200 ? ok(1) : refused('not-allowed', 'x', 'gone'))),
      },
    };
    const { venue, forward, session } = sessionRig({ pass, idleMs: 1e9 });
    forward(125_000);
    expect(venue.names()).toEqual(['pass', 'renew', 'renew']);
    venue.override('renew', { status: 400, text: '{}' });
    forward(70_000);
    expect(venue.names().slice(3)).toEqual(['renew', 'pass']);
    expect([session.isReady, session.reconnects]).toEqual([true, 1]);
  });

  it('proves itself when it is challenged, and answers pings as they are asked', () => {
    const { venue, forward, session } = sessionRig({
      login: () => ['{"op":"hello"}'],
      prove: (challenge) => [JSON.stringify({ op: `proof-of-${challenge}` })],
    });
    forward(100);
    venue.broadcast('{"kind":"challenge","text":"abc"}');
    forward(100);
    expect(operations(venue.said)).toEqual(['hello', 'proof-of-abc']);
    expect(session.isReady).toBe(false);
    venue.broadcast('{"kind":"ready"}');
    venue.broadcast('{"kind":"ping","reply":"{\\"op\\":\\"pong-7\\"}"}');
    forward(100);
    expect(operations(venue.said).slice(2)).toEqual(['subscribe', 'pong-7']);
  });

  it('beats, and gives a silent socket up', () => {
    const { venue, forward, session, lost, clock } = sessionRig({ idleMs: 40_000 });
    forward(100);
    const heardMs = clock.unixMs(clock.now());
    forward(35_000);
    expect(operations(venue.said).filter((op) => op === 'beat')).toHaveLength(2);
    forward(60_000);
    expect(session.reconnects).toBe(2);
    expect(lost[0]).toBeLessThan(heardMs);
    expect(heardMs - lost[0]!).toBeLessThan(200);
  });

  it('opens another when it is told that it is over', () => {
    const { venue, forward, session, lost } = sessionRig({});
    forward(100);
    venue.broadcast('{"kind":"over","text":"24 hours"}');
    forward(5_000);
    expect([session.isReady, session.reconnects, lost.length]).toEqual([true, 1, 1]);
  });

  it('tries later and later where it is not let in, and does not say that anything was lost', () => {
    const { venue, forward, session, lost, readies } = sessionRig({ login: () => ['{"op":"hello"}'] });
    venue.isReachable = true;
    for (let at = 0; at < 20; at += 1) {
      forward(30_000);
      venue.broadcast('{"kind":"error","refusal":{"kind":"refused","meaning":"unauthorised","code":"1","text":"no"}}');
    }
    expect([readies(), session.reconnects, lost.length]).toEqual([0, 0, 0]);
    expect(operations(venue.said).length).toBeGreaterThan(10);
  });

  it('unpacks what is packed', () => {
    const { venue, forward, events } = sessionRig({ compression: 'gzip', login: () => [] });
    forward(100);
    for (const client of venue.clients) client.send(gzipSync('{"kind":"balance","balance":{}}'));
    forward(100);
    expect(events).toHaveLength(1);
  });

  it('is quiet once it is stopped', () => {
    const { venue, forward, session } = sessionRig({});
    forward(100);
    session.stop();
    const said = venue.said.length;
    forward(300_000);
    expect([venue.said.length, session.isReady]).toEqual([said, false]);
  });
});
