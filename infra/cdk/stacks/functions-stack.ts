import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { createAlerts, type Alerting } from '../functions/alerts.ts';
import { createAuthorizer } from '../functions/authorizer.ts';
import type { Ground } from '../functions/lambda.ts';
import { createProjections } from '../functions/projections.ts';
import { createPushApi, type PushApi } from '../functions/push-api.ts';
import { createRestApi } from '../functions/rest-api.ts';
import { createSchedules } from '../functions/schedules.ts';

export type FunctionsProps = StackProps & Ground;

/** The cold plane: the HTTP and the push API, the projections of the streams. Nothing here keeps state of its own. */
export class FunctionsStack extends Stack {
  readonly rest: Lambda;
  readonly projector: Lambda;
  readonly market: Lambda;
  readonly api: RestApi;
  readonly authorizer: Lambda;
  readonly pushApi: PushApi;
  readonly alerting: Alerting;
  readonly reports: Lambda;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id, props);
    const ground: Ground = { settings: props.settings, data: props.data };
    ({ projector: this.projector, market: this.market } = createProjections(this, ground));
    this.authorizer = createAuthorizer(this, ground);
    ({ api: this.api, rest: this.rest } = createRestApi(this, ground, this.authorizer));
    new CfnOutput(this, 'ApiId', { value: this.api.restApiId });
    this.pushApi = createPushApi(this, ground, this.authorizer);
    this.alerting = createAlerts(this, ground, this.api);
    ({ reports: this.reports } = createSchedules(this, ground));
  }
}
