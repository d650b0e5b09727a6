import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '#shared/assert.ts';

/** One file of a journal: the first sequence number in it, and the fencing epoch of who wrote it. */
export type Segment = { readonly first: number; readonly epoch: number };

/**
 * All segments of a directory, void ones included, in the order of their epochs and first numbers.
 * @throws BadInput when there is no such directory.
 */
export function segmentsIn(directory: string): readonly Segment[] {
  return namesIn(directory)
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ first: Number(match[1]), epoch: Number(match[2] ?? 0) }];
    })
    .sort((a, b) => a.epoch - b.epoch || a.first - b.first);
}

/**
 * The last sequence number that counts in a segment; infinite while nothing follows it. A writer of a higher epoch has read up to where its own
 * first segment begins: what a paused writer of a lower one appends after waking is void, in the old segment as in new ones.
 */
export function lastSeqOf(segment: Segment, all: readonly Segment[]): number {
  let last = Infinity;
  for (const { first, epoch } of all) {
    const follows = epoch > segment.epoch || (epoch === segment.epoch && first > segment.first);
    if (follows && first <= last) last = first - 1;
  }
  return last;
}

/** The last sequence number that counts of anything that a writer of this epoch wrote. */
export const lastSeqOfEpoch = (epoch: number, all: readonly Segment[]): number =>
  lastSeqOf({ first: Infinity, epoch }, all);

/** Those in which something counts, or may: the journal, in its order. */
export const liveAmong = (all: readonly Segment[]): readonly Segment[] =>
  all.filter((segment) => segment.first <= lastSeqOf(segment, all));

/** The first epoch's segments, of engines that hold no lease, are named by their first number alone. */
export function segmentPath(directory: string, { first, epoch }: Segment): string {
  const suffix = epoch === 0 ? '' : `-${String(epoch).padStart(6, '0')}`;
  return join(directory, `${String(first).padStart(16, '0')}${suffix}.journal`);
}

/** Who has one of them open keeps it: a reader to its end, a paused writer for nobody. */
export function removeSegments(directory: string, segments: readonly Segment[]): void {
  for (const segment of segments) rmSync(segmentPath(directory, segment), { force: true });
}

const NAME = /^(\d{16})(?:-(\d{6,}))?[.]journal$/;

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new BadInput(`no journal here: directory=${directory}`);
  }
}
