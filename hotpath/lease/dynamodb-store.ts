import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ConditionalCheckFailedException, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { LeaseRecord, LeaseStore } from './lease.ts';

/**
 * The lease as one item of the state table, beside the engine's status. Errors of the SDK come as they are.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
 */
export function leaseStoreIn(dynamodb: DynamoDBClient, table: string, engine: string): LeaseStore {
  const key = { pk: { S: `ENGINE#${engine}` }, sk: { S: 'LEASE' } };
  return {
    read: async () => {
      const answer = await dynamodb.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }));
      return answer.Item === undefined ? undefined : recordFrom(answer.Item);
    },
    replace: async (seen, next) => {
      try {
        await dynamodb.send(
          new PutItemCommand({ TableName: table, Item: { ...key, ...itemOf(next) }, ...conditionOf(seen) }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },
  };
}

type Item = Record<string, AttributeValue>;

const itemOf = ({ holder, epoch, beat }: LeaseRecord): Item => ({
  holder: { S: holder },
  epoch: { N: String(epoch) },
  beat: { N: String(beat) },
});

function conditionOf(
  seen: LeaseRecord | undefined,
): Pick<
  ConstructorParameters<typeof PutItemCommand>[0],
  'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'
> {
  if (seen === undefined) return { ConditionExpression: 'attribute_not_exists(pk)' };
  const { holder, epoch, beat } = itemOf(seen);
  return {
    ConditionExpression: '#holder = :holder AND #epoch = :epoch AND #beat = :beat',
    ExpressionAttributeNames: { '#holder': 'holder', '#epoch': 'epoch', '#beat': 'beat' },
    ExpressionAttributeValues: { ':holder': holder!, ':epoch': epoch!, ':beat': beat! },
  };
}

const itemSchema = z.object({
  holder: z.object({ S: z.string() }),
  epoch: z.object({ N: z.coerce.number().int() }),
  beat: z.object({ N: z.coerce.number().int() }),
});

function recordFrom(item: Item): LeaseRecord {
  const parsed = itemSchema.safeParse(item);
  if (!parsed.success) throw new BadInput('the item of the lease is none of ours');
  const { holder, epoch, beat } = parsed.data;
  return { holder: holder.S, epoch: epoch.N, beat: beat.N };
}
