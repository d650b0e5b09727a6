import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { z } from 'zod';
import { deploymentOf } from '#cdk/build.ts';
import { settingsFrom } from '#cdk/settings.ts';

const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
  Metadata: z.record(z.string(), z.unknown()).default({}),
});
const templateSchema = z.object({ Resources: z.record(z.string(), resourceSchema) });
const cdkJson = z.object({ context: z.record(z.string(), z.unknown()) });

export type Resource = z.infer<typeof resourceSchema> & { readonly stack: string; readonly id: string };

/** All resources of one deployment, as CloudFormation would get them; functions are not bundled. */
export function synthesised(context: Readonly<Record<string, string>>): {
  readonly resources: readonly Resource[];
  readonly validation: string;
} {
  const outdir = mkdtempSync(join(tmpdir(), 'arb-cdk-'));
  try {
    const flags = cdkJson.parse(JSON.parse(readFileSync('cdk.json', 'utf8'))).context;
    const app = new App({
      outdir,
      context: { ...flags, 'aws:cdk:bundling-stacks': [], 'aws:cdk:enable-path-metadata': true, ...context },
    });
    deploymentOf(app, settingsFrom(app));
    const resources = app.synth().stacks.flatMap(({ stackName, template }) =>
      Object.entries(templateSchema.parse(template).Resources).map(([id, resource]) => ({
        ...resource,
        id,
        stack: stackName.split('-').at(-1) ?? '',
      })),
    );
    return { resources, validation: readFileSync(join(outdir, 'validation-report.json'), 'utf8') };
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

/** `functions/RestRole`: a resource by its place among the constructs, not by its mangled name. */
export function placeOf({ Metadata, stack, id }: Resource): string {
  const path = Metadata['aws:cdk:path'];
  if (typeof path !== 'string') return `${stack}/${id}`;
  return [stack, ...path.split('/').slice(1)].join('/').replace(/[/](Resource|Default)$/, '');
}
