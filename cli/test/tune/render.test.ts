import { PassThrough } from 'node:stream'
import { test } from 'tap'
import type { TuneResult } from '../../src/tune/figures/result.ts'
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
