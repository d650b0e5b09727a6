import { systemClock } from '#shared/clock/clock.ts';
import { isClosed } from '../common/api-keys.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { listVariable, storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { Store } from '../common/store.ts';
import { ChannelLog } from './channel-log.ts';
import { Connections } from './connections.ts';
import { Courier } from './courier.ts';
import { managedConnections } from './gateway.ts';
import { knownNames } from './known-names.ts';
import { createPush } from './push.ts';

const clock = systemClock();
const engine = variable('ENGINE');
const store = new Store(documentClient(dynamoClient()), storeNames(), engine);
const connections = new Connections(store.state, engine);

/** Routes `$connect`, `$disconnect` and `$default` of the WebSocket API. */
export const handler = createPush({
  state: store.state,
  connections,
  courier: new Courier({
    channels: new ChannelLog(store.state, engine, clock),
    connections,
    gateway: managedConnections(variable('PUSH_ENDPOINT')),
    isClosed: ({ id }) => isClosed(store.state, id, clock.unixMs(clock.now())),
    clock,
  }),
  known: knownNames(store, { symbols: listVariable('SYMBOLS'), venues: listVariable('VENUES') }, clock),
  clock,
  log: jsonLog((line) => process.stdout.write(line)),
});
