import { fileURLToPath } from 'node:url';
import type { StackProps } from 'aws-cdk-lib';
import { ArnFormat, Duration, Fn, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import type { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling';
import { AutoScalingGroup, HealthChecks } from 'aws-cdk-lib/aws-autoscaling';
import { BackupPlan, BackupPlanRule, BackupResource, BackupVault } from 'aws-cdk-lib/aws-backup';
import type { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2';
import {
  BlockDeviceVolume,
  CfnEIP,
  CfnHost,
  EbsDeviceVolumeType,
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InstanceType,
  InterfaceVpcEndpointAwsService,
  LaunchTemplate,
  PlacementGroup,
  PlacementGroupStrategy,
  Port,
  SecurityGroup,
  SubnetType,
  UserData,
  Volume,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  AmiHardwareType,
  AsgCapacityProvider,
  Cluster,
  ContainerImage,
  ContainerInsights,
  Ec2Service,
  Ec2TaskDefinition,
  EcsOptimizedImage,
  LinuxParameters,
  LogDrivers,
  NetworkMode,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';
import type { DataStack } from './data-stack.ts';

export type HotpathProps = StackProps & { readonly settings: Settings; readonly data: DataStack };

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The engine drains open operations first; ECS allows no more on EC2 by default than this asks for. */
const STOP_WITHIN = Duration.seconds(60);

/**
 * One engine on one host beside the venues, and its standby: two tasks, of which one holds the lease and trades, over one journal. Nothing can connect to
 * them: they ask, and are never asked.
 */
export class HotpathStack extends Stack {
  readonly cluster: Cluster;
  readonly service: Ec2Service;
  readonly log: LogGroup;
  readonly #props: HotpathProps;

  /** A concrete environment would make CDK look the zones up, offline too. */
  override get availabilityZones(): string[] {
    return [Fn.select(0, Fn.getAzs()), Fn.select(1, Fn.getAzs())];
  }

  constructor(scope: Construct, id: string, props: HotpathProps) {
    super(scope, id, props);
    this.#props = props;
    const vpc = this.#vpc();
    this.cluster = new Cluster(this, 'Cluster', { vpc, containerInsightsV2: ContainerInsights.ENHANCED });
    this.log = new LogGroup(this, 'EngineLog', {
      retention: isPrecious(props.settings) ? RetentionDays.ONE_YEAR : RetentionDays.ONE_MONTH,
      removalPolicy: isPrecious(props.settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    const capacity = this.#host(vpc);
    this.cluster.addAsgCapacityProvider(capacity);
    this.service = this.#engine(capacity);
  }

  #vpc(): Vpc {
    const vpc = new Vpc(this, 'Vpc', {
      maxAzs: 1,
      natGateways: 0,
      // A host asks for its fixed address itself, and needs one to ask from.
      subnetConfiguration: [{ name: 'venues', subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: true }],
      gatewayEndpoints: { dynamodb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
    });
    vpc.addFlowLog('Flows', { destination: FlowLogDestination.toCloudWatchLogs() });
    return vpc;
  }

  /** The engine's events leave without the way over the Internet; only the engine may use the door. */
  #kinesisDoor(vpc: Vpc, engine: SecurityGroup): void {
    const door = new SecurityGroup(this, 'KinesisDoor', {
      vpc,
      description: 'The way to Kinesis: from the engine alone',
      allowAllOutbound: false,
    });
    door.addIngressRule(engine, Port.tcp(443), 'from the engine');
    vpc.addInterfaceEndpoint('Kinesis', {
      service: InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
      securityGroups: [door],
      open: false,
    });
  }

  /** The journal is the truth until it is shipped: it outlives the host, and the stack. */
  #journal(vpc: Vpc): Volume {
    const { settings } = this.#props;
    const volume = new Volume(this, 'Journal', {
      availabilityZone: vpc.availabilityZones[0]!,
      size: Size.gibibytes(100),
      volumeType: EbsDeviceVolumeType.GP3,
      encrypted: true,
      removalPolicy: isPrecious(settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    if (isPrecious(settings)) this.#backUp(volume);
    return volume;
  }

  #backUp(volume: Volume): void {
    const plan = new BackupPlan(this, 'Backups', {
      backupVault: new BackupVault(this, 'Vault', { removalPolicy: RemovalPolicy.RETAIN }),
      backupPlanRules: [BackupPlanRule.daily()],
    });
    const selection = plan.addSelection('Journal', {
      resources: [
        BackupResource.fromArn(this.formatArn({ service: 'ec2', resource: 'volume', resourceName: volume.volumeId })),
      ],
    });
    acknowledge(selection, {
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup]':
        'The role that AWS Backup prescribes for taking snapshots',
    });
  }

  /** The instance: on a host of our own, or on metal packed close to its like. EC2 refuses both at once, only at launch. */
  #host(vpc: Vpc): AsgCapacityProvider {
    const { settings } = this.#props;
    const securityGroup = new SecurityGroup(this, 'EngineNetwork', {
      vpc,
      description: 'The engine: out to the venues, nothing in',
      allowAllOutbound: true,
    });
    this.#kinesisDoor(vpc, securityGroup);
    const address = new CfnEIP(this, 'Address', { domain: 'vpc' });
    const journal = this.#journal(vpc);
    const template = new LaunchTemplate(this, 'Template', {
      instanceType: new InstanceType(settings.instanceType),
      machineImage: EcsOptimizedImage.amazonLinux2023(AmiHardwareType.STANDARD),
      role: this.#hostRole(address, journal),
      securityGroup,
      userData: preparedWith({ region: this.region, address: address.attrAllocationId, journal: journal.volumeId }),
      requireImdsv2: true,
      detailedMonitoring: true,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(50, { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 }),
        },
      ],
    });
    const group = new AutoScalingGroup(this, 'Hosts', {
      vpc,
      launchTemplate: template,
      minCapacity: 1,
      maxCapacity: 1,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      healthChecks: HealthChecks.ec2({ gracePeriod: Duration.minutes(5) }),
      newInstancesProtectedFromScaleIn: false,
    });
    acknowledge(group, {
      'AwsSolutions-AS3': 'One host that is replaced, never scaled: the alarm "Engine down" tells of it',
    });
    this.#place(vpc, template, group);
    return new AsgCapacityProvider(this, 'Capacity', {
      autoScalingGroup: group,
      enableManagedScaling: false,
      // In place of the hook of older days, a function with rights of its own.
      enableManagedDraining: true,
      enableManagedTerminationProtection: false,
    });
  }

  /** May join its cluster (the cluster adds that), take its address and attach its journal. */
  #hostRole(address: CfnEIP, journal: Volume): Role {
    const role = new Role(this, 'HostRole', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
    const arn = (resource: string, resourceName: string): string =>
      this.formatArn({ service: 'ec2', resource, resourceName });
    const instances = arn('instance', '*');
    role.addToPolicy(
      new PolicyStatement({
        actions: ['ec2:AssociateAddress'],
        resources: [arn('elastic-ip', address.attrAllocationId), arn('network-interface', '*')],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({ actions: ['ec2:AttachVolume'], resources: [arn('volume', journal.volumeId)] }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['ec2:AssociateAddress', 'ec2:AttachVolume'],
        resources: [instances],
        conditions: { StringEquals: { 'aws:ResourceTag/application': 'arbitrage-engine' } },
      }),
    );
    const own =
      'Which instance it is becomes known at launch; what it may take is named, and instances are held to our tag';
    acknowledge(role, {
      'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:instance/*]': own,
      'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:network-interface/*]': own,
      'AwsSolutions-IAM5[Resource::*]':
        'Calls of the ECS agent that know no resources (its endpoint, its registry login)',
      'AwsSolutions-IAM5[Action::ecs:Submit*]': 'How the ECS agent tells the state of its tasks, to its own cluster',
    });
    return role;
  }

  #place(vpc: Vpc, template: LaunchTemplate, group: AutoScalingGroup): void {
    const { placement, instanceType } = this.#props.settings;
    switch (placement) {
      case 'dedicated-host':
        new CfnHost(this, 'Host', {
          availabilityZone: vpc.availabilityZones[0]!,
          instanceType,
          autoPlacement: 'on',
          hostRecovery: 'on',
        });
        // No construct has a word for it.
        (template.node.defaultChild as CfnLaunchTemplate).addPropertyOverride(
          'LaunchTemplateData.Placement.Tenancy',
          'host',
        );
        return;
      case 'cluster-metal':
        (group.node.defaultChild as CfnAutoScalingGroup).placementGroup = new PlacementGroup(this, 'Together', {
          strategy: PlacementGroupStrategy.CLUSTER,
        }).placementGroupName;
    }
  }

  #engine(capacity: AsgCapacityProvider): Ec2Service {
    const { settings, data } = this.#props;
    const task = new Ec2TaskDefinition(this, 'Engine', { networkMode: NetworkMode.HOST });
    task.addVolume({ name: 'journal', host: { sourcePath: '/var/lib/arbitrage' } });
    const image = new DockerImageAsset(this, 'Image', {
      directory: root,
      file: 'Dockerfile',
      platform: Platform.LINUX_AMD64,
    });
    const container = task.addContainer('engine', {
      image: ContainerImage.fromDockerImageAsset(image),
      cpu: 2_048,
      memoryReservationMiB: 4_096,
      essential: true,
      readonlyRootFilesystem: true,
      privileged: false,
      user: '10001:10001',
      stopTimeout: STOP_WITHIN,
      logging: LogDrivers.awsLogs({ logGroup: this.log, streamPrefix: 'engine' }),
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
      environment: {
        // In a container of a host of our own nobody sets it.
        AWS_REGION: this.region,
        ARB_SYSTEM__ENVIRONMENT: settings.environment,
        ARB_SYSTEM__DATA_DIR: '/var/lib/arbitrage',
        ARB_ENGINE__NAME: settings.engine,
        ARB_ENGINE__VENUES: settings.venues.join(','),
        ARB_LEASE__ENABLED: 'true',
        ARB_STREAMS__EVENTS: data.streams.events.streamName,
        ARB_STREAMS__MARKET: data.streams.market.streamName,
        ARB_STREAMS__COMMANDS: data.streams.commands.streamName,
        ARB_STORES__STATE_TABLE: data.stateTable.tableName,
        ARB_STORES__EVENTS_TABLE: data.eventsTable.tableName,
      },
    });
    container.addMountPoints({ containerPath: '/var/lib/arbitrage', sourceVolume: 'journal', readOnly: false });
    this.#grant(task);
    acknowledge(task, {
      'AwsSolutions-ECS2': 'Names of streams and tables and the shape of the deployment: no secret is among them',
    });
    acknowledge(task.obtainExecutionRole(), {
      'AwsSolutions-IAM5[Resource::*]': "A registry's login token knows no resources",
    });
    return new Ec2Service(this, 'Service', {
      cluster: this.cluster,
      taskDefinition: task,
      // Both on the one host: they share the journal.
      desiredCount: 2,
      // One after the other: the one that stays takes over, or goes on.
      minHealthyPercent: 50,
      maxHealthyPercent: 100,
      circuitBreaker: { rollback: true },
      capacityProviderStrategies: [{ capacityProvider: capacity.capacityProviderName, weight: 1 }],
    });
  }

  #grant(task: Ec2TaskDefinition): void {
    const { streams, stateTable, key } = this.#props.data;
    const allow = (resources: readonly string[], ...actions: readonly string[]): void =>
      task.addToTaskRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
    allow([streams.events.streamArn, streams.market.streamArn], 'kinesis:PutRecords');
    allow([streams.commands.streamArn], 'kinesis:ListShards', 'kinesis:GetShardIterator', 'kinesis:GetRecords');
    allow([stateTable.tableArn], 'dynamodb:GetItem', 'dynamodb:PutItem');
    allow([key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey');
    // Keys of the venues, for shadow and live. Secrets Manager ends each name with six letters of its own.
    const { venues, environment } = this.#props.settings;
    const keys = venues.map((venue) => `arbitrage/${environment}/venues/${venue}-??????`);
    allow(
      keys.map((resourceName) =>
        this.formatArn({
          service: 'secretsmanager',
          resource: 'secret',
          resourceName,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ),
      'secretsmanager:GetSecretValue',
    );
  }
}

type Prepared = { readonly region: string; readonly address: string; readonly journal: string };

/** The host's fixed address, its journal, and a kernel that does not save power while we wait for a packet. All before the ECS agent starts. */
function preparedWith({ region, address, journal }: Prepared): UserData {
  const data = UserData.forLinux();
  data.addCommands(
    'set -eux',
    'command -v aws || dnf install -y awscli-2',
    'TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60")',
    'INSTANCE=$(curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id)',
    `aws ec2 associate-address --region ${region} --instance-id "$INSTANCE" --allocation-id ${address}`,
    `VOLUME=${journal}`,
    // The host before this one may hold it still: an engine without its journal must not start.
    `for try in $(seq 60); do aws ec2 attach-volume --region ${region} --instance-id "$INSTANCE" --volume-id $VOLUME --device /dev/sdf && break; sleep 5; done`,
    'DISK=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$(echo $VOLUME | tr -d -)',
    'for try in $(seq 60); do [ -e $DISK ] && break; sleep 1; done',
    'blkid $DISK || mkfs.xfs $DISK',
    'mkdir -p /var/lib/arbitrage && mount $DISK /var/lib/arbitrage && chown 10001:10001 /var/lib/arbitrage',
    'sysctl -w net.core.busy_poll=50 net.core.busy_read=50 net.ipv4.tcp_slow_start_after_idle=0 vm.swappiness=0 || true',
    'for each in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do [ ! -w "$each" ] || echo performance > "$each"; done',
    'echo never > /sys/kernel/mm/transparent_hugepage/enabled || true',
    // What follows is the cluster's own; a host that came so far may join it.
    'set +e',
  );
  return data;
}
