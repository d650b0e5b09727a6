import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { pythonWith } from '#test/support/python-tool.ts';
import { hasRecorded } from '#test/support/recorded.ts';
import type { Goal, Row } from './cases.ts';
import { median } from './measure.ts';
import type { PeerFeed } from './peer-feeds.ts';
import { OwnBooks, recordedBinance, tickOf } from './peer-feeds.ts';

const LIBRARIES = { nautilus_trader: '1.221.0', hftbacktest: '2.4.4' };
/** Ours and theirs take turns, a process of theirs each time. */
const TURNS = 2;
const WARM_ROUNDS = 4;
const WITHIN_TWICE: Goal = { of: 'ratio', least: 0.5 };

const RECORDINGS = [
  { stream: 'hftbacktest/spot_btcusdt_20240808', market: 'spot' },
  { stream: 'hftbacktest/cm_btcusd_perp_20240808', market: 'coinm' },
] as const;

/** What native-peers.py prints of each thing that it times. */
type Timed = {
  readonly name: 'decode and book' | 'book alone';
  readonly version: string;
  readonly ns: readonly number[];
  readonly hash: string;
  readonly about: string;
};

/**
 * Frames of Binance beside two engines whose books are native code: the best prices after each frame must be equal, and hash to the row's result. None where
 * there are no recordings, no Python, or nothing to install the libraries from; stderr has the reason.
 */
export function nativeCases(framesMax: number, rounds: number): readonly Row[] {
  const python = hasRecorded ? pythonWith(LIBRARIES) : { absent: 'there are no recordings (RECORDED_DIR)' };
  if ('absent' in python) {
    process.stderr.write(`native: skipped: ${python.absent}\n`);
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-native-'));
  try {
    return RECORDINGS.flatMap(({ stream, market }) => {
      const feed = recordedBinance(stream, market, framesMax);
      const frames = join(folder, `${market}.jsonl`);
      writeFileSync(frames, [...feed.snapshotTexts.values(), ...feed.frames.map(String), ''].join('\n'));
      return Object.keys(LIBRARIES).flatMap((peer) => rowsOf(peer, feed, { python: python.path, frames, rounds }));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Setup = { readonly python: string; readonly frames: string; readonly rounds: number };

function rowsOf(peer: string, feed: PeerFeed, setup: Setup): readonly Row[] {
  const ours = { 'decode and book': wholeOf(feed), 'book alone': bookOf(feed) };
  for (let round = 0; round < WARM_ROUNDS; round += 1) for (const time of Object.values(ours)) time();
  const turns = Array.from({ length: TURNS }, () => {
    const theirs = timedBy(peer, feed, setup);
    const each = (time: () => number): readonly number[] => Array.from({ length: setup.rounds }, time);
    return theirs.map((timed) => ({ ...timed, ours: each(ours[timed.name]) }));
  });
  const hash = topsHash(feed);
  return turns[0]!.map(({ name, version, about, hash: plainHash }, at) => {
    const all = turns.map((timed) => timed[at]!);
    const value = median(all.flatMap((timed) => timed.ours));
    const theirs = median(all.flatMap(({ ns }) => ns));
    return {
      name: `${peer}, ${feed.venue} ${feed.market.id}, ${name}`,
      unit: 'ns/message',
      value,
      ratio: theirs / value,
      hash,
      plainHash,
      goal: WITHIN_TWICE,
      note: `${peer} ${version}: ${about}`,
    };
  });
}

function timedBy(peer: string, { openings }: PeerFeed, { python, frames, rounds }: Setup): readonly Timed[] {
  const [opening] = openings.values();
  const input = JSON.stringify({ peer, frames, rounds, tick: tickOf(opening!) });
  const { stdout, stderr, status } = spawnSync(python, ['test/bench/native-peers.py'], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${peer} ended with ${status}: ${stderr}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Timed);
}

/** Bytes → numbers → book → best prices: nanoseconds a frame of one round. */
const wholeOf = (feed: PeerFeed) => (): number => {
  const { frames } = feed;
  const own = new OwnBooks(feed);
  const started = performance.now();
  for (let at = 0; at < frames.length; at += 1) own.hear(frames[at]!);
  return ((performance.now() - started) * 1e6) / frames.length;
};

/** Numbers that were decoded before → book → best prices. */
const bookOf = (feed: PeerFeed) => {
  const updates: MarketUpdate[] = [];
  const decoding = new OwnBooks(feed, (update) => updates.push(kept(update)));
  // The snapshot that opened the books is the first.
  for (const frame of feed.frames) decoding.hear(frame);
  const deltas = updates.slice(-feed.frames.length);
  return (): number => {
    const { store } = new OwnBooks(feed);
    const started = performance.now();
    for (let at = 0; at < deltas.length; at += 1) store.apply(deltas[at]!);
    return ((performance.now() - started) * 1e6) / deltas.length;
  };
};

/** Levels of an update as long as they are, not as their buffer is. */
function kept(update: MarketUpdate): MarketUpdate {
  const levels = (side: MarketUpdate['bids']): MarketUpdate['bids'] => ({
    ...side,
    prices: side.prices.slice(0, side.count),
    qtys: side.qtys.slice(0, side.count),
  });
  return { ...update, bids: levels(update.bids), asks: levels(update.asks) };
}

/** As native-peers.py hashes it. */
function topsHash(feed: PeerFeed): string {
  const own = new OwnBooks(feed);
  const tops = new Float64Array(2 * feed.frames.length);
  for (const [at, frame] of feed.frames.entries()) {
    own.hear(frame);
    tops.set(own.tops[0]!, 2 * at);
  }
  return createHash('sha256').update(new Uint8Array(tops.buffer)).digest('hex').slice(0, 16);
}
