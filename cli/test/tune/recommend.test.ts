import { test } from 'tap'
import type { Measurement } from '../../src/tune/result.ts'
import { settingsLines } from '../../src/tune/text.ts'
import { measurement } from '../support/combinations.ts'
import { tuneResult, tuneRun } from '../support/tune-result.ts'

/** The warnings if only one concurrency was measured, with these figures. */
function warningsFor(figures: Partial<Measurement>, changes: Parameters<typeof tuneResult>[0] = {}) {
  return tuneResult({ measurements: [measurement(figures)], ...changes }).warnings
}

test('the recommendation names its figures, the equal concurrencies, and how to divide a shared limit', async (t) => {
  const { recommendation, settings, equal, best, warnings } = tuneResult()
  t.equal(
    recommendation,
    '256 MB and a concurrency of 40 in each of 2 environments: 1,849 records/s for $0.0847 per million messages ' +
      '(predicted; measured 7 times with a full CPU: 1,803 to 1,911). Equal within 5 %: 40 and 50. ' +
      'Up to 80 records were in flight. If more environments share a limit, divide 80 by MaximumConcurrency. ' +
      'Prices: x86_64 in us-east-1, November 2026.',
  )
  t.strictSame(settings, { MemorySize: 256, BOUNDED_SQS_BATCH_CONCURRENCY: 40, VisibilityTimeout: 185 })
  t.strictSame(equal, [40, 50])
  t.match(best, { memory: 256, concurrency: 40, origin: 'predicted' })
  t.strictSame(warnings, [])
})

test('a measured recommendation for one environment, without equal concurrencies', async (t) => {
  const plan = { ...tuneRun().plan, memories: [1769], workload: { ...tuneRun().plan.workload, environments: 1 } }
  const { recommendation } = tuneResult({ plan, measurements: [measurement({ rounds: 1 })] })
  t.match(
    recommendation,
    /^1,769 MB and a concurrency of 40: 1,000 records\/s for \$[\d.]+ per million messages \(measured once with a full CPU: 1,000 to 1,000\)\. Up to 40 records were in flight\./,
  )
})

test('failures come with their concurrencies, counts and reasons, once for each reason', async (t) => {
  const causes = { 'Error: too many connections': 800, 'Error: reset': 2, 'Error: closed': 1 }
  const { failures, measurements } = tuneResult({
    measurements: [
      measurement({ concurrency: 40, failedShare: 0.8, causes, records: 1000 }),
      measurement({ concurrency: 19, failedShare: 0.5, causes, records: 1998 }),
      measurement({ concurrency: 60, problem: 'the process ended with exit code 3', records: 0 }),
      measurement({ concurrency: 10 }),
    ],
  })
  t.strictSame(failures, [
    'Concurrency 19 and 40: 1,799 of 2,998 records failed: Error: too many connections, and 2 other errors',
    'Concurrency 60: the process ended with exit code 3',
  ])
  t.strictSame(
    measurements.map(({ concurrency }) => concurrency),
    [10, 19, 40, 60],
  )
  t.strictSame(tuneResult().failures, [
    'Concurrency 79: 1,870 of 10,000 records failed: Error: downstream returned 503',
  ])
  t.strictSame(tuneResult({ measurements: [measurement({ failedShare: 0.1 })] }).failures, [
    'Concurrency 40: 1,000 of 10,000 records failed: the reason is not known',
  ])
})

test('a memory that grows is named, with the number of records after which it is full', async (t) => {
  // 128 − 100 MB are 29 million bytes.
  t.strictSame(warningsFor({}, { growth: 20_000 }), [
    'The memory grows by 20 kB a record: 128 MB are full after about 1,500 records. Find out what the handler keeps.',
  ])
  t.strictSame(warningsFor({}, { growth: 'not measured' }), [
    'Whether the memory grows is not known, because the time was over. Raise --time.',
  ])
  t.equal(tuneResult({ growth: 20_000 }).growth, 20_000)
  t.equal(tuneResult({ growth: 'not measured' }).growth, null)
})

test('a memory that was checked is full after what its own heap leaves, not after what the large heap leaves', async (t) => {
  const plan = { ...tuneRun().plan, memories: [256] }
  const figures = { peakMemory: 900 }
  const checks = new Map([[256, measurement({ peakMemory: 156 })]])
  // 256 − 156 MB are 105 million bytes.
  t.strictSame(warningsFor(figures, { plan, checks, growth: 20_000 }), [
    'The memory grows by 20 kB a record: 256 MB are full after about 5,200 records. Find out what the handler keeps.',
  ])
})

test('MaximumConcurrency of the template divides the records in flight', async (t) => {
  const text = (environments: number, maximumConcurrency: number | undefined) => {
    const { plan } = tuneRun()
    const workload = { ...plan.workload, environments, maximumConcurrency }
    return /Up to .*(?= Prices)/.exec(tuneResult({ plan: { ...plan, workload } }).recommendation)?.[0]
  }
  t.equal(
    text(1, undefined),
    'Up to 40 records were in flight. If more environments share a limit, divide 40 by MaximumConcurrency.',
  )
  const shared = 'if the environments share a limit, use a concurrency of'
  t.equal(text(2, 10), `Up to 80 records were in flight. MaximumConcurrency is 10: ${shared} 8.`)
  t.equal(text(2, 1000), `Up to 80 records were in flight. MaximumConcurrency is 1,000: ${shared} 1.`)
  t.equal(text(2, 2), 'Up to 80 records were in flight.', 'so many ran at once')
})

test('BatchSize is a setting if full batches do not end in time', async (t) => {
  const { plan } = tuneRun()
  const workload = { ...plan.workload, environments: 1 }
  const slow = { plan: { ...plan, workload }, measurements: [measurement({ goodput: 20 })], usedBatchSize: 400 }
  const { settings, warnings, batchSize } = tuneResult(slow)
  t.strictSame(settings, {
    MemorySize: 128,
    BOUNDED_SQS_BATCH_CONCURRENCY: 40,
    VisibilityTimeout: 185,
    BatchSize: 512,
  })
  t.equal(batchSize, 1000)
  t.strictSame(warnings, [
    'Full batches of 1,000 records do not end within the timeout of 30 s with any of these memory sizes, so BatchSize is 512.',
    'Batches had 400 records and not 512, which would take too long. Full ones can need more memory: raise --time to measure them.',
  ])
  t.strictSame(settingsLines(settings).slice(2), ['VisibilityTimeout: 185 # or more', 'BatchSize: 512 # or less'])
})

test('warnings: few rounds, uneven rounds, small batches, failures, and the end of the range', async (t) => {
  t.strictSame(warningsFor({}), [])
  t.strictSame(warningsFor({ rounds: 2 }), ['The concurrency 40 was measured only 2 times. Raise --time.'])
  t.strictSame(warningsFor({ rounds: 3 }), [])
  const uneven = ['The rounds differ by more than 25 %. Run tune again on a quiet machine.']
  t.strictSame(warningsFor({ lowest: 749 }), uneven)
  t.strictSame(warningsFor({ highest: 1251 }), uneven)
  t.strictSame(warningsFor({ lowest: 750, highest: 1250 }), [])
  t.strictSame(warningsFor({}, { usedBatchSize: 80 }), [
    'Batches had 80 records and not 1,000, which would take too long. Full ones can need more memory: raise --time to measure them.',
  ])
  t.match(warningsFor({ failedShare: 0.9 }), [/^90 % of the records failed at the recommended concurrency\. Find the/])
  t.strictSame(warningsFor({ failedShare: 0.01 }), [])
  t.strictSame(warningsFor({ concurrency: 200 }), [
    'The recommended concurrency is the highest that was tried. A higher one may be faster: raise --concurrency.',
  ])
  t.strictSame(warningsFor({ concurrency: 1000 }, { range: { least: 5, most: 1000 } }), [], 'a batch has no more')
})

test('without a recommendation, the reason is given, with the most memory', async (t) => {
  const died = 'the process ended with exit code 3'
  const none = tuneResult({ measurements: [measurement({ problem: died }), measurement({ concurrency: 80 })] })
  t.match(none.recommendation, /^128 MB and a concurrency of 80 in/)
  for (const [measurements, reason] of [
    [[measurement({ problem: died, goodput: 0 })], died],
    [[measurement({ goodput: 0, failedShare: 1, causes: { 'Error: no': 1 } })], 'no record succeeded: Error: no'],
    [[measurement({ peakMemory: 5000 })], 'the process needs 5,000 MB, more than 80 % of the memory'],
    [
      [measurement({ peakMemory: 5000 }), measurement({ concurrency: 80, problem: died })],
      'the process needs 5,000 MB, more than 80 % of the memory',
    ],
    [[], 'the time was over before the first round. Raise --time'],
  ] as const) {
    const { recommendation, best, settings, warnings, equal } = tuneResult({ measurements })
    t.equal(recommendation, `No combination can be used: ${reason}.`)
    t.strictSame([best, settings, warnings, equal], [null, null, [], []])
  }
})
