import { FRAME_WASM } from './frame-wasm.ts';

/** The functions of frame-kernel.as. Positions are indices of {@link FRAME_MEMORY}. */
type FrameKernel = {
  readonly levels: (at: number) => number;
  readonly levelObjects: (at: number) => number;
  readonly number: (at: number) => number;
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
/** Cells, columns and tables stand before it. */
const FIRST_ROOM = 65_536;

const { memory, prepare, levels, levelObjects, number } = instanceFrom(
  (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly,
);
prepare();

export const kernel: FrameKernel = { levels, levelObjects, number };

/**
 * Where frames can be read by the kernel: what sockets receive lies here, and what frames copy. It never moves or grows, and its pages are no one's until
 * they are written to.
 */
export const FRAME_MEMORY = new Uint8Array(memory.buffer);
/** The same bytes. */
export const FRAME_VIEW = new DataView(memory.buffer);

/** What a call of the kernel found. */
export const FOUND = new Int32Array(memory.buffer, 16, 4);
export const FOUND_COUNT = 0;
/** 1: the list is at its end. */
export const FOUND_END = 1;
export const FOUND_PRICE_DECIMALS = 2;
export const FOUND_QTY_DECIMALS = 3;
export const FOUND_NUMBER = new Float64Array(memory.buffer, 32, 1);
export const FOUND_PRICES = new Float64Array(memory.buffer, 64, CHUNK_LEVELS);
export const FOUND_QTYS = new Float64Array(memory.buffer, 64 + 8 * CHUNK_LEVELS, CHUNK_LEVELS);

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

function instanceFrom({ Instance, Module }: Wasm): Exports {
  return new Instance(new Module(Buffer.from(FRAME_WASM, 'base64'))).exports;
}
