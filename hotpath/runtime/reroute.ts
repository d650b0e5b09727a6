import { BadInput } from '#shared/assert.ts';

/**
 * The same URL through another address, which finds the host as the first part of the path: `wss://ws.host.com:8443/v5?x=1` via
 * `http://127.0.0.1:8091` is `ws://127.0.0.1:8091/ws.host.com:8443/v5?x=1`. What speaks WebSocket stays so; encryption is as `via` has it.
 * Unchanged without `via`.
 * @throws BadInput on a URL that is neither WebSocket's nor HTTP's.
 */
export function rerouted(url: string, via: string | undefined): string {
  if (via === undefined) return url;
  const [, protocol, place] = PARTS.exec(url) ?? [];
  const [, , viaPlace] = PARTS.exec(via) ?? [];
  if (protocol === undefined || place === undefined || viaPlace === undefined) {
    throw new BadInput(`cannot reach ${url} via ${via}`);
  }
  const encrypted = via.startsWith('https:') || via.startsWith('wss:') ? 's' : '';
  return `${protocol}${encrypted}://${viaPlace.replace(/[/]+$/, '')}/${place}`;
}

/** Read as text: `URL` would add a slash to a bare host, and paths are appended to what comes out. */
const PARTS = /^(ws|http)s?:[/]{2}([^/?#].*)$/;
