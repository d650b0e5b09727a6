import type { StackProps } from 'aws-cdk-lib';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
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
  readonly venueSecret: ISecret;
  readonly audit: Bucket;

  constructor(scope: Construct, id: string, props: DataProps) {
    super(scope, id, props);
    const { settings } = props;
    const removalPolicy = isPrecious(settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    this.key = new Key(this, 'Key', {
      description: 'Encrypts what arbitrage-engine keeps',
      enableKeyRotation: true,
      removalPolicy,
    });
    this.stateTable = this.#table('State', { hash: 'pk', range: 'sk' }, settings);
    this.eventsTable = this.#table('Events', { hash: 'engine', range: 'sk' }, settings);
    this.streams = {
      events: this.#stream('EventsStream', Duration.days(7)),
      market: this.#stream('MarketStream', Duration.days(1)),
      commands: this.#stream('CommandsStream', Duration.days(1)),
    };
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: this.key,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy,
    });
    this.jwtSecret = this.#secret('JwtSecret', 'Signs the tokens of the API', {
      passwordLength: 64,
      excludePunctuation: true,
    });
    this.venueSecret = this.#secret(
      'VenueKeys',
      'Keys of the venues, as JSON by venue: {"okx":{"apiKey":"","secret":"","passphrase":""}}',
    );
    this.audit = this.#auditBucket(removalPolicy);
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

  #stream(name: string, retentionPeriod: Duration): Stream {
    return new Stream(this, name, {
      streamMode: StreamMode.ON_DEMAND,
      encryption: StreamEncryption.KMS,
      encryptionKey: this.key,
      retentionPeriod,
    });
  }

  #secret(
    name: string,
    description: string,
    generate?: { readonly passwordLength: number; readonly excludePunctuation: boolean },
  ): Secret {
    return new Secret(this, name, {
      description,
      encryptionKey: this.key,
      ...(generate === undefined
        ? { generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'unused' } }
        : { generateSecretString: generate }),
    });
  }

  /** Written once, never changed: what happened, for as long as it may be asked. */
  #auditBucket(removalPolicy: RemovalPolicy): Bucket {
    const logs = new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(90) }],
      removalPolicy,
    });
    return new Bucket(this, 'Audit', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      objectLockEnabled: true,
      objectLockDefaultRetention: ObjectLockRetention.governance(Duration.days(365)),
      serverAccessLogsBucket: logs,
      serverAccessLogsPrefix: 'audit/',
      removalPolicy,
    });
  }
}
