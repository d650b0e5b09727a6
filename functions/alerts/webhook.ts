import { createHmac } from 'node:crypto';

/**
 * The headers of a signed delivery. `X-Arbitrage-Signature` is `v1=` and the hex HMAC-SHA256 of `<timestamp>.<body>` under the shared secret; whoever gets it refuses a
 * timestamp (seconds) that is not of the last five minutes. docs/alerts.md has the other side.
 */
export function signedHeaders(
  body: string,
  { secret, id, nowMs }: { readonly secret: string; readonly id: string; readonly nowMs: number },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    'content-type': 'application/json',
    'user-agent': 'arbitrage-engine',
    'x-arbitrage-delivery': id,
    'x-arbitrage-timestamp': timestamp,
    ...(secret === '' ? {} : { 'x-arbitrage-signature': `v1=${signatureOf(secret, timestamp, body)}` }),
  };
}

const signatureOf = (secret: string, timestamp: string, body: string): string =>
  createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
