import { ScanCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { EngineEvent } from '#shared/schema/event.ts';
import { placementsOf } from '#functions/common/layout.ts';

/** The items of an engine's projections: `pk sk` → where it is listed, and its event. */
export type Projected = Readonly<Record<string, string>>;
type Row = Readonly<Record<string, string>>;

/** What the state table holds of an engine. */
export async function projectedIn(
  client: DynamoDBDocumentClient,
  engine: string,
  table: string = 'state',
): Promise<Projected> {
  const state: Record<string, string> = {};
  let from: Record<string, unknown> | undefined;
  do {
    const page = await client.send(
      new ScanCommand({ TableName: table, ...(from === undefined ? {} : { ExclusiveStartKey: from }) }),
    );
    for (const { pk, sk, event, list_at } of (page.Items ?? []) as Row[]) {
      if (pk!.startsWith(`${engine}#`)) state[`${pk!} ${sk!}`] = `${list_at!} ${event!}`;
    }
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return state;
}

/** The model: each entity at its last event, listed where its first one put it. */
export function projectionOf(events: Iterable<EngineEvent>): Projected {
  const state: Record<string, string> = {};
  for (const event of events) {
    for (const { key } of placementsOf(event)) {
      const id = `${key.pk} ${key.sk}`;
      const listAt = state[id]?.split(' ')[0] ?? `${event.at.padStart(20, '0')}#${String(event.seq).padStart(16, '0')}`;
      state[id] = `${listAt} ${JSON.stringify(event)}`;
    }
  }
  return state;
}
