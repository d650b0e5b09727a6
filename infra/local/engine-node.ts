/**
 * How the engine runs: garbage is collected on its own thread, in a young space that is cleared rarely and fast; code is compiled after a quarter to a sixth of
 * the calls that V8 waits for, since an order's runs once a plan.
 */
export const ENGINE_NODE_OPTIONS = [
  '--single-threaded-gc',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--invocation-count-for-maglev=100',
  '--invocation-count-for-turbofan=500',
  '--minimum-invocations-after-ic-update=100',
];
/** The C library keeps a heap for each of many threads otherwise, and gives little back. */
export const ENGINE_ENV = { MALLOC_ARENA_MAX: '2' } as const;
