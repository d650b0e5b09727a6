/** What one venue's sessions have counted since the start: one object a venue, shared by its sessions. */
export type Tally = {
  messages: number;
  gaps: number;
  resyncs: number;
  reconnects: number;
  malformed: number;
  /** Sum of recent misfortunes, halved every minute; see venue-health.ts. */
  trouble: number;
};

export const newTally = (): Tally => ({
  messages: 0,
  gaps: 0,
  resyncs: 0,
  reconnects: 0,
  malformed: 0,
  trouble: 0,
});
