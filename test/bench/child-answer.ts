import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a child process says when it is done. @throws when it ends without a word */
export async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = (await Promise.race([once(child, 'message'), failed(child)])) as [T];
  return answer;
}

async function failed(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null];
  throw new Error(`the child process ended with ${String(code)}`);
}
