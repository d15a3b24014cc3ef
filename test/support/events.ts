import type { SQSEvent, SQSRecord } from 'aws-lambda'

const STANDARD = 'arn:aws:sqs:eu-west-1:123456789012:orders'

/** A record as SQS sends it to Lambda. */
export function sqsRecord(messageId: string, fields: Partial<SQSRecord> = {}): SQSRecord {
  return {
    messageId,
    receiptHandle: `receipt-of-${messageId}`,
    body: `body of ${messageId}`,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1764000000000',
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: '1764000000001',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: STANDARD,
    awsRegion: 'eu-west-1',
    ...fields,
  }
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
