import { App } from 'aws-cdk-lib';
import { deploymentOf } from './build.ts';
import { settingsFrom } from './settings.ts';

const started = performance.now();
const app = new App();
const settings = settingsFrom(app);
deploymentOf(app, settings);
const { stacks } = app.synth();
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stderr.write(`${settings.environment}: ${stacks.length} stacks synthesised in ${seconds} s\n`);
