import { appendFileSync } from 'node:fs'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, PermanentError } from '../../../src/index.ts'
import { deadLetter, retryBackoff } from '../../../src/sqs/index.ts'

const client = new SQSClient()

/**
 * Number 1 goes to the dead-letter queue at once. Number 2 fails on its first receive, and is redelivered after a
 * second. Number 3 always fails. Notes the number and receive count of each delivery.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      logger: false,
      onFailure: [
        deadLetter({ client, queueUrl: `${process.env.DEAD_LETTERS}` }),
        retryBackoff({ client, base: 1, jitter: 'none' }),
      ],
    }),
  )
  .handler(
    eachRecord(async ({ body }, _context, { receiveCount }) => {
      const { number } = JSON.parse(body)
      appendFileSync(`${process.env.RECORD_TO}`, `${JSON.stringify({ number, receiveCount })}\n`)
      if (number === 1) throw new PermanentError('invalid')
      if (number === 3 || (number === 2 && receiveCount === 1)) throw new Error('not now')
    }),
  )
