import { z } from 'zod';
import { errorBody } from '#shared/schema/api.ts';
import type { Scope } from '#shared/schema/scope.ts';

type JsonContent<T extends z.ZodType> = {
  readonly description: string;
  readonly content: { readonly 'application/json': { readonly schema: Envelope<T> } };
};
type Envelope<T extends z.ZodType> = z.ZodObject<{
  status: z.ZodLiteral<'success'>;
  timestamp: z.ZodString;
  data: T;
}>;

/** A success response for a route's description: the data within the envelope. */
export const answers = <T extends z.ZodType>(data: T, description: string): JsonContent<T> => ({
  description,
  content: {
    'application/json': { schema: z.object({ status: z.literal('success'), timestamp: z.string(), data }) },
  },
});

const failureContent = { 'application/json': { schema: errorBody } };
const failures = {
  400: 'Invalid parameters (3001), or funds that are not there (3002)',
  401: 'No valid token (1001) or an expired one (1002)',
  403: 'A scope is missing (1003), or the engine refuses by its limits (4001, 4002, 4003)',
  404: 'Not found (2001, 2002, 2003, 3003)',
  409: 'Somebody else was first (409), it is over already (3004), or the idempotency key is taken (3001)',
  429: 'Too many requests: see Retry-After',
  500: 'A table or the secret of the tokens is missing (5003), or a bug of ours',
  503: 'The database (5001) or a service behind the API (5002) does not answer',
} as const;

/** Failures for a route's description. They are thrown and turned into the envelope in one place: no handler returns them. */
export function fails<S extends keyof typeof failures>(...statuses: readonly S[]): Record<S, Failure> {
  const entries = statuses.map((status) => [status, { description: failures[status], content: failureContent }]);
  return Object.fromEntries(entries) as Record<S, Failure>;
}
type Failure = { readonly description: string; readonly content: typeof failureContent };

/** What every route behind a token can answer: a 400 to an unknown `X-API-Version`, whatever else it takes. */
export const denials = fails(400, 401, 403, 429, 500, 503);

/** Behind a token with this scope. */
export const secured = (scope: Scope): { bearer: Scope[] }[] => [{ bearer: [scope] }];
