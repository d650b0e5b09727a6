import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';

const SECRET_CHARS_MIN = 32;
const secretsFile = z.object({ jwt_secret: z.string().min(SECRET_CHARS_MIN) });

/**
 * What signs this machine's tokens: `ARB_JWT_SECRET` where it is set, else one drawn at the first start and kept, readable by its owner alone.
 * @throws BadInput when it is too short or the file is damaged
 */
export function jwtSecret(dataDir: string, env: Readonly<Record<string, string | undefined>>): string {
  const given = env['ARB_JWT_SECRET'];
  if (given !== undefined && given !== '') {
    if (given.length < SECRET_CHARS_MIN)
      throw new BadInput(`ARB_JWT_SECRET has fewer than ${SECRET_CHARS_MIN} characters`);
    return given;
  }
  const file = join(dataDir, 'secrets.json');
  return kept(file) ?? drawn(dataDir, file);
}

function kept(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return secretsFile.parse(JSON.parse(text)).jwt_secret;
  } catch {
    throw new BadInput(`${file} is damaged; remove it to draw a new secret (tokens of the old one end)`);
  }
}

function drawn(dataDir: string, file: string): string {
  const secret = randomBytes(48).toString('base64url');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(file, JSON.stringify({ jwt_secret: secret }), { mode: 0o600 });
  return secret;
}
