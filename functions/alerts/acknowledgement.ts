import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#shared/clock/clock.ts';
import { ApplicationError } from '../common/errors.ts';

/** One firing of one alert. */
export type Firing = { readonly engine: string; readonly alert: string; readonly firing: number };

/** Tokens that acknowledge one firing and can do nothing else. */
export type Acknowledgements = {
  readonly token: (firing: Firing, forMs: number) => Promise<string>;
  /** Which firing of the alert it is good for. @throws ApplicationError 1001 when it is none of ours, or another alert's; 1002 when it is over */
  readonly verify: (token: string, of: Omit<Firing, 'firing'>) => Promise<number>;
};

const SECRET_CHARS_MIN = 32;

/** `secret` signs the tokens of the API too; the purpose is part of the key, so that neither can be taken for the other. */
export function createAcknowledgements(secret: () => Promise<string>, clock: Clock): Acknowledgements {
  const signature = async ({ engine, alert, firing }: Firing, expiresMs: number): Promise<string> => {
    const text = await secret();
    if (text.length < SECRET_CHARS_MIN) throw new ApplicationError(5003, 'no signing secret is configured');
    const key = createHmac('sha256', text).update('acknowledge an alert').digest();
    return createHmac('sha256', key)
      .update(JSON.stringify([engine, alert, firing, expiresMs]))
      .digest('base64url');
  };
  const nowMs = (): number => clock.unixMs(clock.now());
  return {
    token: async (firing, forMs) => {
      const expiresMs = Math.floor(nowMs() + forMs);
      return `${firing.firing}.${expiresMs}.${await signature(firing, expiresMs)}`;
    },
    verify: async (token, of) => {
      const [, firingText = '', expiresText = '', given = ''] =
        /^(\d{1,9})\.(\d{1,15})\.([\w-]{43})$/.exec(token) ?? [];
      const [firing, expiresMs] = [Number(firingText), Number(expiresText)];
      if (given === '' || !isSame(given, await signature({ ...of, firing }, expiresMs)))
        throw new ApplicationError(1001, 'the token is not valid');
      if (nowMs() >= expiresMs) throw new ApplicationError(1002);
      return firing;
    },
  };
}

const isSame = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};
