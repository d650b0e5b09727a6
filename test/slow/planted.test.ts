import { Decimal } from 'decimal.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instrument } from '#shared/domain/instrument.ts';
import { foundIn, judge, plant, shapeKey } from '#test/planted/judge.ts';
import { FAMILIES } from '#test/planted/shapes.ts';
import type { Level, PlantedBook } from '#test/planted/truth.ts';
import type { Universe } from '#test/planted/universe.ts';
import { openUniverse } from '#test/planted/universe.ts';

/** 23 above and 23 below the threshold: 506 over eleven families. */
const EACH = 23;
const SPOILED = 5;
const MINUTES = 60_000;
const families = Object.keys(FAMILIES);

describe('five hundred planted violations', () => {
  let universe: Universe;
  beforeAll(async () => {
    universe = await openUniverse({ seed: 11 });
  }, 5 * MINUTES);
  afterAll(() => universe.close());

  it.each(families)(
    'finds every %s above the threshold, none below, for what it is exactly worth',
    (family) => {
      const faults = judge(universe, family, EACH);
      process.stdout.write(`${family}: ${2 * EACH} planted, ${faults.length} faults\n`);
      expect(faults).toEqual([]);
    },
    10 * MINUTES,
  );

  it.each(families)(
    'finds no %s in books too thin for one order',
    (family) => {
      const shapes = FAMILIES[family]!(universe.instruments);
      for (let at = 0; at < SPOILED; at += 1) {
        const { shape, books } = plant(universe, shapes, true);
        const thin = new Map([...books].map(([instrument, book]) => [instrument, thinned(instrument, book)]));
        expect(foundIn(universe.watch(thin), shape), shapeKey(shape)).toBeUndefined();
      }
    },
    5 * MINUTES,
  );
});

describe('the same at fees that leave nothing', () => {
  let universe: Universe;
  let dear: Universe;
  beforeAll(async () => {
    universe = await openUniverse({ seed: 12 });
    dear = await openUniverse({ seed: 12, fee: '0.02' });
  }, 10 * MINUTES);
  afterAll(() => {
    universe.close();
    dear.close();
  });

  it.each(families)(
    'finds no %s',
    (family) => {
      const shapes = FAMILIES[family]!(universe.instruments);
      for (let at = 0; at < SPOILED; at += 1) {
        const { shape, books } = plant(universe, shapes, true);
        const there = new Map(
          [...books].map(([{ id }, book]) => [dear.instruments.find((each) => each.id === id)!, book]),
        );
        expect(foundIn(dear.watch(there), shape), shapeKey(shape)).toBeUndefined();
      }
    },
    5 * MINUTES,
  );
});

/** One lot a level, of which no share is a whole one. */
function thinned({ lot }: Instrument, { bids, asks }: PlantedBook): PlantedBook {
  const one = ([price]: Level): Level => [price, new Decimal(lot)];
  return { bids: bids.slice(0, 1).map(one), asks: asks.slice(0, 1).map(one) };
}
