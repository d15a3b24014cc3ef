import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const TableName = process.env.TABLE_NAME
if (!TableName) throw new Error('TABLE_NAME is not set: it is the name of the DynamoDB table of payments')

const concurrency = 100

// An SDK client has 50 sockets by default, so 50 of the 100 records would wait for a socket.
const agent = { maxSockets: concurrency }
// Created once, outside of the handler, so that invocations reuse its connections.
const client = new DynamoDBClient({ requestHandler: { httpsAgent: agent, httpAgent: agent } })

const Payment = z.object({ paymentId: z.string(), cents: z.int() })

/** Writes each payment to DynamoDB. A payment is written only once, even if its message is delivered several times. */
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
          // An earlier delivery has written the payment, so the record succeeds.
          if (!(error instanceof ConditionalCheckFailedException)) throw error
        }
      },
      { body: Payment },
    ),
  )
