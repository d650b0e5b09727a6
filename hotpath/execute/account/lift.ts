import type { Fence } from '#shared/domain/order.ts';

/** Whether a fence that is closed now has been opened since: orders leave again, and what an emergency began must not end them. */
export function liftOf(fence: Fence | undefined): () => boolean {
  const wasClosed = fence?.() !== undefined;
  return () => wasClosed && fence() === undefined;
}
