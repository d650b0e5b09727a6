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
  nanoseconds: { kind: 7, opens: '' },
  sequence: { kind: 8, opens: '' },
  actions: { kind: 9, opens: '[' },
};
const PLACE = new RegExp(`<(${Object.keys(PLACES).join('|')})>`);
const FRAME_END = 0;
const MORE_TEXT = 6;
const NUMBERS: readonly number[] = [1, 2, 7, 8];
/** How the kernel is told to pass over a number. */
const PASSED_NUMBER = 0x10000;
const STEP_BYTES = 32;
const TEXT_BYTES = 16;
const TEXTS_MAX = 8;
const NUMBERS_MAX = 16;
const LISTS_MAX = 2;

/**
 * A frame byte by byte, with places for what changes. Numbers: `<number>`, `<integer>` (of at most sixteen digits), `<nanoseconds>` (of Unix time, told in
 * milliseconds), `<sequence>` (within quotes of the shape: its last fifteen digits). `<text>` (within quotes of the shape). Lists: `<levels>`
 * (`[["p","q"],…]`), `<objects>` (`[{"price":p,"qty":q},…]`) and `<actions>` (`[["change",p,q],["delete",p,0],…]`). What stands in parentheses may be
 * missing: its numbers are NaN then. Made once, at module load.
 */
export function shapeOf(text: string): Shape {
  const count = (places: RegExp): number => text.match(places)?.length ?? 0;
  assert(count(/<text>/g) <= TEXTS_MAX, 'too many texts in a shape');
  assert(count(/<(number|integer|nanoseconds|sequence)>/g) <= NUMBERS_MAX, 'too many numbers in a shape');
  assert(count(/<(levels|objects|actions)>/g) <= LISTS_MAX, 'more than two lists in a shape');
  const parts = text.split(/[()]/).map((part, at) => ({ steps: partOf(part), isOptional: at % 2 === 1 }));
  return written([...parts, { steps: [{ text: '', kind: FRAME_END }], isOptional: false }]) as Shape;
}

function partOf(text: string): readonly Step[] {
  const [first, ...rest] = text.split(PLACE) as [string, ...string[]];
  const places = rest.filter((_part, at) => at % 2 === 0);
  const texts = [first, ...rest.filter((_part, at) => at % 2 === 1)];
  const steps = places.flatMap((name, at) => {
    const { kind, opens } = PLACES[name]!;
    return stepsOf(texts[at]! + opens, kind);
  });
  const last = texts.at(-1)!;
  return last === '' ? steps : [...steps, ...stepsOf(last, MORE_TEXT)];
}

type Step = { readonly text: string; readonly kind: number };

function stepsOf(text: string, kind: number): readonly Step[] {
  if (text.length <= TEXT_BYTES) return [{ text, kind }];
  return [{ text: text.slice(0, TEXT_BYTES), kind: MORE_TEXT }, ...stepsOf(text.slice(TEXT_BYTES), kind)];
}

type Part = { readonly steps: readonly Step[]; readonly isOptional: boolean };

function written(parts: readonly Part[]): number {
  const from = claimSteps(parts.flatMap(({ steps }) => steps).length * STEP_BYTES);
  let at = from;
  for (const { steps, isOptional } of parts) {
    const behind = at + steps.length * STEP_BYTES;
    if (isOptional) FRAME_VIEW.setInt32(at + 12, behind + PASSED_NUMBER * numbersIn(steps), true);
    for (const { text, kind } of steps) {
      FRAME_VIEW.setInt32(at, 2 ** text.length - 1, true);
      FRAME_VIEW.setInt32(at + 4, text.length, true);
      FRAME_VIEW.setInt32(at + 8, kind, true);
      FRAME_MEMORY.set(Buffer.from(text), at + STEP_BYTES - TEXT_BYTES);
      at += STEP_BYTES;
    }
  }
  return from;
}

function numbersIn(steps: readonly Step[]): number {
  const numbers = steps.filter(({ kind }) => NUMBERS.includes(kind)).length;
  const others = steps.filter(({ kind }) => kind !== MORE_TEXT).length - numbers;
  assert(steps[0]!.text !== '' && others === 0, 'only text and numbers may be missing');
  return numbers;
}
