import { parentPort, workerData } from 'node:worker_threads';
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { assert } from '#shared/assert.ts';
import { dynamodbFrom } from './publish/aws.ts';
import { errorText, isOutside } from './publish/shipper.ts';
import type { StoredAnswer, StoredQuestion } from './stored-config-messages.ts';

/** One look at the state table, on a thread that ends with it: the one that trades has no use for an SDK. */

assert(parentPort !== null, 'the question for the stored configuration is asked on a worker thread');
const { engine, stateTable, aws, timeoutMs } = workerData as StoredQuestion;

/** Versions are items of one partition, in the order of their numbers. */
async function newest(): Promise<StoredAnswer> {
  try {
    const { Items: [item] = [] } = await dynamodbFrom(aws, timeoutMs).send(
      new QueryCommand({
        TableName: stateTable,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `${engine}#CONFIG` } },
        ScanIndexForward: false,
        Limit: 1,
        ConsistentRead: true,
      }),
    );
    return { kind: 'answered', text: item?.['version_text']?.S };
  } catch (error) {
    if (!isOutside(error)) throw error;
    return { kind: 'failed', error: errorText(error) };
  }
}

parentPort.postMessage(await newest());
