import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention } from 'aws-cdk-lib/aws-s3';
import type { BucketProps } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import { Archive } from '../archive.ts';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';

export type DataProps = StackProps & { readonly settings: Settings };

/** Everything that must outlive a deployment: tables, streams, keys, secrets, the audit archive. Nothing here runs. */
export class DataStack extends Stack {
  readonly key: Key;
  readonly stateTable: ITable;
  readonly eventsTable: ITable;
  readonly streams: { readonly events: IStream; readonly market: IStream; readonly commands: IStream };
  readonly deadLetters: IQueue;
  readonly jwtSecret: ISecret;
  /** Where alerts go, and what signs them: filled in by a person (docs/alerts.md). */
  readonly alertChannels: ISecret;
  readonly audit: Bucket;
  readonly reports: Bucket;
  readonly archive: Archive;

  constructor(scope: Construct, id: string, props: DataProps) {
    super(scope, id, props);
    const { settings } = props;
    const removalPolicy = isPrecious(settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    this.key = new Key(this, 'Key', {
      description: 'Encrypts what arbitrage-engine keeps',
      enableKeyRotation: true,
      removalPolicy,
    });
    // Alarms are published to topics under this key, and topics send to queues under it: without it both would fail in silence.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        principals: ['cloudwatch', 'sns'].map((service) => new ServicePrincipal(`${service}.amazonaws.com`)),
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    this.stateTable = this.#table('State', { hash: 'pk', range: 'sk' }, settings);
    this.eventsTable = this.#table('Events', { hash: 'engine', range: 'sk' }, settings);
    this.streams = {
      events: this.#stream('EventsStream', Duration.days(7), removalPolicy),
      market: this.#stream('MarketStream', Duration.days(1), removalPolicy),
      commands: this.#stream('CommandsStream', Duration.days(1), removalPolicy),
    };
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: this.key,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy,
    });
    acknowledge(this.deadLetters, { 'AwsSolutions-SQS3': 'This is the queue for what others could not do' });
    this.jwtSecret = this.#jwtSecret(removalPolicy);
    this.alertChannels = this.#alertChannels(removalPolicy);
    this.#tellNames();
    const logs = this.#accessLogs(removalPolicy);
    this.audit = this.#auditBucket(logs, removalPolicy);
    this.reports = new Bucket(this, 'Reports', {
      ...keptPrivately(this.key, logs, 'reports/'),
      lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(90) }],
      removalPolicy,
    });
    this.archive = new Archive(this, 'Archive', { stream: this.streams.events, bucket: this.audit, key: this.key });
  }

  #table(name: string, key: { readonly hash: string; readonly range: string }, settings: Settings): Table {
    const table = new Table(this, name, {
      partitionKey: { name: key.hash, type: AttributeType.STRING },
      sortKey: { name: key.range, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: 'ttl',
      deletionProtection: isPrecious(settings),
      removalPolicy: isPrecious(settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    if (name === 'State') {
      table.addGlobalSecondaryIndex({
        indexName: 'by_list',
        partitionKey: { name: 'list', type: AttributeType.STRING },
        sortKey: { name: 'list_at', type: AttributeType.STRING },
        projectionType: ProjectionType.ALL,
      });
    }
    return table;
  }

  #stream(name: string, retentionPeriod: Duration, removalPolicy: RemovalPolicy): Stream {
    const stream = new Stream(this, name, {
      streamMode: StreamMode.ON_DEMAND,
      encryption: StreamEncryption.KMS,
      encryptionKey: this.key,
      retentionPeriod,
      removalPolicy,
    });
    acknowledge(stream, {
      'AwsSolutions-KDS3': 'One key of our own for all that is kept: its use can be audited, and ended',
    });
    return stream;
  }

  /** Drawn here, and never seen by anybody: it signs the tokens of the API. */
  #jwtSecret(removalPolicy: RemovalPolicy): Secret {
    const secret = new Secret(this, 'JwtSecret', {
      description: 'Signs the tokens of the API',
      encryptionKey: this.key,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy,
    });
    acknowledge(secret, {
      'AwsSolutions-SMG4': 'A change ends every token at once, so that a person decides when: see docs/deploy.md',
    });
    return secret;
  }

  /** For what joins from outside: an engine on another machine, whoever makes the first key or names a channel. */
  #tellNames(): void {
    const names = {
      StateTableName: this.stateTable.tableName,
      EventsTableName: this.eventsTable.tableName,
      EventsStreamName: this.streams.events.streamName,
      MarketStreamName: this.streams.market.streamName,
      CommandsStreamName: this.streams.commands.streamName,
      AlertChannelsId: this.alertChannels.secretArn,
    };
    for (const [name, value] of Object.entries(names)) new CfnOutput(this, name, { value });
  }

  #alertChannels(removalPolicy: RemovalPolicy): Secret {
    const secret = new Secret(this, 'AlertChannels', {
      description: 'Addresses of the channels of alerts, and what signs the webhook',
      encryptionKey: this.key,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ slack_webhook_url: '', webhook_url: '' }),
        generateStringKey: 'webhook_secret',
        passwordLength: 48,
        excludePunctuation: true,
      },
      removalPolicy,
    });
    acknowledge(secret, {
      'AwsSolutions-SMG4': 'Its addresses are those of others, and whoever checks the signature must change with it',
    });
    return secret;
  }

  #accessLogs(removalPolicy: RemovalPolicy): Bucket {
    return new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(90) }],
      removalPolicy,
    });
  }

  /** Written once, never changed: what happened, for as long as it may be asked. */
  #auditBucket(logs: Bucket, removalPolicy: RemovalPolicy): Bucket {
    return new Bucket(this, 'Audit', {
      ...keptPrivately(this.key, logs, 'audit/'),
      objectLockEnabled: true,
      objectLockDefaultRetention: ObjectLockRetention.governance(Duration.days(365)),
      removalPolicy,
    });
  }
}

/** Encrypted by our key, versioned, for nobody but us, with every access noted. */
const keptPrivately = (key: Key, logs: Bucket, prefix: string): BucketProps => ({
  encryption: BucketEncryption.KMS,
  encryptionKey: key,
  bucketKeyEnabled: true,
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  enforceSSL: true,
  versioned: true,
  serverAccessLogsBucket: logs,
  serverAccessLogsPrefix: prefix,
});
