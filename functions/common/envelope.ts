import { decimalFrom, textOf } from '#shared/money/grid.ts';
import type { ApplicationError } from './errors.ts';
import { applicationErrors } from './errors.ts';

export type Success<T> = { readonly status: 'success'; readonly timestamp: string; readonly data: T };
export type Failure = {
  readonly status: 'error';
  readonly timestamp: string;
  readonly error: {
    readonly code: number;
    readonly category: string;
    readonly message: string;
    readonly detail?: string;
    readonly request_id: string;
  };
};

export const success = <T>(data: T, nowMs: number): Success<T> => ({
  status: 'success',
  timestamp: isoFromMs(nowMs),
  data,
});

/** The envelope around data that is JSON already, and keeps its very text. */
export const successText = (dataJson: string, nowMs: number): string =>
  `{"status":"success","timestamp":"${isoFromMs(nowMs)}","data":${dataJson}}`;

export function failure(error: ApplicationError, requestId: string, nowMs: number): Failure {
  const { category, message } = applicationErrors[error.code];
  return {
    status: 'error',
    timestamp: isoFromMs(nowMs),
    error: {
      code: error.code,
      category,
      message,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      request_id: requestId,
    },
  };
}

// In every Node 24; not yet in TypeScript's library. @see https://tc39.es/proposal-json-parse-with-source/#sec-json.rawjson
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => number };

/**
 * Decimal text as a JSON number with that very text: a double would round it. What comes back is opaque, made for JSON.stringify alone;
 * it is typed as the number that readers of the document see.
 */
export function exact(decimalText: string): number {
  const isJson = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(decimalText);
  return rawJson(isJson ? decimalText : textOf(decimalFrom(decimalText)));
}

/** JSON whose numbers keep their text when they are written again. */
export const exactJson = (text: string): unknown =>
  parseJson(text, (_, value, { source }) => (typeof value === 'number' ? rawJson(source) : value));

// @see https://tc39.es/proposal-json-parse-with-source/
const parseJson = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown,
) => unknown;

export const exactOrNull = (decimalText: string | undefined): number | null =>
  decimalText === undefined || decimalText === '' ? null : exact(decimalText);

export const isoFromMs = (unixMs: number): string => new Date(unixMs).toISOString();

/** Milliseconds are what ISO readers understand; the nanoseconds stay in the events. */
export const isoFromNs = (unixNs: string): string => isoFromMs(Number(BigInt(unixNs) / 1_000_000n));
