import { setImmediate } from 'node:timers'
import t, { type Test } from 'tap'
import { about, queueing, refusing } from '../../bench/adaptive/downstreams.ts'
import { type Downstream, type Outcome, seededRandom } from '../../bench/adaptive/simulator.ts'
import { adaptiveConcurrency } from '../../src/adaptive/index.ts'
import type { BatchSummary } from '../../src/index.ts'
import { passingClock } from '../support/clock.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, handlerOf } from '../support/handlers.ts'

// The real search, in real batches that call a simulated downstream. Time passes only in the tests.

function start(t: Test, downstream: Downstream, initial = 50) {
  const clock = passingClock(t)
  // The mocked time passes while the event loop is always busy, which would prevent growth.
  t.intercept(performance, 'eventLoopUtilization', { value: () => ({ idle: 0, active: 0, utilization: 0 }) })
  const simulated = {
    get now() {
      return clock.now()
    },
    // Node runs what waits for promises after each timer. The mocked clock runs all timers of a millisecond first.
    after: (ms: number, run: () => void) => void setTimeout(() => setImmediate(run), ms),
    runAll() {},
  }
  const callDownstream = downstream(simulated, seededRandom(1))
  const limits: BatchSummary['concurrency'][] = []
  let inFlight = 0
  let maxInFlight = 0
  return {
    clock,
    options: {
      concurrency: adaptiveConcurrency({ initial }),
      onSummary: ({ concurrency }: BatchSummary) => void limits.push(concurrency),
    },
    /** The limit and the reason at the end of each batch. */
    limits,
    /** The limit at the end of the last batch. */
    limit: () => limits.at(-1)?.limit as number,
    /** The highest number of calls in flight since this function was last called. */
    peak() {
      const peak = maxInFlight
      maxInFlight = inFlight
      return peak
    },
    async call(): Promise<void> {
      maxInFlight = Math.max(maxInFlight, ++inFlight)
      const outcome = await new Promise<Outcome>(callDownstream)
      inFlight--
      if (outcome !== 'ok') throw Object.assign(new Error(outcome), { status: 503 })
    },
  }
}

t.test(
  'a batch of 10,000: the limit rises to the capacity, and exactly the refused records are reported',
  async (t) => {
    const { clock, options, limits, limit, peak, call } = start(t, refusing(200, about(60)))
    const started: string[] = []
    const refused: string[] = []
    const handle = handlerOf(async ({ messageId }) => {
      started.push(messageId)
      await call().catch((error) => {
        refused.push(messageId)
        throw error
      })
    }, options)
    const reported = failed(await clock.until(handle(standardEvent(...ids(10_000)))))
    t.strictSame(started.toSorted(), ids(10_000).toSorted())
    t.strictSame(reported.toSorted(), refused.toSorted())
    t.ok(refused.length > 0 && refused.length <= 0.03 * 10_000, `${refused.length} refused`)
    t.ok(limit() > 150 && limit() <= 200, JSON.stringify(limits))
    t.ok(peak() <= 500)
    const ideal = (10_000 * 60) / 200
    t.ok(clock.now() < 1.25 * ideal, `${clock.now()} ms, at best ${ideal} ms`)
  },
)

t.test('the limit counts chunks, and rises to the number of chunks that the downstream serves at once', async (t) => {
  const { clock, options, limits, limit, peak, call } = start(t, queueing(40, about(20)), 10)
  const handle = chunkHandlerOf(5, call, options)
  t.strictSame(failed(await clock.until(handle(standardEvent(...ids(5000))))), [])
  t.ok(limit() >= 35 && limit() <= 80, JSON.stringify(limits))
  t.ok(peak() > 35)
})

for (const [groups, isHigher] of [
  [20, false],
  [200, true],
] as const) {
  t.test(
    `${groups} FIFO groups ${isHigher ? 'raise' : 'do not raise'} a limit of 50, and keep their order`,
    async (t) => {
      const { clock, options, limits, limit, peak, call } = start(t, queueing(400, about(20)))
      const started = new Map<string, string[]>()
      const handle = handlerOf(({ messageId }) => {
        const [group = ''] = messageId
        started.set(group, [...(started.get(group) ?? []), messageId])
        return call()
      }, options)
      // The first letter of an id is its group.
      const letters = Array.from({ length: groups }, (_, index) => String.fromCharCode(0x4e00 + index))
      const sent = Array.from({ length: 20 }, (_, number) => letters.map((letter) => `${letter}${number}`)).flat()
      t.strictSame(failed(await clock.until(handle(fifoEvent(...sent)))), [])
      for (const letter of letters) {
        t.strictSame(
          started.get(letter),
          sent.filter((id) => id.startsWith(letter)),
        )
      }
      if (isHigher) t.ok(limit() > 50 && peak() > 50, JSON.stringify(limits))
      else t.strictSame(limits, [{ limit: 50, reason: 'initial' }])
    },
  )
}

for (const [perInterval, isHigher] of [
  [20, false],
  [500, true],
] as const) {
  const title = isHigher
    ? 'a rate limit that does not bind lets the limit rise'
    : 'a rate limit that binds keeps the limit'
  t.test(title, async (t) => {
    const { clock, options, limits, limit, call } = start(t, queueing(400, about(60)))
    const handle = handlerOf(call, { ...options, rateLimit: { limit: perInterval, interval: 100 } })
    t.strictSame(failed(await clock.until(handle(standardEvent(...ids(1000))))), [])
    if (isHigher) t.ok(limit() > 50, JSON.stringify(limits))
    else t.strictSame(limits, [{ limit: 50, reason: 'initial' }])
  })
}

t.test('invocations that overlap raise the limit together, and later invocations continue with it', async (t) => {
  const { clock, options, limits, limit, peak, call } = start(t, queueing(400, about(20)))
  const handle = handlerOf(call, options)
  const run = (name: string) => handle(standardEvent(...ids(50).map((id) => `${name}-${id}`)))
  for (let round = 0; round < 20; round++) {
    await clock.until(run('a'))
    await clock.until(run('b'))
  }
  t.ok(
    limits.every((each) => each && each.limit <= 50),
    'a single batch does not need more than 50',
  )
  for (let round = 0; round < 20; round++) {
    const results = await clock.until(Promise.all([run('a'), run('b')]))
    t.strictSame(results.map(failed), [[], []])
  }
  const learned = limit()
  t.ok(learned > 50, JSON.stringify(limits.slice(-2)))
  peak()
  const later = handle(standardEvent(...ids(learned + 10)))
  await clock.pass(1)
  t.equal(peak(), learned)
  await clock.until(later)
})
