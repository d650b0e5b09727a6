import { ConditionalCheckFailedException, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DeleteCommand,
  GetCommand,
  QueryCommand,
  UpdateCommand,
  type DynamoDBDocumentClient,
  type QueryCommandInput,
  type QueryCommandOutput,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import { ApplicationError } from './errors.ts';

export type Item = Readonly<Record<string, unknown>>;
export type Key = { readonly pk: string; readonly sk: string };
type Batch = NonNullable<BatchWriteCommandInput['RequestItems']>;
type Keys = NonNullable<BatchGetCommandInput['RequestItems']>;

/** DynamoDB's limit of one BatchGetItem. */
const GET_MAX = 100;
/** DynamoDB's limit of one BatchWriteItem. */
const BATCH_MAX = 25;
const BATCH_ATTEMPTS = 8;
const BATCHES_AT_ONCE = 4;

/**
 * One DynamoDB table: single-item conditional writes and paged queries are all we ask of it.
 * @throws ApplicationError 5001 when the database does not answer, 5003 when the table is not there
 */
export class Table {
  readonly name: string;
  readonly #client: DynamoDBDocumentClient;

  constructor(client: DynamoDBDocumentClient, name: string) {
    this.#client = client;
    this.name = name;
  }

  async get(key: Key): Promise<Item | undefined> {
    const { Item: item } = await guarded(
      this.#client.send(new GetCommand({ TableName: this.name, Key: key, ConsistentRead: true })),
    );
    return item;
  }

  /** Those of them that are there, in any order; each key once. */
  async getAll(keys: readonly Key[], pause: (ms: number) => Promise<void>): Promise<readonly Item[]> {
    const found: Item[] = [];
    for (let from = 0; from < keys.length; from += GET_MAX) {
      let wanted: Keys = { [this.name]: { Keys: keys.slice(from, from + GET_MAX), ConsistentRead: true } };
      for (let attempt = 0; Object.keys(wanted).length > 0; attempt += 1) {
        if (attempt === BATCH_ATTEMPTS) throw new ApplicationError(5001, 'reads stay unprocessed');
        if (attempt > 0) await pause(25 * 2 ** attempt);
        const answer = await guarded(this.#client.send(new BatchGetCommand({ RequestItems: wanted })));
        found.push(...(answer.Responses?.[this.name] ?? []));
        wanted = answer.UnprocessedKeys ?? {};
      }
    }
    return found;
  }

  /** One page. */
  async query(input: Omit<QueryCommandInput, 'TableName'>): Promise<QueryCommandOutput> {
    return guarded(this.#client.send(new QueryCommand({ TableName: this.name, ...input })));
  }

  /** Every item of one partition whose size is bounded by what it holds (venues, balances, instruments). */
  async queryAll(pk: string, rest: Partial<QueryCommandInput> = {}): Promise<readonly Item[]> {
    const items: Item[] = [];
    let from: Record<string, unknown> | undefined;
    do {
      const page = await this.query({
        KeyConditionExpression: 'pk = :pk',
        ...rest,
        ExpressionAttributeValues: { ':pk': pk, ...rest.ExpressionAttributeValues },
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      });
      items.push(...(page.Items ?? []));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
    return items;
  }

  /** What was asked back (`ReturnValues`); undefined when the condition did not hold: an answer, not an error. */
  async update(key: Key, input: Omit<UpdateCommandInput, 'TableName' | 'Key'>): Promise<Item | undefined> {
    try {
      const command = new UpdateCommand({ TableName: this.name, Key: key, ...input });
      return (await guarded(this.#client.send(command))).Attributes ?? {};
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  }

  /** Again, and of what is not there, changes nothing. */
  async remove(key: Key): Promise<void> {
    await guarded(this.#client.send(new DeleteCommand({ TableName: this.name, Key: key })));
  }

  /** Puts all of them; what the database leaves unprocessed is sent again a bounded number of times. */
  async putAll(items: readonly Item[], pause: (ms: number) => Promise<void>): Promise<void> {
    const batches = Array.from({ length: Math.ceil(items.length / BATCH_MAX) }, (_, index) =>
      items.slice(index * BATCH_MAX, (index + 1) * BATCH_MAX),
    );
    for (let from = 0; from < batches.length; from += BATCHES_AT_ONCE) {
      await Promise.all(batches.slice(from, from + BATCHES_AT_ONCE).map((batch) => this.#putBatch(batch, pause)));
    }
  }

  async #putBatch(items: readonly Item[], pause: (ms: number) => Promise<void>): Promise<void> {
    let wanted: Batch = { [this.name]: items.map((item) => ({ PutRequest: { Item: item } })) };
    for (let attempt = 0; Object.keys(wanted).length > 0; attempt += 1) {
      if (attempt === BATCH_ATTEMPTS) throw new ApplicationError(5001, 'writes stay unprocessed');
      if (attempt > 0) await pause(25 * 2 ** attempt);
      const { UnprocessedItems } = await guarded(this.#client.send(new BatchWriteCommand({ RequestItems: wanted })));
      wanted = UnprocessedItems ?? {};
    }
  }
}

async function guarded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) throw error;
    // A request that DynamoDB finds malformed is our bug and must look like one.
    if (error instanceof Error && error.name === 'ValidationException') throw error;
    if (error instanceof ResourceNotFoundException) throw new ApplicationError(5003, 'a table is missing');
    throw new ApplicationError(5001, undefined, { 'retry-after': '5' });
  }
}
