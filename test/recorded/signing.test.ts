import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import { recordedDir } from '#test/support/recorded.ts';
import type { OurRequest, RecordedRequest, SigningTable } from '#test/venues/signing/signing.ts';

/** What a maintained client signed, made again by our signers from the same inputs. */

const file = `${recordedDir}/signing/ccxt_4.5.84_requests.jsonl`;
const present = existsSync(file);
const requests: readonly RecordedRequest[] = present
  ? readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RecordedRequest)
      .filter(({ exchange }) => (exchange as string | undefined) !== undefined)
  : [];

const names = readdirSync('test/venues/signing')
  .map((name) => name.replace(/[.]ts$/, ''))
  .filter((name) => name !== 'signing');
const tables = await Promise.all(
  names.map(async (name) => {
    const { signing } = (await import(`../venues/signing/${name}.ts`)) as { readonly signing: SigningTable };
    return { name, signing };
  }),
);

type Flat = Readonly<Record<string, string>>;

/** `{a: {b: [1]}}` → `{'x.a.b.0': '1'}`. */
function flat(prefix: string, value: unknown): Flat {
  if (typeof value !== 'object' || value === null) return { [prefix]: String(value) };
  return Object.assign({}, ...Object.entries(value).map(([name, each]) => flat(`${prefix}.${name}`, each))) as Flat;
}

const formOf = (prefix: string, text: string): Flat =>
  Object.fromEntries([...new URLSearchParams(text)].map(([name, value]) => [`${prefix}.${name}`, value]));

function bodyOf(text: string | undefined): Flat {
  if (text === undefined || text === '') return {};
  return /^[[{]/.test(text) ? flat('body', JSON.parse(text)) : formOf('body', text);
}

const URL_PARTS = /^(?:\w+:\/\/[^/?]*)?([^?]*)(?:\?(.*))?$/;
/** Headers that a transport sets, or that only name the client. */
const PLUMBING = /^(content-type|accept|user-agent|referer|x-.*broker.*|x-.*channel.*|kc-api-partner.*|kc-broker.*)$/;

const restOf = (
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Flat => {
  const [, path = '', query = ''] = URL_PARTS.exec(url) ?? [];
  const kept = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !PLUMBING.test(name));
  return {
    method,
    path,
    ...formOf('query', query),
    ...Object.fromEntries(kept.map(([name, value]) => [`header.${name}`, value])),
    ...bodyOf(body),
  };
};

const partsOfRecorded = (request: RecordedRequest): Flat =>
  request.transport === 'rest'
    ? restOf(request.method ?? 'GET', request.url, request.headers ?? {}, request.body)
    : flat('frame', typeof request.frame === 'string' ? JSON.parse(request.frame) : request.frame);

const partsOfOurs = (ours: OurRequest): Flat => {
  if (ours.kind === 'frame') return flat('frame', JSON.parse(ours.frame));
  const { call, account } = ours;
  const url = call.path.startsWith('http') ? call.path : account.restUrl + call.path;
  return restOf(call.method, url, call.headers, call.body);
};

/** The parts of either request that the other has not, or has differently. */
function differing(a: Flat, b: Flat): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]).sort();
}

const named = (part: string, field: string): boolean =>
  part === field ||
  part.endsWith(`.${field}`) ||
  part.includes(`.${field}.`) ||
  part.toLowerCase() === `header.${field.toLowerCase()}`;

const figures: string[] = [];

describe.skipIf(!present)('recorded signatures (skipped without RECORDED_DIR)', () => {
  it('has a table for every venue that the recordings speak of', () => {
    const recorded = [...new Set(requests.map(({ exchange }) => exchange))].sort();
    expect(tables.flatMap(({ signing }) => signing.exchanges).sort()).toEqual(recorded);
    const tabled = new Set(names);
    expect(recorded.map((exchange) => exchange.replace(/#.*$/, '')).filter((name) => !tabled.has(name))).toEqual([]);
    expect(names.filter((name) => !venues.some(({ id }) => id === name))).toEqual([]);
  });

  it.each(tables)('$name: ours are the recorded ones, but for what is listed with its reason', ({ name, signing }) => {
    let [same, differ, skipped] = [0, 0, 0];
    for (const recorded of requests.filter(({ exchange }) => signing.exchanges.includes(exchange))) {
      const ours = signing.ours(recorded);
      if ('skip' in ours) {
        expect(ours.skip, recorded.call).toMatch(/\w{3,}.* /);
        skipped += 1;
        continue;
      }
      const [a, b] = [partsOfRecorded(recorded), partsOfOurs(ours)];
      const allowed = signing.differences.filter(({ call }) => call.test(recorded.call));
      for (const { reason } of allowed) expect(reason.length, recorded.call).toBeGreaterThan(10);
      const fields = allowed.flatMap((each) => each.fields);
      const found = differing(a, b);
      const unexplained = found.filter((part) => !fields.some((field) => named(part, field)));
      const shown = unexplained.map((part) => `${part}: ${a[part] ?? 'absent'} recorded, ${b[part] ?? 'absent'} ours`);
      expect(shown, `${recorded.exchange} ${recorded.call}`).toEqual([]);
      const resigned = signing.resign?.(recorded);
      if (resigned !== undefined) expect(resigned.ours, `${recorded.call} signed again`).toBe(resigned.recorded);
      if (found.length === 0) same += 1;
      else differ += 1;
    }
    expect(same + differ).toBeGreaterThan(5);
    figures.push(`${name.padEnd(14)} ${same} equal, ${differ} differ as listed, ${skipped} not ours`);
  });

  afterAll(() => {
    process.stdout.write(`signatures\n  ${figures.join('\n  ')}\n`);
  });
});
