import type { Fence } from '#shared/domain/order.ts';

/** The lease as its holder's engine sees it: under which epoch it trades, and whether it still may. */
export type Tenure = {
  readonly holder: string;
  readonly epoch: number;
  readonly fence: Fence;
  readonly leftMs: number;
};
