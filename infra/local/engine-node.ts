/**
 * How the engine runs: the young space is cleared rarely, fast and without helpers; the old one is marked beside the engine, when it is twice what lived at the
 * last time; code is compiled after a quarter to a sixth of the calls that V8 waits for, since an order's runs once a plan.
 */
export const ENGINE_NODE_OPTIONS = [
  '--no-parallel-scavenge',
  '--heap-growing-percent=100',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--invocation-count-for-maglev=100',
  '--invocation-count-for-turbofan=500',
  '--minimum-invocations-after-ic-update=100',
];
/** The C library keeps a heap for each of many threads otherwise, and gives little back. */
export const ENGINE_ENV = { MALLOC_ARENA_MAX: '2' } as const;
