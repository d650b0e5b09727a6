import { Duration } from 'aws-cdk-lib';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { Settings } from '../settings.ts';
import { allow, createLambda, type Ground } from './lambda.ts';

/** Whoever calls an API is looked at here first. */
export function createAuthorizer(scope: Construct, ground: Ground): Lambda {
  const { data, settings } = ground;
  const authorizer = createLambda(scope, 'Authorizer', {
    ...ground,
    entry: 'functions/authorizer/authorizer.lambda.ts',
    timeout: Duration.seconds(10),
    environment: { JWT_SECRET_ID: data.jwtSecret.secretArn, ...providerEnvironment(settings) },
  });
  allow(authorizer, [data.jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
  return authorizer;
}

/** Of every function that checks tokens. */
export const providerEnvironment = ({ oidcIssuer, oidcAudience, oidcJwksUrl }: Settings): Record<string, string> =>
  oidcIssuer === '' ? {} : { OIDC_ISSUER: oidcIssuer, OIDC_AUDIENCE: oidcAudience, OIDC_JWKS_URL: oidcJwksUrl };
