// This file is never run. `npm run typecheck` compiles it.
import middy from '@middy/core'
import { type } from 'arktype'
import type { Context, SQSEvent, SQSHandler, SQSRecord } from 'aws-lambda'
import * as v from 'valibot'
import { z } from 'zod'
import {
  type BatchHandler,
  boundedSqsBatch,
  type ChunkHandler,
  type ChunkOptions,
  type ChunkResult,
  eachChunk,
  type ParsedRecord,
} from '../../src/index.ts'
import { type Equal, expect } from './expect.ts'

const handleAll = eachChunk(25, async (records, context, options) => {
  expect<Equal<typeof records, readonly SQSRecord[]>>()
  expect<Equal<typeof context, Context>>()
  expect<Equal<typeof options, ChunkOptions>>()
  await fetch('http://127.0.0.1', { signal: options.signal })
})
expect<Equal<typeof handleAll, BatchHandler>>()
export const deployed: SQSHandler[] = [
  middy()
    .use(boundedSqsBatch({ rateLimit: { limit: 14, interval: 1_000 } }))
    .handler(handleAll),
  middy(handleAll).use(boundedSqsBatch()),
  middy()
    .use(boundedSqsBatch())
    .handler(async (event: SQSEvent, context, options) => eachChunk(10, () => {})(event, context, options)),
]

interface WithKey extends Context {
  readonly apiKey: string
}
const usesKey = eachChunk(10, (_records, context: WithKey) => void context.apiKey)
expect<Equal<typeof usesKey, BatchHandler<WithKey>>>()
// @ts-expect-error no middleware adds an apiKey to the context
middy().use(boundedSqsBatch()).handler(usesKey)

// What a chunk handler may return.
declare const settled: PromiseSettledResult<number>[]
export const results: ChunkResult[] = [undefined, settled, { batchItemFailures: [{ itemIdentifier: 'a' }] }]
export const handlers: ChunkHandler[] = [
  () => {},
  async () => {},
  () => undefined,
  () => settled,
  (records) => Promise.allSettled(records.map(async ({ body }) => body)),
  () => ({ batchItemFailures: [] }),
  async (records) => ({ batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })) }),
  async (records) => (records.length > 5 ? { batchItemFailures: [] } : undefined),
  async (records) => {
    if (records.length > 5) return
    return settled
  },
  () => {
    throw new Error('all of it')
  },
]

// Parsed bodies.
interface Order {
  id: string
  cents: number
}
type Output<TBody> = Equal<{ [Key in keyof TBody]: TBody[Key] }, { [Key in keyof Order]: Order[Key] }>
const zodOrder = z.object({ id: z.string(), cents: z.string().transform(Number) })
const valibotOrder = v.object({ id: v.string(), cents: v.pipe(v.string(), v.transform(Number)) })
const arktypeOrder = type({ id: 'string', cents: type('string').pipe((text) => Number(text)) })
eachChunk(5, ([record]) => expect<Equal<typeof record, SQSRecord | undefined>>(), {})
eachChunk(5, ([record]) => expect<Equal<typeof record, SQSRecord | undefined>>(), { body: undefined })
eachChunk(5, (records) => expect<Equal<typeof records, readonly ParsedRecord<unknown>[]>>(), { body: 'json' })
eachChunk(5, async ([first]) => expect<Output<NonNullable<typeof first>['body']>>(), { body: zodOrder })
eachChunk(5, async ([first]) => expect<Output<NonNullable<typeof first>['body']>>(), { body: valibotOrder })
eachChunk(5, async ([first]) => expect<Output<NonNullable<typeof first>['body']>>(), { body: arktypeOrder })
export const handleOrders: ChunkHandler<ParsedRecord<Order>> = (records) => void records[0]?.body.cents
eachChunk(5, handleOrders, { body: zodOrder })

/** The responses of `BatchWriteItemCommand` and `SendMessageBatchCommand` of the AWS SDK. */
declare const written: { UnprocessedItems?: Record<string, object[]>; $metadata: object }
declare const sent: { Successful: object[] | undefined; Failed: object[] | undefined; $metadata: object }
// @ts-expect-error the response of DynamoDB has no batchItemFailures
eachChunk(25, () => written)
// @ts-expect-error the response of DynamoDB has no batchItemFailures
eachChunk(25, async () => written)
// @ts-expect-error the response of DynamoDB has no batchItemFailures
eachChunk(25, async () => ({ UnprocessedItems: {} }))
// @ts-expect-error the response of SQS has no batchItemFailures
eachChunk(10, async () => sent)
// @ts-expect-error the response of DynamoDB has no batchItemFailures, also with a schema
eachChunk(25, async () => written, { body: zodOrder })
// @ts-expect-error a handler may return undefined, but not null
eachChunk(10, () => null)
// @ts-expect-error a handler may not return a number
eachChunk(10, async (records) => records.length)
// @ts-expect-error a handler may not return an object without batchItemFailures
eachChunk(10, async () => ({}))
// @ts-expect-error promises are not settled results
eachChunk(10, (records) => records.map(async ({ body }) => body))
// @ts-expect-error the ids must be in objects
eachChunk(10, () => ({ batchItemFailures: ['a'] }))
// @ts-expect-error the size comes first
eachChunk(() => {})
// @ts-expect-error the size is a number, not a string
eachChunk('10', () => {})
// @ts-expect-error a handler is required
eachChunk(10)
// @ts-expect-error the handler gets an array of records, not one record
eachChunk(10, (record: SQSRecord) => void record.body)
// @ts-expect-error the array of records is read-only
eachChunk(10, (records) => void records.push())
// @ts-expect-error the options of a chunk handler have no index
eachChunk(10, (_records, _context, { index }) => void index)
// @ts-expect-error cents is a number after parsing
eachChunk(5, ([record]) => void record?.body.cents.toUpperCase(), { body: zodOrder })
// @ts-expect-error parsed JSON is unknown until it is checked
eachChunk(5, ([record]) => void record?.body.id, { body: 'json' })
// @ts-expect-error a handler of orders needs a schema of orders
eachChunk(5, handleOrders)
// @ts-expect-error a handler of orders needs a schema of orders, not any JSON
eachChunk(5, handleOrders, { body: 'json' })
// @ts-expect-error 'json' or a schema
eachChunk(5, () => {}, { body: 'xml' })
// @ts-expect-error there is no option of this name
eachChunk(5, () => {}, { concurrency: 5 })
async function handleSome(records: readonly SQSRecord[]): Promise<void> {
  void records.length
}
// @ts-expect-error the chunk handler goes to eachChunk(): Middy would call it with the event
middy().use(boundedSqsBatch()).handler(handleSome)
// @ts-expect-error an empty array has no result for any record
eachChunk(10, () => [])
// @ts-expect-error an empty array has no result for any record
eachChunk(10, async () => [])
// @ts-expect-error an empty array has no result for any record, also with a schema
eachChunk(5, async () => [], { body: zodOrder })
