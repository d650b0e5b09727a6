import { assert } from '#shared/assert.ts';
import { FRAME_WASM } from './frame-wasm.ts';

/** The functions of frame-kernel.as. Positions are indices of {@link FRAME_MEMORY}. */
type FrameKernel = {
  readonly levels: (at: number) => number;
  readonly levelObjects: (at: number) => number;
  readonly number: (at: number) => number;
  readonly shape: (steps: number, start: number, end: number) => number;
};

type Exports = FrameKernel & { readonly memory: { readonly buffer: ArrayBuffer }; readonly prepare: () => void };
/** What is used of WebAssembly; the types of Node do not tell. */
type Wasm = {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

/** Of one room: what a socket needs for a read and for what it carries into the next one, or one long frame. */
export const ROOM_BYTES = 131_072;
/** The kernel looks a little beyond the end. */
const SPACE_BYTES = 64;
/** Levels that one call of the kernel reads. */
export const CHUNK_LEVELS = 256;
/** Cells, columns and tables stand before these. */
const FIRST_STEP = 32_768;
const FIRST_ROOM = 65_536;

const { memory, prepare, levels, levelObjects, number, shape } = instanceFrom(
  (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly,
);
prepare();

export const kernel: FrameKernel = { levels, levelObjects, number, shape };

/**
 * Where frames can be read by the kernel: what sockets receive lies here, and what frames copy. It never moves or grows, and its pages are no one's until
 * they are written to.
 */
export const FRAME_MEMORY = new Uint8Array(memory.buffer);
/** The same bytes. */
export const FRAME_VIEW = new DataView(memory.buffer);

/** What a call of the kernel found of the first and of the second list: four cells of each, two columns of CHUNK_LEVELS of each. */
export const FOUND = new Int32Array(memory.buffer, 16, 8);
export const FOUND_COUNT = 0;
/** 1: the list is at its end. */
export const FOUND_END = 1;
export const FOUND_PRICE_DECIMALS = 2;
export const FOUND_QTY_DECIMALS = 3;
export const FOUND_NUMBER = new Float64Array(memory.buffer, 48, 1);
export const FOUND_LEVELS = new Float64Array(memory.buffer, 64, 4 * CHUNK_LEVELS);
/** Where the texts of a shape begin and end, and its numbers. */
export const FOUND_TEXTS = new Int32Array(memory.buffer, 64 + 32 * CHUNK_LEVELS, 16);
export const FOUND_NUMBERS = new Float64Array(memory.buffer, 128 + 32 * CHUNK_LEVELS, 16);

let unclaimed = FIRST_ROOM;
const returned: number[] = [];
const owners = new FinalizationRegistry<number>((room) => returned.push(room));

/** The beginning of ROOM_BYTES of the memory, which are `owner`'s for as long as it lives; undefined when all rooms are taken. */
export function claimRoom(owner: object): number | undefined {
  const room = returned.pop() ?? (unclaimed + ROOM_BYTES + SPACE_BYTES <= FRAME_MEMORY.length ? unclaimed : undefined);
  if (room === undefined) return undefined;
  if (room === unclaimed) unclaimed += ROOM_BYTES + SPACE_BYTES;
  owners.register(owner, room);
  return room;
}

let nextStep = FIRST_STEP;

/** Room for so many bytes of a shape's steps; they stay for the run. */
export function claimSteps(bytes: number): number {
  const from = nextStep;
  nextStep += bytes;
  assert(nextStep <= FIRST_ROOM, 'more shapes than there is room for');
  return from;
}

function instanceFrom({ Instance, Module }: Wasm): Exports {
  return new Instance(new Module(Buffer.from(FRAME_WASM, 'base64'))).exports;
}
