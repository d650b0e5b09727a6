import type { EventData, EventKind } from './event.ts';

/** Where facts go: the journal in a run, a list in a test. What acts on the outside records first and flushes before it acts. */
export type Recorder = {
  /**
   * Records one fact and returns its sequence number; it is on its way to the file, not yet there. `text`: the JSON of the data, where whoever tells many
   * facts that are mostly alike has it.
   */
  readonly record: <K extends EventKind>(kind: K, key: string, data: EventData<K>, text?: string) => number;
  /** Everything recorded so far survives the death of this process once this returns. */
  readonly flush: () => void;
};
