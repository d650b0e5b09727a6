import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { bearerToken, type Authority } from '../common/auth.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Log } from '../common/log.ts';

export type AuthorizerOptions = { readonly authority: Authority; readonly log: Log };

/**
 * Lets callers with a valid token through, at the HTTP API and at `$connect` of the push API. A token that is over gets a policy that denies,
 * and API Gateway says 1002; what is no token of ours is unauthorized, and it says 1001. Scopes are the functions' to check, route by route.
 * @throws Error `Unauthorized`, API Gateway's word, for what is no valid token
 * @throws ApplicationError when it cannot be told (no secret, no keys of the provider): API Gateway says 5002
 */
export function createAuthorizer({
  authority,
  log,
}: AuthorizerOptions): (event: APIGatewayRequestAuthorizerEvent) => Promise<APIGatewayAuthorizerResult> {
  return async (event) => {
    try {
      const { id, scopes, expiresAtMs } = await authority.verify(tokenOf(event));
      return {
        principalId: id,
        policyDocument: policy('Allow', event.methodArn),
        context: { scopes: scopes.join(' '), expiresAtMs },
      };
    } catch (error) {
      if (!(error instanceof ApplicationError) || error.status >= 500) throw error;
      log.info('caller-refused', { code: error.code });
      if (error.code !== 1002) throw new Error('Unauthorized', { cause: error });
      return { principalId: 'nobody', policyDocument: policy('Deny', event.methodArn) };
    }
  };
}

/** @throws ApplicationError 1001 when there is none. Of the header; at the push API of the address too, because browsers can give a socket no header. */
function tokenOf({ headers, queryStringParameters, requestContext }: APIGatewayRequestAuthorizerEvent): string {
  const isPush = (requestContext as { readonly eventType?: string }).eventType === 'CONNECT';
  const ofAddress = isPush ? queryStringParameters?.['token'] : undefined;
  return ofAddress ?? bearerToken(Object.entries(headers ?? {}).find(([name]) => /^authorization$/i.test(name))?.[1]);
}

/** Of the whole stage: the gateway keeps the answer for the next requests with this token, whatever they ask for. */
const policy = (effect: 'Allow' | 'Deny', methodArn: string): APIGatewayAuthorizerResult['policyDocument'] => ({
  Version: '2012-10-17',
  Statement: [
    { Action: 'execute-api:Invoke', Effect: effect, Resource: `${methodArn.split('/').slice(0, 2).join('/')}/*` },
  ],
});
