import type { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { decimalFrom, textOf } from '#shared/money/grid.ts';
import { Digits } from '#shared/schema/exact.ts';
import { detailOf } from '../common/errors.ts';

/**
 * A body as the schema has it; none at all counts as `{}`. The routes' validators refuse what is empty or not declared as JSON: where a
 * plain `curl -d` must do, the body is read here.
 * @throws BadInput when there is a body and it is none of ours
 */
export const bodyFrom = <T extends z.ZodType>(text: string, schema: T): z.infer<T> => parsed(text, schema, undefined);

/** The same, with every number as its canonical digits: none is lost. */
export const exactBodyFrom = <T extends z.ZodType>(text: string, schema: T): z.infer<T> =>
  parsed(text, schema, (_, value, { source }) =>
    typeof value === 'number' ? new Digits(textOf(decimalFrom(source))) : value,
  );

/** Parameters or headers as the schema has them. @throws BadInput */
export function checked<T extends z.ZodType>(value: unknown, schema: T): z.infer<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw new BadInput(detailOf(result.error.issues));
  return result.data;
}

// In every Node 24; not yet in TypeScript's library. @see https://tc39.es/proposal-json-parse-with-source/
type Reviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;
const parseJson = JSON.parse as (text: string, reviver?: Reviver) => unknown;

const parsed = <T extends z.ZodType>(text: string, schema: T, reviver: Reviver | undefined): z.infer<T> =>
  checked(text.trim() === '' ? {} : jsonFrom(text, reviver), schema);

function jsonFrom(text: string, reviver: Reviver | undefined): unknown {
  try {
    return parseJson(text, reviver);
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadInput('the body is not JSON');
    throw error;
  }
}
