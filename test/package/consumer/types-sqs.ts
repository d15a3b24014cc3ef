// Code of a TypeScript project that has @aws-sdk/client-sqs.
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, InvalidBodyError, PermanentError } from 'middy-bounded-sqs-batch'
import {
  type DeadLetterOptions,
  deadLetter,
  type IsolateCrashesOptions,
  isolateCrashes,
  type RetryBackoffOptions,
  retryBackoff,
} from 'middy-bounded-sqs-batch/sqs'

const client = new SQSClient({})
const letters: DeadLetterOptions = {
  client,
  queueUrl: process.env.DEAD_LETTER_QUEUE_URL ?? '',
  when: ({ error, receiveCount }) =>
    error instanceof PermanentError || error instanceof InvalidBodyError || receiveCount > 4,
}
const backoff: RetryBackoffOptions = { client, base: 10, factor: 3, max: 3600, jitter: 'none', delay: () => 60 }
const isolation: IsolateCrashesOptions = { client, spread: 600 }

export const handler = middy()
  .use(isolateCrashes(isolation))
  .use(boundedSqsBatch({ onFailure: [deadLetter(letters), retryBackoff(backoff)] }))
  .handler(eachRecord(() => {}))
export const alone = boundedSqsBatch({ onFailure: retryBackoff({ client }) })

// @ts-expect-error a client is required
retryBackoff({ base: 10 })
// @ts-expect-error a queueUrl is required
deadLetter({ client })
