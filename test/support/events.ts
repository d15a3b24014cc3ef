import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { sqsEvent } from '../../src/testing/index.ts'

const STANDARD = 'arn:aws:sqs:eu-west-1:123456789012:orders'

/** The same values each time, so that two records with one id are equal. */
const TIMES = { SentTimestamp: '1764000000000', ApproximateFirstReceiveTimestamp: '1764000000001' }

/** A record as SQS sends it to Lambda. The id and the fields can also have values that SQS never sends. */
export function sqsRecord(messageId: string, fields: Partial<SQSRecord> = {}): SQSRecord {
  const { Records } = sqsEvent([
    {
      messageId: 'replaced below',
      receiptHandle: `receipt-of-${messageId}`,
      body: `body of ${messageId}`,
      attributes: TIMES,
      eventSourceARN: STANDARD,
      awsRegion: 'eu-west-1',
    },
  ])
  return { ...(Records[0] as SQSRecord), messageId, ...fields }
}

/** The event of a standard queue with a record for each id. */
export function standardEvent(...ids: string[]): SQSEvent {
  return { Records: ids.map((id) => sqsRecord(id)) }
}

/** The event of a FIFO queue. The message group of a record is the first letter of its id: `a1`, `a2`, `b1`. */
export function fifoEvent(...ids: string[]): SQSEvent {
  const Records = ids.map((id) => {
    const { attributes } = sqsRecord(id)
    return sqsRecord(id, {
      eventSourceARN: `${STANDARD}.fifo`,
      attributes: { ...attributes, MessageGroupId: id.charAt(0) },
    })
  })
  return { Records }
}

/** Ids `m0`, `m1`, … */
export function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`)
}
