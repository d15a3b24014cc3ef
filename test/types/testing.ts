// This file is never run. `npm run typecheck` compiles it.
import middy from '@middy/core'
import type {
  APIGatewayProxyEvent,
  Context,
  Handler,
  SQSBatchResponse,
  SQSEvent,
  SQSHandler,
  SQSRecord,
  SQSRecordAttributes,
} from 'aws-lambda'
import { type BatchTrace, boundedSqsBatch, eachChunk, eachRecord } from '../../src/index.ts'
import { type InvokeResult, invoke, type SqsEventOptions, sqsContext, sqsEvent } from '../../src/testing/index.ts'
import { type Equal, expect } from './expect.ts'

const handleAll = eachRecord(() => {})
const event = sqsEvent(['text', { orderId: 7 }, [1], new Map(), { messageId: 'm1', body: { orderId: 7 } }])
const context = sqsContext({ timeout: 1_000 })
expect<Equal<typeof event, SQSEvent>>()
expect<Equal<typeof context, Context>>()

// A handler with AWS's types accepts the event and the context, and so does one that is called without invoke().
declare const deployed: SQSHandler
deployed(event, context, () => {})
export const called: Promise<SQSBatchResponse> = handleAll(sqsEvent([]), sqsContext())

interface Order {
  readonly orderId: number
}
declare const orders: readonly Order[]
sqsEvent(orders)
sqsEvent(orders, {})
sqsEvent(orders, { fifo: true, groups: ['a', 'b'], receiveCount: 2 })
sqsEvent(orders, { fifo: undefined, groups: undefined, receiveCount: undefined })
export const shared = { fifo: true } as const satisfies SqsEventOptions
sqsEvent([{ messageId: 'm1', body: 'text', attributes: { ApproximateReceiveCount: '5' }, awsRegion: 'eu-west-1' }])
declare const record: SQSRecord
sqsEvent([record, { ...record, messageId: 'm2' }])
sqsEvent(event.Records)

// Middy handlers, written in different ways. Without type arguments, Middy's type of the response is `any`.
interface WithKey extends Context {
  readonly apiKey: string
}
const setsKey: middy.MiddlewareObj<unknown, unknown, Error, WithKey> = { before() {} }
const usesKey = eachRecord((_record, { apiKey }: WithKey) => apiKey)
const untyped = { before() {}, after: async () => {} }
invoke(middy().use(boundedSqsBatch()).handler(handleAll), event)
invoke(middy(handleAll).use(boundedSqsBatch()), event, { timeout: 200 })
invoke(
  middy()
    .use(untyped)
    .use([boundedSqsBatch()])
    .handler(eachChunk(10, () => {})),
  event,
  { timeout: undefined },
)
invoke(middy().use(setsKey).use(boundedSqsBatch()).handler(usesKey), event)
const typed = middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch()).handler(handleAll)
expect<Equal<Awaited<ReturnType<typeof invokeTyped>>, InvokeResult<SQSBatchResponse>>>()
export function invokeTyped() {
  return invoke(typed, event)
}

// A plain Lambda handler.
invoke(deployed, event)
invoke(async () => {}, event)
invoke(async (event: SQSEvent, context: Context) => [event.Records, context.awsRequestId], event)
declare const anyHandler: Handler
invoke(anyHandler, event)
type Failure = { readonly record: SQSRecord; readonly error: unknown }
declare const ofQueue: Handler<SQSEvent, SQSBatchResponse>
export async function result() {
  const { response, succeeded, failed, failures } = await invoke(
    async (): Promise<SQSBatchResponse> => ({ batchItemFailures: [] }),
    event,
  )
  expect<Equal<typeof response, SQSBatchResponse>>()
  expect<Equal<typeof succeeded, readonly SQSRecord[]>>()
  expect<Equal<typeof failed, readonly SQSRecord[]>>()
  expect<Equal<typeof failures, readonly Failure[]>>()
  expect<Equal<BatchTrace['failures'], readonly Failure[] | undefined>>()
  const ofPlain = await invoke(ofQueue, event)
  // biome-ignore lint/suspicious/noConfusingVoidType: AWS's type of a handler contains void, for handlers with a callback
  expect<Equal<typeof ofPlain.response, void | SQSBatchResponse>>()
}

// @ts-expect-error bodies come in an array
sqsEvent('text')
// @ts-expect-error a number is not a body
sqsEvent([5])
// @ts-expect-error null is not a body
sqsEvent([null])
// @ts-expect-error there is no option of this name
sqsEvent(['text'], { group: ['a'] })
// @ts-expect-error a number, not a string
sqsEvent(['text'], { receiveCount: '2' })
// @ts-expect-error milliseconds, not a string
sqsContext({ timeout: '3s' })
// @ts-expect-error the timeout is an option
sqsContext(200)
// @ts-expect-error an event is required
invoke(handleAll)
// @ts-expect-error an event, not its bodies
invoke(handleAll, ['text'])
// @ts-expect-error there is no option of this name
invoke(handleAll, event, { context })
declare const ofAnApi: (event: APIGatewayProxyEvent) => Promise<unknown>
// @ts-expect-error the handler of another event
invoke(ofAnApi, event)
declare const attributes: SQSRecordAttributes
// @ts-expect-error a record has a messageId
export const withoutId: import('../../src/testing/index.ts').SqsEventRecord = { body: 'text', attributes }
