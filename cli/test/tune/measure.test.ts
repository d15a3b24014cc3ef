import { availableParallelism } from 'node:os'
import { type Test, test } from 'tap'
import type { FunctionOptions } from '../../src/local/simulator/environment.ts'
import { numberedMessages } from '../../src/local/simulator/messages.ts'
import type { InvocationMetrics } from '../../src/local/simulator/metrics.ts'
import type { Plan } from '../../src/tune/explore.ts'
import { PRECISION } from '../../src/tune/figures/confidence.ts'
import {
  goodputOf,
  type MeasuredBatch,
  type MeasuredEnvironment,
  type MeasureOptions,
  measure,
  measureFor,
  openRounds,
  StoppedError,
  startWith,
} from '../../src/tune/measure.ts'
import { createSample } from '../../src/tune/sample.ts'
import { handlerFile } from '../support/runs.ts'

const NEVER = new AbortController().signal

function optionsOf(
  exportName: string,
  size = 100,
  changes: Partial<MeasureOptions> = {},
  handler: Partial<FunctionOptions> = {},
): MeasureOptions {
  return {
    // On a busy machine, loading takes longer than the 10 s that Lambda allows.
    start: startWith(
      { file: handlerFile('tuned.ts'), exportName, timeout: 20_000, initTimeout: 120_000, ...handler },
      false,
    ),
    environments: 1,
    sample: createSample([...numberedMessages(size)], size, false),
    precision: { ...PRECISION, roundMs: 0 },
    onBatch: () => {},
    onRound: () => {},
    signal: NEVER,
    ...changes,
  }
}

/** Milliseconds that each step takes longer than its slowest batch, so that both times can be told apart. */
const OVERHEAD = 5

type Result = Partial<Omit<MeasuredBatch, 'metrics'>> & {
  metrics?: Partial<InvocationMetrics> | undefined
  causes?: readonly string[]
  problem?: string
}

/**
 * Environments with a clock of their own. Each batch takes as long as its result says.
 *
 * @param resultOf the result of a batch, which succeeds in 100 ms by default. `step` counts the batches of the
 *   environment from 0, those of the warm-up included
 */
function simulate(
  batchSize: number,
  resultOf: (step: number, index: number, concurrency: number) => Result = () => ({}),
) {
  let clock = 1000
  const sizes: number[] = []
  const log: string[] = []
  const running = new Set<MeasuredEnvironment>()
  async function start(concurrency: number, _memory: number, index: number, signal: AbortSignal) {
    let step = -1
    let problem: string | undefined
    const environment: MeasuredEnvironment = {
      get problem() {
        return problem
      },
      async process(batch, addCause) {
        step += 1
        const { metrics, causes = [], problem: found, failed = 0, duration = 100 } = resultOf(step, index, concurrency)
        const end = clock + duration + OVERHEAD
        await undefined // the other environments start their batches
        clock = Math.max(clock, end)
        problem = found
        for (const cause of causes) addCause(cause)
        const given = metrics && { isLibraryUsed: true, peakInFlight: 1, succeeded: 0, unfinished: 0, ...metrics }
        return {
          succeeded: batch.length - failed,
          failed,
          duration,
          metrics: given && { durations: [], cpu: 0, peakMemory: 0, descriptors: 0, ...given },
        }
      },
      async ended() {
        if (!signal.aborted) throw new Error('expected the signal to end the environment first')
        running.delete(environment)
      },
    }
    running.add(environment)
    return environment
  }
  const sample = createSample([...numberedMessages(batchSize)], batchSize, false)
  const options: MeasureOptions = {
    start,
    environments: 1,
    sample,
    precision: { ...PRECISION, roundMs: 0 },
    onBatch: (records) => sizes.push(records),
    onRound: (concurrency, round) => log.push(`${concurrency}: ${round}`),
    signal: NEVER,
    now: () => clock,
  }
  return { options, sizes, log, running: () => running.size }
}

test('every figure of a measurement, without its warm-up', async (t) => {
  const { options, log, running } = simulate(100, (step, index) => {
    if (step === 0) {
      const metrics = { durations: [9999], cpu: 9999, peakMemory: 9999, descriptors: 9999 }
      return { failed: 50, causes: ['Error: cold'], duration: 9999, metrics }
    }
    const peakMemory = step === 2 ? 53 : 50
    const metrics = { durations: [10 * step, 30], cpu: 30, peakMemory, descriptors: 20 - step }
    return index === 0
      ? { failed: 2, causes: ['Error: a', 'Error: b'], duration: 400, metrics }
      : { failed: 10, causes: Array(10).fill('Error: b'), duration: 500, metrics }
  })
  const measured = await measure(7, 1769, { ...options, environments: 2 })
  t.strictSame(measured, {
    concurrency: 7,
    goodput: 188 / 0.5,
    margin: 0,
    isConfident: true,
    rounds: 3,
    batches: 6,
    records: 600,
    failedShare: 36 / 600,
    causes: { 'Error: b': 33, 'Error: a': 3 },
    p50: 30, // of 10, 10, 20, 20, and eight times 30
    p95: 30,
    cpuPerRecord: 180 / 564,
    peakMemory: 53,
    peakDescriptors: 19,
    cores: 180 / (3 * (500 + OVERHEAD)),
  })
  t.strictSame(log, ['7: 0', '7: 1', '7: 2', '7: 3'])
  t.equal(running(), 0)
})

test('percentiles of durations, by their size', async (t) => {
  // As texts, 100 would come before 20.
  const durations = Array.from({ length: 100 }, (_, index) => 100 - index)
  const { options } = simulate(100, () => ({ metrics: { durations } }))
  t.match(await measure(1, 1769, options), { p50: 50, p95: 95 })
})

test('without metrics, and if descriptors could not be counted', async (t) => {
  const without = await measure(1, 1769, simulate(100).options)
  t.match(without, { p50: null, p95: null, cpuPerRecord: null, peakMemory: null, peakDescriptors: null, cores: 0 })
  const { options } = simulate(100, (step) => ({ metrics: { descriptors: step === 2 ? null : 30 } }))
  t.equal((await measure(1, 1769, options)).peakDescriptors, 1024, 'all were in use')
})

for (const [title, durations, expected] of [
  ['the same goodput three times', [100, 100, 100, 50], { rounds: 3, isConfident: true, goodput: 1000, margin: 0 }],
  ['a goodput that is not exact after ten rounds', [100, 50], { rounds: 10, isConfident: false, goodput: 1500 }],
  // The margin is 11.1 % after three rounds, 5.8 % after four, and 3.9 % after five.
  ['a goodput that is exact after five', [100, 105, 96, 100, 100], { rounds: 5, isConfident: true }],
] as const) {
  test(`the number of rounds: ${title}`, async (t) => {
    const { options } = simulate(100, (step) => ({ duration: durations[(step - 1) % durations.length] ?? 100 }))
    const { rounds, batches, isConfident, ...others } = await measure(1, 1769, options)
    t.match({ rounds, isConfident, ...others }, expected)
    t.equal(batches, rounds)
  })
}

test('if every record fails, three rounds are enough. If one round succeeds, more follow', async (t) => {
  const failed = { failed: 100, causes: Array(100).fill('Error: no') }
  const all = await measure(1, 1769, simulate(100, () => failed).options)
  t.match(all, { goodput: 0, margin: null, isConfident: false, rounds: 3, failedShare: 1 })
  t.strictSame(all.causes, { 'Error: no': 300 })
  const first = await measure(1, 1769, simulate(100, (step) => (step === 1 ? failed : {})).options)
  t.match(first, { goodput: 900, rounds: 10, batches: 10, failedShare: 0.1 })
  t.strictSame(first.causes, { 'Error: no': 100 })
})

test('a round has several batches if they are fast, and ends when its time is over', async (t) => {
  // With the overhead, four batches of 45 ms take exactly 200 ms.
  for (const [duration, batches] of [
    [45, 4],
    [46, 4],
    [44, 5],
    [195, 1],
    [500, 1],
  ] as const) {
    const { options } = simulate(100, () => ({ duration }))
    const measured = await measure(1, 1769, { ...options, precision: { ...PRECISION, roundMs: 200 } })
    t.match(measured, { rounds: 3, batches: 3 * batches, records: 300 * batches }, `${duration} ms`)
  }
})

test('a round has several batches if they are small: 100 records for each environment', async (t) => {
  for (const [size, steps] of [
    [10, 10],
    [33, 4],
    [34, 3],
    [50, 2],
    [100, 1],
  ] as const) {
    const { options, sizes } = simulate(size)
    const { rounds, batches } = await measure(1, 1769, { ...options, environments: 3 })
    t.strictSame([rounds, batches], [3, 9 * steps], `${size} records`)
    t.strictSame(sizes, Array(12 * steps).fill(size), 'the warm-up has as many batches as a round')
  }
})

test('the goodput of a round is that of all its batches', async (t) => {
  const { options } = simulate(50, (step) => ({ duration: step % 2 === 0 ? 100 : 300 }))
  t.match(await measure(1, 1769, options), { rounds: 3, batches: 6, goodput: 250 })
})

test('the warm-up has 100 records, or twice the concurrency, but not more than a batch', async (t) => {
  async function warmUp(concurrency: number) {
    const { options, sizes } = simulate(300)
    const rounds = openRounds(1769, options)
    await rounds.measure(concurrency, [concurrency])
    await rounds.close()
    return sizes
  }
  t.strictSame(await warmUp(10), [100, 300])
  t.strictSame(await warmUp(50), [100, 300])
  t.strictSame(await warmUp(51), [102, 300])
  t.strictSame(await warmUp(150), [300, 300])
  t.strictSame(await warmUp(400), [300, 300])
})

test('the warm-up takes at least as long as a round', async (t) => {
  const { options, sizes } = simulate(300)
  const rounds = openRounds(1769, { ...options, precision: { ...PRECISION, roundMs: 4 * (100 + OVERHEAD) } })
  await rounds.measure(10, [10])
  await rounds.close()
  t.strictSame(sizes, [100, 100, 100, 100, 300, 300, 300, 300])
})

test('a problem ends the measurement, and the goodput is then not known exactly', async (t) => {
  const { options, log, running } = simulate(50, (step) =>
    // The warm-up and each round have two batches.
    step === 4 ? { problem: 'it died', failed: 50, causes: Array(50).fill('it died') } : {},
  )
  const measured = await measure(3, 1769, options)
  t.match(measured, { problem: 'it died', margin: null, isConfident: false, rounds: 2, batches: 3, records: 150 })
  t.match(measured, { goodput: 250, failedShare: 1 / 3 }, 'the mean of 500 and 0')
  t.strictSame(measured.causes, { 'it died': 50 })
  t.strictSame(log, ['3: 0', '3: 1', '3: 2'])
  t.equal(running(), 0)
})

test('a problem of the warm-up ends the measurement after a round of one batch', async (t) => {
  const { options, sizes } = simulate(50, (step) => (step === 0 ? { problem: 'it died' } : {}))
  t.match(await measure(3, 1769, options), { problem: 'it died', rounds: 1, batches: 1, records: 50, goodput: 500 })
  t.strictSame(sizes, [50, 50])
})

test('records that the library did not finish are a problem', async (t) => {
  const { options } = simulate(2000, (step) => ({ metrics: { unfinished: step === 2 ? 1234 : 0 } }))
  t.match(await measure(3, 1769, options), {
    problem: 'the library ended a batch early: 1,234 of 2,000 records had not started or finished in time',
    rounds: 2,
  })
})

/** Processes one batch in a process with the handler. `elapsed` is the time that the batch took for the caller. */
async function processed(t: Test, exportName: string, concurrency: number) {
  const { start, sample } = optionsOf(exportName)
  const stopping = new AbortController()
  const environment = await start(concurrency, 1769, 0, stopping.signal)
  t.teardown(() => {
    stopping.abort()
    return environment.ended()
  })
  const startedAt = performance.now()
  const { duration, metrics, ...counts } = await environment.process(sample.batch(), () => {})
  const elapsed = performance.now() - startedAt
  if (!metrics) throw new Error('expected metrics, got none')
  return { counts, duration, metrics, elapsed }
}

test('the process uses the concurrency, so with 2, each of 50 records waits for the one before', async (t) => {
  const { counts, duration, metrics, elapsed } = await processed(t, 'handler', 2)
  t.strictSame(counts, { succeeded: 100, failed: 0 })
  t.match(metrics, { isLibraryUsed: true, concurrencyVariable: '2', peakInFlight: 2, succeeded: 100, unfinished: 0 })
  t.ok(duration >= 499 && duration <= elapsed, `${duration} of ${elapsed} ms`)
  t.equal(metrics.durations.length, 100)
  // A record can be some milliseconds shorter than its timer, because Node counts from the start of an iteration of the
  // event loop.
  const ofRecords = metrics.durations.reduce((sum, each) => sum + each, 0)
  t.ok(ofRecords >= 100 * 7 && ofRecords <= 2 * duration, `${ofRecords} ms in two slots for ${duration} ms`)
  t.ok(metrics.cpu > 0 && metrics.cpu <= elapsed * availableParallelism(), `${metrics.cpu} ms of CPU`)
})

test('the records of a chunk have the duration of the chunk', async (t) => {
  const { duration, metrics } = await processed(t, 'chunks', 50)
  const chunks = Map.groupBy(metrics.durations, (_, index) => Math.floor(index / 5))
  t.strictSame([metrics.peakInFlight, metrics.succeeded, chunks.size], [20, 100, 20])
  for (const [first = 0, ...others] of chunks.values()) {
    t.strictSame(others, [first, first, first, first])
    t.ok(first >= 20 && first <= duration, `${first} of ${duration} ms, and not a fifth of the 30 ms`)
  }
})

test('the figures of a process, whose records take 10 ms each, with a concurrency of 50', async (t) => {
  const rounds: number[] = []
  const batches: number[] = []
  const startedAt = performance.now()
  const measured = await measure(
    50,
    1769,
    optionsOf('handler', 100, {
      precision: { margin: 0, minRounds: 3, maxRounds: 3, roundMs: 0 },
      onRound: (_concurrency, round) => rounds.push(round),
      onBatch: (records) => batches.push(records),
    }),
  )
  const elapsed = performance.now() - startedAt
  const { goodput, cores, p50, p95, cpuPerRecord, peakMemory, peakDescriptors, causes, ...exact } = measured
  t.match(exact, { concurrency: 50, failedShare: 0, rounds: 3, batches: 3, records: 300 })
  t.strictSame(causes, {})
  t.strictSame(rounds, [0, 1, 2, 3])
  t.strictSame(batches, [100, 100, 100, 100])
  const between = (name: string, value: number | null, least: number, most: number) =>
    t.ok(value !== null && value >= least && value <= most, `${name}: ${value}, from ${least} to ${most}`)
  // A batch takes two turns of 50 records. A timer can fire a millisecond early.
  between('goodput', goodput, 300 / (elapsed / 1000), 100 / 0.019)
  between('p50', p50, 7, elapsed)
  between('p95', p95, p50 ?? 0, elapsed)
  between('CPU of a record', cpuPerRecord, 0.001, (elapsed * availableParallelism()) / 300)
  between('cores', cores, 0.001, availableParallelism())
  between('memory', peakMemory, 30, 1000)
  between('open files', peakDescriptors, 4, 200)
})

test('records that the handler reports or removes from the report count as failed, with their causes', async (t) => {
  const precision = { ...PRECISION, maxRounds: 3, roundMs: 0 }
  const measured = await measure(10, 1769, optionsOf('partly', 100, { precision }))
  t.match(measured, { rounds: 3, records: 300, failedShare: 0.02 })
  t.strictSame(measured.causes, { 'RangeError: not in stock': 3, 'Error: fetch failed (ECONNREFUSED)': 3 })
})

test('if every record fails, three rounds are enough', async (t) => {
  const measured = await measure(10, 1769, optionsOf('fails'))
  t.match(measured, { goodput: 0, margin: null, isConfident: false, failedShare: 1, batches: 3, cpuPerRecord: null })
  t.strictSame(measured.causes, { 'Error: downstream returned 503': 300 })
})

test('of a chunk, only the records that failed count as failed', async (t) => {
  const precision = { ...PRECISION, maxRounds: 3, roundMs: 0 }
  const { failedShare, causes } = await measure(10, 1769, optionsOf('failsInChunks', 100, { precision }))
  t.equal(failedShare, 0.2)
  t.strictSame(Object.values(causes), [60])
})

test('a process that ends during a batch is part of the measurement, ends it, and its batch counts as failed', async (t) => {
  const measured = await measure(10, 1769, optionsOf('crashes', 100))
  const death = 'the process ended with exit code 3'
  t.match(measured, { problem: death, batches: 2, failedShare: 0.5, margin: null, isConfident: false })
  t.ok(measured.goodput > 0)
  t.strictSame(measured.causes, { [death]: 100 })
})

test('a process that ends during the warm-up is part of the measurement', async (t) => {
  const measured = await measure(10, 1769, optionsOf('crashes', 300))
  t.match(measured, { problem: 'the process ended with exit code 3', batches: 1 })
})

test('a process that ends between two batches is part of the measurement', async (t) => {
  const { problem: death } = await measure(10, 1769, optionsOf('diesAtOnce', 100))
  t.equal(death, 'the process ended with exit code 1 after its response. Is an `await` missing?')
})

test('a batch that times out counts as failed', async (t) => {
  const measured = await measure(10, 1769, optionsOf('hangs', 100, {}, { timeout: 1000 }))
  t.match(measured, { goodput: 0, failedShare: 1, batches: 1, p50: null, peakMemory: null })
  t.strictSame(measured.causes, { 'timed out after 1.00 seconds': 100 })
  t.equal(measured.problem, 'an invocation timed out after 1.00 seconds')
})

test('a batch whose process blocks its event loop after the response counts as timed out', async (t) => {
  const measured = await measure(10, 1769, optionsOf('blocks', 100, {}, { timeout: 5000 }))
  const cause = 'timed out: it blocked its event loop for 5 seconds after its response'
  t.match(measured, { goodput: 0, failedShare: 1, batches: 1, p50: null, problem: `an invocation ${cause}` })
  t.strictSame(measured.causes, { [cause]: 100 })
})

for (const exportName of ['plain', 'respondsEarly']) {
  test(`a handler that responds without the library is refused (${exportName})`, async (t) => {
    await t.rejects(measure(10, 1769, optionsOf(exportName)), {
      name: 'UsageError',
      message:
        'the handler responded without middy-bounded-sqs-batch, so BOUNDED_SQS_BATCH_CONCURRENCY has no effect and there ' +
        'is nothing to compare. Use boundedSqsBatch() in the handler, and let no earlier middleware respond',
    })
  })
}

for (const [exportName, succeeded, ran] of [
  ['allSettled', 100, 0],
  ['keepsTen', 100, 10],
  ['keepsTenThatFail', 90, 0],
] as const) {
  test(`a handler whose records succeed without running is refused (${exportName})`, async (t) => {
    await t.rejects(measure(10, 1769, optionsOf(exportName)), {
      name: 'UsageError',
      message:
        `expected eachRecord() or eachChunk() to run all ${succeeded} records that count as successful, got ${ran}. Pass ` +
        'the function for one record to eachRecord(), and use no middleware that removes records from the event',
    })
  })
}

function withOwnConcurrency(exportName: string, env: Record<string, string> = {}) {
  return optionsOf(exportName, 100, {}, { file: handlerFile('own-concurrency.ts'), env })
}

test('a handler that changes or removes the variable of the concurrency is refused', async (t) => {
  const advice = 'Remove the code that changes it, because tune must set this variable'
  await t.rejects(measure(10, 1769, withOwnConcurrency('handler', { OWN_CONCURRENCY: '7' })), {
    name: 'UsageError',
    message: `the handler changed BOUNDED_SQS_BATCH_CONCURRENCY: expected 10, got 7. ${advice}`,
  })
  await t.rejects(measure(10, 1769, withOwnConcurrency('handler')), {
    name: 'UsageError',
    message: `the handler changed BOUNDED_SQS_BATCH_CONCURRENCY: expected 10, got no value. ${advice}`,
  })
})

test('a handler that does not use the variable of the concurrency is refused if more records are in flight', async (t) => {
  await t.rejects(measure(10, 1769, withOwnConcurrency('bundled')), {
    name: 'UsageError',
    message:
      'the library did not use BOUNDED_SQS_BATCH_CONCURRENCY: expected at most 10 records or chunks in flight, got 20. ' +
      'Check whether a bundler has replaced this variable with a fixed value',
  })
})

test('goodput is the number of successful records of all environments ÷ the durations of the slowest in each step', async (t) => {
  const batch = (succeeded: number, duration: number) => ({ succeeded, failed: 0, duration, metrics: undefined })
  t.equal(goodputOf([[batch(100, 500), batch(100, 1000)]]), 200)
  t.equal(
    goodputOf([
      [batch(60, 300), batch(40, 400)],
      [batch(60, 300), batch(40, 200)],
    ]),
    200 / 0.7,
  )
  t.equal(goodputOf([[batch(0, 0), batch(0, 0)]]), 0)
})

test('rounds of two concurrencies alternate, and the environments of a third end', async (t) => {
  // Each record of a batch takes 10 ms, and each round of a concurrency takes a millisecond longer.
  const { options, log, running } = simulate(100, (step, _index, concurrency) => ({
    duration: 1000 / concurrency + step - 1,
  }))
  const rounds = openRounds(1769, { ...options, environments: 2 })
  const goodput = (...durations: number[]) =>
    durations.reduce((sum, duration) => sum + 200_000 / duration, 0) / durations.length
  for (const [concurrency, inTurn, sessions, count, expected] of [
    [5, [5], 1, 1, goodput(200)],
    [10, [10, 20], 1, 1, goodput(100)],
    [20, [10, 20], 2, 1, goodput(50)],
    [10, [10, 20], 2, 2, goodput(100, 101)],
    [20, [10, 20], 2, 2, goodput(50, 51)],
    [5, [5], 1, 2, goodput(200, 200)],
  ] as const) {
    t.match(await rounds.measure(concurrency, inTurn), {
      concurrency,
      rounds: count,
      batches: 2 * count,
      records: 200 * count,
      goodput: expected,
    })
    t.equal(running(), 2 * sessions)
  }
  await rounds.close()
  t.equal(running(), 0)
  // Round 0 is the warm-up of new environments. The rounds of 5 are counted together.
  t.strictSame(log, ['5: 0', '5: 1', '10: 0', '10: 1', '20: 0', '20: 1', '10: 2', '20: 2', '5: 0', '5: 2'])
})

test('if the time budget ends a batch, there is a problem, although no invocation timed out', async (t) => {
  const options = optionsOf('slow', 800, { precision: PRECISION }, { timeout: 10_000 })
  // No record starts after the first 5 s. 800 records of 50 ms, four at a time, take longer. The 100 records of the
  // warm-up do not.
  const measured = await measure(4, 1769, options)
  const failed = Math.round(800 * measured.failedShare)
  // At most 404 records start in these 5 s, and fewer on a busy machine.
  t.ok(failed >= 396 && failed < 800, `${failed} failed`)
  t.match(measured, {
    problem: `the library ended a batch early: ${failed} of 800 records had not started or finished in time`,
    margin: null,
    isConfident: false,
    rounds: 1,
    batches: 1,
    records: 800,
  })
  t.equal(
    Object.values(measured.causes).reduce((sum, count) => sum + count, 0),
    failed,
  )
  t.notMatch(Object.keys(measured.causes).join(), 'timed out')
})

test('the environments of the search end before another measurement starts', async (t) => {
  const signals: AbortSignal[] = []
  const running = () => signals.filter(({ aborted }) => !aborted).length
  const atStart: number[] = []
  const batch = { succeeded: 100, failed: 0, duration: 10, metrics: undefined }
  const options = optionsOf('handler', 100, {
    async start(_concurrency, _memory, _index, signal) {
      atStart.push(running())
      signals.push(signal)
      return { problem: undefined, process: async () => batch, ended: async () => {} }
    },
  })
  const plan = { memories: [512] } as unknown as Plan
  const { round, atFullCpu, withQuota, close } = measureFor(plan, options, () => ({}))
  await round(10, [10, 20])
  await round(20, [10, 20])
  await atFullCpu(10, 512)
  await round(10, [10])
  await withQuota?.(10, 512)
  await close()
  t.strictSame(atStart, [0, 1, 0, 0, 0])
  t.equal(running(), 0)
})

test('environments have priority without a CPU limit, or the CPU share of their memory', async (t) => {
  const cores: number[] = []
  const quota = {
    kind: 'fake',
    limit: (_pid: number, share: number) => cores.push(share),
    lift: () => {},
    remove: () => {},
  }
  const handler = { file: handlerFile('tuned.ts'), initTimeout: 120_000 }
  async function coresAt(memory: number, limitCpu: boolean) {
    const start = startWith(handler, false, [quota, quota], limitCpu)
    await measure(10, memory, optionsOf('handler', 100, { environments: 2, start }))
    return cores.splice(0)
  }
  t.strictSame(await coresAt(512, false), [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
  t.strictSame(await coresAt(3538, true), [2, 2])
})

for (const last of [0, 2]) {
  test(`an interruption in round ${last} rejects with a StoppedError, after the environments have ended`, async (t) => {
    const stopping = new AbortController()
    const { options, sizes, running } = simulate(100)
    const { signal } = stopping
    const onRound = (_concurrency: number, round: number) => round === last && stopping.abort()
    await t.rejects(measure(1, 1769, { ...options, environments: 2, signal, onRound }), StoppedError)
    t.equal(running(), 0)
    t.equal(sizes.length, 2 * (last + 1))
  })
}

test('an interruption ends a process', async (t) => {
  const stopping = new AbortController()
  const options = optionsOf('handler', 100, {
    signal: stopping.signal,
    onRound: (_concurrency, round) => round > 0 && stopping.abort(),
  })
  await t.rejects(measure(1, 1769, options), StoppedError)
})

test('an error of a batch ends the environments and is thrown', async (t) => {
  const { options, running } = simulate(100, (step, index) => {
    if (step === 1 && index === 1) throw new TypeError('a defect')
    return {}
  })
  await t.rejects(measure(1, 1769, { ...options, environments: 2 }), new TypeError('a defect'))
  t.equal(running(), 0)
})
