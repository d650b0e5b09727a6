import { gunzipSync } from 'node:zlib';
import { BadInput } from '#shared/assert.ts';

/** Far more than any venue's frame holds: a small frame that swells beyond it is an attack or an error. */
export const INFLATED_BYTES_MAX = 8 * 1024 * 1024;

/** How a market packs its frames. */
export type Compression = 'gzip';

/** Turns a market's frames into text; undefined where they are text already, so that nothing is called for them. */
export const unpackerOf = (compression: Compression | undefined): ((bytes: Uint8Array) => Uint8Array) | undefined =>
  compression === undefined ? undefined : gunzipped;

/** @throws BadInput on damage, on what is no gzip, and beyond {@link INFLATED_BYTES_MAX}. */
function gunzipped(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new BadInput(`gzip frame of ${bytes.length} bytes: ${error.message}`);
  }
}
