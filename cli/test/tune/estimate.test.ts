import { test } from 'tap'
import { numberedMessages } from '../../src/local/simulator/messages.ts'
import { estimate, measureSpeeds, quickRun, type Speed, speedAt } from '../../src/tune/estimate.ts'
import type { Plan } from '../../src/tune/explore.ts'
import { PRECISION, QUICK } from '../../src/tune/figures/confidence.ts'
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

/** More than any test needs. */
const MAX_BATCHES = 100

/** Environments on a clock that only they move: 500 ms to start, and 50 ms for each record, of which 40 run at once. */
function service() {
  const clock = { now: 0, messages: 0, opened: [] as number[], ended: 0, sizes: [] as number[] }
  const start: Start = async (concurrency) => {
    clock.now += 500
    clock.opened.push(concurrency)
    return {
      problem: undefined,
      async process({ length }) {
        if (clock.sizes.length === MAX_BATCHES) throw new Error('too many batches')
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

/** What the environments of `batches()` do. */
interface Figures {
  /** Milliseconds of a batch with this number of records. `batch` counts the batches of all concurrencies. */
  duration: (records: number, batch: number, concurrency: number) => number
  startMs?: number
  /** The problem of the environment with this index after this batch. */
  problem?: (index: number, batch: number) => string | undefined
}

/** Measures the speeds of environments whose batches take this long, on a clock that only they move. */
async function batches(
  { duration, startMs = 500, problem = () => undefined }: Figures,
  changes: Partial<Plan> = {},
  batchSize = 1000,
) {
  const clock = { now: 1_000_000 }
  const sizes: [concurrency: number, records: number][] = []
  const plan = planOf({ least: 10, most: 10, ...changes })
  const speeds = await measureSpeeds(plan, {
    start: async (concurrency, _memory, index) => {
      clock.now += startMs
      let found: string | undefined
      return {
        get problem() {
          return found
        },
        async process({ length }) {
          if (sizes.length === MAX_BATCHES) throw new Error('too many batches')
          const ms = duration(length, sizes.length, concurrency)
          sizes.push([concurrency, length])
          clock.now += ms
          found = problem(index, sizes.length)
          return { succeeded: length, failed: 0, duration: ms, metrics: undefined }
        },
        async ended() {},
      }
    },
    sample: createSample([...numberedMessages(10)], batchSize, false),
    environments: plan.workload.environments,
    onBatch() {},
    signal: NEVER,
    now: () => clock.now,
  })
  return { speeds, sizes: sizes.map((size) => size.join(' × ')), clock }
}

test('batches become larger until one takes 400 ms, or has all records of a batch', async (t) => {
  const sizes = async (duration: Figures['duration']) => {
    const all = (await batches({ duration })).sizes
    return all.slice(0, all.indexOf(all.at(-1) as string) + 1)
  }
  t.strictSame(await sizes(() => 400), ['10 × 10'])
  t.strictSame(await sizes((records) => (records < 160 ? 399 : 400)), ['10 × 10', '10 × 40', '10 × 160'])
  t.strictSame(await sizes(() => 10), ['10 × 10', '10 × 40', '10 × 160', '10 × 640', '10 × 1000'])
  const { sizes: small } = await batches({ duration: () => 10 }, {}, 160)
  t.equal(small.length, 3 + 7, 'seven more show the noise')
})

test('a problem of one environment ends the batches of its concurrency', async (t) => {
  const figures = { duration: () => 100, problem: (index: number) => (index === 1 ? 'it crashed' : undefined) }
  const { sizes, speeds } = await batches(figures, planOf({ least: 10, most: 10, environments: 2 }))
  t.strictSame(sizes, ['10 × 10', '10 × 10'])
  t.strictSame(
    speeds.map(({ noise, rate }) => ({ noise, rate })),
    [{ noise: 0.02, rate: 200 }],
  )
})

test('the noise is the standard deviation of eight batches, or of fewer that take five seconds', async (t) => {
  const alternating = await batches({ duration: (_records, batch) => (batch % 2 === 0 ? 400 : 500) })
  t.equal(alternating.sizes.length, 8)
  // Rates of 25 and 20 records per second: √(6.25 × 8 ÷ 7) ÷ 22.5.
  t.equal(alternating.speeds[0]?.noise.toFixed(4), '0.1188')
  t.equal(alternating.speeds[0]?.rate, 22.5)
  const slow = await batches({ duration: () => 1000 })
  t.equal(slow.sizes.length, 5)
  t.equal(slow.speeds[0]?.noise, 0.02, 'at least the usual noise')
})

test('a higher concurrency is measured if the rate has grown by more than 1.3, and within ten seconds', async (t) => {
  async function measured(figures: Figures) {
    const { speeds } = await batches(figures, { least: 10, most: 300 })
    return speeds.map(({ concurrency }) => concurrency)
  }
  /** The second concurrency is this many times as fast as the first, and the third is not faster. */
  const growing = (growth: number) => ({
    duration: (records: number, _batch: number, at: number) => records * (at === 10 ? 130 : 130 / growth),
  })
  t.strictSame(await measured(growing(1.3)), [10, 40])
  t.strictSame(await measured(growing(1.31)), [10, 40, 160])
  const always = (records: number, _batch: number, at: number) => (400 * records) / at
  t.strictSame(await measured({ duration: always }), [10, 40, 160, 300])
  const firstTakes = (ms: number) => ({
    duration: (records: number, _batch: number, at: number) => (at === 10 ? ms : always(records, 0, at)),
  })
  t.strictSame(await measured(firstTakes(9500)), [10, 40], '10 s with the start')
  t.strictSame(await measured(firstTakes(9501)), [10])
})

test('the figures of a speed are those of the last batches of all environments', async (t) => {
  const clock = { now: 0 }
  const environment = (duration: number, succeeded: number, cpu?: number) => ({
    problem: 'it ends after one batch',
    async process({ length }: { length: number }) {
      clock.now += duration
      const metrics = cpu === undefined ? undefined : ({ cpu, peakMemory: 80 + cpu } as never)
      return { succeeded, failed: length - succeeded, duration, metrics }
    },
    async ended() {},
  })
  async function speedOf(...environments: ReturnType<typeof environment>[]) {
    const sample = createSample([...numberedMessages(10)], 1000, false)
    const start: Start = async (_concurrency, _memory, index) => environments[index] as ReturnType<typeof environment>
    const plan = planOf({ least: 10, most: 10 })
    const options = { start, sample, environments: environments.length, onBatch() {}, signal: NEVER }
    return (await measureSpeeds(plan, { ...options, now: () => clock.now }))[0]
  }
  const figures = { concurrency: 10, startMs: 0, noise: 0.02 }
  // 20 records in 200 ms, of which 5 failed. They need 300 ms here, because one environment follows the other.
  t.strictSame(await speedOf(environment(200, 9, 4), environment(100, 6, 2)), {
    ...figures,
    rate: 100,
    failedShare: 0.25,
    cpu: 0.3,
    peakMemory: 84,
    overheadMs: 5,
  })
  t.strictSame(await speedOf(environment(0, 10)), {
    ...figures,
    rate: 10_000,
    failedShare: 0,
    cpu: 0,
    peakMemory: 0,
    overheadMs: 0,
  })
})

test('environments start at once with the heap limits of the largest memory, and end with the measurement', async (t) => {
  const started: unknown[] = []
  const signals: AbortSignal[] = []
  const delivered: number[] = []
  let ended = 0
  const { options } = service()
  const start: Start = async (concurrency, memory, index, signal) => {
    started.push([concurrency, memory, index])
    signals.push(signal)
    t.notOk(signal.aborted)
    const environment = await options.start(concurrency, memory, index, signal)
    return {
      ...environment,
      ended: async () => {
        t.ok(signal.aborted)
        ended += 1
      },
    }
  }
  const plan = planOf({ least: 10, most: 10, memories: [512, 3538], environments: 2 })
  const onBatch = (records: number) => delivered.push(records)
  const [speed] = await measureSpeeds(plan, { ...options, start, environments: 2, onBatch })
  t.strictSame(started, [
    [10, 3538, 0],
    [10, 3538, 1],
  ])
  t.equal(ended, 2)
  t.equal(speed?.startMs, 1000)
  t.strictSame(delivered.slice(0, 4), [10, 10, 40, 40])
})

test('if an environment does not start, the others end, and the error stays', async (t) => {
  const { options, clock } = service()
  const start: Start = async (concurrency, memory, index, signal) => {
    if (index === 1) throw new Error('no memory')
    return options.start(concurrency, memory, index, signal)
  }
  await t.rejects(measureSpeeds(planOf(), { ...options, start, environments: 2 }), { message: 'no memory' })
  t.equal(clock.ended, 1)
  const stopping = new AbortController()
  const interrupted: Start = async (_concurrency, _memory, _index, signal) => {
    stopping.abort()
    throw new Error(signal.aborted ? 'ended' : 'running')
  }
  await t.rejects(measureSpeeds(planOf(), { ...options, start: interrupted, signal: stopping.signal }), {
    name: 'StoppedError',
    message: 'interrupted',
  })
})

test('without a clock, the speeds are measured with that of the process', async (t) => {
  const { options } = service()
  const start: Start = async (...args) => ({ ...(await options.start(...args)), problem: 'it ends after one batch' })
  const { now, ...rest } = options
  const [speed] = await measureSpeeds(planOf({ least: 10, most: 10 }), { ...rest, start })
  t.ok(speed && speed.startMs >= 0 && speed.overheadMs >= 0)
})

test('between two speeds, the rate grows like the concurrency until it reaches the higher one, or falls evenly', async (t) => {
  const rate = (concurrency: number) => speedAt(concurrency, [speed(10, 200), speed(40, 500), speed(160, 125)]).rate
  t.strictSame([10, 16, 26, 40, 400].map(rate), [200, 320, 500, 500, 125])
  t.equal(Math.round(rate(80)), 250)
  t.equal(rate(5), 200, 'the lowest one below the range')
})

test('between two speeds, the other figures are those of the nearer one', async (t) => {
  const speeds = [speed(10, 200, { cpu: 1 }), speed(40, 500, { cpu: 2 })]
  const at = (concurrency: number) => {
    const { concurrency: own, cpu } = speedAt(concurrency, speeds)
    return [own, cpu]
  }
  t.strictSame([10, 19, 20, 40, 50].map(at), [
    [10, 1],
    [19, 1],
    [20, 2],
    [40, 2],
    [50, 2],
  ])
})

/** The time and the messages of a run. */
async function expected(...args: Parameters<typeof estimate>) {
  const { ms, messages } = await estimate(...args)
  return { ms, messages }
}

test('the estimate is the time and the messages of the same search with environments of these speeds', async (t) => {
  // One concurrency, 1,000 records in 5 s: a start, a warm-up of 100 records, and four rounds.
  t.strictSame(await expected(planOf({ least: 10, most: 10 }), [speed(10, 200)], false), {
    ms: 500 + 500 + 4 * 5000,
    messages: 100 + 4 * 1000,
  })
  // In two environments, the time is that of one.
  t.strictSame(await expected(planOf({ least: 10, most: 10, environments: 2 }), [speed(10, 400)], false), {
    ms: 500 + 500 + 4 * 5000,
    messages: 2 * (100 + 4 * 1000),
  })
  const one = (changes: Partial<Speed> = {}, plan: Parameters<typeof planOf>[0] = {}, isConfirmed = false) =>
    expected(planOf({ least: 10, most: 10, ...plan }), [speed(10, 200, changes)], isConfirmed)
  t.strictSame(await one({ noise: 0.0505 }), { ms: 500 + 500 + 8 * 5000, messages: 100 + 8 * 1000 }, 'more rounds')
  t.strictSame(await one({ overheadMs: 1 }), { ms: 500 + 4100 * 6, messages: 4100 }, 'this process is busy, too')
  t.strictSame(
    await one({ overheadMs: 1 }, { environments: 2 }),
    { ms: 500 + 4100 * (10 + 2), messages: 8200 },
    'for both environments',
  )
  // 1,000 records take 100 ms, so each of three rounds has five batches, and the warm-up has 50 of 100 records.
  const fast = await expected(planOf({ least: 10, most: 10 }), [speed(10, 10_000)], false)
  t.strictSame(fast, { ms: 500 + 500 + 3 * 500, messages: 5000 + 3 * 5000 })
  t.strictSame(await one({ cpu: 10 }), { ms: 21_000, messages: 4100 }, 'records can use several cores')
  t.strictSame(await one({ failedShare: 0.5 }), { ms: 21_000, messages: 4100 }, 'failed records also take time')
  t.strictSame(
    await one({ failedShare: 1, noise: 0 }),
    { ms: 500 + 500 + 5000, messages: 1100 },
    'without a success, one round is enough',
  )
  // With 100 MB, the process runs again with other heap limits, but only once: it needs 120 MB.
  t.strictSame(await one({ peakMemory: 120 }, { memories: [90, 100, 1769] }), { ms: 42_000, messages: 8200 })
})

test('a confirmation takes longer because of the CPU share of its memory size', async (t) => {
  // With 442.25 MB, two environments have half of a core. A record needs 10 ms of CPU: 50 records per second.
  const plan = planOf({ least: 10, most: 10, memories: [442.25], batchSize: 100, environments: 2 })
  const speeds = [speed(10, 80, { cpu: 10 })]
  // A start, a warm-up and four rounds of 100 records in each environment: at 80 per second, then at 50.
  const full = 500 + 5 * 2500
  t.strictSame(await expected(plan, speeds, false), { ms: full, messages: 1000 })
  t.strictSame(await expected(plan, speeds, true), { ms: full + 500 + 5 * 4000, messages: 2000 })
  t.equal((await estimate(plan, speeds, true)).searchMs, full, 'the search ends before the confirmation')
})

test('a batch takes at most as long as the timeout, and then is the last one', async (t) => {
  const of = (timeout: number) => expected(planOf({ least: 10, most: 10, timeout }), [speed(10, 200)], false)
  t.strictSame(await of(5), { ms: 500 + 500 + 4 * 5000, messages: 4100 })
  t.strictSame(await of(4.9), { ms: 500 + 500 + 4900, messages: 1100 })
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

test('--quick accepts a run of exactly a minute, and batches of exactly 100 records', async (t) => {
  const precisions: unknown[] = []
  function run(batchSize: number, precision: unknown) {
    precisions.push(precision)
    return { plan: planOf({ least: 10, most: 10, batchSize }) } as never
  }
  const quick = async (batchSize: number, speeds: Speed) => {
    const { run: chosen, expected } = await quickRun({ run, batchSize }, [speeds], false)
    return [chosen.plan.workload.batchSize, expected.ms]
  }
  // A start, a warm-up of 100 records, and four rounds.
  t.strictSame(await quick(1000, speed(10, 4100 / 59.5)), [1000, 60_000])
  t.strictSame(precisions, [QUICK])
  t.equal((await quick(1000, speed(10, 4100 / 59.51)))[0], 500)
  t.equal((await quick(200, speed(10, 1)))[0], 100)
})
