import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ENGINE_ENV, ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import { loadConfig } from '#shared/config/load.ts';

const base = 'deploy/kubernetes/base';
const read = (path: string): unknown => parse(readFileSync(path, 'utf8'));
const dockerfile = readFileSync('Dockerfile', 'utf8');

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.record(z.string(), z.unknown()).optional(),
});
const environment = z.object({ environment: z.record(z.string(), z.string()) });
const kustomization = z.object({
  namespace: z.string(),
  resources: z.array(z.string()),
  images: z.array(z.object({ name: z.string() })),
  configMapGenerator: z.array(z.object({ name: z.string(), literals: z.array(z.string()) })),
});

it('collect garbage in the image as npm start does, in a young space that Node makes as large', () => {
  const command = /^CMD (\[.*"hotpath\/main\.ts"\])$/m.exec(dockerfile)?.[1] ?? '';
  expect(JSON.parse(command)).toEqual(['node', ...ENGINE_NODE_OPTIONS, 'hotpath/main.ts']);
  for (const [name, value] of Object.entries(ENGINE_ENV)) expect(dockerfile).toContain(`ENV ${name}=${value}\n`);
  const asked = `v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size`;
  const { stdout } = spawnSync(process.execPath, [...ENGINE_NODE_OPTIONS, '-p', asked], { encoding: 'utf8' });
  expect(Number(stdout)).toBe(16 * 1024 * 1024);
});

describe('the Kubernetes manifests', () => {
  const { namespace, resources, images, configMapGenerator } = kustomization.parse(read(`${base}/kustomization.yaml`));
  const manifests = resources.map((file) => manifest.parse(read(`${base}/${file}`)));
  const ofKind = (kind: string): readonly unknown[] => manifests.filter((each) => each.kind === kind);

  it('are all listed, and expose nothing', () => {
    const files = readdirSync(base).filter((name) => name !== 'kustomization.yaml');
    expect([...resources].sort()).toEqual(files.sort());
    expect([...ofKind('Service'), ...ofKind('Ingress')]).toEqual([]);
    expect(ofKind('NetworkPolicy')).toEqual([
      expect.objectContaining({ spec: expect.objectContaining({ policyTypes: ['Ingress', 'Egress'], ingress: [] }) }),
    ]);
  });

  it('run one engine and its standby on one node, with a journal that stays', () => {
    expect(ofKind('Deployment')).toEqual([
      expect.objectContaining({
        spec: expect.objectContaining({
          replicas: 2,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
        }),
      }),
    ]);
    expect(ofKind('Deployment')[0]).toHaveProperty(
      'spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution.0.topologyKey',
      'kubernetes.io/hostname',
    );
    expect(ofKind('PersistentVolumeClaim')).toEqual([
      expect.objectContaining({ spec: expect.objectContaining({ accessModes: ['ReadWriteOnce'] }) }),
    ]);
    expect([...ofKind('HorizontalPodAutoscaler'), ...ofKind('StatefulSet')]).toEqual([]);
  });

  it('lock the container in', () => {
    expect(ofKind('Deployment')[0]).toMatchObject({
      spec: {
        template: {
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 60,
            securityContext: { runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001 },
            containers: [
              {
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
                envFrom: [{ configMapRef: { name: configMapGenerator[0]?.name } }],
                volumeMounts: [{ name: 'journal', mountPath: '/var/lib/arbitrage' }],
              },
            ],
            volumes: [{ name: 'journal', persistentVolumeClaim: { claimName: 'journal' } }],
          },
        },
      },
    });
  });

  it('name only what is there', () => {
    const namesOf = (kind: string): readonly string[] =>
      manifests.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
    expect(namesOf('Namespace')).toEqual([namespace]);
    expect(namesOf('PersistentVolumeClaim')).toEqual(['journal']);
    const [deployment] = ofKind('Deployment');
    expect(deployment).toHaveProperty('spec.template.spec.serviceAccountName', namesOf('ServiceAccount')[0]);
    expect(deployment).toHaveProperty('spec.template.spec.containers.0.image', images[0]?.name);
    expect(deployment).toMatchObject({
      spec: { selector: { matchLabels: { app: 'engine' } }, template: { metadata: { labels: { app: 'engine' } } } },
    });
  });

  it('may run where the strictest pods alone may, and are asked nothing: there is no port to ask', () => {
    expect(manifests.find(({ kind }) => kind === 'Namespace')?.metadata).toHaveProperty('labels', {
      'pod-security.kubernetes.io/enforce': 'restricted',
    });
    expect(ofKind('Deployment')[0]).toHaveProperty('spec.template.spec.securityContext.seccompProfile', {
      type: 'RuntimeDefault',
    });
    expect(ofKind('Deployment')[0]).toHaveProperty('spec.template.spec.containers.length', 1);
    for (const probe of ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe'])
      expect(ofKind('Deployment')[0]).not.toHaveProperty(`spec.template.spec.containers.0.${probe}`);
  });

  it('let out to every port at which a venue answers', () => {
    const addresses = readdirSync('hotpath/venues')
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [
        ...readFileSync(`hotpath/venues/${name}`, 'utf8').matchAll(/\b(?:wss|https):[/][/][^'`"\s]+/g),
      ]);
    const ports = addresses.map(([address]) => Number(/^\w+:[/][/][\w.-]+:(\d+)/.exec(address)?.[1] ?? 443));
    expect(ports.length).toBeGreaterThan(20);
    const open = z
      .object({ spec: z.object({ egress: z.array(z.object({ ports: z.array(z.object({ port: z.number() })) })) }) })
      .parse(ofKind('NetworkPolicy')[0])
      .spec.egress.flatMap((rule) => rule.ports.map(({ port }) => port));
    expect([...new Set(ports)].filter((port) => !open.includes(port))).toEqual([]);
  });

  it('give settings that the engine knows', () => {
    const env = Object.fromEntries((configMapGenerator[0]?.literals ?? []).map((line) => line.split('=', 2)));
    const { engine, lease } = loadConfig({ dir: 'config', env });
    expect([engine.name, lease.enabled]).toEqual(['engine-1', true]);
  });
});

describe('docker-compose', () => {
  const { services } = z
    .object({ services: z.object({ engine: z.unknown(), simulator: z.unknown() }) })
    .parse(read('docker-compose.yml'));

  it('locks both in and publishes no port', () => {
    for (const service of [services.engine, services.simulator]) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], init: true });
      expect(service).not.toHaveProperty('ports');
    }
    expect(services.engine).toMatchObject({
      network_mode: 'service:simulator',
      stop_grace_period: '60s',
      volumes: ['journal:/var/lib/arbitrage'],
    });
  });

  it('leads the engine to the simulated venues that it follows', () => {
    const { engine, venues } = loadConfig({ dir: 'config', env: environment.parse(services.engine).environment });
    const options = z
      .object({ port: z.number(), venues: z.array(z.string()) })
      .parse(JSON.parse(environment.parse(services.simulator).environment['SIMULATOR_OPTIONS'] ?? ''));
    expect(engine.venues).toEqual(options.venues);
    for (const id of engine.venues) expect(venues[id]?.via).toBe(`http://127.0.0.1:${options.port}`);
  });

  it('builds stages that are there', () => {
    for (const service of [services.engine, services.simulator]) {
      const { build } = z.object({ build: z.object({ target: z.string() }) }).parse(service);
      expect(dockerfile).toMatch(new RegExp(`^FROM base AS ${build.target}$`, 'm'));
    }
  });
});

describe('the image', () => {
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  it('is the engine, run by nobody', () => {
    expect(last).toMatch(/^\nFROM base AS engine$/m);
    expect([...last.matchAll(/^USER (.+)$/gm)].at(-1)?.[1]).toBe('10001:10001');
    expect(last).not.toMatch(/^EXPOSE/m);
    expect(last).toMatch(/^CMD \["node", .*"hotpath\/main[.]ts"\]$/m);
  });

  it('starts what it has, as npm start does', () => {
    const commands = [...dockerfile.matchAll(/^CMD (.+)$/gm)].map(([, text]) =>
      z.array(z.string()).parse(JSON.parse(text!)),
    );
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      expect(command[0]).toBe('node');
      const entry = command.at(-1)!;
      expect(existsSync(entry), entry).toBe(true);
      const stage = dockerfile.split(/^FROM /m).find((text) => text.includes(`"${entry}"]`));
      expect(stage).toMatch(new RegExp(`^COPY ${entry.split('/')[0]} `, 'm'));
    }
    const versions = [...dockerfile.matchAll(/^FROM node:(\d+)-slim/gm)].map(([, version]) => version);
    expect(new Set(versions)).toEqual(new Set([/"node": "\^(\d+)/.exec(readFileSync('package.json', 'utf8'))?.[1]]));
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });

  it('is made of nothing but what .dockerignore lets through', () => {
    const [everything, ...allowed] = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(everything).toBe('*');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    expect([...new Set(copied)].sort()).toEqual(allowed.map((name) => name.slice(1)).sort());
  });
});
