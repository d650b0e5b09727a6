import { App } from 'aws-cdk-lib';
import { deploymentOf } from './build.ts';
import { settingsFrom } from './settings.ts';

const app = new App();
deploymentOf(app, settingsFrom(app));
app.synth();
