import { hash } from 'node:crypto';
import { HmacSha256 } from './venue-sha256.ts';

export type Digest = 'hex' | 'base64';
export type Algorithm = 'sha256' | 'sha384' | 'sha512';

/** Bytes of a block and of a digest. */
const SIZES = {
  sha256: { block: 64, digest: 32 },
  sha384: { block: 128, digest: 48 },
  sha512: { block: 128, digest: 64 },
} as const;
/** Longer texts are none of orders; the buffer grows for them. */
const TEXT_BYTES = 1_024;

/**
 * HMAC with one secret for text after text: hash(outer pad, hash(inner pad, text)), both pads laid out once before the text. A good deal faster than an
 * `Hmac` object a text, since nothing native is made.
 * @see https://www.rfc-editor.org/rfc/rfc2104
 */
export class Signer {
  readonly #algorithm: Algorithm;
  readonly #block: number;
  #inner: Buffer;
  readonly #outer: Buffer;
  /** Where hashing here is faster than there. */
  readonly #midstate: HmacSha256 | undefined;

  constructor(algorithm: Algorithm, secret: string) {
    const { block, digest } = SIZES[algorithm];
    const bytes = Buffer.from(secret, 'utf8');
    const key = bytes.length > block ? hash(algorithm, bytes, 'buffer') : bytes;
    this.#algorithm = algorithm;
    this.#block = block;
    this.#inner = Buffer.alloc(block + TEXT_BYTES);
    this.#outer = Buffer.alloc(block + digest);
    for (let at = 0; at < block; at += 1) {
      this.#inner[at] = (key[at] ?? 0) ^ 0x36;
      this.#outer[at] = (key[at] ?? 0) ^ 0x5c;
    }
    this.#midstate = algorithm === 'sha256' ? new HmacSha256(this.#inner, this.#outer) : undefined;
  }

  sign(text: string | Uint8Array, digest: Digest): string {
    const length = this.#block + this.#put(text);
    if (this.#midstate !== undefined) return this.#midstate.digest(this.#inner, this.#block, length).toString(digest);
    hash(this.#algorithm, this.#inner.subarray(0, length), 'buffer').copy(this.#outer, this.#block);
    return hash(this.#algorithm, this.#outer, digest);
  }

  /** Behind the pad; returns how many bytes. */
  #put(text: string | Uint8Array): number {
    this.#reserve(typeof text === 'string' ? 3 * text.length : text.length);
    if (typeof text === 'string') return this.#inner.write(text, this.#block, 'utf8');
    this.#inner.set(text, this.#block);
    return text.length;
  }

  #reserve(bytes: number): void {
    if (this.#block + bytes <= this.#inner.length) return;
    const grown = Buffer.alloc(this.#block + 2 * bytes);
    this.#inner.copy(grown, 0, 0, this.#block);
    this.#inner = grown;
  }
}
