/** FNV-1a over what a case computed: equal hashes, equal results, to the bit of every double. */
export class ResultHash {
  #hash = 0x811c9dc5;
  readonly #double = new Float64Array(1);
  readonly #words = new Uint32Array(this.#double.buffer);

  integer(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }

  double(value: number): void {
    this.#double[0] = value;
    this.integer(this.#words[0]!);
    this.integer(this.#words[1]!);
  }

  text(value: string): void {
    for (let at = 0; at < value.length; at += 1) this.integer(value.charCodeAt(at));
  }

  get hex(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
