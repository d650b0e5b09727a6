import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Clock } from '#shared/clock/clock.ts';
import { ApplicationError } from './errors.ts';

/** After which a value is read again: a secret that was changed is in force everywhere this much later. */
const REFRESH_MS = 5 * 60_000;
/** After which a value that could not be read again is no longer believed. */
const BELIEVED_MS = 60 * 60_000;

export type SecretOptions = {
  /** The text of the secret as it is now. */
  readonly read: () => Promise<string>;
  readonly clock: Clock;
};

/**
 * A secret that is kept for a while. Callers that meet while it is read share one call; a call that fails leaves the last value in force for
 * an hour, so that an outage of the keeper is none of ours.
 * @throws ApplicationError 5002 when there is no value to go on with
 */
export function keptSecret({ read, clock }: SecretOptions): () => Promise<string> {
  let kept: { readonly value: string; readonly readMs: number; readonly triedMs: number } | undefined;
  let reading: Promise<string> | undefined;
  // Wall time: a function's own clock may stand still between two requests.
  const nowMs = (): number => clock.unixMs(clock.now());

  const readAgain = async (): Promise<string> => {
    const triedMs = nowMs();
    try {
      const value = await read();
      kept = { value, readMs: triedMs, triedMs };
    } catch (error) {
      if (kept === undefined || triedMs - kept.readMs > BELIEVED_MS) {
        throw new ApplicationError(5002, `the signing secret cannot be read: ${(error as Error).name}`);
      }
      kept = { ...kept, triedMs };
    }
    return kept.value;
  };

  return async () => {
    if (kept !== undefined && nowMs() - kept.triedMs < REFRESH_MS) return kept.value;
    reading ??= readAgain().finally(() => (reading = undefined));
    return reading;
  };
}

/** Reads one secret of Secrets Manager: its current text. */
export function secretsManagerRead(client: SecretsManagerClient, secretId: string): () => Promise<string> {
  return async () => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    return SecretString ?? '';
  };
}

/** What signs tokens and links: the secret that `JWT_SECRET_ID` names in Secrets Manager, as it is now; without that name `ARB_JWT_SECRET`. */
export function signingSecret(env: Readonly<Record<string, string | undefined>>, clock: Clock): () => Promise<string> {
  const id = env['JWT_SECRET_ID'] ?? '';
  if (id === '') return () => Promise.resolve(env['ARB_JWT_SECRET'] ?? '');
  return keptSecret({ read: secretsManagerRead(secretsClient(), id), clock });
}

/** One quick attempt more than one: an API call waits for it. */
export const secretsClient = (): SecretsManagerClient =>
  new SecretsManagerClient({ region: process.env['AWS_REGION'] ?? 'us-east-1', maxAttempts: 2 });
