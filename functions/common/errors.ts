/** Every failure an outsider can meet, as data: the code, the HTTP status it travels with, and words for people. */
export const applicationErrors = {
  1001: { status: 401, category: 'Authentication', message: 'Invalid API key' },
  1002: { status: 401, category: 'Authentication', message: 'Expired token' },
  1003: { status: 403, category: 'Authentication', message: 'Insufficient permissions' },
  2001: { status: 404, category: 'Market Data', message: 'Symbol not found' },
  2002: { status: 404, category: 'Market Data', message: 'Exchange not available' },
  2003: { status: 404, category: 'Market Data', message: 'Data not available' },
  3001: { status: 400, category: 'Trading', message: 'Invalid order parameters' },
  3002: { status: 400, category: 'Trading', message: 'Insufficient balance' },
  3003: { status: 404, category: 'Trading', message: 'Order not found' },
  3004: { status: 409, category: 'Trading', message: 'Order already filled' },
  4001: { status: 403, category: 'Risk', message: 'Risk limit exceeded' },
  4002: { status: 403, category: 'Risk', message: 'Position size too large' },
  4003: { status: 403, category: 'Risk', message: 'Leverage too high' },
  5001: { status: 503, category: 'System', message: 'Database connection error' },
  5002: { status: 503, category: 'System', message: 'External service unavailable' },
  5003: { status: 500, category: 'System', message: 'Configuration error' },
  // The contract names no application code for these: the HTTP status stands in its place.
  404: { status: 404, category: 'Request', message: 'Not found' },
  409: { status: 409, category: 'Request', message: 'Conflict' },
  429: { status: 429, category: 'Request', message: 'Too many requests' },
  500: { status: 500, category: 'System', message: 'Internal error' },
} as const;

export type ErrorCode = keyof typeof applicationErrors;
type ErrorStatus = (typeof applicationErrors)[ErrorCode]['status'];

/** An outcome that the caller is told: thrown where it is found, turned into the envelope in one place. */
export class ApplicationError extends Error {
  override readonly name = 'ApplicationError';
  readonly code: ErrorCode;
  readonly status: ErrorStatus;
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  /** `status` where it is not the one that the code travels with otherwise. */
  constructor(
    code: ErrorCode,
    detail?: string,
    headers: Readonly<Record<string, string>> = {},
    status: ErrorStatus = applicationErrors[code].status,
  ) {
    super(applicationErrors[code].message);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.headers = headers;
  }
}

/** Codes that come from elsewhere (an engine's refusal) are believed only if they are ours. */
export const isErrorCode = (code: number): code is ErrorCode => Object.hasOwn(applicationErrors, code);

/** What is wrong with an input, place by place. */
export const detailOf = (
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string =>
  issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`.replace(/^: /, '')).join('; ');
