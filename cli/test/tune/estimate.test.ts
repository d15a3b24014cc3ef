import { test } from 'tap'
import { numberedMessages } from '../../src/local/messages.ts'
import { estimate, measureSpeeds, quickRun, type Speed, speedAt } from '../../src/tune/estimate.ts'
import type { Plan } from '../../src/tune/explore.ts'
import { PRECISION } from '../../src/tune/figures/confidence.ts'
import type { Start } from '../../src/tune/measure.ts'
import { pricesFor } from '../../src/tune/prices.ts'
import { createSample } from '../../src/tune/sample.ts'

const NEVER = new AbortController().signal
const prices = pricesFor('x86_64', false)

function planOf({
  batchSize = 1000,
  environments = 1,
  timeout = 30,
  ...changes
}: Partial<Plan & Plan['workload']> = {}) {
  const workload = { environments, batchSize, timeout, bodyBytes: 100, prices }
  const optimize = 'balanced' as const
  return {
    least: 10,
    most: 400,
    memories: [1769],
    moreMemories: [],
    precision: PRECISION,
    workload,
    optimize,
    ...changes,
  }
}

function speed(concurrency: number, rate: number, changes: Partial<Speed> = {}): Speed {
  const figures = { failedShare: 0, cpu: 0.1, peakMemory: 80, startMs: 500, overheadMs: 0, noise: 0.02 }
  return { concurrency, rate, ...figures, ...changes }
}

/** Environments on a clock that only they move: 500 ms to start, and 50 ms for each record, of which 40 run at once. */
function service() {
  const clock = { now: 0, messages: 0, opened: [] as number[], ended: 0, sizes: [] as number[] }
  const start: Start = async (concurrency) => {
    clock.now += 500
    clock.opened.push(concurrency)
    return {
      problem: undefined,
      async process({ length }) {
        const duration = Math.ceil(length / Math.min(40, concurrency)) * 50
        clock.now += duration
        clock.messages += length
        clock.sizes.push(length)
        const metrics = {
          ...{ isLibraryUsed: true, peakInFlight: concurrency, succeeded: length, unfinished: 0, durations: [50] },
          ...{ cpu: length * 0.1, peakMemory: 80, descriptors: 20 },
        }
        return { succeeded: length, failed: 0, duration, metrics }
      },
      async ended() {
        clock.ended += 1
      },
    }
  }
  const sample = createSample([...numberedMessages(10)], 1000, false)
  return { clock, options: { start, sample, environments: 1, onBatch() {}, signal: NEVER, now: () => clock.now } }
}

test('a few short batches show the speeds, up to the first concurrency that is not faster', async (t) => {
  const { clock, options } = service()
  const speeds = await measureSpeeds(planOf(), options)
  t.strictSame(clock.opened, [10, 40, 160])
  t.equal(clock.ended, 3)
  t.strictSame(clock.sizes, [10, 40, 160, 40, 160, 640, 160, ...Array(7).fill(640)])
  t.strictSame(
    speeds.map(({ concurrency, rate, startMs, cpu, noise }) => ({ concurrency, rate, startMs, cpu, noise })),
    [
      { concurrency: 10, rate: 200, startMs: 500, cpu: 0.1, noise: 0.02 },
      { concurrency: 40, rate: 800, startMs: 500, cpu: 0.1, noise: 0.02 },
      { concurrency: 160, rate: 800, startMs: 500, cpu: 0.1, noise: 0.02 },
    ],
  )
})

test('an interruption ends the measurement of the speeds, and its environments', async (t) => {
  const { clock, options } = service()
  const stopping = new AbortController()
  const onBatch = () => stopping.abort()
  await t.rejects(measureSpeeds(planOf(), { ...options, onBatch, signal: stopping.signal }), {
    name: 'StoppedError',
    message: 'interrupted',
  })
  t.strictSame([clock.opened, clock.ended], [[10], 1])
})

test('between two speeds, the rate grows like the concurrency until it reaches the higher one, or falls evenly', async (t) => {
  const rate = (concurrency: number) => speedAt(concurrency, [speed(10, 200), speed(40, 500), speed(160, 125)]).rate
  t.strictSame([10, 16, 26, 40, 400].map(rate), [200, 320, 500, 500, 125])
  t.equal(Math.round(rate(80)), 250)
})

test('the estimate is the time and the messages of the same search with environments of these speeds', async (t) => {
  // One concurrency, 1,000 records in 5 s: a start, a warm-up of 100 records, and four rounds.
  t.match(await estimate(planOf({ least: 10, most: 10 }), [speed(10, 200)], false), {
    ms: 500 + 500 + 4 * 5000,
    searchMs: 500 + 500 + 4 * 5000,
    messages: 100 + 4 * 1000,
  })
  // In two environments, the time is that of one.
  t.match(await estimate(planOf({ least: 10, most: 10, environments: 2 }), [speed(10, 400)], false), {
    ms: 500 + 500 + 4 * 5000,
    messages: 2 * (100 + 4 * 1000),
  })
  // A confirmation with 512 MB has 0.29 of a CPU, of which a record needs 10 ms: 29 records per second.
  const plan = planOf({ least: 10, most: 10, memories: [512], batchSize: 100 })
  const without = await estimate(plan, [speed(10, 90, { cpu: 10 })], false)
  const confirmed = await estimate(plan, [speed(10, 90, { cpu: 10 })], true)
  // 100 records are a warm-up or one of four rounds.
  t.equal(Math.round(without.ms), Math.round(500 + (1 + 4) * (100_000 / 90)))
  t.equal(Math.round(confirmed.ms - without.ms), Math.round(500 + (1 + 4) * 100 * (10 / (512 / 1769))))
  t.strictSame([confirmed.searchMs, without.searchMs], [without.ms, without.ms])
})

test('a batch takes at most as long as the timeout', async (t) => {
  const { ms } = await estimate(planOf({ least: 10, most: 10, timeout: 3 }), [speed(10, 10)], false)
  t.equal(ms, 500 + 2 * 3000, 'the warm-up and one round')
})

test('--quick halves the batches until the run takes a minute, but not below 100 records', async (t) => {
  const run = (batchSize: number) => ({ plan: planOf({ batchSize, most: Math.min(400, batchSize) }) }) as never
  const sizeOf = async (rate: number) => {
    const chosen = await quickRun({ run, batchSize: 1000 }, [speed(10, rate), speed(400, rate * 40)], false)
    return chosen.run.plan.workload.batchSize
  }
  t.equal(await sizeOf(1000), 1000)
  t.equal(await sizeOf(50), 500)
  t.equal(await sizeOf(1), 125)
})
