import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rerouted } from '#hotpath/runtime/reroute.ts';
import { venues } from '#hotpath/venues/index.ts';

const via = 'http://127.0.0.1:8091';

describe('rerouting', () => {
  it.each([
    ['wss://ws.okx.com:8443/ws/v5/public', via, 'ws://127.0.0.1:8091/ws.okx.com:8443/ws/v5/public'],
    ['https://api.host.com', via, 'http://127.0.0.1:8091/api.host.com'],
    ['https://api.host.com', `${via}/`, 'http://127.0.0.1:8091/api.host.com'],
    ['wss://host/stream?streams=a@b/c@d', via, 'ws://127.0.0.1:8091/host/stream?streams=a@b/c@d'],
    ['ws://127.0.0.1:1/a', 'https://relay.example/in', 'wss://relay.example/in/127.0.0.1:1/a'],
    ['wss://host/a', undefined, 'wss://host/a'],
  ])('leads %s via %s to %s', (url, through, expected) => {
    expect(rerouted(url, through)).toBe(expected);
  });

  it('refuses what is no address', () => {
    expect(() => rerouted('ftp://host', via)).toThrow('cannot reach ftp://host via http://127.0.0.1:8091');
    expect(() => rerouted('wss://host', '127.0.0.1')).toThrow('cannot reach');
  });

  it('keeps apart what is apart, and can be appended to', () => {
    const urls = venues.flatMap(({ markets }) => markets.flatMap(({ wsUrl, restUrl }) => [wsUrl, restUrl]));
    const found = urls.map((url) => rerouted(url, via));
    expect(new Set(found).size).toBe(new Set(urls).size);
    fc.assert(
      fc.property(fc.constantFrom(...urls), fc.webPath(), fc.webQueryParameters(), (url, path, query) => {
        const tail = `${path}?${query}`;
        expect(rerouted(url + tail, via)).toBe(rerouted(url, via) + tail);
      }),
    );
  });
});
