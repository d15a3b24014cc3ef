import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk } from 'middy-bounded-sqs-batch'

const QueueUrl = process.env.TARGET_QUEUE_URL
if (!QueueUrl) throw new Error('TARGET_QUEUE_URL is not set: it is the URL of the queue to which records are forwarded')

const client = new SQSClient()

/**
 * Forwards the bodies of records to another queue, ten per call. Attributes and message groups are not forwarded. A
 * call can have 1 MiB, which is ten bodies of up to 100 kB. If your bodies can be larger, make the chunks smaller.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(
    eachChunk(10, async (records, _context, { signal }) => {
      const Entries = records.map(({ messageId, body }) => ({ Id: messageId, MessageBody: body }))
      const send = new SendMessageBatchCommand({ QueueUrl, Entries })
      // Even if the call succeeds, SQS can refuse some of its entries.
      const { Failed = [] } = await client.send(send, { abortSignal: signal })
      const refused = new Map(Failed.map(({ Id, Code }) => [Id, Code]))
      // Returns a result for each record, not a list of ids, so that the log shows why a record failed.
      return Promise.allSettled(
        records.map(async ({ messageId }) => {
          if (refused.has(messageId)) throw new Error(`SQS refused the entry: ${refused.get(messageId)}`)
        }),
      )
    }),
  )
