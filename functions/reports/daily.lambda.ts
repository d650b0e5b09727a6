import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { Store } from '../common/store.ts';
import { keepReports } from './keep-reports.ts';

const region = process.env['AWS_REGION'] ?? 'us-east-1';
const s3 = new S3Client({ region });
const sns = new SNSClient({ region });
const Bucket = variable('REPORTS_BUCKET');
const TopicArn = variable('REPORTS_TOPIC');
const store = new Store(documentClient(dynamoClient()), storeNames(), variable('ENGINE'));

/** Called by the schedule, once a day; once more changes nothing. */
export const handler = (): Promise<readonly string[]> =>
  keepReports({
    store,
    shelf: {
      put: async (Key, Body, ContentType) => {
        await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
      },
      placeOf: (name) => `s3://${Bucket}/${name}`,
    },
    tell: async (Subject, Message) => {
      await sns.send(new PublishCommand({ TopicArn, Subject, Message }));
    },
    clock: systemClock(),
    log: jsonLog((line) => process.stdout.write(line)),
  });
