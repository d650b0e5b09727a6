import type { AlertsConfig } from '#shared/schema/alerts.ts';
import type { Store } from '../common/store.ts';
import { ConfigVersions } from '../config/versions.ts';
import type { Acknowledgements } from './acknowledgement.ts';
import type { DeskOptions } from './desk.ts';

/** The section as it is now: of the newest stored configuration, else what this process was started with. */
export function currentAlerts(store: Store, started: AlertsConfig): () => Promise<AlertsConfig> {
  const versions = new ConfigVersions(store.state, store.engine, undefined);
  return async () => (await versions.list(1, Infinity))[0]?.config.alerts ?? started;
}

/** Links to the page where a firing is acknowledged. */
export function ackLinks(options: {
  readonly engine: string;
  /** The API's base address, where the configuration names no other. */
  readonly apiUrl: string;
  readonly acknowledgements: Acknowledgements;
}): DeskOptions['ackUrl'] {
  const { engine, apiUrl, acknowledgements } = options;
  return async ({ id, firings }, { public_url, link_ms }) => {
    const base = (public_url === '' ? apiUrl : public_url).replace(/\/+$/, '');
    const token = await acknowledgements.token({ engine, alert: id, firing: firings }, link_ms);
    return `${base}/v1/alerts/${id}/ack?token=${token}`;
  };
}
