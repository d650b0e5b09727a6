import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { at } from '../common/layout.ts';
import type { Store } from '../common/store.ts';
import type { Acknowledgements } from './acknowledgement.ts';
import type { DeskOptions } from './desk.ts';

/** The section as it is now: of the newest stored configuration, else what this process was started with. */
export function currentAlerts(
  store: Pick<Store, 'state' | 'engine'>,
  started: AlertsConfig,
): () => Promise<AlertsConfig> {
  return async () => {
    const { Items = [] } = await store.state.query({
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': at.configVersion(store.engine, 0).pk },
      ScanIndexForward: false,
      Limit: 1,
    });
    const [newest] = Items;
    return newest === undefined ? started : (sectionIn(String(newest['version_text'])) ?? started);
  };
}

/** Undefined in a version that was stored before there was such a section. */
function sectionIn(versionText: string): AlertsConfig | undefined {
  // What config/versions.ts has checked and written; its schema of everything is not needed to read a part.
  return (JSON.parse(versionText) as { readonly config: { readonly alerts?: AlertsConfig } }).config.alerts;
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
