/**
 * Keeps the thread's event loop from sleeping: it asks the kernel for what has come again and again, and what comes is read at once instead of after a
 * wake-up. Costs a whole core. Returns what ends it.
 */
export function busyPoll(): () => void {
  let next: NodeJS.Immediate | undefined;
  const spin = (): void => {
    next = setImmediate(spin);
  };
  spin();
  return () => clearImmediate(next);
}
