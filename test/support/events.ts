import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { type SqsEventRecord, sqsEvent } from '../../src/testing/index.ts'

const STANDARD = 'arn:aws:sqs:eu-west-1:123456789012:orders'

/** Constant times, so that two records with the same id are equal. */
const TIMES = { SentTimestamp: '1764000000000', ApproximateFirstReceiveTimestamp: '1764000000001' }

/** A record as SQS sends it to Lambda. The id and the fields can also have values that SQS never sends. */
export function sqsRecord(messageId: string, fields: Partial<SQSRecord> = {}): SQSRecord {
  const { Records } = sqsEvent([{ ...given(messageId), messageId: 'replaced below' }])
  return { ...(Records[0] as SQSRecord), messageId, ...fields }
}

/** The event of a standard queue with a record for each id. */
export function standardEvent(...ids: string[]): SQSEvent {
  return sqsEvent(ids.map(given))
}

/** The event of a FIFO queue. The message group of a record is the first letter of its id: `a1`, `a2`, `b1`. */
export function fifoEvent(...ids: string[]): SQSEvent {
  const records = ids.map((id) => ({ ...given(id), eventSourceARN: `${STANDARD}.fifo` }))
  return sqsEvent(records, { fifo: true, groups: ids.map((id) => id.charAt(0)) })
}

function given(messageId: string): SqsEventRecord {
  return {
    messageId,
    receiptHandle: `receipt-of-${messageId}`,
    body: `body of ${messageId}`,
    attributes: TIMES,
    eventSourceARN: STANDARD,
    awsRegion: 'eu-west-1',
  }
}

/** Ids `m0`, `m1`, … */
export function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`)
}
