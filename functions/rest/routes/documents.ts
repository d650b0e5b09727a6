import { z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import type { App } from '../context.ts';
import { fails } from '../describe.ts';

const INFO = {
  openapi: '3.1.0',
  info: {
    title: 'arbitrage-engine',
    version: '1.0',
    description:
      'Prices and quantities are JSON numbers whose text is the exact decimal: read them with a parser that keeps the text where it matters.',
  },
  tags: [
    { name: 'auth', description: 'Tokens' },
    { name: 'market', description: 'What the engine sees' },
    { name: 'analytics', description: 'What it thinks of it' },
    { name: 'trading', description: 'What it does about it' },
    { name: 'risk', description: 'What it may do, and what came of it' },
    { name: 'system', description: 'How it is' },
  ],
};

const DOCUMENTS = [
  { path: '/v1/openapi.json', summary: 'This description', type: 'application/json' },
  { path: '/v1/docs', summary: 'This description, for people', type: 'text/html' },
] as const;

/** The OpenAPI document, and the same for people: one static page, nothing fetched from elsewhere. */
export function mountDocuments(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
  for (const { path, summary, type } of DOCUMENTS) {
    const content = { [type]: { schema: type === 'text/html' ? z.string() : z.looseObject({}) } };
    const responses = { 200: { description: summary, content }, ...fails(400) };
    app.openAPIRegistry.registerPath({ method: 'get', path, tags: ['system'], summary, responses });
  }
  app.doc31('/v1/openapi.json', INFO);
  app.get('/v1/docs', (context) => {
    const { paths = {} } = app.getOpenAPI31Document(INFO);
    const rows = Object.entries(paths).flatMap(([path, item]) =>
      (['get', 'post', 'put', 'patch', 'delete'] as const).flatMap((method) => {
        const operation = item[method];
        return operation === undefined ? [] : [rowOf(method, path, operation)];
      }),
    );
    context.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
    return context.html(pageOf(rows));
  });
}

type Operation = {
  readonly summary?: string;
  readonly parameters?: readonly object[];
  readonly responses?: Readonly<Record<string, unknown>>;
};

function rowOf(method: string, path: string, { summary = '', parameters = [], responses = {} }: Operation): Html {
  const names = parameters.flatMap((parameter) => ('name' in parameter ? [String(parameter.name)] : []));
  return html`<tr>
    <td>${method.toUpperCase()}</td>
    <td><code>${path}</code></td>
    <td>${summary}</td>
    <td>${names.join(', ')}</td>
    <td>${Object.keys(responses).join(' ')}</td>
  </tr>`;
}

type Html = ReturnType<typeof html>;

const pageOf = (rows: readonly Html[]): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>arbitrage-engine API</title>
        <style>
          body {
            font:
              15px/1.5 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 70rem;
            padding: 0 1rem;
          }
          td,
          th {
            border-bottom: 1px solid #ddd;
            padding: 0.3rem 0.8rem 0.3rem 0;
            text-align: left;
            vertical-align: top;
          }
        </style>
      </head>
      <body>
        <h1>arbitrage-engine API</h1>
        <p>
          Send <code>Authorization: Bearer &lt;token&gt;</code>; a token comes from <code>POST /v1/auth/token</code>.
          Machine-readable: <a href="/v1/openapi.json">/v1/openapi.json</a>. Updates: WebSocket at <code>/v1/ws</code>,
          channels <code>prices</code>, <code>opportunities</code>, <code>orders</code>, <code>trades</code>,
          <code>system</code>, <code>risk</code>.
        </p>
        <table>
          <tr>
            <th>Method</th>
            <th>Path</th>
            <th>What</th>
            <th>Parameters</th>
            <th>Answers</th>
          </tr>
          ${rows}
        </table>
      </body>
    </html>`;
