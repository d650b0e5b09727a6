import { systemClock } from '#shared/clock/clock.ts';
import { authorityFrom } from '../common/authority.ts';
import { jsonLog } from '../common/log.ts';
import { createAuthorizer } from './authorizer.ts';

/** Request authorizer of the HTTP API and of the push API. */
export const handler = createAuthorizer({
  authority: authorityFrom(process.env, systemClock()),
  log: jsonLog((line) => process.stdout.write(line)),
});
