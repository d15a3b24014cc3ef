import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const TableName = process.env.TABLE_NAME
if (!TableName) throw new Error('TABLE_NAME is not set: it is the table of payments')

const concurrency = 100

// An SDK client has 50 sockets by default: the other 50 records would wait for one.
const agent = { maxSockets: concurrency }
// Made once, outside of the handler, so that its connections outlive an invocation.
const client = new DynamoDBClient({ requestHandler: { httpsAgent: agent, httpAgent: agent } })

const Payment = z.object({ paymentId: z.string(), cents: z.int() })

/** Writes each payment to DynamoDB, once however often its message comes. */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency }))
  .handler(
    eachRecord(
      async (record, _context, { signal }) => {
        const { paymentId, cents } = record.body
        const put = new PutItemCommand({
          TableName,
          Item: { paymentId: { S: paymentId }, cents: { N: String(cents) } },
          ConditionExpression: 'attribute_not_exists(paymentId)',
        })
        try {
          await client.send(put, { abortSignal: signal })
        } catch (error) {
          // An earlier delivery has written it: this one is done.
          if (!(error instanceof ConditionalCheckFailedException)) throw error
        }
      },
      { body: Payment },
    ),
  )
