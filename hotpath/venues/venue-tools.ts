import { createHash, createHmac } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Frame } from './venue.ts';
import { Signer } from './venue-signer.ts';
import type { Algorithm, Digest } from './venue-signer.ts';
import type { Answer, Meaning, Refusal, Reply } from './venue-account.ts';

/** RFC 2104. */
export const hmac = (
  algorithm: Algorithm,
  secret: string | Uint8Array,
  text: string | Uint8Array,
  digest: Digest,
): string =>
  typeof secret === 'string'
    ? signerOf(algorithm, secret).sign(text, digest)
    : createHmac(algorithm, secret).update(text).digest(digest);

export const hash = (algorithm: Algorithm, text: string | Uint8Array): Buffer =>
  createHash(algorithm).update(text).digest();

/** Of all accounts. */
const SECRETS_MAX = 256;
const signers = {
  sha256: new Map<string, Signer>(),
  sha384: new Map<string, Signer>(),
  sha512: new Map<string, Signer>(),
} as const;

function signerOf(algorithm: Algorithm, secret: string): Signer {
  const known = signers[algorithm];
  let signer = known.get(secret);
  if (signer === undefined) {
    if (known.size >= SECRETS_MAX) known.clear();
    signer = new Signer(algorithm, secret);
    known.set(secret, signer);
  }
  return signer;
}

/** A Decimal from text, or from a number that `numbersAsText` kept as text. */
export const decimalText = z.string().transform((text, context) => {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return new Decimal(text);
  context.addIssue({ code: 'custom', message: `not a decimal: ${text.slice(0, 40)}` });
  return z.NEVER;
});

/** As `decimalText`, where the venue writes nothing for zero. */
export const decimalOrZero = z
  .string()
  .nullish()
  .transform((text) => (text === undefined || text === null || text === '' ? '0' : text))
  .pipe(decimalText);

/** One text by `decimalOrZero`, for use after a schema has been read. @throws BadInput */
export function decimalOrZeroOf(text: string | null | undefined): Decimal {
  const result = decimalOrZero.safeParse(text);
  if (result.success) return result.data;
  throw new BadInput(result.error.issues[0]?.message ?? 'not a decimal');
}

/** Unix milliseconds from text; NaN when absent. */
export const timeText = z
  .string()
  .nullish()
  .transform((text) => (text === undefined || text === null || text === '' ? NaN : Number(text)));

/**
 * JSON with every number as its source text: order ids beyond 2^53 and decimals survive. Schemas of private messages say strings throughout.
 * @throws SyntaxError
 */
export const numbersAsText = (text: string): unknown =>
  JSON.parse(text, ((_key: string, value: unknown, context: { readonly source?: string } | undefined): unknown =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value) as Parameters<typeof JSON.parse>[1]);

/** As `numbersAsText`, undefined for what is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return numbersAsText(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const utf8 = new TextDecoder();
/** A private frame as text. */
export const frameText = (frame: Uint8Array): string => utf8.decode(frame);

/** @throws BadInput naming what the value should have been. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadInput(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}

export const ok = <T>(value: T): Answer<T> => ({ kind: 'ok', value });

export const refused = (meaning: Meaning, code: string, text: string): Refusal => ({
  kind: 'refused',
  meaning,
  code,
  text: text.slice(0, 300),
});

/** Goes on with what was answered; a refusal stays one. */
export const andThen = <A, B>(answer: Answer<A>, next: (value: A) => Answer<B>): Answer<B> =>
  answer.kind === 'ok' ? next(answer.value) : refused(answer.meaning, answer.code, answer.text);

/** What a code means by the venue's table; `unlisted` when it is not there. */
export const meaningOf = (table: Readonly<Record<string, Meaning>>, code: string): Meaning =>
  Object.hasOwn(table, code) ? table[code]! : 'unlisted';

/** A table of codes from lists of them, apart by spaces, under what they mean. */
export function codesOf(byMeaning: Readonly<Partial<Record<Meaning, string>>>): Readonly<Record<string, Meaning>> {
  return Object.fromEntries(
    Object.entries(byMeaning).flatMap(([meaning, codes]) => codes.split(' ').map((code) => [code, meaning as Meaning])),
  );
}

/**
 * Reads an answer by its schema. HTTP 5xx and bodies that are not the venue's leave in doubt what was done; 429 and 418 refuse definitely.
 * `refusalOf` finds the venue's own refusal in a body of any status, before the schema is asked.
 */
export function answerFrom<T, V>(
  reply: Reply,
  schema: z.ZodType<T>,
  rules: { readonly refusalOf: (body: unknown, reply: Reply) => Refusal | undefined; readonly valueOf: (body: T) => V },
): Answer<V> {
  const body = jsonOf(reply.text);
  const refusal = body === undefined ? undefined : rules.refusalOf(body, reply);
  if (refusal !== undefined) return refusal;
  const status = String(reply.status);
  if (reply.status === 429 || reply.status === 418) return refused('rate-limited', status, reply.text);
  if (reply.status < 200 || reply.status >= 300) {
    const meaning = reply.status === 401 || reply.status === 403 ? 'unauthorised' : 'in-doubt';
    return refused(meaning, status, reply.text);
  }
  try {
    const parsed = schema.safeParse(body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return refused('in-doubt', status, `not understood: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
    }
    return ok(rules.valueOf(parsed.data));
  } catch (error) {
    if (error instanceof BadInput) return refused('in-doubt', status, error.message);
    throw error;
  }
}

/** `a=1&b=2`, in the order given, percent-encoded; undefined values are left out. */
export const queryOf = (fields: Readonly<Record<string, string | number | boolean | undefined>>): string =>
  Object.entries(fields)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .join('&');

/** The same, names in byte order: what several venues sign. */
export const sortedQueryOf = (fields: Readonly<Record<string, string | number | boolean | undefined>>): string =>
  queryOf(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))));

const QUOTE = 0x22;
const MINUS = 0x2d;
const LETTER_N = 0x6e;

/**
 * The number under the cursor, bare or quoted, with its sign, into `into[index]`; NaN for null and for an empty text. For rates and Greeks:
 * nothing is allocated for plain decimals. @throws BadInput
 */
export function signedNumber(frame: Frame, into: Float64Array, index: number): void {
  const first = frame.peek();
  into[index] = NaN;
  if (first === LETTER_N) {
    frame.skip();
    return;
  }
  const quoted = first === QUOTE;
  if (quoted) {
    frame.string();
    if (frame.textStart === frame.textEnd) return;
  }
  const start = quoted ? frame.textStart : frame.at;
  const isNegative = frame.bytes[start] === MINUS;
  if (quoted) frame.decimalAt(isNegative ? start + 1 : start, frame.textEnd, into, index);
  else {
    if (isNegative) frame.at += 1;
    frame.number(into, index);
  }
  if (isNegative) into[index] = -into[index];
}
