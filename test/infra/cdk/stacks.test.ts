import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ALERT_RULES } from '#shared/schema/alerts.ts';
import { placeOf, synthesised, type Resource } from './synthesised.ts';

const dev = synthesised({});
const production = synthesised({
  environment: 'production',
  placement: 'cluster-metal',
  alertEmail: 'desk@example.org',
});
const both = [
  ['a development deployment on a dedicated host', dev],
  ['production on packed metal', production],
] as const;

const ofType = (resources: readonly Resource[], type: string): readonly Resource[] =>
  resources.filter(({ Type }) => Type === `AWS::${type}`);
const asText = (value: unknown): string => JSON.stringify(value);

describe.each(both)('%s', (_name, { resources, validation }) => {
  it('has no finding but those that are decisions', () => {
    const report: unknown = JSON.parse(validation);
    expect(report).toMatchObject({
      pluginReports: expect.arrayContaining([
        expect.objectContaining({ pluginName: 'AwsSolutions', conclusion: 'success', violations: [] }),
      ]),
    });
    expect(validation).not.toContain('"conclusion": "failure"');
  });

  it('runs one engine and its standby on one host, under a lease', () => {
    const [service, ...others] = ofType(resources, 'ECS::Service');
    expect(others).toEqual([]);
    expect(service?.Properties).toMatchObject({
      DesiredCount: 2,
      DeploymentConfiguration: { MinimumHealthyPercent: 50, MaximumPercent: 100 },
    });
    expect(asText(ofType(resources, 'ECS::TaskDefinition')[0]?.Properties)).toContain(
      '{"Name":"ARB_LEASE__ENABLED","Value":"true"}',
    );
    const [group, ...groups] = ofType(resources, 'AutoScaling::AutoScalingGroup');
    expect(groups).toEqual([]);
    expect(group?.Properties).toMatchObject({ MinSize: '1', MaxSize: '1' });
    expect(ofType(resources, 'ApplicationAutoScaling::ScalableTarget')).toEqual([]);
  });

  it('lets nobody connect to the engine', () => {
    const groups = ofType(resources, 'EC2::SecurityGroup');
    const engine = groups.find(({ id }) => id.startsWith('EngineNetwork'));
    expect(engine).toBeDefined();
    for (const { Properties } of groups) expect(Properties['SecurityGroupIngress']).toBeUndefined();
    const [door, ...rules] = ofType(resources, 'EC2::SecurityGroupIngress');
    expect(rules).toEqual([]);
    expect(asText(door?.Properties['GroupId'])).toContain('KinesisDoor');
    expect(asText(door?.Properties['SourceSecurityGroupId'])).toContain('EngineNetwork');
    for (const type of ['ElasticLoadBalancingV2::LoadBalancer', 'ServiceDiscovery::Service'])
      expect(ofType(resources, type)).toEqual([]);
    expect(asText(ofType(resources, 'ECS::TaskDefinition')[0]?.Properties)).not.toContain('ContainerPort');
    expect(asText(ofType(resources, 'EC2::LaunchTemplate')[0]?.Properties)).not.toContain('KeyName');
  });

  it('locks the container in', () => {
    const [task] = ofType(resources, 'ECS::TaskDefinition');
    expect(task?.Properties['ContainerDefinitions']).toEqual([
      expect.objectContaining({
        ReadonlyRootFilesystem: true,
        Privileged: false,
        User: '10001:10001',
        StopTimeout: 60,
        LinuxParameters: expect.objectContaining({ InitProcessEnabled: true }),
      }),
    ]);
  });

  it('packs each function by itself', () => {
    const entries = ofType(resources, 'Lambda::Function')
      .filter(({ stack }) => stack === 'functions')
      .map(({ Properties }) => asText(Properties['Code']));
    expect(new Set(entries).size).toBe(entries.length);
  });

  it('bounds what a bad record may cost', () => {
    const mappings = ofType(resources, 'Lambda::EventSourceMapping').filter(
      ({ Properties }) => Properties['StartingPosition'] !== undefined,
    );
    expect(mappings).toHaveLength(5);
    for (const { Properties } of mappings) {
      expect(Properties).toMatchObject({
        MaximumRetryAttempts: 5,
        MaximumRecordAgeInSeconds: 21_600,
        BisectBatchOnFunctionError: true,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        DestinationConfig: { OnFailure: { Destination: expect.anything() } },
      });
    }
  });

  it('names in each alarm a section of the runbook', () => {
    const headings = readFileSync('infra/RUNBOOK.md', 'utf8').matchAll(/^## (.+)$/gm);
    const anchors = [...headings].map(([, heading]) => heading!.toLowerCase().replaceAll(' ', '-'));
    const named = ofType(resources, 'CloudWatch::Alarm').map(
      ({ Properties }) => /infra\/RUNBOOK[.]md#([a-z0-9-]+)$/.exec(String(Properties['AlarmDescription']))?.[1],
    );
    expect(named.length).toBeGreaterThan(10);
    // The engine's own alerts have theirs beside the alarms; some share one.
    const ofRules = Object.values(ALERT_RULES).map(({ runbook }) => runbook.toLowerCase().replaceAll(' ', '-'));
    expect(new Set(named).size).toBe(named.length);
    expect([...new Set([...named, ...ofRules])].sort()).toEqual([...anchors].sort());
    for (const { Properties } of ofType(resources, 'CloudWatch::Alarm'))
      expect(Properties['AlarmActions']).toHaveLength(1);
  });

  it('gives no role an action on everything but those that know no resources', () => {
    const actions = ofType(resources, 'IAM::Policy').flatMap(({ Properties }) =>
      (Properties['PolicyDocument'] as Document).Statement.filter(
        (each) => [each.Resource].flat().includes('*') && each.Condition === undefined,
      ).flatMap(({ Action }) => Action),
    );
    expect([...new Set(actions)].sort()).toEqual([
      ...[
        'ecr:GetAuthorizationToken',
        'ecs:DiscoverPollEndpoint',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        ...TRACE,
      ],
    ]);
    const managed = ofType(resources, 'IAM::Role').filter(
      ({ Properties }) => Properties['ManagedPolicyArns'] !== undefined,
    );
    expect(managed.map(placeOf)).toEqual([
      'functions/Api/CloudWatchRole',
      ...(resources === production.resources ? ['hotpath/Backups/Journal/Role'] : []),
    ]);
    expect(ofType(resources, 'IAM::ManagedPolicy')).toEqual([]);
  });

  it('gives each role the actions of this list, and no other', () => {
    expect(actionsByRole(resources)).toEqual({
      ...ROLES,
      ...(resources === production.resources ? { 'hotpath/Backups/Journal/Role': [] } : {}),
    });
  });
});

const PUSH_TABLES = {
  'dynamodb:DeleteItem': ['State'],
  'dynamodb:GetItem': ['State'],
  'dynamodb:Query': ['State'],
  'dynamodb:UpdateItem': ['State'],
};

it('lets each function at the tables that it uses', () => {
  const reach = ofType(dev.resources, 'IAM::Policy')
    .filter(({ stack }) => stack === 'functions')
    .map((policy) => [placeOf(policy).split('/')[1], tablesOf(policy)]);
  expect(Object.fromEntries(reach)).toEqual({
    ProjectorRole: { 'dynamodb:BatchWriteItem': ['Events', 'State'], 'dynamodb:UpdateItem': ['State'] },
    MarketRole: { 'dynamodb:GetItem': ['State'], 'dynamodb:Query': ['State'], 'dynamodb:UpdateItem': ['State'] },
    AlertsRole: { 'dynamodb:GetItem': ['State'], 'dynamodb:Query': ['State'], 'dynamodb:UpdateItem': ['State'] },
    AlertSenderRole: { 'dynamodb:GetItem': ['State'], 'dynamodb:Query': ['State'], 'dynamodb:UpdateItem': ['State'] },
    ReportsRole: {
      'dynamodb:GetItem': ['State'],
      'dynamodb:Query': ['State', 'State index'],
      'dynamodb:UpdateItem': ['State'],
    },
    AuthorizerRole: {},
    PushRole: PUSH_TABLES,
    FanoutRole: PUSH_TABLES,
    RestRole: {
      'dynamodb:GetItem': ['State'],
      'dynamodb:Query': ['Events', 'State', 'State index'],
      'dynamodb:UpdateItem': ['State'],
    },
  });
});

describe('the APIs', () => {
  const { resources } = dev;

  it('let nobody in without the authorizer but where it is open by contract', () => {
    const methods = ofType(resources, 'ApiGateway::Method').map((method) => [
      placeOf(method).replace(/^functions\/Api\/Default\//, ''),
      method.Properties['AuthorizationType'],
    ]);
    const open = ['health', 'ready', 'metrics', 'v1/openapi.json', 'v1/docs', 'v1/auth/token', 'v1/alerts/{id}/ack'];
    expect(Object.fromEntries(methods)).toEqual({
      ANY: 'CUSTOM',
      OPTIONS: 'NONE',
      ...Object.fromEntries(open.map((path) => [`${path}/ANY`, 'NONE'])),
      ...Object.fromEntries(['', 'v1/'].map((path) => [`${path}{proxy+}/ANY`, 'CUSTOM'])),
      ...Object.fromEntries(['', 'v1/'].map((path) => [`${path}{proxy+}/OPTIONS`, 'NONE'])),
    });
    const routes = ofType(resources, 'ApiGatewayV2::Route').map(({ Properties }) => [
      Properties['RouteKey'],
      Properties['AuthorizationType'],
    ]);
    expect(Object.fromEntries(routes)).toEqual({ $connect: 'CUSTOM', $default: 'NONE', $disconnect: 'NONE' });
  });

  it('keep the word on a token by the token, for a short time', () => {
    const [authorizer, ...others] = ofType(resources, 'ApiGateway::Authorizer');
    expect(others).toEqual([]);
    expect(authorizer?.Properties).toMatchObject({
      Type: 'REQUEST',
      IdentitySource: 'method.request.header.Authorization',
      AuthorizerResultTtlInSeconds: 60,
    });
  });

  it('refuse in the words of the API', () => {
    const answers = ofType(resources, 'ApiGateway::GatewayResponse').map(({ Properties }) => {
      const { StatusCode, ResponseType, ResponseTemplates } = Properties as Readonly<Record<string, string>> & {
        readonly ResponseTemplates: Readonly<Record<string, string>>;
      };
      // As API Gateway fills it in.
      const text = ResponseTemplates['application/json']!.replaceAll(
        '$context.error.messageString',
        '"why"',
      ).replaceAll(/\$context[.][\w.]+/g, 'filled');
      const { error } = JSON.parse(text) as { readonly error: { readonly code: number; readonly request_id: string } };
      expect(error).toMatchObject({ category: expect.any(String), message: expect.any(String), request_id: 'filled' });
      return [ResponseType, `${StatusCode} ${error.code}`];
    });
    expect(Object.fromEntries(answers)).toMatchObject({
      UNAUTHORIZED: '401 1001',
      ACCESS_DENIED: '401 1002',
      WAF_FILTERED: '403 1003',
      MISSING_AUTHENTICATION_TOKEN: '404 404',
      THROTTLED: '429 429',
      AUTHORIZER_FAILURE: '503 5002',
    });
  });

  it('let the push functions speak to the connections of the one API', () => {
    const policies = ofType(resources, 'IAM::Policy').filter(({ Properties }) =>
      asText(Properties).includes('execute-api:ManageConnections'),
    );
    expect(policies.map((policy) => placeOf(policy).split('/')[1]).sort()).toEqual(['FanoutRole', 'PushRole']);
    for (const { Properties } of policies) {
      const { Statement } = Properties['PolicyDocument'] as Document;
      const reached = Statement.filter(({ Action }) => asText(Action).includes('execute-api')).map(
        (each) => each.Resource,
      );
      expect(asText(reached)).toMatch(/"Ref":"PushApi/);
      expect(asText(reached)).toMatch(/live\/POST\/@connections\/\*/);
      expect(asText(reached)).not.toMatch(/"\*"/);
    }
  });

  it('throttle and write down who comes, without the tokens', () => {
    const [stage] = ofType(resources, 'ApiGatewayV2::Stage');
    expect(stage?.Properties).toMatchObject({
      DefaultRouteSettings: { ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400, DetailedMetricsEnabled: true },
      AccessLogSettings: { DestinationArn: expect.anything(), Format: expect.not.stringContaining('querystring') },
    });
  });
});

it('puts the engine on a host of its own or beside its like, never both', () => {
  const tenancy = (resources: readonly Resource[]): unknown =>
    (ofType(resources, 'EC2::LaunchTemplate')[0]?.Properties['LaunchTemplateData'] as { Placement?: unknown })
      .Placement;
  const group = (resources: readonly Resource[]): unknown =>
    ofType(resources, 'AutoScaling::AutoScalingGroup')[0]?.Properties['PlacementGroup'];

  expect(tenancy(dev.resources)).toEqual({ Tenancy: 'host' });
  expect(ofType(dev.resources, 'EC2::Host')).toHaveLength(1);
  expect([group(dev.resources), ofType(dev.resources, 'EC2::PlacementGroup')]).toEqual([undefined, []]);

  expect(tenancy(production.resources)).toBeUndefined();
  expect(ofType(production.resources, 'EC2::Host')).toEqual([]);
  expect(asText(group(production.resources))).toContain('Together');
});

describe('candles kept elsewhere', () => {
  const addedBy = (context: Readonly<Record<string, string>>): unknown => {
    const { resources, validation } = synthesised({ ...context, stacks: 'data,functions' });
    expect(validation).not.toContain('"conclusion": "failure"');
    const before = ROLES as Readonly<Record<string, readonly string[]>>;
    const added = Object.entries(actionsByRole(resources)).map(
      ([role, actions]) => [role, actions.filter((action) => before[role]?.includes(action) !== true)] as const,
    );
    return Object.fromEntries(added.filter(([, actions]) => actions.length > 0));
  };

  it('in InfluxDB want its secret alone, and have no finding', () => {
    const influxSecret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:influx-AbCdEf';
    const context = { timeSeries: 'influxdb', influxUrl: 'https://influx.test:8086', influxSecret };
    // The API has one secret already.
    expect(addedBy(context)).toEqual({ 'functions/MarketRole': ['secretsmanager:GetSecretValue'] });
  });

  it('in Timestream want the tables of one database alone, and have no finding', () => {
    const read = ['timestream:DescribeEndpoints', 'timestream:Select'];
    expect(addedBy({ timeSeries: 'timestream' })).toEqual({
      'functions/RestRole': read,
      'functions/MarketRole': [...read, 'timestream:WriteRecords'],
    });
  });
});

describe('what is kept in production', () => {
  const { resources } = production;
  const KEPT = [
    'DynamoDB::Table',
    'Kinesis::Stream',
    'KMS::Key',
    'SecretsManager::Secret',
    'SQS::Queue',
    'EC2::Volume',
    'Backup::BackupVault',
  ];
  const kept = resources.filter(
    (each) => KEPT.includes(each.Type.slice(5)) || (each.Type === 'AWS::S3::Bucket' && each.stack === 'data'),
  );

  it('outlives its stack', () => {
    expect(kept.map(({ Type }) => Type.slice(5)).sort()).toEqual(
      [
        ...['DynamoDB::Table', 'DynamoDB::Table', 'Kinesis::Stream', 'Kinesis::Stream', 'Kinesis::Stream', 'KMS::Key'],
        ...['SecretsManager::Secret', 'SecretsManager::Secret', 'SQS::Queue', 'EC2::Volume', 'Backup::BackupVault'],
        ...['SQS::Queue', 'SQS::Queue', 'S3::Bucket', 'S3::Bucket', 'S3::Bucket'],
      ].sort(),
    );
    for (const each of kept)
      expect([placeOf(each), each.DeletionPolicy, each.UpdateReplacePolicy]).toEqual([
        placeOf(each),
        'Retain',
        'Retain',
      ]);
  });

  it('is encrypted', () => {
    const encryption: Readonly<Record<string, readonly [string, unknown]>> = {
      'DynamoDB::Table': ['SSESpecification', { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: expect.anything() }],
      'Kinesis::Stream': ['StreamEncryption', { EncryptionType: 'KMS', KeyId: expect.anything() }],
      'SecretsManager::Secret': ['KmsKeyId', expect.anything()],
      'SQS::Queue': ['KmsMasterKeyId', expect.anything()],
      'EC2::Volume': ['Encrypted', true],
      'S3::Bucket': ['BucketEncryption', expect.anything()],
    };
    for (const each of kept) {
      const [property, value] = encryption[each.Type.slice(5)] ?? [];
      if (property !== undefined) expect([placeOf(each), each.Properties[property]]).toEqual([placeOf(each), value]);
    }
    expect(ofType(resources, 'KMS::Key')[0]?.Properties).toMatchObject({ EnableKeyRotation: true });
    for (const { Properties } of ofType(resources, 'SQS::Queue'))
      expect(asText(Properties['KmsMasterKeyId'])).toMatch(/Key/);
    const topics = ofType(resources, 'SNS::Topic');
    expect(topics).toHaveLength(4);
    for (const { Properties } of topics) expect(asText(Properties['KmsMasterKeyId'])).toMatch(/Key/);
    for (const { id, Properties } of ofType(resources, 'S3::Bucket').filter(({ stack }) => stack === 'data'))
      expect([id, asText(Properties['BucketEncryption'])]).toEqual([
        id,
        expect.stringContaining(id.startsWith('AccessLogs') ? '"AES256"' : '"aws:kms"'),
      ]);
    expect(asText(ofType(resources, 'EC2::LaunchTemplate')[0]?.Properties)).toContain('"Encrypted":true');
  });

  it('is nothing else: no resource of another kind holds what cannot be made anew', () => {
    const holds =
      /Table|Bucket|Database|DBInstance|DBCluster|FileSystem|Volume|Cache|Domain|Stream|Queue|Secret|Key|Vault$/;
    const found = [...new Set(resources.map(({ Type }) => Type.slice(5)))].filter((type) =>
      holds.test(type.split('::')[1] ?? ''),
    );
    const others = ['S3::BucketPolicy', 'SQS::QueuePolicy', 'EC2::RouteTable', 'EC2::SubnetRouteTableAssociation'];
    const ways = ['KinesisFirehose::DeliveryStream', 'Logs::LogStream'];
    expect(found.sort()).toEqual([...KEPT, 'S3::Bucket', ...others, ...ways].sort());
  });

  it('is backed up', () => {
    for (const { Properties } of ofType(resources, 'DynamoDB::Table')) {
      expect(Properties).toMatchObject({
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      });
    }
    const [selection] = ofType(resources, 'Backup::BackupSelection');
    expect(asText(selection?.Properties)).toContain('volume/');
    const reports = ofType(resources, 'S3::Bucket').find(({ id }) => id.startsWith('Reports'));
    expect(reports?.Properties).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } });
    const audit = ofType(resources, 'S3::Bucket').find(({ id }) => id.startsWith('Audit'));
    expect(audit?.Properties).toMatchObject({
      ObjectLockEnabled: true,
      VersioningConfiguration: { Status: 'Enabled' },
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 365 } } },
    });
  });

  it('holds every event: the stream is delivered to the locked bucket', () => {
    const [delivery] = ofType(resources, 'KinesisFirehose::DeliveryStream');
    const text = asText(delivery?.Properties);
    expect(text).toContain('EventsStream');
    expect(text).toMatch(/"BucketARN":\{"Fn::GetAtt":\["Audit/);
  });
});

const READ_STREAM = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
];
const LOG = ['logs:CreateLogStream', 'logs:PutLogEvents'];
const KEY = ['kms:Decrypt', 'kms:GenerateDataKey'];
const TRACE = ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'];
const PUSH = [
  ...['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
  'execute-api:ManageConnections',
];
const ROLES = {
  'data/Archive/Role': [
    ...['kinesis:DescribeStream', 'kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:ListShards', ...KEY],
    ...['logs:PutLogEvents', 's3:AbortMultipartUpload', 's3:GetBucketLocation', 's3:GetObject', 's3:ListBucket'],
    ...['s3:ListBucketMultipartUploads', 's3:PutObject'],
  ],
  'functions/ProjectorRole': [
    ...['dynamodb:BatchWriteItem', 'dynamodb:UpdateItem', ...READ_STREAM, ...KEY, ...LOG, 'sqs:SendMessage', ...TRACE],
  ],
  'functions/MarketRole': [
    ...['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', ...READ_STREAM, ...KEY, ...LOG],
    ...['sqs:SendMessage', ...TRACE],
  ],
  'functions/AlertsRole': [
    ...['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', ...READ_STREAM, ...KEY, ...LOG],
    ...['secretsmanager:GetSecretValue', 'sns:Publish', 'sqs:SendMessage', ...TRACE],
  ],
  'functions/AlertSenderRole': [
    ...['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', ...KEY, ...LOG, 'secretsmanager:GetSecretValue'],
    ...['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage', ...TRACE],
  ],
  'functions/ReportsRole': [
    ...['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', ...KEY, ...LOG, 's3:PutObject', 'sns:Publish'],
    ...TRACE,
  ],
  'functions/RestRole': [
    ...['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', 'kinesis:PutRecord', ...KEY, ...LOG],
    ...['secretsmanager:GetSecretValue', ...TRACE],
  ],
  'functions/Api/CloudWatchRole': [],
  'functions/AuthorizerRole': [...KEY, ...LOG, 'secretsmanager:GetSecretValue', ...TRACE],
  'functions/PushRole': [...PUSH, ...KEY, ...LOG, ...TRACE],
  'functions/FanoutRole': [...PUSH, ...READ_STREAM, ...KEY, ...LOG, 'sqs:SendMessage', ...TRACE],
  'hotpath/Vpc/Flows/IAMRole': ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
  'hotpath/HostRole': [
    ...['ec2:AssociateAddress', 'ec2:AttachVolume', 'ecr:GetAuthorizationToken', 'ecs:DeregisterContainerInstance'],
    ...['ecs:DiscoverPollEndpoint', 'ecs:Poll', 'ecs:RegisterContainerInstance', 'ecs:StartTelemetrySession'],
    ...['ecs:Submit*', ...LOG],
  ],
  'hotpath/Engine/TaskRole': [
    ...['dynamodb:GetItem', 'dynamodb:PutItem', 'kinesis:GetRecords', 'kinesis:GetShardIterator'],
    ...['kinesis:ListShards', 'kinesis:PutRecords', ...KEY, 'secretsmanager:GetSecretValue'],
  ],
  'hotpath/Engine/ExecutionRole': [
    ...['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetAuthorizationToken'],
    ...['ecr:GetDownloadUrlForLayer', ...LOG],
  ],
};

type Statement = {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
};
type Document = { readonly Statement: readonly Statement[] };

/** What each role may do, by its own policies; sorted, each action once. */
function actionsByRole(resources: readonly Resource[]): Readonly<Record<string, readonly string[]>> {
  const roles = ofType(resources, 'IAM::Role');
  const policies = ofType(resources, 'IAM::Policy');
  return Object.fromEntries(
    roles.map((role) => {
      const inline = (role.Properties['Policies'] ?? []) as readonly { readonly PolicyDocument: Document }[];
      const attached = policies
        .filter(({ stack, Properties }) => stack === role.stack && asText(Properties['Roles']).includes(`"${role.id}"`))
        .map(({ Properties }) => Properties as { readonly PolicyDocument: Document });
      const actions = [...inline, ...attached].flatMap(({ PolicyDocument }) =>
        PolicyDocument.Statement.flatMap(({ Action }) => Action),
      );
      return [placeOf(role), [...new Set(actions)].sort()];
    }),
  );
}

/** Which tables a policy reaches, action by action. */
function tablesOf({ Properties }: Resource): Readonly<Record<string, readonly string[]>> {
  const { Statement } = Properties['PolicyDocument'] as Document;
  const pairs = Statement.flatMap(({ Action, Resource: reached }) =>
    [Action].flat().flatMap((action) => [reached].flat().map((one) => [action, tableFrom(asText(one))] as const)),
  );
  const wanted = pairs.filter(([action]) => action.startsWith('dynamodb:'));
  return Object.fromEntries(
    wanted.map(([action]) => [action, wanted.filter(([other]) => other === action).map(([, table]) => table)]),
  );
}

/** `State` of the import of its ARN from the data stack. */
function tableFrom(imported: string): string {
  const name = /ExportsOutputFnGetAtt(State|Events)[0-9A-F]{8}Arn/.exec(imported)?.[1] ?? imported;
  return imported.includes('/index/by_list') ? `${name} index` : name;
}
