import { test } from 'tap'
import { numberedMessages } from '../../src/local/messages.ts'
import type { FunctionOptions } from '../../src/local/runtime/environment.ts'
import type { Plan } from '../../src/tune/explore.ts'
import { PRECISION } from '../../src/tune/figures/confidence.ts'
import {
  goodputOf,
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

test('the figures of a handler that takes 10 ms for each record, with a concurrency of 50', async (t) => {
  const rounds: number[] = []
  const batches: number[] = []
  const measured = await measure(
    50,
    1769,
    optionsOf('handler', 100, {
      onRound: (_concurrency, round) => rounds.push(round),
      onBatch: (records) => batches.push(records),
    }),
  )
  const { concurrency, goodput, failedShare, causes, p50, p95, cpuPerRecord, peakMemory, peakDescriptors } = measured
  t.match({ concurrency, failedShare, causes }, { concurrency: 50, failedShare: 0, causes: {} })
  // A timer can fire some milliseconds early, because Node counts from the start of an iteration of the event loop.
  t.ok(goodput > 0 && goodput < 50 / 0.007, `${goodput} records/s`)
  t.ok((p50 ?? 0) >= 7 && (p95 ?? 0) >= (p50 ?? 0), `p50 ${p50}, p95 ${p95}`)
  t.ok((cpuPerRecord ?? 0) > 0)
  t.ok((peakMemory ?? 0) > 30 && (peakMemory ?? 0) < 1000, `${peakMemory} MB`)
  t.ok((peakDescriptors ?? 0) > 3 && (peakDescriptors ?? 0) < 200, `${peakDescriptors} open files`)
  t.strictSame(rounds, [...rounds.keys()], 'the warm-up is round 0')
  t.equal(measured.batches, rounds.length - 1, 'the warm-up is not counted')
  t.equal(measured.records, 100 * measured.batches)
  t.ok(measured.batches >= 3 && measured.batches <= 10)
  t.strictSame(new Set(batches), new Set([100]))
})

test('a low concurrency makes records wait, so the goodput is lower', async (t) => {
  const { goodput } = await measure(2, 1769, optionsOf('handler'))
  t.ok(goodput < 2 / 0.0099, `${goodput} records/s`)
})

test('records that the handler reports or removes from the report count as failed, with their causes', async (t) => {
  const measured = await measure(10, 1769, optionsOf('partly'))
  t.equal(measured.failedShare, 0.02)
  t.strictSame(Object.keys(measured.causes).sort(), ['Error: fetch failed (ECONNREFUSED)', 'RangeError: not in stock'])
})

test('if every record fails, three rounds are enough', async (t) => {
  const measured = await measure(10, 1769, optionsOf('fails'))
  t.match(measured, { goodput: 0, margin: null, isConfident: false, failedShare: 1, batches: 3, cpuPerRecord: null })
  t.strictSame(measured.causes, { 'Error: downstream returned 503': 300 })
})

test('if only the records of the first round fail, more rounds follow', async (t) => {
  const { batches, goodput, causes } = await measure(10, 1769, optionsOf('failsOnce'))
  t.ok(batches > 3 && goodput > 0, `${batches} batches, ${goodput} records/s`)
  t.strictSame(causes, { 'Error: downstream returned 503': 100 })
})

test('the records of a chunk have the duration of the chunk', async (t) => {
  const { p50 } = await measure(50, 1769, optionsOf('chunks'))
  t.ok((p50 ?? 0) >= 20, `${p50} ms, and not a fifth of the 30 ms`)
})

test('of a chunk, only the records that failed count as failed', async (t) => {
  const { failedShare } = await measure(10, 1769, optionsOf('failsInChunks'))
  t.equal(failedShare, 0.2)
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
  const measured = await measure(10, 1769, optionsOf('blocks', 100, {}, { timeout: 2000 }))
  const cause = 'timed out: it blocked its event loop for 2 seconds after its response'
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

test('each round has a batch in each of three environments', async (t) => {
  let batches = 0
  const measured = await measure(
    10,
    1769,
    optionsOf('handler', 100, { environments: 3, onBatch: () => (batches += 1) }),
  )
  t.equal(batches % 3, 0)
  t.equal(measured.batches, batches - 3)
  t.ok(measured.goodput < 30 / 0.0099)
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

test('a round has several batches if they are small', async (t) => {
  let batches = 0
  await measure(10, 1769, optionsOf('handler', 10, { onBatch: () => (batches += 1) }))
  t.equal(batches % 10, 0)
})

test('a round has several batches if they are fast', async (t) => {
  const options = optionsOf('handler', 100)
  const { batches, rounds } = await measure(100, 1769, {
    ...options,
    precision: { ...PRECISION, maxRounds: 3, roundMs: 200 },
  })
  t.equal(rounds, 3)
  t.ok(batches > 6, `${batches} batches of about 10 ms in 3 rounds of 200 ms`)
})

test('the warm-up has 100 records, or twice the concurrency, but not more than a batch', async (t) => {
  async function warmUp(concurrency: number, size: number) {
    const records: number[] = []
    const options = optionsOf('handler', size, { onBatch: (count) => records.push(count) })
    const rounds = openRounds(1769, options)
    await rounds.measure(concurrency, [concurrency])
    await rounds.close()
    return records
  }
  t.strictSame(await warmUp(10, 300), [100, 300])
  t.strictSame(await warmUp(100, 300), [200, 300])
  t.strictSame((await warmUp(400, 300)).slice(0, 2), [300, 300])
})

test('rounds of two concurrencies alternate, and the environments of a third end', async (t) => {
  const started: string[] = []
  const rounds = openRounds(1769, optionsOf('handler', 100, { onRound: (c, round) => started.push(`${c}: ${round}`) }))
  for (const [concurrency, inTurn] of [
    [5, [5]],
    [10, [10, 20]],
    [20, [10, 20]],
    [10, [10, 20]],
    [20, [10, 20]],
    [5, [5]],
  ] as const) {
    const { rounds: count, batches } = await rounds.measure(concurrency, inTurn)
    t.equal(batches, count)
  }
  await rounds.close()
  // Round 0 is the warm-up of new environments. The rounds of 5 are counted together.
  t.strictSame(started, ['5: 0', '5: 1', '10: 0', '10: 1', '20: 0', '20: 1', '10: 2', '20: 2', '5: 0', '5: 2'])
})

test('if the time budget ends a batch, there is a problem, although no invocation timed out', async (t) => {
  const options = optionsOf('handler', 1000, { precision: PRECISION }, { timeout: 2000 })
  // 1,000 records of 10 ms, one after the other, do not fit into 2 s.
  const measured = await measure(1, 1769, options)
  t.match(
    measured.problem,
    /^the library ended a batch early: \d+ of 1,000 records had not started or finished in time$/,
  )
  t.match(measured, { margin: null, isConfident: false, rounds: 1, batches: 1 })
  t.ok(measured.goodput > 0)
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

test('an interruption rejects with a StoppedError', async (t) => {
  const stopping = new AbortController()
  const options = optionsOf('handler', 100, {
    signal: stopping.signal,
    onRound: (_c, round) => round > 0 && stopping.abort(),
  })
  await t.rejects(measure(1, 1769, options), StoppedError)
})
