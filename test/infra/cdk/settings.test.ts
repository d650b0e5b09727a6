import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { deploymentOf } from '#cdk/build.ts';
import { settingsFrom } from '#cdk/settings.ts';

const settings = (context: Readonly<Record<string, string>>): ReturnType<typeof settingsFrom> =>
  settingsFrom(new App({ context }));

describe('settings', () => {
  it('are complete without a word', () => {
    expect(settings({})).toMatchObject({ environment: 'dev', placement: 'dedicated-host', stacks: expect.any(Array) });
  });

  it('read lists', () => {
    expect(settings({ venues: 'okx,gate', stacks: 'data,functions' })).toMatchObject({
      venues: ['okx', 'gate'],
      stacks: ['data', 'functions'],
    });
  });

  it.each([
    [{ environment: 'prod' }, /^context environment: .*"dev"\|"staging"\|"production"/],
    [{ placement: 'dedicated-host,cluster-metal' }, /^context placement: .*"dedicated-host"\|"cluster-metal"/],
    [{ engine: 'Engine 1' }, /^context engine: .*\/\^\[a-z0-9-\]/],
    [{ alertEmail: 'nobody' }, /^context alertEmail: /],
    [{ stacks: 'data,functions,desk' }, /^context stacks[.]2: .*"dashboard"/],
    [{ stacks: '' }, /^context stacks[.]0: /],
    [{ venues: '' }, /^context venues: at least one/],
    [{ timeSeries: 'influxdb', influxUrl: 'https://influx.test:8086' }, /^context timeSeries: .* influxSecret/],
    [{ timeSeries: 'mysql' }, /^context timeSeries: .*"dynamodb"/],
    [{ endpoint: 'emulated', environment: 'staging' }, /^context endpoint: "emulated" is for environment "dev"/],
  ])('refuse %j by name', (context, message) => {
    expect(() => settings(context)).toThrow(message);
  });

  it.each([
    ['functions', /every other stack stands on "data"/],
    ['data,observability', /"observability" watches "functions"/],
  ])('refuse the stacks %s, which do not stand', (stacks, message) => {
    const app = new App({ context: { stacks, 'aws:cdk:bundling-stacks': [] } });
    expect(() => deploymentOf(app, settingsFrom(app))).toThrow(message);
  });
});
