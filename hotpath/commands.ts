import { BadInput } from '#shared/assert.ts';
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
/** What is of its moment. Commands wait in the stream while no engine runs: an order at prices of hours ago is nobody's wish any more. */
const MOMENTARY: ReadonlySet<CommandKind> = new Set(['order', 'order-replace', 'recovery']);
const MOMENT_MS = 30_000;
/** Of a refusal: it may repeat what the command said. */
const REASON_MAX = 1_000;

/** Carries out each command once, however often it comes, and sees to it that the journal answers. */
export class Commands {
  readonly #recorder: Recorder;
  readonly #handlers: Handlers;
  readonly #known: Set<string>;
  readonly #nowMs: () => number;

  /** `nowMs`: Unix time; without it nothing is too late. */
  constructor(recorder: Recorder, handlers: Handlers, known: Iterable<string> = [], nowMs = (): number => -Infinity) {
    this.#recorder = recorder;
    this.#handlers = handlers;
    this.#known = new Set(known);
    this.#nowMs = nowMs;
  }

  obey(command: Command): void {
    if (this.#known.has(command.id)) return;
    this.#known.add(command.id);
    if (this.#known.size > REMEMBERED_MAX) this.#known.delete(this.#known.values().next().value!);
    const { id, kind, by } = command;
    const answer = this.#lateness(command) ?? this.#carryOut(command);
    if (answer.kind === 'refused') {
      const { code, reason } = answer;
      this.#recorder.record('command-refused', `command:${id}`, {
        command_id: id,
        code,
        reason: reason.slice(0, REASON_MAX),
      });
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

  #lateness({ kind, at_ms }: Command): Answer | undefined {
    const ageMs = this.#nowMs() - at_ms;
    if (!MOMENTARY.has(kind) || ageMs <= MOMENT_MS) return undefined;
    return refused(5002, `COMMAND_TOO_OLD: age_ms=${Math.round(ageMs)}, max=${MOMENT_MS}`);
  }

  // The kind names the handler: TypeScript cannot follow that through the union.
  #carryOut(command: Command): Answer {
    try {
      return (this.#handlers[command.kind] as (command: Command) => Answer)(command);
    } catch (error) {
      // Foreign words that nobody can read: whoever sent them hears it, and the engine goes on.
      if (!(error instanceof BadInput)) throw error;
      return refused(3001, error.message);
    }
  }
}
