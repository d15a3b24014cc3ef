import middy from '@middy/core'
import t from 'tap'
import { boundedSqsBatch, eachRecord, RecordAbortedError, RecordNotStartedError } from '../src/index.ts'
import {
  failed,
  fifoEvent,
  handlerOf,
  heldRecords,
  ids,
  mockClock,
  settled,
  standardEvent,
  testContext,
  timedContext,
} from './support.ts'

t.test('by default nothing starts in the last second, and the response goes out 250 ms before the end', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const errors = new Map<string, unknown>()
  const logger = (error: unknown, { messageId }: { messageId: string }) => errors.set(messageId, error)
  const handle = handlerOf(held.handle, { concurrency: 2, logger })
  const start = performance.now()
  const result = handle(standardEvent('a', 'b', 'c', 'd', 'e'), timedContext(10_000))
  await settled()
  clock.advance(8_999)
  held.succeed('a')
  await settled()
  t.strictSame(held.running(), ['b', 'c'])
  clock.advance(1)
  held.succeed('b')
  await settled()
  t.strictSame(held.running(), ['c'], 'no record starts any more')
  clock.advance(749)
  await settled()
  t.equal(held.signalOf('c')?.aborted, false)
  clock.advance(1)
  t.equal(held.signalOf('c')?.aborted, true)
  t.ok(held.signalOf('c')?.reason instanceof RecordAbortedError)
  t.strictSame(failed(await result), ['c', 'd', 'e'])
  t.equal(performance.now() - start, 9_750)
  t.match(errors.get('c'), { name: 'RecordAbortedError', code: 'ERR_RECORD_ABORTED' })
  t.ok(errors.get('d') instanceof RecordNotStartedError)
  t.match(errors.get('e'), { name: 'RecordNotStartedError', code: 'ERR_RECORD_NOT_STARTED' })
})

t.test('of a short time 20 % are kept for the drain and 5 % for the response', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const result = handlerOf(held.handle, { concurrency: 1 })(standardEvent('a', 'b', 'c'), timedContext(1000))
  await settled()
  clock.advance(799)
  held.succeed('a')
  await settled()
  t.strictSame(held.running(), ['b'])
  clock.advance(150)
  await settled()
  t.equal(held.signalOf('b')?.aborted, false)
  clock.advance(1)
  t.strictSame(failed(await result), ['b', 'c'])
})

t.test('once nothing runs after the drain, the response does not wait', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1, timeBudget: { drain: 600, abort: 100 } })
  const result = handle(standardEvent('a', 'b'), timedContext(1000))
  await settled()
  clock.advance(500)
  held.succeed('a')
  await settled()
  t.strictSame(failed(await result), ['b'])
  t.equal(held.started.length, 1)
})

t.test('a drain below abort is raised to it', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1, timeBudget: { drain: 0, abort: 300 } })
  const result = handle(standardEvent('a', 'b'), timedContext(1000))
  await settled()
  clock.advance(699)
  held.succeed('a')
  await settled()
  t.strictSame(held.running(), ['b'])
  clock.advance(1)
  t.strictSame(failed(await result), ['b'])
})

t.test('without a budget, or a context that tells the time left, records run until they are done', async (t) => {
  const contexts: [what: string, context: unknown][] = [
    ['no getRemainingTimeInMillis', {}],
    ['one that throws', { getRemainingTimeInMillis: () => JSON.parse('nonsense') }],
    ['NaN', { getRemainingTimeInMillis: () => NaN }],
    ['Infinity', { getRemainingTimeInMillis: () => Infinity }],
    ['a negative time', { getRemainingTimeInMillis: () => -5 }],
    ['0', { getRemainingTimeInMillis: () => 0 }],
    ['a string', { getRemainingTimeInMillis: () => '100' }],
  ]
  for (const [what, context] of contexts) {
    await t.test(what, async (t) => {
      const clock = mockClock(t)
      const held = heldRecords()
      // The inner handler alone: Middy itself reads the time left, too.
      const { before } = boundedSqsBatch({ logger: false })
      const request = { event: standardEvent('a', 'b'), context } as never as Parameters<typeof before>[0]
      before(request)
      const result = eachRecord(held.handle)(request.event, request.context)
      await settled()
      clock.advance(1e9)
      await settled()
      held.fail('a')
      held.succeed('b')
      t.strictSame(failed(await result), ['a'])
    })
  }
  await t.test('timeBudget: false', async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(boundedSqsBatch({ logger: false, timeBudget: false }))
      .handler(eachRecord(held.handle))
    const result = handler(standardEvent('a', 'b'), timedContext(1000))
    await settled()
    clock.advance(5000)
    await settled()
    held.fail('a')
    held.succeed('b')
    t.strictSame(failed(await result), ['a'])
  })
})

function burn(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

for (const [what, handle] of [
  ['that return at once', () => burn(4)],
  [
    'that wait for microtasks alone',
    async () => {
      burn(2)
      await null
      burn(2)
    },
  ],
] as const) {
  t.test(`CPU-bound handlers ${what} drain in time and let timers run`, async (t) => {
    let longestBlock = 0
    let last = performance.now()
    const ticker = setInterval(() => {
      longestBlock = Math.max(longestBlock, performance.now() - last)
      last = performance.now()
    }, 1)
    t.teardown(() => clearInterval(ticker))
    let started = 0
    const handleBatch = handlerOf(
      () => {
        started++
        return handle()
      },
      { concurrency: 4 },
    )
    const begin = performance.now()
    const response = await handleBatch(standardEvent(...ids(1000)), timedContext(500))
    const took = performance.now() - begin
    t.ok(took < 490, `took ${took} of 500 ms`)
    t.ok(started > 10 && started < 130, `${started} started`)
    t.strictSame(failed(response), ids(1000).slice(started))
    t.ok(longestBlock < 100, `the event loop stood still for ${longestBlock} ms`)
  })
}

t.test("Middy's own early timeout reports what has finished as finished", async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, timeBudget: false, concurrency: 2 }))
    .handler(eachRecord(held.handle))
  const result = handler(standardEvent('a', 'b', 'c'), timedContext(1000))
  await settled()
  held.succeed('b')
  await settled()
  t.strictSame(held.running(), ['a', 'c'])
  clock.advance(995)
  t.strictSame(failed(await result), ['a', 'c'])
  t.equal(held.signalOf('a')?.aborted, true)
})

t.test("so does Middy's early timeout with a response of its own", async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handler = middy({ timeoutEarlyResponse: () => ({ statusCode: 504 }) })
    .use(boundedSqsBatch({ logger: false, timeBudget: false }))
    .handler(eachRecord(held.handle))
  const result = handler(standardEvent('a', 'b'), timedContext(1000))
  await settled()
  held.succeed('b')
  await settled()
  clock.advance(995)
  t.strictSame(failed(await result), ['a'])
})

t.test('an error beside the records, once they have begun, ends the batch and is logged', async (t) => {
  const held = heldRecords()
  const handler = middy()
    .use(boundedSqsBatch({ concurrency: 2, logger: false }))
    .handler(async (event, context) => {
      void eachRecord(held.handle)(event, context)
      await settled()
      held.succeed('a')
      await settled()
      throw new Error('set-up for the second half failed')
    })
  t.strictSame(failed(await handler(standardEvent('a', 'b', 'c', 'd'), testContext())), ['b', 'c', 'd'])
})

t.test('a FIFO group does not go on after the drain', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { timeBudget: { drain: 500, abort: 100 } })
  const result = handle(fifoEvent('a1', 'a2', 'b1', 'b2'), timedContext(1000))
  await settled()
  clock.advance(500)
  held.succeed('a1')
  held.fail('b1')
  await settled()
  t.strictSame(failed(await result), ['a2', 'b1', 'b2'])
})
