import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord, FullBatchFailureError } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing } from '../support/failures.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { logged } from '../support/output.ts'

const failingRecords = eachRecord(failing)

t.test('throwOnFullBatchFailure throws if every record failed', async (t) => {
  const handle = handlerOf(failing, { throwOnFullBatchFailure: true })
  const error = await handle(standardEvent('x1', 'x2')).catch((error) => error)
  t.ok(error instanceof FullBatchFailureError)
  t.ok(error instanceof AggregateError)
  t.match(error, {
    name: 'FullBatchFailureError',
    code: 'ERR_FULL_BATCH_FAILURE',
    message: /All records of the batch failed \(2\)/,
  })
  t.strictSame(
    error.errors.map(({ message }: Error) => message),
    ['x1 failed', 'x2 failed'],
  )
  t.strictSame(failed(await handle(standardEvent('x1', 'a'))), ['x1'])
  t.strictSame(failed(await handle({ Records: [] })), [])
})

t.test('without throwOnFullBatchFailure, a batch in which every record fails is reported normally', async (t) => {
  const handle = handlerOf(() => Promise.reject(new Error('x')))
  t.strictSame(failed(await handle(standardEvent('a', 'b'))), ['a', 'b'])
})

t.test('throwOnFullBatchFailure applies to the reports of other inner handlers', async (t) => {
  function returning(value: unknown) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false, throwOnFullBatchFailure: true }))
      .handler(async () => value as SQSBatchResponse)
    return handler(standardEvent('a'), testContext())
  }
  await t.rejects(returning([{ status: 'rejected', reason: 'r' }]), { name: 'FullBatchFailureError', errors: ['r'] })
  await t.rejects(returning({ batchItemFailures: [{ itemIdentifier: 'a' }] }), { name: 'FullBatchFailureError' })
})

t.test(
  "if Middy's early timeout ends the batch, throwOnFullBatchFailure throws with the timeout as its cause",
  async (t) => {
    const clock = mockClock(t)
    const handler = middy()
      .use(boundedSqsBatch({ logger: false, timeBudget: false, throwOnFullBatchFailure: true }))
      .handler(eachRecord(heldRecords().handle))
    const result = handler(standardEvent('a'), timedContext(1000)).catch((error) => error)
    await settled()
    clock.advance(995)
    t.match(await result, { name: 'FullBatchFailureError', cause: { name: 'TimeoutError' } })
  },
)

const handlerWith = (options: BoundedSqsBatchOptions = {}) =>
  middy().use(boundedSqsBatch({ logger: false, ...options }))

t.test('an error before the first record starts fails the invocation', async (t) => {
  const before = handlerWith()
    .before(() => {
      throw new Error('secrets cannot be read')
    })
    .handler(failingRecords)
  await t.rejects(before(standardEvent('a', 'x'), testContext()), /secrets cannot be read/)

  const setUp = handlerWith().handler(async (event: SQSEvent, context) => {
    if (event.Records.length > 0) throw new Error('set-up failed')
    return failingRecords(event, context)
  })
  await t.rejects(setUp(standardEvent('a', 'x'), testContext()), /set-up failed/)
})

t.test("the report is returned if an earlier middleware's after hook throws", async (t) => {
  let started = 0
  const seen: unknown[] = []
  const handler = middy()
    .use({
      after() {
        throw new Error('metrics cannot be sent')
      },
      onError({ error }) {
        seen.push(error)
      },
    })
    .use(boundedSqsBatch())
    .handler(
      eachRecord(({ messageId }) => {
        started++
        if (messageId === 'x') throw new Error('x failed')
      }),
    )
  const lines = await logged(async () => {
    t.strictSame(failed(await handler(standardEvent('a', 'x', 'b'), testContext())), ['x'])
  })
  t.equal(started, 3)
  t.match(seen, [{ message: 'metrics cannot be sent' }], 'the onError hooks of earlier middlewares get the error')
  t.equal(lines.length, 2)
  t.match(lines[0], /1 of 3 records failed/)
  t.match(
    lines[1],
    /the handler or a middleware threw, but the response still reports only the failed records: Error: metrics cannot be sent/,
  )
})

t.test('the report is returned if a later after hook or the inner handler throws', async (t) => {
  const inner = handlerWith()
    .after(() => {
      throw new Error('inner')
    })
    .handler(failingRecords)
  t.strictSame(failed(await inner(standardEvent('a', 'x'), testContext())), ['x'])

  const afterwards = handlerWith().handler(async (event: SQSEvent, context) => {
    await failingRecords(event, context)
    throw new Error('afterwards')
  })
  t.strictSame(failed(await afterwards(standardEvent('x', 'b'), testContext())), ['x'])

  const added = handlerWith().handler(async (event: SQSEvent, context) => {
    const report = await failingRecords(event, context)
    report.batchItemFailures.push({ itemIdentifier: 'a' })
    throw new Error('failed after adding to the report')
  })
  t.strictSame(failed(await added(standardEvent('a', 'x', 'b'), testContext())), ['a', 'x'])
})

t.test("the report of another inner handler is returned if an earlier middleware's after hook throws", async (t) => {
  const results = [
    [{ status: 'fulfilled' }, { status: 'rejected', reason: 'r' }],
    { batchItemFailures: [{ itemIdentifier: 'b' }] },
  ]
  for (const result of results) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .after(() => {
        throw new Error('outer')
      })
      .use(boundedSqsBatch({ logger: false }))
      .handler(async () => result as never)
    t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
  }
})

t.test("if a later middleware's onError hook throws, the batch ends and frees its slots", async (t) => {
  const held = heldRecords()
  const handleRecords = eachRecord(held.handle)
  let isFirst = true
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false, concurrency: 2 }))
    .onError(() => {
      throw new Error('of onError')
    })
    .handler(async (event, context) => {
      const report = handleRecords(event, context)
      if (!isFirst) return report
      isFirst = false
      await settled()
      throw new Error('of the handler')
    })
  await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { message: 'of onError' })
  t.strictSame(
    ['a', 'b'].map((id) => held.signalOf(id)?.aborted),
    [true, true],
  )
  const next = handler(standardEvent('d', 'e'), testContext())
  await settled()
  t.strictSame(held.started, ['a', 'b', 'd', 'e'])
  for (const id of ['d', 'e']) held.succeed(id)
  t.strictSame(failed(await next), [])
})

t.test('a refused return value fails the invocation also if an onError hook wraps its error', async (t) => {
  const handler = handlerWith()
    .onError((request) => {
      request.error = new Error('wrapped', { cause: request.error })
    })
    .handler(async (event: SQSEvent, context) => {
      await failingRecords(event, context)
    })
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'wrapped', cause: { name: 'TypeError' } })
})

t.test(
  "if an earlier middleware's after hook throws, ids that it added are reported and ids that it removed stay reported",
  async (t) => {
    const changing = (change: (list: SQSBatchResponse['batchItemFailures']) => unknown) =>
      middy<SQSEvent, SQSBatchResponse>()
        .after(({ response }) => {
          change((response as SQSBatchResponse).batchItemFailures)
          throw new Error('outer')
        })
        .use(boundedSqsBatch({ logger: false }))
        .handler(failingRecords as never)(standardEvent('a', 'x', 'b'), testContext())
    t.strictSame(failed(await changing((list) => list.splice(0))), ['x'])
    t.strictSame(failed(await changing((list) => list.push({ itemIdentifier: 'a' }))), ['a', 'x'])
    const id = (itemIdentifier: string) => ({ itemIdentifier })
    t.strictSame(failed(await changing((list) => list.push(id('unknown')))), ['x'])
    t.strictSame(failed(await changing((list) => list.push(id('a'), id('unknown')))), ['a', 'x'])
    t.strictSame(failed(await changing((list) => list.push(id('b'), id('x'), null as never))), ['x', 'b'])
    t.strictSame(failed(await changing((list) => list.push(id('a'), id('x'), id('b')))), ['a', 'x', 'b'])
    t.strictSame(failed(await changing((list) => Object.assign(list, { map: 1 }).push(null as never))), ['x'])
  },
)

t.test("a response that a later middleware's onError hook sets does not replace a fatal error", async (t) => {
  const responding = (handler: typeof failingRecords, event: unknown = standardEvent('a', 'x')) =>
    handlerWith()
      .onError((request) => {
        request.response = { statusCode: 500 } as never
      })
      .handler(handler)(event as SQSEvent, testContext())
  await t.rejects(
    responding(async () => {
      throw new Error('set-up failed')
    }),
    { message: 'set-up failed' },
  )
  await t.rejects(responding(failingRecords, {}), { name: 'InvalidSqsEventError' })
  const twice = handlerWith()
    .onError((request) => {
      request.response = { batchItemFailures: [] }
    })
    .onError((request) => {
      request.response = { batchItemFailures: [{ itemIdentifier: 'a' }] }
    })
    .after(() => {
      throw new Error('a later hook')
    })
    .handler(failingRecords)
  t.strictSame(failed((await twice(standardEvent('a', 'x'), testContext())) as never), ['x'])
  const afterwards = responding(async (event, context) => {
    await failingRecords(event, context)
    throw new Error('afterwards')
  })
  t.strictSame(failed(await afterwards), ['x'])
})

t.test('FullBatchFailureError, a refused return value and InvalidSqsEventError fail the invocation', async (t) => {
  const full = handlerWith({ throwOnFullBatchFailure: true }).handler(failingRecords)
  await t.rejects(full(standardEvent('x1', 'x2'), testContext()), { name: 'FullBatchFailureError' })
  const returnsNothing = handlerWith().handler(async (event: SQSEvent, context) => {
    await failingRecords(event, context)
  })
  await t.rejects(returnsNothing(standardEvent('a'), testContext()), { name: 'TypeError' })
  const invalid = handlerWith().handler(failingRecords)
  await t.rejects(invalid({} as never, testContext()), { name: 'InvalidSqsEventError' })
})

t.test('an early response of an earlier middleware is not changed', async (t) => {
  const handler = middy<SQSEvent>()
    .before(() => 'warm')
    .use(boundedSqsBatch())
    .handler(failingRecords)
  t.equal(await handler({} as never, testContext()), 'warm')
})

t.test('a hook that sets a response and then throws does not replace the report', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .after((request) => {
      request.earlyResponse = { batchItemFailures: [] }
      throw new Error('the hook failed')
    })
    .handler(failingRecords)
  t.strictSame(failed(await handler(standardEvent('a', 'x', 'b'), testContext())), ['x'])
})

t.test('the cause of a FullBatchFailureError is the error that ended the batch, if any', async (t) => {
  const thrown = new Error('of the inner handler')
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, throwOnFullBatchFailure: true }))
    .handler(async (event: SQSEvent, context) => {
      await failingRecords(event, context)
      throw thrown
    })
  await t.rejects(handler(standardEvent('x1', 'x2'), testContext()), { name: 'FullBatchFailureError', cause: thrown })
  const handle = middy()
    .use(boundedSqsBatch({ logger: false, throwOnFullBatchFailure: true }))
    .handler(failingRecords)
  const error = await handle(standardEvent('x1'), testContext()).catch((error: unknown) => error)
  t.match(error, { name: 'FullBatchFailureError' })
  t.equal('cause' in (error as Error), false)
})

function throws() {
  throw new Error('a later hook')
}

t.test('failures in a new list are reported if a hook throws', async (t) => {
  const adds = (isArray: boolean) => async (event: SQSEvent, context: Context) => {
    const { batchItemFailures } = await failingRecords(event, context)
    return isArray
      ? [{ status: 'fulfilled' }, { status: 'fulfilled' }, { status: 'rejected' }]
      : { batchItemFailures: [...batchItemFailures, { itemIdentifier: 'b' }] }
  }
  for (const isArray of [false, true]) {
    const inner = middy()
      .use(boundedSqsBatch({ logger: false }))
      .after(throws)
      .handler(adds(isArray) as never)
    t.strictSame(failed(await inner(standardEvent('a', 'x', 'b'), testContext())), ['x', 'b'])
  }

  function hook(request: { response: unknown }) {
    request.response = { batchItemFailures: [{ itemIdentifier: 'b' }] }
  }
  const later = middy()
    .use(boundedSqsBatch({ logger: false }))
    .after(throws)
    .after(hook as never)
    .handler(failingRecords)
  t.strictSame(failed(await later(standardEvent('a', 'x', 'b'), testContext())), ['x', 'b'])
  const earlier = middy()
    .after(throws)
    .after(hook as never)
    .use(boundedSqsBatch({ logger: false }))
    .handler(failingRecords)
  t.strictSame(failed(await earlier(standardEvent('a', 'x', 'b'), testContext())), ['x', 'b'])
})

t.test('if a hook throws, a response that is not valid fails the invocation all the same', async (t) => {
  const refused: [returned: unknown, message: RegExp][] = [
    [{ batchItemFailures: [{ itemIdentifier: 'unknown' }] }, /entry 0 is not a record of the batch/],
    [[{ status: 'rejected' }], /1 results for 3 records/],
    [{ statusCode: 200 }, /batchItemFailures is undefined/],
  ]
  for (const [returned, message] of refused) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .after(throws)
      .handler(async (event, context) => {
        await failingRecords(event, context)
        return returned as never
      })
    await t.rejects(handler(standardEvent('a', 'x', 'b'), testContext()), { name: 'TypeError', message })
  }
})
