// Written by test/tidy.test.ts from the files of this folder. Do not edit.
import { basis } from './basis.ts';
import { box } from './box.ts';
import { calendar } from './calendar.ts';
import { cycle } from './cycle.ts';
import { funding } from './funding.ts';
import { jellyRoll } from './jelly-roll.ts';
import { parity } from './parity.ts';
import { spatial } from './spatial.ts';
import { stablecoin } from './stablecoin.ts';
import { surface } from './surface.ts';
import { syntheticForward } from './synthetic-forward.ts';

export const families = [
  basis,
  box,
  calendar,
  cycle,
  funding,
  jellyRoll,
  parity,
  spatial,
  stablecoin,
  surface,
  syntheticForward,
] as const;
