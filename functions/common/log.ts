/** A line is an event name plus fields; where it goes is the deployable's business. */
export type Log = {
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
};
type LogLine = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** One JSON object a line on standard output: what CloudWatch reads of a Lambda. */
export function jsonLog(write: (line: string) => void): Log {
  const at =
    (level: string): LogLine =>
    (event, fields) =>
      write(`${JSON.stringify({ level, event, ...fields })}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
