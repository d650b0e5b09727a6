import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import {
  Architecture,
  Code,
  EventSourceMapping,
  Function as Lambda,
  Runtime,
  StartingPosition,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';
import type { DataStack } from '../stacks/data-stack.ts';

/** On what every function of the cold plane stands. */
export type Ground = { readonly settings: Settings; readonly data: DataStack };

export type LambdaProps = Ground & {
  /** Path of the entry from the root of the repository. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeout?: Duration;
};

const root = fileURLToPath(new URL('../../..', import.meta.url));
const bundler = fileURLToPath(new URL('../bundle.ts', import.meta.url));
/** A record is tried so often and so long, then it goes to the dead letters: the rest of its shard waits no longer for it. */
const TRIES = 5;
const RECORD_AGE = Duration.hours(6);

/** A function that may write its log, send its traces and use the key of our data, and nothing else: the rest is allowed one by one. */
export function createLambda(scope: Construct, name: string, props: LambdaProps): Lambda {
  const { settings, data, entry, environment, timeout = Duration.seconds(60) } = props;
  const logGroup = new LogGroup(scope, `${name}Log`, {
    retention: isPrecious(settings) ? RetentionDays.THREE_MONTHS : RetentionDays.ONE_WEEK,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(scope, `${name}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  const lambda = new Lambda(scope, name, {
    code: bundled(entry, settings.endpoint === 'aws' ? 'of-the-runtime' : 'bundled'),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    memorySize: 512,
    timeout,
    tracing: Tracing.ACTIVE,
    role,
    logGroup,
    environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
  });
  allow(lambda, [logGroup.logGroupArn], 'logs:CreateLogStream', 'logs:PutLogEvents');
  allow(lambda, [data.key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey');
  acknowledge(role, {
    'AwsSolutions-IAM5[Resource::*]': 'X-Ray takes traces from anybody who may send them: it has no resources',
  });
  return lambda;
}

export function allow(to: Lambda, resources: readonly string[], ...actions: readonly string[]): void {
  to.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
}

/** Calls the function with the records of a stream; what it cannot do goes to the dead letters. */
export function readStream(
  scope: Construct,
  name: string,
  {
    target,
    stream,
    data,
    from = StartingPosition.TRIM_HORIZON,
  }: {
    readonly target: Lambda;
    readonly stream: IStream;
    readonly data: DataStack;
    /** Where it begins when it is new: at the oldest record that is still there. */
    readonly from?: StartingPosition;
  },
): void {
  allow(target, [stream.streamArn], ...READ_STREAM);
  allow(target, [data.deadLetters.queueArn], 'sqs:SendMessage');
  const mapping = new EventSourceMapping(scope, name, {
    target,
    eventSourceArn: stream.streamArn,
    startingPosition: from,
    batchSize: 500,
    parallelizationFactor: 1,
    retryAttempts: TRIES,
    maxRecordAge: RECORD_AGE,
    bisectBatchOnError: true,
    reportBatchItemFailures: true,
    onFailure: { bind: () => ({ destination: data.deadLetters.queueArn }) },
  });
  // Lambda looks whether it may read before it agrees to.
  mapping.node.addDependency(target.role!);
}

const READ_STREAM = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
] as const;

/** The entry as one file. Synthesis cannot wait for a promise, so that another process makes it. */
function bundled(entry: string, sdk: 'of-the-runtime' | 'bundled'): Code {
  return Code.fromAsset(root, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-used'),
      // Never run either: what is alike in words is bundled once, and the functions below are not words.
      command: [entry, sdk],
      local: {
        tryBundle: (outDir) => {
          execFileSync(process.execPath, [bundler, join(root, entry), outDir, sdk], {
            stdio: ['ignore', 'inherit', 'inherit'],
          });
          return true;
        },
      },
    },
  });
}
