import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '#shared/config/load.ts';

const base = 'deploy/kubernetes/base';
const read = (path: string): unknown => parse(readFileSync(path, 'utf8'));
const dockerfile = readFileSync('Dockerfile', 'utf8');

const manifest = z.looseObject({ kind: z.string(), spec: z.record(z.string(), z.unknown()).optional() });
const environment = z.object({ environment: z.record(z.string(), z.string()) });
const kustomization = z.object({
  resources: z.array(z.string()),
  configMapGenerator: z.array(z.object({ name: z.string(), literals: z.array(z.string()) })),
});

describe('the Kubernetes manifests', () => {
  const { resources, configMapGenerator } = kustomization.parse(read(`${base}/kustomization.yaml`));
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

  it('is made of nothing but what .dockerignore lets through', () => {
    const [everything, ...allowed] = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(everything).toBe('*');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    expect([...new Set(copied)].sort()).toEqual(allowed.map((name) => name.slice(1)).sort());
  });
});
