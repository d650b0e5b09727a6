import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { BadInput } from '#shared/assert.ts';

/** A value as DynamoDB's JSON has it; ours are text, numbers and truth. */
type Value = { readonly S?: string; readonly N?: string; readonly BOOL?: boolean };
type Row = Record<string, Value>;
type Request = {
  readonly TableName: string;
  readonly Key: Row;
  readonly KeySchema: readonly { readonly AttributeName: string }[];
  readonly RequestItems: Readonly<Record<string, readonly { readonly PutRequest: { readonly Item: Row } }[]>>;
  readonly UpdateExpression: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues: Row;
};
type Answer = { readonly status: number; readonly body: object };
class Table {
  readonly keys: readonly string[];
  readonly rows = new Map<string, Row>();

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  idOf(row: Row): string {
    return this.keys.map((key) => row[key]?.S).join('\u0000');
  }
}

/**
 * As much of DynamoDB as the projector asks for, in memory: several times as fast as the peers that know all of it, so that it is our code that is
 * measured. What it does not know it refuses.
 */
export function tablePeer(): Server {
  const tables = new Map<string, Table>();
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const operation = String(request.headers['x-amz-target']).split('.')[1]!;
      const { status, body } = answerTo(tables, operation, JSON.parse(Buffer.concat(chunks).toString()) as Request);
      const text = JSON.stringify(body);
      response
        .writeHead(status, {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': Buffer.byteLength(text),
        })
        .end(text);
    });
  });
}

function answerTo(tables: Map<string, Table>, operation: string, asked: Request): Answer {
  if (operation === 'CreateTable') {
    tables.set(asked.TableName, new Table(asked.KeySchema.map(({ AttributeName }) => AttributeName)));
    return done({ TableDescription: {} });
  }
  if (operation === 'BatchWriteItem') {
    for (const [name, writes] of Object.entries(asked.RequestItems)) {
      const table = tables.get(name)!;
      for (const { PutRequest } of writes) table.rows.set(table.idOf(PutRequest.Item), PutRequest.Item);
    }
    return done({ UnprocessedItems: {} });
  }
  const table = tables.get(asked.TableName);
  if (table === undefined) return refused('ResourceNotFoundException');
  switch (operation) {
    case 'DescribeTable':
      return done({ Table: { TableStatus: 'ACTIVE' } });
    case 'UpdateItem':
      return update(table, asked);
    // Whole tables: who asks here looks at all of it.
    case 'Query':
    case 'Scan':
      return done({ Items: [...table.rows.values()] });
    default:
      return refused('UnknownOperationException');
  }
}

const done = (body: object): Answer => ({ status: 200, body });
const refused = (type: string): Answer => ({ status: 400, body: { __type: type, message: type } });

function update(table: Table, asked: Request): Answer {
  const id = table.idOf(asked.Key);
  const row = table.rows.get(id) ?? {};
  if (asked.ConditionExpression !== undefined && !holds(asked.ConditionExpression, row, asked)) {
    return refused('ConditionalCheckFailedException');
  }
  const after = { ...asked.Key, ...row };
  for (const assignment of asked.UpdateExpression.replace(/^SET /, '').split(/, (?![^(]*\))/)) {
    const [, name, kept, value] = ASSIGNMENT.exec(assignment) ?? unknown(assignment);
    const before = kept === undefined ? undefined : row[nameOf(kept, asked)];
    after[nameOf(name!, asked)] = before ?? asked.ExpressionAttributeValues[value!]!;
  }
  table.rows.set(id, after);
  return done({});
}

const ASSIGNMENT = /^(\S+) = (?:if_not_exists\((\S+), )?(:\w+)\)?$/;

/** Alternatives of `attribute_not_exists(name)` and `name < :number`. */
const holds = (condition: string, row: Row, asked: Request): boolean =>
  condition.split(' OR ').some((term) => {
    const absent = /^attribute_not_exists\((\S+)\)$/.exec(term)?.[1];
    if (absent !== undefined) return row[nameOf(absent, asked)] === undefined;
    const [, name, value] = /^(\S+) < (:\w+)$/.exec(term) ?? unknown(term);
    return Number(row[nameOf(name!, asked)]?.N) < Number(asked.ExpressionAttributeValues[value!]!.N);
  });

const nameOf = (name: string, { ExpressionAttributeNames: names }: Request): string => names?.[name] ?? name;

function unknown(expression: string): never {
  throw new BadInput(`the stub does not know the expression: ${expression}`);
}
