import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { type BoundedSqsBatchOptions, type ChunkHandler, eachChunk, eachRecord } from '../../src/index.ts'
import { createRateLimit } from '../../src/scheduler/rate-limit.ts'
import { busyClock, countTimers, iterationCounter, mockClock, passingClock, settled } from '../support/clock.ts'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { warned } from '../support/output.ts'
import { maxWithin } from '../support/starts.ts'

t.test('mayStart() says whether this many records may start now', async (t) => {
  const clock = mockClock(t)
  const { mayStart, countStarts } = createRateLimit({ limit: 3, interval: 99 })
  const checkMayStart = (...expected: boolean[]) => t.strictSame([0, 1, 2, 3].map(mayStart), expected)
  checkMayStart(true, true, true, true)
  countStarts(2)
  checkMayStart(true, true, false, false)
  clock.advance(50)
  countStarts(1)
  checkMayStart(true, false, false, false)
  clock.advance(49)
  checkMayStart(true, false, false, false)
  clock.advance(1)
  checkMayStart(true, true, true, false)
  clock.advance(50)
  checkMayStart(true, true, true, true)
})

t.test('at most `limit` records start at once, and the next ones after the interval', async (t) => {
  const { now, until } = passingClock(t)
  const starts: [string, number][] = []
  const handle = handlerOf(({ messageId }) => void starts.push([messageId, now()]), {
    rateLimit: { limit: 3, interval: 100 },
  })
  t.strictSame(failed(await until(handle(standardEvent(...ids(8))))), [])
  t.strictSame(starts, [
    ['m0', 0],
    ['m1', 0],
    ['m2', 0],
    ['m3', 101],
    ['m4', 101],
    ['m5', 101],
    ['m6', 202],
    ['m7', 202],
  ])
})

t.test('an interval may exceed the longest timer', async (t) => {
  const started: string[] = []
  const handler = batchHandlerOf(
    async (event: SQSEvent, context) => {
      void eachRecord(({ messageId }) => void started.push(messageId))(event, context)
      await settled()
      return { batchItemFailures: [] }
    },
    { rateLimit: { limit: 1, interval: 1e12 } },
  )
  const warnings = await warned(async () => {
    t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
  })
  t.strictSame(started, ['a'])
  t.strictSame(warnings, [], 'Node would warn of a delay that is too long for a timer')
})

/** The chunks of a batch and their start times. */
async function chunkStarts(
  t: Test,
  size: number,
  event: Parameters<ReturnType<typeof chunkHandlerOf>>[0],
  options: BoundedSqsBatchOptions,
) {
  const { now, until } = passingClock(t)
  const starts: [string, number][] = []
  const note: ChunkHandler = (records) => void starts.push([records.map(({ messageId }) => messageId).join(' '), now()])
  t.strictSame(failed(await until(chunkHandlerOf(size, note, options)(event))), [])
  return starts
}

t.test('a chunk counts as many starts as it has records', async (t) => {
  const starts = await chunkStarts(t, 2, standardEvent(...ids(9)), { rateLimit: { limit: 5, interval: 100 } })
  t.strictSame(starts, [
    ['m0 m1', 0],
    ['m2 m3', 0],
    ['m4 m5', 101],
    ['m6 m7', 101],
    ['m8', 101],
  ])
})

t.test('a chunk has at most `limit` records', async (t) => {
  const starts = await chunkStarts(t, 25, standardEvent(...ids(7)), { rateLimit: { limit: 3, interval: 100 } })
  t.strictSame(starts, [
    ['m0 m1 m2', 0],
    ['m3 m4 m5', 101],
    ['m6', 202],
  ])
})

for (const each of ['record', 'chunk'] as const) {
  for (const body of [undefined, 'json', 'a schema'] as const) {
    t.test(`handlers that block the thread stay within the rate limit: each ${each}, body ${body}`, async (t) => {
      const { now, until, compute } = passingClock(t)
      const starts: number[] = []
      let busy = 10
      function computeAtFirst() {
        if (busy-- > 0) compute(9)
      }
      function validate(value: unknown) {
        computeAtFirst()
        return { value }
      }
      const schema: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'test', validate } }
      function handle() {
        starts.push(now())
        if (body !== 'a schema') computeAtFirst()
      }
      const options = { body: (body === 'a schema' ? schema : body) as 'json' }
      const handler = batchHandlerOf(each === 'record' ? eachRecord(handle, options) : eachChunk(1, handle, options), {
        rateLimit: { limit: 10, interval: 100 },
      })
      const event: SQSEvent = { Records: ids(30).map((id) => sqsRecord(id, { body: '{}' })) }
      t.strictSame(failed(await until(handler(event, testContext()))), [])
      t.equal(starts.length, 30)
      t.equal(maxWithin(100, starts), 10)
    })
  }
}

t.test('under a rate limit, handlers that block the thread stop starting at the drain', async (t) => {
  const { now, until, compute } = passingClock(t)
  const starts: number[] = []
  const handle = handlerOf(
    () => {
      starts.push(now())
      compute(60)
    },
    { rateLimit: { limit: 50, interval: 100 }, timeBudget: { drain: 500, abort: 0 } },
  )
  const response = await until(handle(standardEvent(...ids(50)), timedContext(1000)))
  t.ok((starts.at(-1) as number) < 500, `the last one started at ${starts.at(-1)}`)
  t.equal(starts.length, 9)
  t.strictSame(failed(response), ids(50).slice(9))
})

t.test('a worker that waits for the rate limit does not time out the record of another worker', async (t) => {
  const { now, until, delay, pass } = passingClock(t)
  await pass(300) // the first record starts later than `recordTimeout` after the clock's 0
  const starts: [string, number][] = []
  async function process({ messageId }: { messageId: string }) {
    starts.push([messageId, now() - 300])
    await delay(50)
  }
  const handle = handlerOf(process, { rateLimit: { limit: 1, interval: 100 }, recordTimeout: 200 })
  t.strictSame(failed(await until(handle(standardEvent('a', 'b')))), [])
  t.strictSame(starts, [
    ['a', 0],
    ['b', 101],
  ])
})

for (const [microtasks, ms, most] of [
  [0, 4, 3],
  [0, 11, 1],
  [20, 11, 1],
] as const) {
  const title = `after ${microtasks} microtasks, handlers that block the thread for ${ms} ms let the event loop run every 10 ms`
  t.test(`under a rate limit, ${title}`, async (t) => {
    const keepBusy = busyClock(t)
    const records = iterationCounter(t)
    const handle = handlerOf(
      async () => {
        for (let count = 0; count < microtasks; count++) await null
        records.count()
        keepBusy(ms)
      },
      { concurrency: 3, rateLimit: { limit: 1000, interval: 1000 } },
    )
    t.strictSame(failed(await handle(standardEvent(...ids(100)))), [])
    t.ok(records.max <= most, `${records.max} records in one iteration`)
  })
}

t.test('a rate limit causes no timer for each record', async (t) => {
  const timers = countTimers(t)
  const handle = handlerOf(() => {}, { rateLimit: { limit: 1000, interval: 1000 }, recordTimeout: 1000 })
  t.strictSame(failed(await handle(standardEvent(...ids(100)), timedContext(10_000))), [])
  t.ok(timers() <= 3, `${timers()} timers`)
})
