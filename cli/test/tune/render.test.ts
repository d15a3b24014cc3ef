import { PassThrough } from 'node:stream'
import { test } from 'tap'
import type { Combination, TuneResult } from '../../src/tune/figures/result.ts'
import { equalRange, recommendationFor, uncertaintyOf } from '../../src/tune/recommend.ts'
import { renderResult } from '../../src/tune/render.ts'
import { combination, measurement } from '../support/combinations.ts'

// tap sets FORCE_COLOR if its output is a terminal, and NO_COLOR can come from the shell. What these tests render must
// depend only on the stream.
for (const name of ['FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS']) delete process.env[name]

const BEST = combination({ memory: 512, concurrency: 40, origin: 'confirmed', costPerMillion: 0.1234567 })
const RESULT: TuneResult = {
  handler: 'handler.mjs',
  environments: 1,
  batchSize: 1000,
  measurements: [
    measurement(),
    measurement({
      concurrency: 900,
      goodput: 12_345.6,
      failedShare: 0.123,
      isConfident: false,
      causes: { 'Error: EMFILE': 7 },
    }),
  ],
  combinations: [
    combination({ memory: 128, problem: 'the process needs 300 MB' }),
    BEST,
    combination({ memory: 512, concurrency: 900, origin: 'confirmed', problem: '12.3 % of the records failed' }),
  ],
  confirmations: [{ memory: 512, concurrency: 40, predicted: 1000, confirmed: 700 }],
  best: BEST,
  equal: null,
  uncertainty: null,
  incomplete: null,
  optimize: 'cost',
  recommendation: 'Use it.',
  patch: 'Resources: {}\n',
  unknowns: ['The processor.'],
}
const PIPE = new PassThrough() as unknown as NodeJS.WriteStream

test('everything that tune prints', async (t) => {
  t.equal(
    renderResult(RESULT, PIPE),
    `Measured without a CPU limit:
┌─────────┬─────────┬───────┬────────┬─────┬─────┬─────┬──────┬───────┐
│ concur- │ records │  95 % │ failed │ p50 │ p95 │ CPU │ peak │  open │
│ rency   │   per s │       │        │  ms │  ms │  ms │   MB │ files │
│ 40      │   1,000 │  ±2 % │    0 % │  10 │  20 │ 0.1 │  100 │    70 │
│ 900     │  12,346 │ ±2 %* │ 12.3 % │  10 │  20 │ 0.1 │  100 │    70 │
└─────────┴─────────┴───────┴────────┴─────┴─────┴─────┴──────┴───────┘
* The interval is wider than ±5 %.
Why records failed (records × error):
  7 × Error: EMFILE (concurrency 900)
The best concurrency for each memory size, and the confirmed combinations:
┌────────┬─────────┬────────────┬─────┬─────┬──────┬─────────┬───────────┐
│ memory │ concur- │    records │ p50 │ p95 │ peak │   $ per │   figures │
│        │   rency │      per s │  ms │  ms │   MB │ million │       are │
│ 512 MB │      40 │ 1,000 ±2 % │  10 │  20 │  100 │  $0.123 │ confirmed │
└────────┴─────────┴────────────┴─────┴─────┴──────┴─────────┴───────────┘
128 MB cannot be used: the process needs 300 MB
512 MB × concurrency 900 cannot be used: 12.3 % of the records failed
Records per second with the CPU share of the memory size:
  512 MB × concurrency 40: predicted 1,000, confirmed 700 (-30 %)
  A result more than 25 % below its prediction has one of two reasons: other programs used the CPU, or a record needs more CPU time when the CPU is limited.

Recommendation: Use it.

Patch:
Resources: {}

What this machine cannot know:
- The processor.`,
  )
})

test('a result above its prediction needs no explanation', (t) => {
  const confirmations = [{ memory: 512, concurrency: 40, predicted: 1000, confirmed: 1300 }]
  const text = renderResult({ ...RESULT, confirmations }, PIPE)
  t.match(text, 'predicted 1,000, confirmed 1,300 (+30 %)')
  t.notMatch(text, 'two reasons')
  t.end()
})

test('the concurrencies at which a process ended or a batch timed out are listed below the measurements', async (t) => {
  const death = 'the process ended with exit code 1'
  const measurements = [
    measurement({ concurrency: 10, problem: death }),
    measurement(),
    measurement({ concurrency: 900, problem: death }),
    measurement({ concurrency: 1000, problem: 'an invocation timed out after 30.00 seconds' }),
  ]
  t.match(
    renderResult({ ...RESULT, measurements }, PIPE),
    /┘\nConcurrency 10, 900 cannot be used: the process ended with exit code 1\nConcurrency 1000 cannot be used: an invocation timed out after 30\.00 seconds\nThe best/,
  )
})

test('if no record succeeded, there is no interval, and no note about it', async (t) => {
  const failed = measurement({ goodput: 0, failedShare: 1, margin: null, isConfident: false, batches: 1 })
  t.notMatch(renderResult({ ...RESULT, measurements: [failed] }, PIPE), 'The interval is wider')
})

test('without a measurement, there is no table', async (t) => {
  const nothing = { ...RESULT, measurements: [], combinations: [], confirmations: [], best: null, patch: null }
  t.equal(renderResult(nothing, PIPE), '\nRecommendation: Use it.\n\nWhat this machine cannot know:\n- The processor.')
})

const TRIED = { most: 900, optimize: 'cost', workload: { environments: 1, batchSize: 1000 } } as const

test('the recommendation names the combination, its figures, how they were obtained, and the reason', async (t) => {
  const workload = { ...TRIED.workload, environments: 4 }
  t.equal(
    recommendationFor(BEST, RESULT.combinations, { ...TRIED, optimize: 'speed', workload }, RESULT.measurements),
    '512 MB, and a concurrency of 40 in each of 4 environments: 1,000 records/s for $0.123 per million messages (confirmed, ±2 %). ' +
      'No other memory size of about the same speed is more than 5 % cheaper. Of the combinations that were tried (concurrency up to 900), no usable one is clearly faster.',
  )
  t.match(
    recommendationFor(BEST, RESULT.combinations, TRIED, RESULT.measurements),
    /in one environment: .* No other memory size is more than 5 % cheaper\. Of the higher concurrencies that were tried \(up to 900\), no usable one is clearly faster\.$/,
  )
  t.match(
    recommendationFor(BEST, RESULT.combinations, { ...TRIED, optimize: 'balanced' }, RESULT.measurements),
    'No other memory size lowers cost × time by more than 5 %. Of the higher concurrencies that were tried (up to 900)',
  )
  const [unusable] = RESULT.combinations
  t.equal(
    recommendationFor(undefined, unusable ? [unusable] : [], TRIED, RESULT.measurements),
    'No combination can be used: the process needs 300 MB.',
  )
  t.equal(recommendationFor(undefined, [], TRIED, []), 'No combination can be used: nothing was measured.')
})

test('equal concurrencies and inexact figures are named in one line', async (t) => {
  const best = combination({ goodput: 100 })
  const line = (...figures: Parameters<typeof measurement>[0][]) =>
    uncertaintyOf(best, [best], figures.map(measurement), false)
  const range = (...figures: Parameters<typeof measurement>[0][]) => equalRange(best, [best], figures.map(measurement))
  const own = { goodput: 100, margin: 0.02 }
  const equal = { concurrency: 60, goodput: 103, margin: 0.03 }
  const worse = { concurrency: 20, goodput: 80, margin: 0.03 }
  t.equal(line(own, worse), null)
  t.equal(
    uncertaintyOf(best, [best], [measurement(own)], true),
    'The estimated time was over before all nearby concurrencies were compared. For a more exact result, run tune again on a quiet machine.',
  )
  t.equal(range(own, worse), null)
  t.equal(
    line(own, equal, worse),
    'The concurrencies 40 to 60 are equal: their records per second (up to ±3 %) do not differ clearly.',
  )
  t.strictSame(range(own, equal, worse), { least: 40, most: 60 })
  t.equal(
    line(own, { concurrency: 20, goodput: 70, margin: 0.24 }, { ...equal, margin: 0.24 }),
    'The concurrencies 40 to 60 are equal: their records per second (up to ±24 %) do not differ clearly. For a more exact result, run tune again on a quiet machine.',
  )
  t.equal(
    line({ ...own, margin: 0.061 }),
    'The records per second are exact only to ±7 %. For a more exact result, run tune again on a quiet machine.',
  )
  t.strictSame(range(own, { ...equal, margin: null }, { ...equal, problem: 'no' }), null, 'not exact, or unusable')
})

test('a confirmed recommendation is compared with the confirmed figures of its memory size', async (t) => {
  const confirmed = (concurrency: number, goodput: number, memory = 512) =>
    combination({ memory, concurrency, goodput, origin: 'confirmed' })
  const best = confirmed(40, 100)
  const all = [confirmed(20, 80), best, confirmed(80, 101), confirmed(160, 100, 1769)]
  t.strictSame(equalRange(best, all, [measurement({ concurrency: 300 })]), { least: 40, most: 80 })
})

test('if no figure is better than ±25 %, there is no recommendation, and the text says why', async (t) => {
  const inexact = combination({ margin: 0.26 })
  t.equal(
    recommendationFor(undefined, [inexact], TRIED, []),
    'There is no recommendation, because no goodput is known to ±25 %. Run tune again on a quiet machine.',
  )
  const tooSmall = combination({ problem: 'the process needs 300 MB' })
  const scanned = combination({ concurrency: 10, margin: null })
  t.equal(
    recommendationFor(undefined, [scanned, tooSmall], TRIED, [
      measurement(),
      measurement({ concurrency: 10, margin: null }),
    ]),
    'No combination can be used: the process needs 300 MB.',
    'the best concurrency is exact, but cannot be used',
  )
})

test('if the range may have ended too early, the recommendation says so', async (t) => {
  /** The last sentences of the recommendation. The first combination is the best. */
  function reasons(figures: readonly Partial<Combination>[], { most = 40, batchSize = 1000 } = {}) {
    const combinations = figures.map((each) => combination(each))
    const plan = { ...TRIED, most, workload: { environments: 1, batchSize } }
    return recommendationFor(combinations[0], combinations, plan, []).split('cheaper. ')[1]
  }
  const upTo40 = 'Of the higher concurrencies that were tried (up to 40), no usable one is clearly faster.'
  const notTried = 'No higher concurrency was tried.'
  const raise = 'A concurrency above 40, the end of the range, may be faster: raise --concurrency.'

  const atEnd = { concurrency: 40 }
  t.equal(reasons([{ concurrency: 34 }, atEnd]), `${upTo40} ${raise}`)
  t.equal(reasons([{ concurrency: 21 }, atEnd]), `${upTo40} ${raise}`, 'more than half of the end')
  t.equal(reasons([{ concurrency: 20 }, atEnd]), upTo40, 'half of the end')
  t.equal(reasons([atEnd]), `${notTried} ${raise}`)
  t.equal(reasons([atEnd], { batchSize: 40 }), 'No higher concurrency was tried, because a batch has 40 records.')
  t.equal(reasons([{ concurrency: 34 }, atEnd], { batchSize: 40 }), upTo40, 'more than a batch cannot be in flight')
  t.equal(reasons([{ concurrency: 34 }, atEnd], { most: 60 }), upTo40, 'the search ended before the end of the range')
  t.equal(reasons([atEnd], { most: 60 }), notTried, 'the run was interrupted')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, goodput: 953 }]), `${upTo40} ${raise}`, 'equal apart from noise')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, goodput: 952 }]), upTo40, 'the goodput falls')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, problem: 'it is too slow' }]), upTo40, 'the end cannot be used')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, memory: 128 }]), notTried, 'of the same memory')
  t.equal(
    reasons([{ concurrency: 10 }, { ...atEnd, goodput: 1080 }]),
    'Other concurrencies may be up to 8 % faster, but this depends on predictions, which are not that exact.',
  )
})
