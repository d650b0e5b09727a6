/** What one venue's sessions have counted since the start: one object a venue, shared by its sessions. */
export type Tally = {
  messages: number;
  gaps: number;
  resyncs: number;
  reconnects: number;
  malformed: number;
  /** Trades of the tape and reference updates. */
  prints: number;
  references: number;
  /** Sum of recent misfortunes, halved every minute; see venue-health.ts. */
  trouble: number;
};

export const newTally = (): Tally => ({
  messages: 0,
  gaps: 0,
  resyncs: 0,
  reconnects: 0,
  malformed: 0,
  prints: 0,
  references: 0,
  trouble: 0,
});
