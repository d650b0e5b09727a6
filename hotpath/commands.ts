import type { Command, CommandKind, CommandOf } from '#shared/schema/command.ts';
import type { Recorder } from '#shared/schema/recorder.ts';

/** What came of a command. `answered`: an event of its own says so, or will. Codes are those of the API. */
export type Answer =
  | { readonly kind: 'done'; readonly detail: Readonly<Record<string, string>> }
  | { readonly kind: 'refused'; readonly code: number; readonly reason: string }
  | { readonly kind: 'answered' };

export type Handlers = { readonly [K in CommandKind]: (command: CommandOf<K>) => Answer };

export const ANSWERED: Answer = { kind: 'answered' };
export const done = (detail: Readonly<Record<string, string>> = {}): Answer => ({ kind: 'done', detail });
export const refused = (code: number, reason: string): Answer => ({ kind: 'refused', code, reason });

/** Ids of commands that were carried out, so that none is twice: of this start and, by the journal, of earlier ones. */
const REMEMBERED_MAX = 1_000;

/** Carries out each command once, however often it comes, and sees to it that the journal answers. */
export class Commands {
  readonly #recorder: Recorder;
  readonly #handlers: Handlers;
  readonly #known: Set<string>;

  constructor(recorder: Recorder, handlers: Handlers, known: Iterable<string> = []) {
    this.#recorder = recorder;
    this.#handlers = handlers;
    this.#known = new Set(known);
  }

  obey(command: Command): void {
    if (this.#known.has(command.id)) return;
    this.#known.add(command.id);
    if (this.#known.size > REMEMBERED_MAX) this.#known.delete(this.#known.values().next().value!);
    const { id, kind, by } = command;
    // The kind names the handler: TypeScript cannot follow that through the union.
    const answer = (this.#handlers[kind] as (command: Command) => Answer)(command);
    if (answer.kind === 'refused') {
      const { code, reason } = answer;
      this.#recorder.record('command-refused', `command:${id}`, { command_id: id, code, reason });
    } else if (answer.kind === 'done') {
      this.#recorder.record('command-done', `command:${id}`, {
        command_id: id,
        command: kind,
        by,
        detail: { ...answer.detail },
      });
    }
    this.#recorder.flush();
  }
}
