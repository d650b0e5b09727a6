import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { bearerToken, type Authority, type Principal } from '../common/auth.ts';
import { ApplicationError, applicationErrors } from '../common/errors.ts';
import type { Log } from '../common/log.ts';

export type AuthorizerOptions = { readonly authority: Authority; readonly log: Log };

/**
 * Lets callers with a valid token through, at the HTTP API and at `$connect` of the push API. Whoever is refused gets a policy that says so,
 * with the code and its words in the context: the gateway's answers are made of it. Scopes are the functions' to check, route by route.
 * @throws Error `Unauthorized`, API Gateway's word, when there is no token
 * @throws ApplicationError when it cannot be told (no secret, no keys of the provider): API Gateway answers 500
 */
export function createAuthorizer({
  authority,
  log,
}: AuthorizerOptions): (event: APIGatewayRequestAuthorizerEvent) => Promise<APIGatewayAuthorizerResult> {
  return async (event) => {
    const token = tokenOf(event);
    if (token === undefined) throw new Error('Unauthorized');
    try {
      return allowed(event.methodArn, await authority.verify(token));
    } catch (error) {
      if (!(error instanceof ApplicationError) || error.status >= 500) throw error;
      log.info('caller-refused', { code: error.code });
      return refused(event.methodArn, error);
    }
  };
}

/** Of the header; at the push API of the address too, because browsers can give a socket no header. */
function tokenOf({
  headers,
  queryStringParameters,
  requestContext,
}: APIGatewayRequestAuthorizerEvent): string | undefined {
  const isPush = (requestContext as { readonly eventType?: string }).eventType === 'CONNECT';
  const ofAddress = isPush ? queryStringParameters?.['token'] : undefined;
  if (ofAddress !== undefined) return ofAddress;
  const header = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  try {
    return bearerToken(header);
  } catch {
    return undefined;
  }
}

const allowed = (methodArn: string, { id, scopes, expiresAtMs }: Principal): APIGatewayAuthorizerResult => ({
  principalId: id,
  policyDocument: policy('Allow', methodArn),
  context: { scopes: scopes.join(' '), expiresAtMs },
});

const refused = (methodArn: string, { code, detail }: ApplicationError): APIGatewayAuthorizerResult => {
  const { category, message } = applicationErrors[code];
  return {
    principalId: 'nobody',
    policyDocument: policy('Deny', methodArn),
    context: { code, category, message, detail: detail ?? message },
  };
};

/** Of the whole stage: the gateway keeps the answer for the next requests with this token, whatever they ask for. */
const policy = (effect: 'Allow' | 'Deny', methodArn: string): APIGatewayAuthorizerResult['policyDocument'] => ({
  Version: '2012-10-17',
  Statement: [
    { Action: 'execute-api:Invoke', Effect: effect, Resource: `${methodArn.split('/').slice(0, 2).join('/')}/*` },
  ],
});
