import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { BadInput } from '#shared/assert.ts';

/** A small JSON file that is replaced whole or not at all. */
export type PositionFile<T> = {
  /** Undefined when it was never saved. @throws BadInput on a file that is none of ours. */
  readonly load: () => T | undefined;
  readonly save: (value: T) => void;
};

/** Who else may write the file says so by another `writer`: two that save at the same time must not write into each other's file. */
export function positionFile<T>(path: string, parse: (json: unknown) => T, writer = ''): PositionFile<T> {
  const unfinished = `${path}${writer}.new`;
  return {
    load: () => {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
      try {
        return parse(JSON.parse(text));
      } catch (error) {
        throw new BadInput(`position file cannot be read: file=${path}`, { cause: error });
      }
    },
    save: (value) => {
      writeFileSync(unfinished, JSON.stringify(value));
      renameSync(unfinished, path);
    },
  };
}
