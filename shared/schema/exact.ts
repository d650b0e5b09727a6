import { z } from 'zod';

/** A JSON number as its sender wrote it: a double would drop digits. Whoever reads a body puts one in each number's place. */
export class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A number that comes in and keeps every digit; one in quotes is taken too. Decimal text from there on. */
export const exactInput = (
  pattern: RegExp,
  what: string,
  bounds: { readonly exclusiveMinimum?: 0; readonly minimum?: 0 },
) =>
  z
    .preprocess((value) => (value instanceof Digits ? value.text : value), z.string().max(60).regex(pattern, what))
    .meta({ type: 'number', description: 'A JSON number, of which every digit counts', ...bounds });

export const positive = exactInput(/^(?=.*[1-9])\d+(\.\d+)?$/, 'a number above 0', { exclusiveMinimum: 0 });
export const notNegative = exactInput(/^\d+(\.\d+)?$/, 'a number, not below 0', { minimum: 0 });
export const signed = exactInput(/^-?\d+(\.\d+)?$/, 'a number', {});
