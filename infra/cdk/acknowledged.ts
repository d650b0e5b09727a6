import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Findings that are decisions: each with its reason, and as narrow as its construct. */
export function acknowledge(scope: IConstruct, findings: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(findings))
    Validations.of(scope).acknowledge({ id: `AwsSolutions::${id}`, reason });
}
