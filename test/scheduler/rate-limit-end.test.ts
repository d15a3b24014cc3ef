import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { eachRecord, RecordNotStartedError } from '../../src/index.ts'
import { mockClock, openTimers, passingClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { noteStarts } from '../support/starts.ts'

for (const size of [undefined, 2]) {
  t.test(
    `records that the rate limit holds back until the drain are reported as not started, chunk size ${size}`,
    async (t) => {
      const { now, until } = passingClock(t)
      const { starts, record, chunk } = noteStarts(now)
      const errors = new Map<string, unknown>()
      const options = {
        rateLimit: { limit: 2, interval: 99 },
        timeBudget: { drain: 550, abort: 100 },
        logger: (error: unknown, { messageId }: { messageId: string }) => errors.set(messageId, error),
      }
      const handle = size ? chunkHandlerOf(size, chunk, options) : handlerOf(record, options)
      t.strictSame(failed(await until(handle(standardEvent(...ids(20)), timedContext(1000)))), ids(20).slice(10))
      t.equal(now(), 450)
      t.equal(starts.length, 10 / (size ?? 1))
      t.strictSame([...errors.keys()], ids(20).slice(10))
      t.ok([...errors.values()].every((error) => error instanceof RecordNotStartedError))
    },
  )
}

t.test(
  'a batch that drains when the rate limit would let it start uses up no start of the next invocation',
  async (t) => {
    const { now, until, pass } = passingClock(t)
    const { now: trueNow } = performance
    let late = 0
    t.intercept(performance, 'now', { value: () => trueNow.call(performance) + late })
    const { starts, record } = noteStarts(now)
    const handle = handlerOf(record, { rateLimit: { limit: 1, interval: 99 }, timeBudget: { drain: 850, abort: 0 } })
    const result = handle(standardEvent('a', 'b'), timedContext(1000))
    await pass(99)
    late = 60 // the thread was busy
    await pass(1)
    t.strictSame(failed(await until(result)), ['b'])
    t.strictSame(failed(await until(handle(standardEvent('c', 'd')))), [])
    t.strictSame(starts, ['a at 0', 'c at 160', 'd at 260'])
  },
)

for (const [what, fails] of [
  ['its inner handler throws', true],
  ['its inner handler does not wait for the records', false],
] as const) {
  t.test(`an invocation that ends early uses up no starts of the next one: ${what}`, async (t) => {
    const { now, until, delay } = passingClock(t)
    const started: string[] = []
    const handler = batchHandlerOf(
      async (event: SQSEvent, context, options): Promise<SQSBatchResponse> => {
        void eachRecord(({ messageId }) => {
          started.push(messageId)
        })(event, context, options)
        await delay(50)
        if (fails) throw new Error('another error')
        return { batchItemFailures: [] }
      },
      { rateLimit: { limit: 1, interval: 100 } },
    )
    async function check(ids: string[], reported: string[]): Promise<void> {
      const result = until(handler(standardEvent(...ids), testContext()))
      if (fails) await t.rejects(result, { message: 'another error' })
      else t.strictSame(failed(await result), reported)
    }
    await check(['a', 'b', 'c', 'd'], ['b', 'c', 'd'])
    t.equal(now(), 50)
    await check(['x', 'y'], ['x', 'y'])
    t.equal(now(), 100)
    t.strictSame(started, ['a'], 'the rate limit admits no start yet')
    await check(['z'], [])
    t.equal(now(), 150)
    t.strictSame(started, ['a', 'z'], 'the rate limit admits a start again')
  })
}

t.test("no timer is left after Middy's early timeout has failed an invocation", async (t) => {
  const clock = mockClock(t)
  const started: string[] = []
  const handler = batchHandlerOf(
    eachRecord(({ messageId }) => {
      started.push(messageId)
    }),
    { timeBudget: false, rateLimit: { limit: 1, interval: 60_000 } },
  )
  for (const event of [standardEvent('a', 'b', 'c'), standardEvent('d')]) {
    const result = handler(event, timedContext(55))
    await settled()
    clock.advance(1) // the batch has no deadlines, so its timer ends
    t.equal(openTimers(clock), 2, "Middy's timeout and the rate limit")
    clock.advance(49)
    await t.rejects(result, { name: 'TimeoutError' })
    t.equal(openTimers(clock), 0)
  }
  t.strictSame(started, ['a'])
})

t.test(
  'if handlers that ignore their signal fill every slot, the batch ends while records wait for the rate limit',
  async (t) => {
    const { now, until } = passingClock(t)
    const handle = handlerOf(() => new Promise(() => {}), {
      concurrency: 2,
      recordTimeout: 100,
      rateLimit: { limit: 2, interval: 10_000 },
    })
    t.strictSame(failed(await until(handle(standardEvent(...ids(4))))), ids(4))
    t.equal(now(), 200)
  },
)

t.test('if a record is blocked while it waits for the rate limit, the next invocation can start', async (t) => {
  const { now, pass, until, delay } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(
    async (...args) => {
      record(...args)
      const [{ messageId }] = args
      if (messageId === 'b1') await delay(300)
      if (messageId === 'a1') {
        await delay(70)
        throw new Error('a1 failed')
      }
    },
    { concurrency: 3, fifoFailure: 'batch', rateLimit: { limit: 2, interval: 99 } },
  )
  t.strictSame(failed(await until(handle(fifoEvent('w1')))), [])
  await pass(50)
  const first = handle(fifoEvent('a1', 'b1', 'c1'))
  await pass(60)
  const second = handle(fifoEvent('x1'))
  t.strictSame(failed(await until(second)), [])
  t.strictSame(failed(await until(first)), ['a1', 'c1'])
  t.strictSame(starts, ['w1 at 0', 'a1 at 50', 'b1 at 100', 'x1 at 150'])
})
