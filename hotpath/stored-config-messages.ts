import type { AwsOptions } from './publish/aws.ts';

/** What the thread that looks at the state table is started with. */
export type StoredQuestion = {
  readonly engine: string;
  readonly stateTable: string;
  readonly aws: AwsOptions;
  /** Of the one request. */
  readonly timeoutMs: number;
};

/** What the table says: the text of the newest version, undefined where none was ever stored. */
export type StoredAnswer =
  | { readonly kind: 'answered'; readonly text: string | undefined }
  | { readonly kind: 'failed'; readonly error: string };
