/** First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const K = Int32Array.of(
  0x428a2f98,
  0x71374491,
  0xb5c0fbcf,
  0xe9b5dba5,
  0x3956c25b,
  0x59f111f1,
  0x923f82a4,
  0xab1c5ed5,
  0xd807aa98,
  0x12835b01,
  0x243185be,
  0x550c7dc3,
  0x72be5d74,
  0x80deb1fe,
  0x9bdc06a7,
  0xc19bf174,
  0xe49b69c1,
  0xefbe4786,
  0x0fc19dc6,
  0x240ca1cc,
  0x2de92c6f,
  0x4a7484aa,
  0x5cb0a9dc,
  0x76f988da,
  0x983e5152,
  0xa831c66d,
  0xb00327c8,
  0xbf597fc7,
  0xc6e00bf3,
  0xd5a79147,
  0x06ca6351,
  0x14292967,
  0x27b70a85,
  0x2e1b2138,
  0x4d2c6dfc,
  0x53380d13,
  0x650a7354,
  0x766a0abb,
  0x81c2c92e,
  0x92722c85,
  0xa2bfe8a1,
  0xa81a664b,
  0xc24b8b70,
  0xc76c51a3,
  0xd192e819,
  0xd6990624,
  0xf40e3585,
  0x106aa070,
  0x19a4c116,
  0x1e376c08,
  0x2748774c,
  0x34b0bcb5,
  0x391c0cb3,
  0x4ed8aa4a,
  0x5b9cca4f,
  0x682e6ff3,
  0x748f82ee,
  0x78a5636f,
  0x84c87814,
  0x8cc70208,
  0x90befffa,
  0xa4506ceb,
  0xbef9a3f7,
  0xc67178f2,
);
/** Of the square roots of the first 8 (5.3.3). */
const START = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);
const BLOCK = 64;
const DIGEST = 32;
const schedule = new Int32Array(64);

/**
 * HMAC-SHA-256 with one key: what the key's two blocks make of the state is kept, so that a text costs its own blocks and one more. On the path of an order
 * it is not the hashing that takes long but the way to a native one, whose code has left the processor's cache since the last order.
 * @see https://www.rfc-editor.org/rfc/rfc2104
 */
export class HmacSha256 {
  readonly #inner = Int32Array.from(START);
  readonly #outer = Int32Array.from(START);
  readonly #state = new Int32Array(8);
  readonly #last = Buffer.alloc(BLOCK);
  readonly #digest = Buffer.alloc(DIGEST);

  /** `innerPad` and `outerPad`: the key's blocks. */
  constructor(innerPad: Uint8Array, outerPad: Uint8Array) {
    compress(this.#inner, innerPad, 0);
    compress(this.#outer, outerPad, 0);
  }

  /** Of `bytes` up to `length`. What is returned is written over by the next text. */
  digest(bytes: Buffer, from: number, to: number): Buffer {
    const state = this.#state;
    state.set(this.#inner);
    this.#finish(state, bytes, from, to);
    for (let at = 0; at < 8; at += 1) putInt32(this.#digest, 4 * at, state[at]!);
    state.set(this.#outer);
    this.#finish(state, this.#digest, 0, DIGEST);
    for (let at = 0; at < 8; at += 1) putInt32(this.#digest, 4 * at, state[at]!);
    return this.#digest;
  }

  /** The rest of a message of which one block is in the state already. */
  #finish(state: Int32Array, bytes: Buffer, from: number, to: number): void {
    let at = from;
    for (; at + BLOCK <= to; at += BLOCK) compress(state, bytes, at);
    const last = this.#last;
    const rest = to - at;
    for (let next = 0; next < BLOCK; next += 1) last[next] = next < rest ? bytes[at + next]! : 0;
    last[rest] = 0x80;
    if (rest >= BLOCK - 8) {
      compress(state, last, 0);
      for (let next = 0; next < BLOCK; next += 1) last[next] = 0;
    }
    putInt32(last, BLOCK - 4, 8 * (BLOCK + to - from));
    compress(state, last, 0);
  }
}

/** Big-endian. */
function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** One block into the state (6.2.2). */
function compress(state: Int32Array, block: Uint8Array, from: number): void {
  const w = schedule;
  for (let at = 0; at < 16; at += 1) {
    const i = from + 4 * at;
    w[at] = (block[i]! << 24) | (block[i + 1]! << 16) | (block[i + 2]! << 8) | block[i + 3]!;
  }
  for (let at = 16; at < 64; at += 1) {
    const x = w[at - 15]!;
    const y = w[at - 2]!;
    const small = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const large = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[at] = (w[at - 16]! + small + w[at - 7]! + large) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let at = 0; at < 64; at += 1) {
    const large1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + large1 + ((e & f) ^ (~e & g)) + K[at]! + w[at]!) | 0;
    const large0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}
