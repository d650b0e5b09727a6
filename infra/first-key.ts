import { createKeyPair } from '#functions/common/api-keys.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { variable } from '#functions/common/environment.ts';
import { Table } from '#functions/common/table.ts';
import { systemClock } from '#shared/clock/clock.ts';

/**
 * Makes the first API key of a deployment and prints it, once; every other key is made with it over the API. `STATE_TABLE` names the table,
 * AWS is found as its own tools find it. A key that is there already is left as it is, and the process ends with 1.
 */
const ID = 'owner';
const clock = systemClock();
const pair = await createKeyPair(new Table(documentClient(dynamoClient()), variable('STATE_TABLE')), {
  id: ID,
  scopes: ['read', 'trade', 'risk', 'admin'],
  nowMs: clock.unixMs(clock.now()),
});
if (pair === undefined) {
  process.stderr.write(`the key "${ID}" exists already; its secret was shown when it was made\n`);
  process.exitCode = 1;
} else process.stdout.write(`${JSON.stringify(pair)}\n`);
