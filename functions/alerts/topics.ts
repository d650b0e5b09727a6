import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { z } from 'zod';
import { SEVERITIES, type Severity } from '#shared/schema/alerts.ts';
import { headlineOf, plainTextOf, type Notice } from './notice.ts';

/** The topic of each severity, by ARN. */
export const topicArns = z.record(z.enum(SEVERITIES), z.string().min(1));

/** SNS takes no longer subject, and only printable ASCII. @see https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
const SUBJECT_MAX = 100;

/** Hands notices on to the topic of their severity: JSON for whoever reads it with a program, plain text for mail. */
export function publishTo(
  sns: SNSClient,
  topics: Readonly<Record<Severity, string>>,
): (notice: Notice) => Promise<void> {
  return async (notice) => {
    await sns.send(
      new PublishCommand({
        TopicArn: topics[notice.severity],
        Subject: subjectOf(headlineOf(notice)),
        MessageStructure: 'json',
        Message: JSON.stringify({ default: JSON.stringify(notice), email: plainTextOf(notice) }),
      }),
    );
  };
}

export const subjectOf = (text: string): string => text.replaceAll(/[^ -~]/g, '?').slice(0, SUBJECT_MAX);
