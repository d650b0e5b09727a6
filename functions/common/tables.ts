import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb';

/** Lists an entity's items newest first: `list` is `<engine>#ORDER`, `list_at` the time and sequence of the first event. */
export const LIST_INDEX = 'by_list';

/**
 * The two tables as CreateTable wants them. The state table is a projection (one item an entity, `pk`/`sk`); the events table is the record
 * (`engine`, zero-padded `seq`) from which the state can be rebuilt.
 */
export function tableDefinitions(names: {
  readonly state_table: string;
  readonly events_table: string;
}): readonly CreateTableCommandInput[] {
  return [
    {
      TableName: names.state_table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk', 'list', 'list_at'].map(text),
      KeySchema: key('pk', 'sk'),
      GlobalSecondaryIndexes: [
        { IndexName: LIST_INDEX, KeySchema: key('list', 'list_at'), Projection: { ProjectionType: 'ALL' } },
      ],
    },
    {
      TableName: names.events_table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['engine', 'sk'].map(text),
      KeySchema: key('engine', 'sk'),
    },
  ];
}

/** Sequence as sort key: text order is number order up to the largest safe integer. */
export const seqKey = (seq: number): string => String(seq).padStart(16, '0');

const text = (name: string): { AttributeName: string; AttributeType: 'S' } => ({
  AttributeName: name,
  AttributeType: 'S',
});
const key = (hash: string, range: string): { AttributeName: string; KeyType: 'HASH' | 'RANGE' }[] => [
  { AttributeName: hash, KeyType: 'HASH' },
  { AttributeName: range, KeyType: 'RANGE' },
];
