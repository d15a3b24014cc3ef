import { inspect } from 'node:util'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { failed, listOf, testContext } from '../support/handlers.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>

/** Of V8, because `request.event` is a property that cannot be written. */
const REPLACED = { name: 'TypeError', message: /^Cannot assign to read only property 'event'/ }

t.test('a later middleware that reverses event.Records gets a TypeError before any record starts', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before(({ event }) => void event.Records.reverse())
    .handler(eachRecord(() => t.fail('started')))
  await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { name: 'TypeError', message: /object/ })
})

t.test('a later hook that redefines or deletes request.event fails the invocation', async (t) => {
  const changes: Record<string, (request: Request) => unknown> = {
    redefines: (request) =>
      Object.defineProperty(request, 'event', { value: { Records: request.event.Records.toReversed() } }),
    deletes: (request) => delete (request as Partial<Request>).event,
  }
  const error = { name: 'TypeError', message: 'A later middleware has redefined request.event' }
  for (const [what, change] of Object.entries(changes)) {
    for (const hook of ['before', 'after']) {
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .use({ [hook]: (request: Request) => void change(request) } as middy.MiddlewareObj)
        .handler(async () => listOf())
      await t.rejects(handler(standardEvent('a', 'b'), testContext()), error, `${what} in ${hook}`)
    }
  }
})

t.test('a later middleware can parse bodies in place and add properties to the event', async (t) => {
  const seen: unknown[] = []
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before(({ event }) => {
      for (const record of event.Records) record.body = { parsed: record.body } as never
      Object.assign(event, { extra: 1 })
    })
    .handler(async (event, context) => {
      t.match(event, { extra: 1 })
      return eachRecord(({ messageId, body }) => {
        seen.push(body)
        if (messageId === 'b') throw new Error('b')
      })(event, context)
    })
  t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
  t.strictSame(seen, [{ parsed: 'body of a' }, { parsed: 'body of b' }])
})

t.test('a middleware that copies or logs the request sees its event and its response, but not our state', async (t) => {
  const shown: string[] = []
  function show(request: Request): void {
    const copy = { ...request }
    t.equal(copy.event, request.event)
    t.equal(copy.response, request.response)
    t.strictSame(Object.getOwnPropertySymbols(copy), [])
    shown.push(inspect(request, { depth: 10, getters: true }))
  }
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .after(show)
    .use(boundedSqsBatch({ logger: false }))
    .before(show)
    .after(show)
    .handler(eachRecord(() => {}))
  t.strictSame(failed(await handler(standardEvent('a'), testContext())), [])
  t.equal(shown.length, 3)
  for (const text of shown) {
    t.match(text, /messageId: 'a'/)
    t.notMatch(text, /Symbol\(|invocation|status/)
  }
})

t.test('a later after hook that replaces the event gets a TypeError', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .after((request) => {
      request.event = standardEvent('b')
    })
    .handler(eachRecord(() => {}))
  await t.rejects(handler(standardEvent('a'), testContext()), REPLACED)
})

t.test('an earlier middleware can replace the event before the batch, and restore it in after', async (t) => {
  const events: SQSEvent[] = []
  const outer = { detail: standardEvent('a', 'x') }
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use({
      before(request) {
        request.event = (request.event as unknown as typeof outer).detail
      },
      after(request) {
        request.event = outer as never
        events.push(request.event)
      },
    })
    .use(boundedSqsBatch({ logger: false }))
    .handler(
      eachRecord(({ messageId }) => {
        if (messageId === 'x') throw new Error('x')
      }),
    )
  t.strictSame(failed(await handler(outer as never, testContext())), ['x'])
  t.equal(events[0], outer)
})

t.test('after an error, an earlier onError hook can replace the event, as in plain Middy', async (t) => {
  const replacement = standardEvent('b')
  let seen: unknown
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .onError((request) => {
      request.event = replacement
      seen = request.event
    })
    .use(boundedSqsBatch({ logger: false }))
    .handler(() => Promise.reject(new Error('of the handler')))
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'of the handler' })
  t.equal(seen, replacement)
})
