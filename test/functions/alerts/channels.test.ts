import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALERT_RULES, SEVERITIES, type AlertRuleId } from '#shared/schema/alerts.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { alertIdOf, observed, type Alert } from '#functions/alerts/alert.ts';
import { alertingKinds, signalsOfEvent } from '#functions/alerts/event-signals.ts';
import { noticeFrom } from '#functions/alerts/message.ts';
import { notice, noticeOf, plainTextOf, type Notice } from '#functions/alerts/notice.ts';
import { createSending } from '#functions/alerts/send.ts';
import { NotDelivered } from '#functions/alerts/sender.ts';
import { escaped, slackMessage } from '#functions/alerts/slack.ts';
import { subjectOf } from '#functions/alerts/topics.ts';
import { escalationData, eventOf, opportunityData } from '../support/events.ts';
import { silentLog, testConfig } from '../support/world.ts';

const NOW_MS = 1_795_219_200_000;
const rules = Object.keys(ALERT_RULES) as AlertRuleId[];

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6_000 }),
  fc.string({ unit: fc.constantFrom('<', '>', '&', '!', '@', '*', '😀', '\n'), maxLength: 4_000 }),
);
const anyNotice = fc
  .record({
    rule: fc.constantFrom(...rules),
    subject: fc.string({ maxLength: 300 }),
    text: anyText,
    value: fc.option(anyText),
    limit: fc.option(anyText),
    kind: fc.constantFrom('firing', 'reminder', 'resolved', 'passed'),
    runbookUrl: fc.constantFrom('https://example.org/RUNBOOK.md', 'infra/RUNBOOK.md', 'https://x/<!channel>'),
    ackUrl: fc.option(fc.webUrl()),
  })
  .map(({ rule, subject, text, value, limit, kind, runbookUrl, ackUrl }): Notice => {
    const about = { rule, subject, bad: true, atMs: NOW_MS, text };
    const alert: Alert = { ...observed(undefined, about)!, text, value, limit };
    return noticeOf(alert, kind, { engine: 'engine-1', nowMs: NOW_MS, runbookUrl, ackUrl });
  });

describe('a message for Slack', () => {
  it("keeps Slack's limits, and lets nobody speak in our name", () => {
    fc.assert(
      fc.property(anyNotice, (each) => {
        const { text, blocks } = slackMessage(each);
        expect(text.length).toBeLessThanOrEqual(4_000);
        expect(blocks.length).toBeLessThanOrEqual(50);
        const markup: string[] = [text];
        for (const block of blocks) {
          if (block.type === 'header') expect(block.text.text.length).toBeLessThanOrEqual(150);
          if (block.type === 'section' && 'text' in block) {
            expect(block.text.text.length).toBeGreaterThan(0);
            expect(block.text.text.length).toBeLessThanOrEqual(3_000);
            markup.push(block.text.text);
          }
          if (block.type === 'section' && 'fields' in block) {
            expect(block.fields.length).toBeGreaterThan(0);
            expect(block.fields.length).toBeLessThanOrEqual(10);
            for (const field of block.fields) expect(field.text.length).toBeLessThanOrEqual(2_000);
            markup.push(...block.fields.map((field) => field.text));
          }
          if (block.type === 'context') markup.push(...block.elements.map((element) => element.text));
        }
        // What stands in angle brackets is ours: the link to the runbook, or nothing.
        for (const part of markup) expect(part.replace(/^<https?:[^<>|]+\|What to do>$/, '')).not.toMatch(/[<>]/);
        for (const part of markup) expect(part.replaceAll(/&(amp|lt|gt);/g, '')).not.toContain('&');
        // Slack refuses what is no UTF-8: half a pair of surrogates.
        expect(JSON.stringify(blocks).isWellFormed()).toBe(true);
      }),
    );
  });

  it('escapes what engine and venues say', () => {
    expect(escaped('<!channel> a & b\u0000\u202e')).toBe('&lt;!channel&gt; a &amp; b  ');
  });
});

describe('mail', () => {
  it('has a subject that SNS takes, and all there is to know in plain text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(subjectOf(text)).toMatch(/^[ -~]{0,100}$/);
      }),
    );
    const alert = observed(undefined, {
      rule: 'breaker-open',
      subject: 'drift',
      bad: true,
      atMs: NOW_MS,
      text: 'lost',
      value: '9',
      limit: '5',
    })!;
    const each = noticeOf(alert, 'firing', { engine: 'e', nowMs: NOW_MS, runbookUrl: 'R', ackUrl: 'https://a' });
    expect(plainTextOf(each)).toBe(
      [
        '[critical] Breaker has opened: drift (e)',
        '',
        'lost',
        'value 9, limit 5',
        'since 2026-11-21T00:00:00.000Z',
        'what to do: R#breaker-open',
        'acknowledge: https://a',
        '',
      ].join('\n'),
    );
  });
});

describe('the queue of the topics', () => {
  const inTopic = (message: unknown): string =>
    JSON.stringify({ Type: 'Notification', TopicArn: 'arn', Message: JSON.stringify(message) });
  const alarm = {
    AlarmName: 'Arbitrage-dev-observability-EngineDown',
    AlarmDescription: 'critical: Engine down. What to do: infra/RUNBOOK.md#engine-down',
    AlarmArn: 'arn:aws:cloudwatch:eu-west-1:1:alarm:x',
    NewStateValue: 'ALARM',
    NewStateReason: 'Threshold Crossed',
    StateChangeTime: '2026-11-21T00:00:00.000+0000',
  };

  it('has our notices and the alarms of CloudWatch, with severity and runbook', () => {
    fc.assert(
      fc.property(anyNotice, (each) => {
        expect(noticeFrom(inTopic(each))).toEqual(each);
      }),
    );
    expect(noticeFrom(inTopic(alarm))).toMatchObject({
      severity: 'critical',
      kind: 'firing',
      title: 'Engine down',
      runbook: 'infra/RUNBOOK.md#engine-down',
      at: '2026-11-21T00:00:00.000Z',
    });
    const over = noticeFrom(inTopic({ ...alarm, NewStateValue: 'OK', AlarmDescription: null }));
    expect([over.kind, over.severity, over.id === noticeFrom(inTopic(alarm)).id]).toEqual([
      'resolved',
      'warning',
      false,
    ]);
    expect(() => noticeFrom('hello')).toThrow('neither a notice nor an alarm');
  });

  it('is told one by one which did not go out', async () => {
    const sent: string[] = [];
    const handler = createSending(async ({ title, kind }) => {
      if (kind === 'resolved') throw new NotDelivered('webhook: answered 503');
      sent.push(title);
    }, silentLog);
    const bodies = [inTopic(alarm), inTopic({ ...alarm, NewStateValue: 'OK' }), 'hello', inTopic(alarm)];
    const Records = bodies.map((body, index) => ({ body, messageId: String(index) }));
    const answer = await handler({ Records } as never);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: '1' }, { itemIdentifier: '2' }] });
    expect(sent).toEqual(['Engine down', 'Engine down']);
    const broken = createSending(() => Promise.reject(new TypeError('a bug')), silentLog);
    await expect(broken({ Records } as never)).rejects.toThrow('a bug');
  });
});

describe('events', () => {
  const config = testConfig().alerts;
  const said = (event: EngineEvent, nowMs = NOW_MS) => signalsOfEvent(event, config, nowMs);

  it('are told of by their rules', () => {
    expect(said(eventOf('escalation', 1, escalationData('op-1')))).toMatchObject([
      { rule: 'recovery-escalated', subject: 'op-1', bad: true, seq: 1, value: '4.2' },
    ]);
    expect(said(eventOf('escalation', 2, escalationData('op-1', { state: 'settled' })))).toMatchObject([
      { bad: false },
    ]);
    const lease = { holder: 'a', epoch: 2, reason: '' };
    expect(said(eventOf('lease', 1, { ...lease, state: 'lost' }))).toMatchObject([
      { rule: 'lease-changed', bad: true },
    ]);
    expect(said(eventOf('lease', 1, { ...lease, state: 'released' }))).toEqual([]);
    const worth = (expected_value: string) => said(eventOf('opportunity', 1, opportunityData('o', { expected_value })));
    expect([worth('99.99'), worth('100').map(({ rule }) => rule)]).toEqual([[], ['opportunity-large']]);
    expect(said(eventOf('venue-status', 1, { venue: 'okx', status: 'down', reason: 'x' }))).toMatchObject([
      { bad: true },
    ]);
    expect(said(eventOf('venue-status', 1, { venue: 'okx', status: 'live', reason: 'x' }))).toMatchObject([
      { bad: false },
    ]);
    expect(alertingKinds).toContain('mismatch');
    expect(said(eventOf('engine-stopped', 1, { reason: 'x' }))).toEqual([]);
  });

  it('that are momentary and long past are no news; what still stands is', () => {
    const late = NOW_MS + 7 * 3_600_000;
    expect(said(eventOf('lease', 1, { state: 'lost', holder: 'a', epoch: 2, reason: '' }), late)).toEqual([]);
    expect(said(eventOf('escalation', 1, escalationData('op-1')), late)).toHaveLength(1);
  });
});

it('every rule has a severity, and an id that a path can carry', () => {
  fc.assert(
    fc.property(fc.constantFrom(...rules), fc.string({ unit: 'binary', maxLength: 400 }), (rule, subject) => {
      expect(SEVERITIES).toContain(ALERT_RULES[rule].severity);
      expect(alertIdOf({ rule, subject })).toMatch(/^[\w.:-]{1,200}$/);
    }),
  );
  expect(notice.shape.v.value).toBe(1);
});
