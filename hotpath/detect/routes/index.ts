// Written by test/tidy.test.ts from the files of this folder. Do not edit.
import { basis } from './basis.ts';
import { calendar } from './calendar.ts';
import { cycle } from './cycle.ts';
import { funding } from './funding.ts';
import { spatial } from './spatial.ts';
import { stablecoin } from './stablecoin.ts';

export const families = [basis, calendar, cycle, funding, spatial, stablecoin] as const;
