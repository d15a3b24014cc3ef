import { DeleteMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord, PermanentError } from '../../../src/index.ts'
import { deadLetter, retryBackoff } from '../../../src/sqs/index.ts'
import { failures, numberOf } from './notes.ts'

const queues = `${process.env.AWS_ENDPOINT_URL_SQS}/000000000000`
const client = new SQSClient()

function isInvalid(record: SQSRecord) {
  return numberOf(record) % 10 === 3
}

function failsAlways(record: SQSRecord) {
  return numberOf(record) % 10 === 7
}

/**
 * Numbers ending in 3 go to the dead-letter queue at once. Numbers ending in 7 always fail, and are redelivered after
 * BACKOFF seconds.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      onFailure: [
        deadLetter({ client, queueUrl: `${queues}/local-dead-letters` }),
        retryBackoff({ client, base: Number(process.env.BACKOFF ?? 1), jitter: 'none' }),
      ],
    }),
  )
  .handler(
    eachRecord(async (record) => {
      if (isInvalid(record)) throw new PermanentError('invalid')
      if (failsAlways(record)) throw new Error('not now')
    }),
  )

/**
 * Sends the same dead letters. It deletes failed messages itself, so that the event source mapping does not know of it.
 */
export async function deletes({ Records }: SQSEvent) {
  const failed = Records.filter(failsAlways)
  for (const { body } of Records.filter(isInvalid)) {
    await client.send(new SendMessageCommand({ QueueUrl: `${queues}/local-dead-letters`, MessageBody: body }))
  }
  for (const { receiptHandle } of failed) {
    await client.send(new DeleteMessageCommand({ QueueUrl: `${queues}/local`, ReceiptHandle: receiptHandle }))
  }
  return failures(failed)
}

/** Sends numbers ending in 3 to the queue of the variable QUEUE. */
export async function sendsTo({ Records }: SQSEvent) {
  for (const { body } of Records.filter(isInvalid)) {
    await client.send(new SendMessageCommand({ QueueUrl: process.env.QUEUE, MessageBody: body }))
  }
}

/** On FIFO: sends numbers ending in 3 on every receive, with the same deduplication id, and also reports them. */
export async function sendsAgain({ Records }: SQSEvent) {
  const failed = Records.filter(isInvalid)
  for (const { body, messageId } of failed) {
    const to = { QueueUrl: `${queues}/local-dead-letters.fifo`, MessageGroupId: 'g', MessageDeduplicationId: messageId }
    await client.send(new SendMessageCommand({ ...to, MessageBody: body }))
  }
  return failures(failed)
}
