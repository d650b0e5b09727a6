import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { pageFrom } from './page.ts';
import type { Report } from './report.ts';

const HELP = `npm run bench:docs -- FILE

Writes docs/performance.md, and docs/performance.json from which it is made, from what \`npm run bench -- --json\` has printed into FILE.
`;

async function main([file, ...others]: readonly string[]): Promise<void> {
  if (file === undefined || file === '--help' || others.length > 0) {
    process.stdout.write(HELP);
    process.exitCode = file === '--help' ? 0 : 1;
    return;
  }
  const report = reportIn(readFileSync(file, 'utf8'));
  writeFileSync('docs/performance.json', await format(JSON.stringify(report), { parser: 'json', printWidth: 120 }));
  writeFileSync('docs/performance.md', await pageFrom(report));
}

/** Without the lines that npm prints before a script's own, if they are there. */
function reportIn(text: string): Report {
  const start = text.search(/^[{]$/m);
  if (start < 0) throw new Error('bench:docs: that is not what `npm run bench -- --json` prints');
  return JSON.parse(text.slice(start)) as Report;
}

await main(process.argv.slice(2));
