import type { Random } from '#shared/random.ts';

/** What may happen to a frame between the venue and us. The first three change which frames arrive, the rest what one says. */
export const kinds = ['drop', 'duplicate', 'reorder', 'truncate', 'bit-flip', 'digit', 'insert', 'delete'] as const;
export type Kind = (typeof kinds)[number];

/** The frame's bytes after a mutation of its content; always different from before. */
export function mutated(bytes: Buffer, kind: Kind, random: Random): Buffer {
  const at = random.integer(bytes.length);
  switch (kind) {
    case 'truncate':
      return bytes.subarray(0, at);
    case 'bit-flip': {
      const flipped = Buffer.from(bytes);
      for (let flips = 1 + random.integer(4); flips > 0; flips -= 1) {
        flipped[(at + 97 * flips) % bytes.length]! ^= 1 << random.integer(8);
      }
      return flipped;
    }
    case 'digit': {
      const changed = Buffer.from(bytes);
      for (let from = at; from < at + bytes.length; from += 1) {
        const index = from % bytes.length;
        const digit = changed[index]! - 0x30;
        if (digit < 0 || digit > 9) continue;
        changed[index] = 0x30 + ((digit + 1 + random.integer(9)) % 10);
        break;
      }
      return changed;
    }
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random.integer(256)]), bytes.subarray(at)]);
    case 'delete':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    case 'drop':
    case 'duplicate':
    case 'reorder':
      return bytes;
  }
}

export const changesContent = (kind: Kind): boolean => kind !== 'drop' && kind !== 'duplicate' && kind !== 'reorder';
