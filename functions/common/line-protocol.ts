import { BadInput } from '#shared/assert.ts';

/** One point: text fields are quoted, bigints become integers. */
export type Point = {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string | bigint>>;
  /** Unix nanoseconds. */
  readonly timeNs: bigint;
};

/**
 * A point as one line. Names and tags cannot hold line breaks, nor backslashes, of which the servers' versions make different things.
 * @see https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
 * @throws BadInput for what the protocol cannot carry
 */
export function lineOf({ measurement, tags, fields, timeNs }: Point): string {
  const tagged = Object.entries(tags).map(([key, value]) => `,${name(key, /[,= ]/g)}=${name(value, /[,= ]/g)}`);
  const held = Object.entries(fields).map(([key, value]) => `${name(key, /[,= ]/g)}=${field(value)}`);
  if (held.length === 0) throw new BadInput('a point has no field');
  return `${name(measurement, /[, ]/g)}${tagged.join('')} ${held.join(',')} ${timeNs}`;
}

const field = (value: string | bigint): string =>
  typeof value === 'bigint' ? `${value}i` : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

function name(text: string, special: RegExp): string {
  // A measurement that begins with # would be a comment.
  if (text === '' || /[\\\n\r]|^#/.test(text)) throw new BadInput(`line protocol cannot carry ${JSON.stringify(text)}`);
  return text.replaceAll(special, String.raw`\$&`);
}
