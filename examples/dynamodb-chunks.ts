import { type AttributeValue, BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const TableName = process.env.TABLE_NAME
if (!TableName) throw new Error('TABLE_NAME is not set: it is the name of the DynamoDB table of readings')

const client = new DynamoDBClient()

/** If DynamoDB refuses one item, the whole call fails. So the schema refuses an empty key, which DynamoDB would refuse. */
const Reading = z.object({ readingId: z.string().min(1), celsius: z.number() })

function toItem({ readingId, celsius }: z.infer<typeof Reading>): Record<string, AttributeValue> {
  return {
    readingId: { S: readingId },
    celsius: { N: String(celsius) },
  }
}

/** Writes readings to DynamoDB, 25 per call, and reports those that DynamoDB did not process. */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(
    eachChunk(
      25, // the maximum of BatchWriteItem
      async (records, _context, { signal }) => {
        // A call must not contain a key twice. If several records have the same key, only the last one is written, and
        // all of them succeed or fail together.
        const items = new Map(records.map(({ body }) => [body.readingId, toItem(body)]))
        const puts = Array.from(items.values(), (Item) => ({ PutRequest: { Item } }))
        const write = new BatchWriteItemCommand({ RequestItems: { [TableName]: puts } })
        const { UnprocessedItems } = await client.send(write, { abortSignal: signal })
        const unprocessed = UnprocessedItems?.[TableName]?.map(({ PutRequest }) => PutRequest?.Item?.readingId?.S)
        const failed = records.filter(({ body }) => unprocessed?.includes(body.readingId))
        return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
      },
      { body: Reading },
    ),
  )
