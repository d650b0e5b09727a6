import { assert } from '#shared/assert.ts';
import { claimSteps, FRAME_MEMORY, FRAME_VIEW } from './frame-memory.ts';

/** The form that a venue's frames commonly have, for {@link Frame.has}. */
export type Shape = number & { readonly shape: unique symbol };

/** What stands in a shape's places, and the byte that comes before it; the numbers are those of frame-kernel.as. */
const PLACES: Readonly<Record<string, { readonly kind: number; readonly opens: string }>> = {
  number: { kind: 1, opens: '' },
  integer: { kind: 2, opens: '' },
  text: { kind: 3, opens: '' },
  levels: { kind: 4, opens: '[' },
  objects: { kind: 5, opens: '[' },
};
const FRAME_END = 0;
const MORE_TEXT = 6;
const STEP_BYTES = 32;
const TEXT_BYTES = 16;
const TEXTS_MAX = 8;
const NUMBERS_MAX = 16;
const LISTS_MAX = 2;

/**
 * A frame byte by byte, with places for what changes: `<number>`, `<integer>` (of at most sixteen digits), `<text>` (within quotes of the shape), `<levels>`
 * (`[["p","q"],…]`) and `<objects>` (`[{"price":p,"qty":q},…]`). Made once, at module load.
 */
export function shapeOf(text: string): Shape {
  const parts = text.split(/<(number|integer|text|levels|objects)>/);
  const places = parts.filter((_part, at) => at % 2 === 1);
  const count = (...names: readonly string[]): number => places.filter((name) => names.includes(name)).length;
  assert(count('text') <= TEXTS_MAX && count('number', 'integer') <= NUMBERS_MAX, 'too many places in a shape');
  assert(count('levels', 'objects') <= LISTS_MAX, 'more than two lists in a shape');
  const steps = places.flatMap((name, at) => {
    const { kind, opens } = PLACES[name]!;
    return stepsOf(parts[2 * at]! + opens, kind);
  });
  return written([...steps, ...stepsOf(parts.at(-1)!, FRAME_END)]) as Shape;
}

type Step = { readonly text: string; readonly kind: number };

function stepsOf(text: string, kind: number): readonly Step[] {
  if (text.length <= TEXT_BYTES) return [{ text, kind }];
  return [{ text: text.slice(0, TEXT_BYTES), kind: MORE_TEXT }, ...stepsOf(text.slice(TEXT_BYTES), kind)];
}

function written(steps: readonly Step[]): number {
  const from = claimSteps(steps.length * STEP_BYTES);
  for (const [index, { text, kind }] of steps.entries()) {
    const at = from + index * STEP_BYTES;
    FRAME_VIEW.setInt32(at, 2 ** text.length - 1, true);
    FRAME_VIEW.setInt32(at + 4, text.length, true);
    FRAME_VIEW.setInt32(at + 8, kind, true);
    FRAME_MEMORY.set(Buffer.from(text), at + STEP_BYTES - TEXT_BYTES);
  }
  return from;
}
