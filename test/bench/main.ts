import { parseArgs } from 'node:util';
import type { Instrument } from '#shared/domain/instrument.ts';
import { benchMarket } from './bench-market.ts';
import type { Row } from './cases.ts';
import { bookCase, detectCase, parseCase, wholePathCases } from './cases.ts';
import { familyCase } from './family-case.ts';
import { gateCases } from './gate-case.ts';
import { orderFlowCases } from './order-flow-case.ts';
import { quantCases } from './quant-case.ts';
import { riskCases } from './risk-case.ts';
import { sizeCases } from './size-case.ts';
import { socketCases } from './socket-case.ts';
import { storeCases } from './store-case.ts';
import { triangleCase } from './triangle-case.ts';
import { wireCases } from './wire-case.ts';

const GROUPS = [
  'hotpath',
  'family',
  'size',
  'quant',
  'risk',
  'orders',
  'gate',
  'path',
  'wire',
  'socket',
  'store',
  'peer',
] as const;
type Group = (typeof GROUPS)[number];

const HELP = `npm run bench [-- --json] [-- --small] [-- --only NAME]

Times the hot path beside a plain JSON.parse + Map + objects implementation in the same run, rounds interleaved, medians; and
recorded book frames of every venue beside ccxt.pro's handling of the same frames.
  --json   prints [{name, unit, value, ratio?, hash}]
  --small  fewer messages and rounds: proves the results, not the speed
  --only   one group of cases: ${GROUPS.join(', ')}

Exits with 1 when the two implementations do not come to the same results.`;

/** Messages of the whole path, of a single step, and rounds; plans that go out on the wire. */
const SIZES = {
  full: { frames: 60_000, steps: 40_000, rounds: 7, recorded: 60_000, plans: 2_000 },
  small: { frames: 6_000, steps: 2_000, rounds: 2, recorded: 1_000, plans: 60 },
};

async function main(): Promise<void> {
  const { values, problem } = optionsFrom(process.argv.slice(2));
  if (problem !== undefined || values.help === true) {
    (problem === undefined ? process.stdout : process.stderr).write(`${problem ?? HELP}\n`);
    process.exitCode = problem === undefined ? 0 : 1;
    return;
  }
  const size = values.small === true ? SIZES.small : SIZES.full;
  const { only } = values;
  const isWanted = (group: Group): boolean => only === undefined || only === group;
  const rows: Row[] = Object.entries(groupsOf(size)).flatMap(([group, run]) => (isWanted(group as Group) ? run() : []));
  if (isWanted('wire')) rows.push(...(await wireCases(size.plans)));
  if (isWanted('socket')) rows.push(...(await socketCases(size.frames, size.rounds)));
  if (isWanted('store')) rows.push(...(await storeCases(Math.ceil(size.steps / 8), size.rounds)));
  if (isWanted('peer')) rows.push(...(await peerRows(size)));
  process.stdout.write(values.json === true ? jsonOf(rows) : tableOf(rows));
  const wrong = rows.filter(({ hash, plainHash }) => hash !== plainHash);
  for (const { name, hash, plainHash } of wrong)
    process.stderr.write(`${name}: results differ: ${hash}, plain ${plainHash}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

type Size = (typeof SIZES)['full'];

/** Those that run within this tick, in the order in which they run. */
function groupsOf({
  frames,
  steps,
  rounds,
}: Size): Record<Exclude<Group, 'wire' | 'socket' | 'store' | 'peer'>, () => readonly Row[]> {
  const market = benchMarket(1, frames);
  const each = [steps, rounds] as const;
  const listed = market.instruments.filter(({ venue }) => venue === 'binance');
  return {
    hotpath: () => [
      parseCase('parse binance depth, 20+20', market, { venue: 'binance', kind: 'delta', levels: 20 }, each),
      parseCase('parse binance bookTicker', market, { venue: 'binance', kind: 'quote', levels: 1 }, each),
      parseCase('parse okx books, 8+8', market, { venue: 'okx', kind: 'delta', levels: 8 }, each),
      parseCase('parse kraken v2 book, 8+8', market, { venue: 'kraken', kind: 'delta', levels: 8 }, each),
      bookCase(market, rounds),
      detectCase('detect spatial, 8 venues', eightVenues(listed[0]!), { families: ['spatial'] }, each),
      detectCase('detect triangles, 50 symbols', listed, { families: ['cycle'], max_legs: 3 }, each),
      detectCase('detect all routes, 3 × 50 symbols', market.instruments, {}, each),
    ],
    family: () => [familyCase(steps / 4, rounds), triangleCase(steps / 4, rounds)],
    size: () => sizeCases(steps / 40, rounds),
    quant: () => quantCases(steps / 4, rounds),
    risk: () => riskCases(steps / 20),
    orders: () => orderFlowCases(Math.ceil(steps / 10), rounds),
    gate: () => gateCases(Math.ceil(steps / 2_000)),
    path: () => wholePathCases(market, rounds),
  };
}

async function peerRows({ recorded, rounds }: Size): Promise<readonly Row[]> {
  // Loaded when the others are done: it fills the heap that they measure.
  const { peerCases } = await import('./peer-case.ts');
  const peers = peerCases(recorded, rounds);
  if (peers === undefined) process.stderr.write('beside ccxt.pro: skipped, there are no recordings (RECORDED_DIR)\n');
  return peers ?? [];
}

const eightVenues = (listing: Instrument): readonly Instrument[] =>
  Array.from({ length: 8 }, (_none, venue) => ({
    ...listing,
    id: `v${venue}:${listing.symbol}` as Instrument['id'],
    venue: `v${venue}` as Instrument['venue'],
  }));

function optionsFrom(args: readonly string[]): {
  readonly values: {
    readonly json?: boolean;
    readonly small?: boolean;
    readonly only?: Group;
    readonly help?: boolean;
  };
  readonly problem?: string;
} {
  const flag = { type: 'boolean' } as const;
  try {
    const options = { json: flag, small: flag, help: flag, only: { type: 'string' } } as const;
    const { only, ...values } = parseArgs({ args: [...args], options }).values;
    if (only === undefined) return { values };
    const group = GROUPS.find((name) => name === only);
    return group === undefined
      ? { values, problem: `bench: no such group: ${only}` }
      : { values: { ...values, only: group } };
  } catch (error) {
    return { values: {}, problem: `bench: ${error instanceof Error ? error.message : String(error)}` };
  }
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function jsonOf(rows: readonly Row[]): string {
  const entries = rows.map(({ name, unit, value, ratio, hash }) => ({
    name,
    unit,
    value: rounded(value),
    ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
    hash,
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

function tableOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const lines = rows.map(({ name, unit, value, ratio, hash }) => {
    const figure = rounded(value).toLocaleString('en').padStart(12);
    const times = ratio === undefined ? '' : `${rounded(ratio)} ×`;
    return `${name.padEnd(width)}${figure} ${unit.padEnd(14)}${times.padStart(9)}   ${hash}`;
  });
  return `${['case'.padEnd(width) + 'value'.padStart(12) + ' unit          ' + 'ratio'.padStart(9) + '   result', ...lines].join('\n')}\n`;
}

await main();
