declare module 'kinesalite' {
  import type { Server } from 'node:http';

  type Options = {
    /** LevelDB folder; in memory when absent. */
    readonly path?: string;
    readonly createStreamMs?: number;
    readonly deleteStreamMs?: number;
    readonly updateStreamMs?: number;
    readonly shardLimit?: number;
  };
  function kinesalite(options?: Options): Server;
  export = kinesalite;
}
