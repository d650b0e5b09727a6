/** JSON as a test walks it: leaves are looked at with `expect`, or named by the helpers below. */
export type Json = { readonly [name: string]: Json };

export const parse = (text: string): Json => JSON.parse(text) as Json;
export const listIn = (json: Json | undefined): readonly Json[] => json as unknown as readonly Json[];
export const textIn = (json: Json | undefined): string => json as unknown as string;

/** What a socket's client may hear. */
export type Heard = {
  readonly type: string;
  readonly channel?: string;
  /** Of the code that ends a conversation. */
  readonly code?: number;
  readonly symbol?: string;
  readonly id?: string;
  readonly seq: number;
  readonly data: { readonly id: string; readonly price: number };
  readonly error: { readonly code: number };
};
export const heardFrom = (text: string): Heard => JSON.parse(text) as Heard;
