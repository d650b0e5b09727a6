import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';

/** A REST API (v1) proxy event as the request that its caller sent. */
export function requestFrom(event: APIGatewayProxyEvent): Request {
  const { httpMethod, path, body, isBase64Encoded, requestContext } = event;
  const url = new URL(`https://${requestContext.domainName ?? 'localhost'}${path}`);
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values ?? []) url.searchParams.append(name, value);
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) headers.set(name, value);
  return new Request(url, {
    method: httpMethod,
    headers,
    body: body === null ? null : Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
  });
}

/** Our answers are text: JSON, HTML, Prometheus. */
export async function resultFrom(response: Response): Promise<APIGatewayProxyResult> {
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}
