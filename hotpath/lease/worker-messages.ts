import type { AwsOptions } from '../publish/aws.ts';
import type { LeaseRecord } from './lease.ts';

/** What the lease worker is started with. */
export type LeaseWorkerOptions = {
  readonly engine: string;
  readonly stateTable: string;
  readonly aws: AwsOptions;
  /** Of one request. */
  readonly timeoutMs: number;
};

export type LeaseQuestion =
  | { readonly kind: 'read' }
  | { readonly kind: 'replace'; readonly seen: LeaseRecord | undefined; readonly next: LeaseRecord };

export type ToLeaseWorker = { readonly id: number; readonly question: LeaseQuestion };

export type LeaseAnswer =
  | { readonly kind: 'record'; readonly record: LeaseRecord | undefined }
  | { readonly kind: 'replaced'; readonly done: boolean }
  /** Nobody knows. */
  | { readonly kind: 'failed'; readonly error: string };

export type FromLeaseWorker = { readonly id: number; readonly answer: LeaseAnswer };
