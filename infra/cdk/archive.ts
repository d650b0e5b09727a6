import { Stack } from 'aws-cdk-lib';
import type { MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, LogStream, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';

export type ArchiveProps = { readonly stream: IStream; readonly bucket: Bucket; readonly key: IKey };

/** Every event, as it was sent, into the bucket where nothing is changed: one gzip of JSON lines a few minutes, by UTC hour. */
export class Archive extends Construct {
  readonly #name: string;

  constructor(scope: Construct, id: string, { stream, bucket, key }: ArchiveProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.ONE_MONTH });
    const logStream = new LogStream(this, 'Deliveries', { logGroup });
    const role = new Role(this, 'Role', {
      // Nobody else's stream may make Firehose use this role for it.
      assumedBy: new ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'sts:ExternalId': Stack.of(this).account } },
      }),
      inlinePolicies: {
        deliver: new PolicyDocument({
          statements: [
            allow(
              [stream.streamArn],
              'kinesis:DescribeStream',
              'kinesis:GetRecords',
              'kinesis:GetShardIterator',
              'kinesis:ListShards',
            ),
            allow([bucket.bucketArn], 's3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'),
            allow([bucket.arnForObjects('*')], 's3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'),
            allow([key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey'),
            allow([logGroup.logGroupArn], 'logs:PutLogEvents'),
          ],
        }),
      },
    });
    const delivery = new CfnDeliveryStream(this, 'Delivery', {
      deliveryStreamType: 'KinesisStreamAsSource',
      kinesisStreamSourceConfiguration: { kinesisStreamArn: stream.streamArn, roleArn: role.roleArn },
      extendedS3DestinationConfiguration: {
        bucketArn: bucket.bucketArn,
        roleArn: role.roleArn,
        prefix: 'events/!{timestamp:yyyy/MM/dd/HH}/',
        errorOutputPrefix: 'failed/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/',
        bufferingHints: { intervalInSeconds: 300, sizeInMBs: 64 },
        compressionFormat: 'GZIP',
        // Events come without a line end.
        processingConfiguration: { enabled: true, processors: [{ type: 'AppendDelimiterToRecord' }] },
        cloudWatchLoggingOptions: {
          enabled: true,
          logGroupName: logGroup.logGroupName,
          logStreamName: logStream.logStreamName,
        },
      },
    });
    this.#name = delivery.ref;
    acknowledge(delivery, {
      'AwsSolutions-KDF1':
        'Its source is an encrypted stream; its own encryption is for those who write to it directly',
    });
    acknowledge(role, {
      [`AwsSolutions-IAM5[Resource::<${Stack.of(this).getLogicalId(bucket.node.defaultChild as never)}.Arn>/*]`]:
        'Objects of the one bucket: their names come with the hour',
    });
  }

  /** Seconds since the oldest event came that is not in the bucket yet. */
  metricFreshness(options: MetricOptions): Metric {
    return new Metric({
      namespace: 'AWS/Firehose',
      metricName: 'DeliveryToS3.DataFreshness',
      dimensionsMap: { DeliveryStreamName: this.#name },
      ...options,
    });
  }
}

const allow = (resources: readonly string[], ...actions: readonly string[]): PolicyStatement =>
  new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });
