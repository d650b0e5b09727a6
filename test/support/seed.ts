import { configureGlobal } from 'fast-check';

/** Properties draw the same cases in every run, so that a red test is red for everybody; `FC_SEED=…` explores others. */
configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20_261_121) });
