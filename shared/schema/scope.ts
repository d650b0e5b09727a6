import { z } from 'zod';

/** What a token may do at the API. */
export const scope = z.enum(['read', 'trade', 'risk', 'admin']);
export type Scope = z.infer<typeof scope>;
