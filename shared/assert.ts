/** A broken promise of ours: the process stops and restarts, because going on would trade on a wrong belief. */
export class Bug extends Error {
  override readonly name = 'Bug';
}

/** Nonsense from outside (a frame, a file, a request): caught where it entered, named once, never fatal. */
export class BadInput extends Error {
  override readonly name = 'BadInput';
}

/** Throws {@link Bug} when a promise of our own code does not hold. */
export function assert(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Bug(promise);
}
