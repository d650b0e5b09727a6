import { parentPort } from 'node:worker_threads';
import { assert } from '#shared/assert.ts';
import type { Portfolio } from './figures.ts';
import { figuresOf } from './figures.ts';

/** The thread of the figures that take long: a portfolio in, its figures out. */
assert(parentPort !== null, 'the risk worker is a thread');
const port = parentPort;
port.on('message', (portfolio: Portfolio) => port.postMessage(figuresOf(portfolio)));
