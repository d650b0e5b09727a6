import { BadInput } from '#shared/assert.ts';
import type { Market, Venue } from '../venues/venue.ts';

/** The market whose protocol a recorded connection speaks. */
export type Lane = { readonly venue: Venue; readonly market: Market };

/**
 * The markets that a recorded URL may belong to: those with its host and path, else those on its host (several share one where a venue splits by
 * symbol or has changed its protocol); a URL that led through another address (runtime/reroute.ts) has that host at the start of its path. Empty when nobody
 * knows it.
 */
export function lanesOfUrl(url: string, venues: readonly Venue[]): readonly Lane[] {
  if (!URL.canParse(url)) return [];
  const direct = lanesAt(new URL(url), venues);
  const [, protocol, place] = REROUTED.exec(url) ?? [];
  return direct.length > 0 || place === undefined || !URL.canParse(`${protocol!}s://${place}`)
    ? direct
    : lanesAt(new URL(`${protocol!}s://${place}`), venues);
}

/** `ws://127.0.0.1:8091/ws.okx.com:8443/ws/v5/public`: protocol, and everything behind the address. */
const REROUTED = /^(ws|http)s?:[/]{2}[^/]+[/](.+)$/;

function lanesAt({ hostname, pathname, protocol }: URL, venues: readonly Venue[]): readonly Lane[] {
  const lanes = lanesOf(venues);
  const own = ({ market }: Lane): URL => new URL(protocol.startsWith('ws') ? market.wsUrl : market.restUrl);
  const onHost = lanes.filter(
    (lane) => own(lane).hostname === hostname || lane.market.hosts?.includes(hostname) === true,
  );
  const onPath = onHost.filter((lane) => withoutSlash(own(lane).pathname) === withoutSlash(pathname));
  return onPath.length > 0 ? onPath : onHost;
}

/** Reads `binance:spot`, or `kraken` for a venue's first market. @throws BadInput naming what there is. */
export function laneFrom(text: string, venues: readonly Venue[]): Lane {
  const [venue, market] = text.split(':');
  const lane = lanesOf(venues).find(
    (candidate) => candidate.venue.id === venue && (market === undefined || candidate.market.id === market),
  );
  if (lane !== undefined) return lane;
  throw new BadInput(`no market "${text}" (known: ${lanesOf(venues).map(nameOf).join(', ')})`);
}

/** The venue symbol that a recorded snapshot request asked for; undefined when `url` is not one of this market. */
export function snapshotSymbolOf({ book }: Market, url: string): string | undefined {
  if (book.snapshot.from !== 'rest') return undefined;
  const asked = new URL(url, 'http://recorded');
  const sample = new URL(book.snapshot.path(PLACEHOLDER), 'http://recorded');
  const [before, after] = sample.pathname.split(PLACEHOLDER);
  if (after !== undefined) {
    const at = asked.pathname.lastIndexOf(before!);
    const symbol = at < 0 ? '' : asked.pathname.slice(at + before!.length, asked.pathname.length - after.length);
    return asked.pathname.endsWith(after) && symbol !== '' && !symbol.includes('/') ? symbol : undefined;
  }
  if (!asked.pathname.endsWith(sample.pathname)) return undefined;
  const [name] = [...sample.searchParams].find(([, value]) => value.toUpperCase() === PLACEHOLDER) ?? [];
  return name === undefined ? undefined : (asked.searchParams.get(name) ?? undefined);
}

export const nameOf = ({ venue, market }: Lane): string => `${venue.id}:${market.id}`;

const PLACEHOLDER = 'SYMBOL';

const withoutSlash = (path: string): string => path.replace(/\/$/, '');

const lanesOf = (venues: readonly Venue[]): readonly Lane[] =>
  venues.flatMap((venue) => [...venue.markets, ...(venue.recorded ?? [])].map((market) => ({ venue, market })));
