import { ServicePrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { Ground } from './lambda.ts';

/** A topic under our key, to which alarms may speak too; read by mail where `isMailed` and there is somebody to write to. */
export function createTopic(scope: Construct, name: string, { settings, data }: Ground, isMailed: boolean): Topic {
  const topic = new Topic(scope, name, { masterKey: data.key, enforceSSL: true });
  if (isMailed && settings.alertEmail !== '') topic.addSubscription(new EmailSubscription(settings.alertEmail));
  topic.addToResourcePolicy(
    new PolicyStatement({
      actions: ['sns:Publish'],
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      resources: [topic.topicArn],
    }),
  );
  return topic;
}
