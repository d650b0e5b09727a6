import type { Logger } from '../../runtime/logger.ts';

/** Listen keys and tokens remembered besides the credentials: one a socket, and those they replaced. */
const PASSES_MAX = 16;
/** Shorter texts are in everything: blotting them out would say more than it hides. */
const SECRET_LENGTH_MIN = 4;

/** Blots out what an account must not tell, wherever it stands in a text: venues and libraries quote what they were sent. */
export class Redaction {
  readonly #fixed: readonly string[];
  #passes: string[] = [];

  constructor(secrets: readonly (string | undefined)[]) {
    this.#fixed = secrets.flatMap((secret) => (secret === undefined ? [] : spellingsOf(secret)));
  }

  /** From now on `pass` is a secret too. */
  add(pass: string): void {
    const spellings = spellingsOf(pass).filter((spelling) => !this.#passes.includes(spelling));
    this.#passes = [...this.#passes, ...spellings].slice(-PASSES_MAX);
  }

  readonly text = (text: string): string =>
    [...this.#fixed, ...this.#passes].reduce((clean, secret) => clean.replaceAll(secret, '[redacted]'), text);

  /** A logger that says nothing that this hides. */
  readonly around = ({ debug, info, warn, error }: Logger): Logger => {
    const clean =
      (line: Logger['info']): Logger['info'] =>
      (event, fields) =>
        line(event, fields === undefined ? undefined : this.#fields(fields));
    return { debug: clean(debug), info: clean(info), warn: clean(warn), error: clean(error) };
  };

  #fields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, this.#value(value)]));
  }

  #value(value: unknown): unknown {
    return typeof value === 'string' ? this.text(value) : value;
  }
}

/** As it stands, and as it stands in a query. The longest first, so that no part is left. */
function spellingsOf(secret: string): readonly string[] {
  if (secret.length < SECRET_LENGTH_MIN) return [];
  return [...new Set([secret, encodeURIComponent(secret)])].sort((a, b) => b.length - a.length);
}
