// This file is never run. `npm run typecheck` compiles it.
import middy from '@middy/core'
import type { APIGatewayProxyEvent, Context, SQSBatchResponse, SQSEvent, SQSHandler, SQSRecord } from 'aws-lambda'
import boundedSqsBatchByDefault, {
  type BatchHandler,
  boundedSqsBatch,
  eachRecord,
  type RecordHandler,
  type RecordOptions,
} from '../../src/index.ts'
import { type Equal, expect } from './expect.ts'

const handleAll = eachRecord(async (record, context, options) => {
  expect<Equal<typeof record, SQSRecord>>()
  expect<Equal<typeof context, Context>>()
  expect<Equal<typeof options, RecordOptions>>()
  await fetch('http://127.0.0.1', { method: 'POST', body: record.body, signal: options.signal })
})
expect<Equal<typeof handleAll, BatchHandler>>()
expect<Equal<typeof boundedSqsBatchByDefault, typeof boundedSqsBatch>>()

// The idiom of the README, and each way to write it.
export const idiom = middy().use(boundedSqsBatch()).handler(handleAll)
export const annotated: SQSHandler = middy().use(boundedSqsBatch()).handler(handleAll)
export const withTypeArguments = middy<SQSEvent, SQSBatchResponse>()
  .use(boundedSqsBatch({ concurrency: 20, recordTimeout: 5_000 }))
  .handler(handleAll)
export const handlerFirst = middy(handleAll).use(boundedSqsBatch())
export const withPlugin = middy({ timeoutEarlyInMillis: 0 }).use(boundedSqsBatch()).handler(handleAll)
export const inAList = middy().use([boundedSqsBatch()]).handler(handleAll)

// Each can be deployed as the handler of a queue.
export const deployed: SQSHandler[] = [idiom, withTypeArguments, handlerFirst, withPlugin, inAList]
for (const handler of deployed) handler({ Records: [] }, {} as Context, () => {})

// Between other middlewares, typed or not, alone or in a list.
const untyped = { before() {}, after: async () => {} }
const typed: middy.MiddlewareObj<SQSEvent, SQSBatchResponse> = { onError: (request) => void request.event.Records }
export const between: SQSHandler[] = [
  middy().use(untyped).use(boundedSqsBatch()).use(typed).handler(handleAll),
  middy().use(typed).use(boundedSqsBatch()).use(untyped).handler(handleAll),
  middy().use([untyped, boundedSqsBatch(), untyped]).handler(handleAll),
]
export const asMiddleware: middy.MiddlewareObj<SQSEvent, SQSBatchResponse> = boundedSqsBatch()

// A middleware that adds to the context: the record handler sees it.
interface WithKey extends Context {
  readonly apiKey: string
}
const setsKey: middy.MiddlewareObj<unknown, unknown, Error, WithKey> = { before() {} }
const usesKey = eachRecord((_record, context: WithKey) => context.apiKey)
expect<Equal<typeof usesKey, BatchHandler<WithKey>>>()
export const withKey = middy().use(setsKey).use(boundedSqsBatch()).handler(usesKey)
// @ts-expect-error no middleware adds an apiKey to the context
export const withoutKey = middy().use(boundedSqsBatch()).handler(usesKey)

// An inner handler that prepares something for the batch, and one that returns settled results.
export const ownHandlers: SQSHandler[] = [
  middy()
    .use(boundedSqsBatch())
    .handler(async (event, context, options) => {
      expect<Equal<typeof event, SQSEvent>>()
      expect<Equal<typeof context, Context>>()
      const token = await Promise.resolve('token')
      return eachRecord((record) => [token, record.body])(event, context, options)
    }),
  middy()
    .use(boundedSqsBatch())
    .handler(async (event) => Promise.allSettled(event.Records.map(async (record) => record.body))),
]

// A unit test calls the handler with a partial event and context.
export const response: Promise<SQSBatchResponse> = handleAll({ Records: [] }, {} as Context)

// A record handler may return anything.
export const recordHandlers: RecordHandler[] = [() => {}, () => null, async () => 5, (record) => record.body]
recordHandlers.map((recordHandler) => eachRecord(recordHandler))

// @ts-expect-error the record is an SQSRecord, not a string
eachRecord((record: string) => record)
// @ts-expect-error an SQSRecord has no field `data`
eachRecord((record) => record.data)
// @ts-expect-error the context comes second, the signal third
eachRecord((_record, { signal }) => signal)
// @ts-expect-error the third argument has no field `attempt`
eachRecord((_record, _context, { attempt }) => attempt)
// @ts-expect-error a handler is required
eachRecord()
// @ts-expect-error the handler is a function
eachRecord({ handle() {} })
// @ts-expect-error the middleware goes to .use(), not to .handler()
middy().handler(boundedSqsBatch())
// @ts-expect-error the handler goes to .handler(), not to .use()
middy().use(handleAll)
async function handleOne(record: SQSRecord): Promise<string> {
  return record.body
}
// @ts-expect-error the record handler goes to eachRecord(): Middy would call it with the event
middy().use(boundedSqsBatch()).handler(handleOne)
async function forgetsReturn(event: SQSEvent, context: Context): Promise<void> {
  handleAll(event, context)
}
// @ts-expect-error the return is missing; only Middy's type arguments make this an error
middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch()).handler(forgetsReturn)

// Mistakes that Middy's types do not show. The result type of a handler comes from middy() only, and is `any` by
// default. If a middleware has another event type, `.use()` does not refuse it. The handler gets `APIGatewayProxyEvent
// & SQSEvent`.
export const returnsNothing = middy()
  .use(boundedSqsBatch())
  .handler(async () => {})
export const ofAnApi = middy<APIGatewayProxyEvent>().use(boundedSqsBatch())
async function nothing(): Promise<void> {}
// @ts-expect-error with Middy's type arguments, a handler that returns nothing does not compile
middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch()).handler(nothing)
