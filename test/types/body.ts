// This file is never run. `npm run typecheck` compiles it.
import middy from '@middy/core'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import type { SQSHandler, SQSRecord } from 'aws-lambda'
import * as v from 'valibot'
import { z } from 'zod'
import {
  type BatchHandler,
  boundedSqsBatch,
  eachRecord,
  type ParsedRecord,
  type RecordHandler,
} from '../../src/index.ts'
import { type Equal, expect } from './expect.ts'

// Without a schema, the body is text or unknown JSON.
eachRecord((record) => expect<Equal<typeof record.body, string>>(), {})
eachRecord((record) => expect<Equal<typeof record.body, string>>(), { body: undefined })
eachRecord((record) => expect<Equal<typeof record.body, unknown>>(), { body: 'json' })
eachRecord((record) => expect<Equal<typeof record, ParsedRecord<unknown>>>(), { body: 'json' })

// With a schema, the body has the type of its output, not of its input.
interface Order {
  id: string
  cents: number
}
const zodOrder = z.object({ id: z.string(), cents: z.string().transform(Number) })
const zodAsync = z.object({ id: z.string(), cents: z.string().transform(async (text) => Number(text)) })
const valibotOrder = v.object({ id: v.string(), cents: v.pipe(v.string(), v.transform(Number)) })
const valibotAsync = v.objectAsync({
  id: v.string(),
  cents: v.pipeAsync(
    v.string(),
    v.transformAsync(async (text) => Number(text)),
  ),
})
const arktypeOrder = type({ id: 'string', cents: type('string').pipe((text) => Number(text)) })
const handWritten: StandardSchemaV1<string, Order> = {
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { id: '', cents: 0 } }) },
}
type Output<TBody> = Equal<{ [Key in keyof TBody]: TBody[Key] }, { [Key in keyof Order]: Order[Key] }>

eachRecord(async ({ body }) => expect<Output<typeof body>>(), { body: zodOrder })
eachRecord(async ({ body }) => expect<Output<typeof body>>(), { body: zodAsync })
eachRecord(async ({ body }) => expect<Output<typeof body>>(), { body: valibotOrder })
eachRecord(async ({ body }) => expect<Output<typeof body>>(), { body: valibotAsync })
eachRecord(async ({ body }) => expect<Output<typeof body>>(), { body: arktypeOrder })
eachRecord(async ({ body }) => expect<Equal<typeof body, Order>>(), { body: handWritten })
eachRecord(({ body }) => expect<Equal<typeof body, number>>(), { body: z.string().transform(Number) })
// A promise as the output is awaited.
declare const promised: StandardSchemaV1<string, Promise<Order>>
eachRecord(({ body }) => expect<Equal<typeof body, Order>>(), { body: promised })
eachRecord(({ body }) => expect<Equal<typeof body, 'a' | { readonly n: number } | null>>(), {
  body: z.union([z.literal('a'), z.object({ n: z.number() }).readonly(), z.null()]),
})

// The other fields are those of SQSRecord, and the result is an ordinary batch handler.
const handleOrders = eachRecord(
  async (record) => {
    expect<Equal<typeof record.messageId, string>>()
    expect<Equal<typeof record.attributes, SQSRecord['attributes']>>()
    return record.body.cents.toFixed()
  },
  { body: zodOrder },
)
expect<Equal<typeof handleOrders, BatchHandler>>()
export const handler: SQSHandler = middy().use(boundedSqsBatch()).handler(handleOrders)

// A handler can be declared before the call, and eachRecord() can be called in a generic function.
export const handleOrder: RecordHandler<ParsedRecord<Order>> = ({ body }) => body.cents
eachRecord(handleOrder, { body: valibotOrder })
export function validated<TSchema extends StandardSchemaV1>(
  schema: TSchema,
  handle: (body: StandardSchemaV1.InferOutput<TSchema>) => unknown,
): BatchHandler {
  return eachRecord((record) => handle(record.body), { body: schema })
}
validated(arktypeOrder, (order) => order.cents.toFixed())

// @ts-expect-error cents is a number after parsing
eachRecord((record) => record.body.cents.toUpperCase(), { body: zodOrder })
// @ts-expect-error the schema has no such field
eachRecord((record) => record.body.price, { body: zodOrder })
// @ts-expect-error parsed JSON is unknown until it is checked
eachRecord((record) => record.body.id, { body: 'json' })
// @ts-expect-error an object is not a string
eachRecord((record) => record.body.toUpperCase(), { body: arktypeOrder })
// @ts-expect-error without a schema the body is text
eachRecord((record) => record.body.id)
// @ts-expect-error a handler of orders needs a schema of orders
eachRecord(handleOrder)
// @ts-expect-error a handler of orders needs a schema of orders, not any JSON
eachRecord(handleOrder, { body: 'json' })
// @ts-expect-error a handler of orders needs a schema of orders, not of numbers
eachRecord(handleOrder, { body: z.number() })
// @ts-expect-error a handler of plain records cannot have a parsed body
eachRecord((record: SQSRecord) => record.body, { body: zodOrder })
// @ts-expect-error 'json' or a schema
eachRecord(() => {}, { body: 'xml' })
// @ts-expect-error 'json' or a schema
eachRecord(() => {}, { body: JSON.parse })
// @ts-expect-error 'json' or a schema
eachRecord(() => {}, { body: true })
// @ts-expect-error there is no option of this name
eachRecord(() => {}, { schema: zodOrder })
declare const parsed: ParsedRecord<Order>
// @ts-expect-error a parsed body is read-only
parsed.body = { id: '', cents: 0 }
// @ts-expect-error a parsed record is not an SQSRecord, because its body is not text
export const record: SQSRecord = parsed
