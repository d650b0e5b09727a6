import { fileURLToPath } from 'node:url';
import type { StackProps } from 'aws-cdk-lib';
import { Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AutoScalingGroup, HealthChecks } from 'aws-cdk-lib/aws-autoscaling';
import {
  BlockDeviceVolume,
  CfnEIP,
  CfnHost,
  CfnLaunchTemplate,
  EbsDeviceVolumeType,
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InstanceType,
  InterfaceVpcEndpointAwsService,
  LaunchTemplate,
  PlacementGroup,
  PlacementGroupStrategy,
  SecurityGroup,
  SubnetType,
  UserData,
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
  Secret as TaskSecret,
} from 'aws-cdk-lib/aws-ecs';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';
import type { DataStack } from './data-stack.ts';

export type HotpathProps = StackProps & { readonly settings: Settings; readonly data: DataStack };

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The engine drains open operations first; ECS allows no more on EC2 by default than this asks for. */
const STOP_WITHIN = Duration.seconds(60);

/**
 * One engine on one host beside the venues. One task, never two: an account has one engine, and the lease only guards against what slips through. Nothing
 * can connect to it: it asks, and is never asked.
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
      subnetConfiguration: [{ name: 'venues', subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false }],
      gatewayEndpoints: { dynamodb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
    });
    vpc.addFlowLog('Flows', { destination: FlowLogDestination.toCloudWatchLogs() });
    vpc.addInterfaceEndpoint('Kinesis', { service: InterfaceVpcEndpointAwsService.KINESIS_STREAMS });
    return vpc;
  }

  /** The instance: on a host of our own, or on metal packed close to its like. EC2 refuses both at once, only at launch. */
  #host(vpc: Vpc): AsgCapacityProvider {
    const { settings } = this.#props;
    const securityGroup = new SecurityGroup(this, 'EngineNetwork', {
      vpc,
      description: 'The engine: out to the venues, nothing in',
      allowAllOutbound: true,
    });
    const role = new Role(this, 'HostRole', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonEC2ContainerServiceforEC2Role')],
    });
    const address = new CfnEIP(this, 'Address', { domain: 'vpc' });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['ec2:AssociateAddress'],
        resources: [
          this.formatArn({ service: 'ec2', resource: 'elastic-ip', resourceName: address.attrAllocationId }),
          this.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' }),
          this.formatArn({ service: 'ec2', resource: 'network-interface', resourceName: '*' }),
        ],
      }),
    );
    const template = new LaunchTemplate(this, 'Template', {
      instanceType: new InstanceType(settings.instanceType),
      machineImage: EcsOptimizedImage.amazonLinux2023(AmiHardwareType.STANDARD),
      role,
      securityGroup,
      userData: tunedFor(address.attrAllocationId),
      requireImdsv2: true,
      detailedMonitoring: true,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(100, { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 }),
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
    this.#place(vpc, template, group);
    return new AsgCapacityProvider(this, 'Capacity', {
      autoScalingGroup: group,
      enableManagedScaling: false,
      enableManagedTerminationProtection: false,
    });
  }

  #place(vpc: Vpc, template: LaunchTemplate, group: AutoScalingGroup): void {
    const { placement, instanceType } = this.#props.settings;
    if (placement === 'dedicated-host') {
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
    }
    const cluster = new PlacementGroup(this, 'Together', { strategy: PlacementGroupStrategy.CLUSTER });
    (group.node.defaultChild as unknown as { placementGroup: string }).placementGroup = cluster.placementGroupName;
  }

  #engine(capacity: AsgCapacityProvider): Ec2Service {
    const { settings, data } = this.#props;
    const task = new Ec2TaskDefinition(this, 'Engine', { networkMode: NetworkMode.HOST });
    task.addVolume({ name: 'journal', host: { sourcePath: '/var/lib/arbitrage' } });
    const image = new DockerImageAsset(this, 'Image', {
      directory: root,
      file: 'Dockerfile',
      platform: Platform.LINUX_AMD64,
      exclude: ['node_modules', 'cdk.out', '.arbitrage', '.git', 'test'],
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
        ARB_SYSTEM__ENVIRONMENT: settings.environment,
        ARB_SYSTEM__DATA_DIR: '/var/lib/arbitrage',
        ARB_ENGINE__NAME: settings.engine,
        ARB_ENGINE__VENUES: settings.venues.join(','),
        ARB_STREAMS__EVENTS: data.streams.events.streamName,
        ARB_STREAMS__MARKET: data.streams.market.streamName,
        ARB_STREAMS__COMMANDS: data.streams.commands.streamName,
        ARB_STORES__STATE_TABLE: data.stateTable.tableName,
        ARB_STORES__EVENTS_TABLE: data.eventsTable.tableName,
      },
      secrets: { ARB_VENUE_KEYS: TaskSecret.fromSecretsManager(this.#venueKeys()) },
    });
    container.addMountPoints({ containerPath: '/var/lib/arbitrage', sourceVolume: 'journal', readOnly: false });
    this.#grant(task);
    task.addToExecutionRolePolicy(new PolicyStatement({ actions: ['kms:Decrypt'], resources: [data.key.keyArn] }));
    return new Ec2Service(this, 'Service', {
      cluster: this.cluster,
      taskDefinition: task,
      desiredCount: 1,
      // The old one ends before the new one begins: two engines on one account are worse than none.
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { rollback: true },
      capacityProviderStrategies: [{ capacityProvider: capacity.capacityProviderName, weight: 1 }],
    });
  }

  /** By its name only: a grant on the secret itself would make the data stack depend on this one. */
  #venueKeys(): ISecret {
    return Secret.fromSecretCompleteArn(this, 'VenueKeys', this.#props.data.venueSecret.secretArn);
  }

  #grant(task: Ec2TaskDefinition): void {
    const { streams, stateTable, key } = this.#props.data;
    const allow = (resources: readonly string[], ...actions: readonly string[]): void =>
      task.addToTaskRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
    allow([streams.events.streamArn, streams.market.streamArn], 'kinesis:PutRecords');
    allow([streams.commands.streamArn], 'kinesis:ListShards', 'kinesis:GetShardIterator', 'kinesis:GetRecords');
    allow([stateTable.tableArn], 'dynamodb:PutItem');
    allow([key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey');
  }
}

/** The host's fixed address, and a kernel that does not save power while we wait for a packet. */
function tunedFor(allocation: string): UserData {
  const data = UserData.forLinux();
  data.addCommands(
    'mkdir -p /var/lib/arbitrage && chown 10001:10001 /var/lib/arbitrage',
    'TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60")',
    'INSTANCE=$(curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id)',
    `aws ec2 associate-address --instance-id "$INSTANCE" --allocation-id ${allocation}`,
    'sysctl -w net.core.busy_poll=50 net.core.busy_read=50 net.ipv4.tcp_low_latency=1 net.ipv4.tcp_slow_start_after_idle=0 vm.swappiness=0',
    'for each in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do [ -w "$each" ] && echo performance > "$each"; done',
    'echo never > /sys/kernel/mm/transparent_hugepage/enabled',
  );
  return data;
}
