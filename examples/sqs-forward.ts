import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk } from 'middy-bounded-sqs-batch'

const QueueUrl = process.env.TARGET_QUEUE_URL
if (!QueueUrl) throw new Error('TARGET_QUEUE_URL is not set: it is the queue that records are forwarded to')

const client = new SQSClient()

/**
 * Forwards the bodies of records to another queue, ten to a call; attributes and message groups stay behind. A call takes
 * 1 MiB, so ten bodies of up to 100 kB: where they can be larger, make the chunks smaller.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(
    eachChunk(10, async (records, _context, { signal }) => {
      const Entries = records.map(({ messageId, body }) => ({ Id: messageId, MessageBody: body }))
      const send = new SendMessageBatchCommand({ QueueUrl, Entries })
      // A call that succeeds may have entries that did not.
      const { Failed = [] } = await client.send(send, { abortSignal: signal })
      const refused = new Map(Failed.map(({ Id, Code }) => [Id, Code]))
      // A result for each record, rather than a list of ids, so that the log says why.
      return Promise.allSettled(
        records.map(async ({ messageId }) => {
          if (refused.has(messageId)) throw new Error(`SQS refused the entry: ${refused.get(messageId)}`)
        }),
      )
    }),
  )
