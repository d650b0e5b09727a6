import { ApplicationError } from './errors.ts';

/** One required variable of a Lambda. @throws ApplicationError 5003 naming it */
export function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new ApplicationError(5003, `environment variable ${name} is missing`);
  return value;
}

/** A list that may be missing. */
export const listVariable = (name: string): readonly string[] =>
  (process.env[name] ?? '').split(',').filter((part) => part !== '');

export const storeNames = (): { readonly state_table: string; readonly events_table: string } => ({
  state_table: variable('STATE_TABLE'),
  events_table: variable('EVENTS_TABLE'),
});
