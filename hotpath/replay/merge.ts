import type { FrameLine, Progress } from './frame-file.ts';
import { readFrameFile } from './frame-file.ts';

/** Plays several files as one recording: by receive time, ties in the order of the files, within a file in its own order. */
export async function* mergeFrameFiles(
  paths: readonly string[],
  onProgress?: Progress,
): AsyncGenerator<{ readonly source: number; readonly line: FrameLine }> {
  const shares = paths.map(() => 0);
  const readers = paths.map((path, index) => {
    const batches = readFrameFile(path, (share) => {
      shares[index] = share;
      onProgress?.(shares.reduce((sum, next) => sum + next, 0) / paths.length);
    });
    return new Lookahead(batches);
  });
  try {
    for (const reader of readers) await reader.fill();
    for (;;) {
      let source = -1;
      for (const [index, { head }] of readers.entries()) {
        if (head !== undefined && (source < 0 || head.unixNs < readers[source]!.head!.unixNs)) source = index;
      }
      const reader = readers[source];
      if (reader?.head === undefined) return;
      yield { source, line: reader.head };
      if (!reader.advance()) await reader.fill();
    }
  } finally {
    for (const reader of readers) await reader.close();
  }
}

/** One file's next line. */
class Lookahead {
  head: FrameLine | undefined;
  readonly #batches: AsyncGenerator<readonly FrameLine[]>;
  #batch: readonly FrameLine[] = [];
  #at = 0;

  constructor(batches: AsyncGenerator<readonly FrameLine[]>) {
    this.#batches = batches;
  }

  /** Moves to the next line of the batch; false at its end. */
  advance(): boolean {
    this.#at += 1;
    this.head = this.#batch[this.#at];
    return this.head !== undefined;
  }

  /** Reads batches until there is a line; leaves `head` undefined at the end of the file. */
  async fill(): Promise<void> {
    this.head = undefined;
    while (this.head === undefined) {
      const next = await this.#batches.next();
      if (next.done === true) return;
      this.#batch = next.value;
      this.#at = 0;
      this.head = this.#batch[0];
    }
  }

  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }
}
