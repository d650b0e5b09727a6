import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  Distribution,
  HeadersFrameOption,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';

/** Where the desk in the browser is served from: a private bucket behind CloudFront. */
export class DashboardStack extends Stack {
  readonly distribution: Distribution;

  constructor(scope: Construct, id: string, props: StackProps) {
    super(scope, id, props);
    const common = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      encryption: BucketEncryption.S3_MANAGED,
      removalPolicy: RemovalPolicy.DESTROY,
    };
    const logs = new Bucket(this, 'Logs', {
      ...common,
      objectOwnership: ObjectOwnership.OBJECT_WRITER,
      lifecycleRules: [{ expiration: Duration.days(90) }],
    });
    const files = new Bucket(this, 'Files', {
      ...common,
      serverAccessLogsBucket: logs,
      serverAccessLogsPrefix: 'files/',
    });
    this.distribution = new Distribution(this, 'Desk', {
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(files),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: new ResponseHeadersPolicy(this, 'Headers', {
          securityHeadersBehavior: {
            contentTypeOptions: { override: true },
            frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
            strictTransportSecurity: {
              accessControlMaxAge: Duration.days(365),
              includeSubdomains: true,
              override: true,
            },
          },
        }),
      },
      defaultRootObject: 'index.html',
      enableLogging: true,
      logBucket: logs,
      logFilePrefix: 'desk/',
    });
    acknowledge(this.distribution, {
      'AwsSolutions-CFR1': 'A desk may be anywhere; what it reads asks for a token',
      'AwsSolutions-CFR2':
        'Files that are the same for everybody: there is nothing to attack but a cache. The API has a firewall',
      'AwsSolutions-CFR4':
        "CloudFront's own certificate fixes the oldest TLS; a domain with a certificate of one's own raises it",
    });
    new CfnOutput(this, 'DeskUrl', { value: `https://${this.distribution.distributionDomainName}` });
  }
}
