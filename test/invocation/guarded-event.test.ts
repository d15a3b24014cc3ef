import { inspect } from 'node:util'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { failed, listOf, testContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>

const REPLACED = {
  name: 'TypeError',
  message:
    'A later middleware replaced request.event. Change its records in place, or move it before boundedSqsBatch()',
}

/** Counts the records that start, in each of the three kinds of inner handlers. */
function inners() {
  const started: string[] = []
  function handle({ messageId }: SQSRecord): void {
    started.push(messageId)
  }
  const handlers: BatchHandler[] = [
    eachRecord(handle),
    async ({ Records }) => Promise.allSettled(Records.map(async (record) => handle(record))) as never,
    async ({ Records }) => {
      for (const record of Records) handle(record)
      return listOf()
    },
  ]
  return { started, handlers }
}

const changes: [what: string, change: (records: SQSRecord[]) => unknown][] = [
  ['reverses', (records) => records.reverse()],
  ['sorts', (records) => records.sort((a, b) => b.messageId.localeCompare(a.messageId))],
  ['empties', (records) => records.splice(0)],
  ['takes one out of', (records) => records.pop()],
  ['adds one to', (records) => records.push(sqsRecord('d'))],
  ['deletes one from', (records) => delete records[1]],
  ['replaces one in', (records) => (records[1] = sqsRecord('d'))],
  ['shortens', (records) => (records.length = 2)],
]
for (const [what, change] of changes) {
  t.test(`a later middleware that ${what} event.Records gets a TypeError before any record starts`, async (t) => {
    const { started, handlers } = inners()
    for (const inner of handlers) {
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .before(({ event }) => void change(event.Records))
        .handler(inner)
      await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { name: 'TypeError', message: /object/ })
    }
    t.strictSame(started, [])
  })
}

const replacements: [what: string, replace: (request: Request) => unknown][] = [
  ['a copy', ({ event }) => ({ ...event })],
  ['copies of the records', ({ event }) => ({ Records: event.Records.map((record) => ({ ...record })) })],
  ['reversed records', ({ event }) => ({ Records: event.Records.toReversed() })],
  ['fewer records', ({ event }) => ({ Records: event.Records.slice(1) })],
  ['an object that inherits from it', ({ event }) => Object.create(event)],
  ['an object without records', () => ({})],
  ['null', () => null],
  ['undefined', () => undefined],
]
for (const [what, replace] of replacements) {
  t.test(
    `a later middleware that replaces the event by ${what} gets a TypeError before any record starts`,
    async (t) => {
      const { started, handlers } = inners()
      for (const inner of handlers) {
        const handler = middy<SQSEvent, SQSBatchResponse>()
          .use(boundedSqsBatch({ logger: false }))
          .before((request) => {
            request.event = replace(request) as SQSEvent
          })
          .handler(inner)
        await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), REPLACED)
      }
      t.strictSame(started, [])
    },
  )
}

t.test('event.Records and the properties of the request cannot be replaced, redefined or deleted', async (t) => {
  const attempts: ((request: Request) => unknown)[] = [
    ({ event }) => {
      event.Records = []
    },
    ({ event }) => delete (event as Partial<SQSEvent>).Records,
    ({ event }) => Object.defineProperty(event, 'Records', { value: [] }),
    (request) => Object.defineProperty(request, 'event', { value: standardEvent('b') }),
    (request) => delete (request as Partial<Request>).event,
    (request) => Object.defineProperty(request, 'response', { value: listOf() }),
  ]
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      for (const attempt of attempts) t.throws(() => attempt(request), { name: 'TypeError' })
    })
    .handler(
      async ({ Records }) => Promise.allSettled(Records.map(({ messageId }) => Promise.reject(messageId))) as never,
    )
  t.strictSame(failed(await handler(standardEvent('a'), testContext())), ['a'])
})

t.test(
  'an inner handler that changes event.Records while records run fails, and those records are aborted',
  async (t) => {
    for (const [what, change] of changes) {
      const held = heldRecords()
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false, concurrency: 1 }))
        .handler(async (event, context) => {
          const report = eachRecord(held.handle)(event, context)
          await settled()
          change(event.Records)
          return report
        })
      await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { name: 'TypeError' }, what)
      t.strictSame(held.started, ['a'], what)
      t.equal(held.signalOf('a')?.aborted, true, what)
    }
  },
)

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

t.test('a middleware can copy the request, and can set request.event to the same object', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      const { event } = request
      t.equal({ ...request }.event, event)
      request.event = event
    })
    .after((request) => {
      t.strictSame({ ...request }.response, listOf())
    })
    .handler(eachRecord(() => {}))
  t.strictSame(failed(await handler(standardEvent('a'), testContext())), [])
})

t.test('another middleware that copies or logs the request does not see the state of this one', async (t) => {
  const shown: string[] = []
  function show(request: Request): void {
    t.strictSame(Object.getOwnPropertySymbols({ ...request }), [])
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
    t.notMatch(text, /Symbol\(|invocation|phase|createResponse/)
  }
})

t.test('a later middleware cannot replace the event in its after hook', async (t) => {
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

t.test('after an error, earlier and later middlewares can replace the event in onError', async (t) => {
  const replacement = standardEvent('b')
  const seen: SQSEvent[] = []
  function onError(request: Request): void {
    request.event = replacement
    seen.push(request.event)
  }
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use({ onError })
    .use(boundedSqsBatch({ logger: false }))
    .use({ onError })
    .handler(async () => {
      throw new Error('of the handler')
    })
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'of the handler' })
  t.ok(seen.length === 2 && seen.every((event) => event === replacement))
})

t.test('if an earlier before hook throws, its onError hook can replace the event', async (t) => {
  const seen: SQSEvent[] = []
  const replacement = standardEvent('b')
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use({
      before() {
        throw new Error('of the earlier middleware')
      },
      onError(request) {
        request.event = replacement
        seen.push(request.event)
      },
    })
    .use(boundedSqsBatch({ logger: false }))
    .handler(eachRecord(() => t.fail('started')))
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'of the earlier middleware' })
  t.equal(seen[0], replacement)
})
