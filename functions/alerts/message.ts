import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { SEVERITIES } from '#shared/schema/alerts.ts';
import { isoFromMs } from '../common/envelope.ts';
import { notice, type Notice } from './notice.ts';

/** What a queue holds of a topic. @see https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html */
const envelope = z.object({ Type: z.literal('Notification'), Message: z.string() });

/** What CloudWatch says of an alarm; its description begins with the severity and ends with the section of the runbook. */
const alarm = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string().nullish(),
  AlarmArn: z.string(),
  NewStateValue: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']),
  NewStateReason: z.string(),
  StateChangeTime: z.string(),
});

/** A message of a topic of alerts as a notice: ours, or CloudWatch's word on an alarm. @throws BadInput for anything else */
export function noticeFrom(body: string): Notice {
  const message = json(envelope.safeParse(json(body)).data?.Message ?? body);
  const ours = notice.safeParse(message);
  if (ours.success) return ours.data;
  const theirs = alarm.safeParse(message);
  if (theirs.success) return ofAlarm(theirs.data);
  throw new BadInput('neither a notice nor an alarm');
}

function ofAlarm(said: z.infer<typeof alarm>): Notice {
  const description = said.AlarmDescription ?? '';
  const severity = SEVERITIES.find((each) => description.startsWith(`${each}:`)) ?? 'warning';
  const at = Date.parse(said.StateChangeTime);
  const time = isoFromMs(Number.isNaN(at) ? 0 : at);
  return {
    v: 1,
    id: `${said.AlarmArn}/${said.StateChangeTime}/${said.NewStateValue}`,
    engine: 'cloud',
    alert: said.AlarmName,
    firing: 1,
    rule: 'alarm',
    subject: said.AlarmName,
    severity,
    kind: said.NewStateValue === 'ALARM' ? 'firing' : 'resolved',
    title: /^[a-z]+: ([^.]+)[.]/.exec(description)?.[1] ?? 'Alarm',
    text: said.NewStateReason,
    value: null,
    limit: null,
    times: 1,
    since: time,
    at: time,
    runbook: /\S+RUNBOOK[.]md#\S+$/.exec(description)?.[0] ?? 'infra/RUNBOOK.md',
    ack_url: null,
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
