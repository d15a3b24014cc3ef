import { DeleteMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'
import { failures, note, numberOf } from './notes.ts'

/** Every 7th message fails on its first receive. */
function fails(record: SQSRecord): boolean {
  return numberOf(record) % 7 === 0 && record.attributes.ApproximateReceiveCount === '1'
}

/** Starts all records at once, and reports only those that failed, also on a FIFO queue. */
export async function allAtOnce({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  await Promise.all(Records.map(async (record) => note(numberOf(record))))
  return failures(Records.filter(fails))
}

/** The same, but the first failure also fails the rest of its message group. */
export const inOrder = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async (record) => {
      if (fails(record)) throw new Error('not yet')
    }),
  )

let last = 0
/** Throws if a number is below an earlier one. */
export async function needsOrder({ Records }: SQSEvent): Promise<void> {
  for (const record of Records) {
    note(numberOf(record))
    if (numberOf(record) < last) throw new Error('out of order')
    last = numberOf(record)
  }
}

/** Notes the numbers in the order in which they arrive. */
export async function notes({ Records }: SQSEvent): Promise<void> {
  for (const record of Records) note([numberOf(record), record.attributes.ApproximateReceiveCount, record.messageId])
}

/** Each record fails, and the failure handler cannot send it anywhere, but drops it. */
export const swallows = middy()
  .use(
    boundedSqsBatch({
      logger: false,
      onFailure: async () => {
        try {
          throw new Error('the bucket does not exist')
        } catch {
          return []
        }
      },
    }),
  )
  .handler(
    eachRecord(async () => {
      throw new Error('invalid')
    }),
  )

const processes = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(eachRecord(async () => {}))

/** Passes only the first half of the records to the library. */
export async function passesHalf(event: SQSEvent, context: never): Promise<unknown> {
  return processes({ ...event, Records: event.Records.slice(0, event.Records.length / 2) }, context)
}

/** The same in a middleware before the library, which leaves no record for half of the events. */
export const filtersRecords = middy<SQSEvent>()
  .before((request) => {
    request.event = { ...request.event, Records: request.event.Records.filter((one) => numberOf(one) % 2 === 0) }
  })
  .use(boundedSqsBatch({ logger: false }))
  .handler(eachRecord(async () => {}))

const client = new SQSClient()
/** Deletes the records that succeeded, then throws, so that the others are redelivered. */
export async function deletesThenThrows({ Records }: SQSEvent): Promise<void> {
  const failed = Records.filter(
    (record) => record.attributes.ApproximateReceiveCount === '1' && numberOf(record) % 5 === 0,
  )
  const succeeded = Records.filter((record) => !failed.includes(record))
  if (succeeded.length > 0) {
    const Entries = succeeded.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
    const QueueUrl = `${process.env.AWS_ENDPOINT_URL_SQS}/000000000000/local`
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
  }
  if (failed.length > 0) throw new Error(`${failed.length} records failed`)
}
