/** Placeholder shape until the scanner lands in this file. */
export class Frame {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
}
