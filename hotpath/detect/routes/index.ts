// Written by test/tidy.test.ts from the files of this folder. Do not edit.
import { cycle } from './cycle.ts';
import { spatial } from './spatial.ts';

export const families = [cycle, spatial] as const;
