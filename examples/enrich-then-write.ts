import { BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const url = process.env.PROFILES_URL
if (!url) throw new Error('PROFILES_URL is not set: it is the URL of the service that has the profiles of customers')
const TableName = process.env.TABLE_NAME
if (!TableName) throw new Error('TABLE_NAME is not set: it is the name of the DynamoDB table of orders')

const client = new DynamoDBClient()

const Order = z.object({ orderId: z.string().min(1), customer: z.string().min(1) })
const Profile = z.object({ country: z.string().min(1) })

async function findCountry(customer: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${url}/${encodeURIComponent(customer)}`, { signal })
  const text = await response.text() // an unread body keeps its socket open
  if (!response.ok) throw new Error(`the profile service returned ${response.status}`)
  return Profile.parse(JSON.parse(text)).country
}

/** Writes orders. Returns the ids of those that DynamoDB did not write. */
async function writeOrders(
  countries: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Set<string | undefined>> {
  const puts = Array.from(countries, ([orderId, country]) => ({
    PutRequest: { Item: { orderId: { S: orderId }, country: { S: country } } },
  }))
  if (puts.length === 0) return new Set()
  const write = new BatchWriteItemCommand({ RequestItems: { [TableName as string]: puts } })
  const { UnprocessedItems } = await client.send(write, { abortSignal: signal })
  return new Set(UnprocessedItems?.[TableName as string]?.map(({ PutRequest }) => PutRequest?.Item?.orderId?.S))
}

/**
 * Looks up the country of each order's customer, then writes the orders of a chunk in one call. If the lookup of an
 * order fails, the order is not written, and only its record fails. If the call fails, all records of the chunk fail.
 *
 * `concurrency` counts chunks, and a chunk looks up all of its records at once: 4 × 25 = 100 lookups.
 *
 * Use this only with a standard queue. On a FIFO queue, it would write orders although an earlier order of their
 * message group has failed.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 4 }))
  .handler(
    eachChunk(
      25, // the maximum of BatchWriteItem
      async (records, _context, { signal }) => {
        const lookups = await Promise.allSettled(records.map(({ body }) => findCountry(body.customer, signal)))
        // A map, because a call must not contain a key twice, and two messages can have the same order.
        const countries = new Map<string, string>()
        for (const [index, { body }] of records.entries()) {
          const lookup = lookups[index]
          if (lookup?.status === 'fulfilled') countries.set(body.orderId, lookup.value)
        }
        const unwritten = await writeOrders(countries, signal)
        // Returns a result for each record, not a list of ids, so that the log shows why a record failed.
        return lookups.map((lookup, index): PromiseSettledResult<unknown> => {
          const isUnwritten = lookup.status === 'fulfilled' && unwritten.has(records[index]?.body.orderId)
          return isUnwritten ? { status: 'rejected', reason: new Error('DynamoDB did not write the order') } : lookup
        })
      },
      { body: Order },
    ),
  )
