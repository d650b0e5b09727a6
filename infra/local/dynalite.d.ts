declare module 'dynalite' {
  import type { Server } from 'node:http';

  type Options = {
    /** LevelDB folder; in memory when absent. */
    readonly path?: string;
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
    readonly updateTableMs?: number;
  };
  function dynalite(options?: Options): Server;
  export = dynalite;
}
