import { type AttributeValue, BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const TableName = process.env.TABLE_NAME
if (!TableName) throw new Error('TABLE_NAME is not set: it is the table of readings')

const client = new DynamoDBClient()

/** One item that DynamoDB refuses fails its whole call, so the schema refuses it first: a key is never empty. */
const Reading = z.object({ readingId: z.string().min(1), celsius: z.number() })

function toItem({ readingId, celsius }: z.infer<typeof Reading>): Record<string, AttributeValue> {
  return {
    readingId: { S: readingId },
    celsius: { N: String(celsius) },
  }
}

/** Writes readings to DynamoDB, 25 to a call, and reports those that it has not processed. */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(
    eachChunk(
      25, // the most that BatchWriteItem takes
      async (records, _context, { signal }) => {
        // It takes no key twice: of the records with one key the last is written, and they succeed or fail together.
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
