/**
 * Keys in the order in which they came, the last so many of them: says which one is to be forgotten. A Map that is asked for its first key steps over
 * every key that was deleted before it, which with thousands of keys takes many times as long as everything else that is done with them.
 */
export class Fifo<Key> {
  readonly #max: number;
  readonly #keys: Key[] = [];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns the key that has to go for it; undefined while there is room. */
  push(key: Key): Key | undefined {
    if (this.#keys.length < this.#max) {
      this.#keys.push(key);
      return undefined;
    }
    const oldest = this.#keys[this.#next];
    this.#keys[this.#next] = key;
    this.#next = this.#next + 1 === this.#max ? 0 : this.#next + 1;
    return oldest;
  }
}
