/** How the examples of a maintained client's own tests are read. */
export type ExampleTable = {
  /** The file below `fixtures/`, and the part of its paths that this table answers for (all when absent). */
  readonly file: string;
  readonly only?: RegExp;
  /**
   * By the end of the path (`Spot/Trading/PlaceOrder.txt`): decodes the example with our code and returns what came of it: something, never undefined or an empty list. Throws when
   * it cannot. The text is the file's as it stands (method, path, `true|false`, body; or sent and received frames of a subscription).
   */
  readonly decode: Readonly<Record<string, (text: string) => unknown>>;
  /** Why the rest is not for us, by a pattern over the path. The first that matches counts. */
  readonly ignored: readonly (readonly [path: RegExp, reason: string])[];
};
