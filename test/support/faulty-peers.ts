import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FaultProxy, Faults } from './fault-proxy.ts';

export type PeerName = 'kinesis' | 'dynamodb';
export type Counts = Readonly<Record<PeerName, FaultProxy['counts']>>;
export type Urls = Readonly<Record<PeerName, string>>;
export type FaultyPeersOptions = {
  readonly seed: number;
  readonly faults: Faults;
  /** `dynalite` knows all of DynamoDB's expressions and holds some hundred events a second; the stub knows ours and holds thousands. */
  readonly database: 'dynalite' | 'stub';
};

export type ToPeers =
  | { readonly kind: 'out'; readonly peer: PeerName; readonly isOut: boolean }
  /** No more faults, no more outages. */
  | { readonly kind: 'calm' }
  | { readonly kind: 'count' };
export type FromPeers =
  | { readonly kind: 'ready'; readonly direct: Urls; readonly faulty: Urls }
  | { readonly kind: 'counts'; readonly counts: Counts };

/** Kinesis and DynamoDB, each with a fault proxy before it, in a process of their own: what they cost is not what our code costs. */
export type FaultyPeers = {
  readonly direct: Urls;
  readonly faulty: Urls;
  readonly setOut: (peer: PeerName, isOut: boolean) => void;
  readonly calm: () => void;
  readonly counts: () => Promise<Counts>;
  readonly close: () => Promise<void>;
};

export async function startFaultyPeers(options: FaultyPeersOptions): Promise<FaultyPeers> {
  const entry = fileURLToPath(new URL('faulty-peers-child.ts', import.meta.url));
  const child = fork(entry, [JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  });
  const told = <K extends FromPeers['kind']>(kind: K): Promise<Extract<FromPeers, { kind: K }>> =>
    new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the peers ended with ${String(code)}`)));
      const hear = (message: unknown): void => {
        if ((message as FromPeers).kind !== kind) return;
        child.off('message', hear);
        resolve(message as Extract<FromPeers, { kind: K }>);
      };
      child.on('message', hear);
    });
  const say = (message: ToPeers): void => void child.send(message);
  const { direct, faulty } = await told('ready');
  return {
    direct,
    faulty,
    setOut: (peer, isOut) => say({ kind: 'out', peer, isOut }),
    calm: () => say({ kind: 'calm' }),
    counts: async () => {
      const answer = told('counts');
      say({ kind: 'count' });
      return (await answer).counts;
    },
    close: async () => {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      // It ends when nobody listens to it any more.
      child.disconnect();
      await gone;
    },
  };
}
