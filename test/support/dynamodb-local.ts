import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually } from '#test/functions/support/world.ts';
import { freePort } from './influx.ts';

const CACHE = resolve('node_modules/.cache/dynamodb-local');
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>dynamodb-local</artifactId><version>1</version>
<dependencies><dependency><groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId><version>2.5.3</version></dependency></dependencies>
</project>`;

/**
 * AWS's own DynamoDB Local, with Java: the folder of jars that `DYNAMODB_LOCAL` names or that is kept below node_modules, fetched by Maven when it is
 * not there.
 * @returns the folder, or why there is none
 */
export function dynamodbLocal(): { readonly jars: string } | { readonly missing: string } {
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' });
  } catch {
    return { missing: 'no Java here' };
  }
  const jars = process.env['DYNAMODB_LOCAL'] ?? join(CACHE, 'lib');
  if (existsSync(jars)) return { jars };
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(join(CACHE, 'pom.xml'), POM);
    const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`];
    execFileSync('mvn', args, { cwd: CACHE, stdio: 'ignore', timeout: 300_000 });
    return { jars };
  } catch {
    return { missing: 'no DynamoDB Local: neither DYNAMODB_LOCAL nor Maven has one here' };
  }
}

/** A server with nothing in it, on a port of its own. */
export async function startDynamodbLocal(
  jars: string,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const port = await freePort();
  const main = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
  const args = [`-Djava.library.path=${jars}`, '-cp', join(jars, '*'), main, '-inMemory', '-port', String(port)];
  const child = spawn('java', [...args, '-disableTelemetry'], { stdio: 'ignore' });
  const gone = new Promise<void>((onGone) => child.once('exit', () => onGone()));
  const url = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    );
  await eventually(answers, 120_000);
  return {
    url,
    close: async () => {
      child.kill();
      await gone;
    },
  };
}
