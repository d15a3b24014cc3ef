import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { type Test, test } from 'tap'
import type { Combination } from '../../src/tune/figures/result.ts'
import { equalRange, recommendationFor, uncertaintyOf, unknownsOf } from '../../src/tune/recommend.ts'
import { combination, measurement } from '../support/combinations.ts'

const BEST = combination({ memory: 512, concurrency: 40, origin: 'confirmed', costPerMillion: 0.1234567 })
const TOO_SMALL = combination({ memory: 128, problem: 'the process needs 300 MB' })
const MEASUREMENTS = [measurement(), measurement({ concurrency: 900, failedShare: 0.123 })]
const COMBINATIONS = [
  TOO_SMALL,
  BEST,
  combination({ memory: 512, concurrency: 900, origin: 'confirmed', problem: '12.3 % of the records failed' }),
]

const TRIED = { most: 900, optimize: 'cost', workload: { environments: 1, batchSize: 1000 } } as const

test('the recommendation names the combination, its figures, how they were obtained, and the reason', async (t) => {
  const workload = { ...TRIED.workload, environments: 4 }
  t.equal(
    recommendationFor(BEST, COMBINATIONS, { ...TRIED, optimize: 'speed', workload }, MEASUREMENTS),
    '512 MB, and a concurrency of 40 in each of 4 environments: 1,000 records/s for $0.123 per million messages (confirmed, ±2 %). ' +
      'No other memory size of about the same speed is more than 5 % cheaper. Of the combinations that were tried (concurrency up to 900), no usable one is clearly faster.',
  )
  t.match(
    recommendationFor(BEST, COMBINATIONS, TRIED, MEASUREMENTS),
    /in one environment: .* No other memory size is more than 5 % cheaper\. Of the higher concurrencies that were tried \(up to 900\), no usable one is clearly faster\.$/,
  )
  t.match(
    recommendationFor(BEST, COMBINATIONS, { ...TRIED, optimize: 'balanced' }, MEASUREMENTS),
    'No other memory size lowers cost × time by more than 5 %. Of the higher concurrencies that were tried (up to 900)',
  )
  t.match(
    recommendationFor({ ...BEST, origin: 'predicted' }, COMBINATIONS, TRIED, MEASUREMENTS),
    '512 MB, and a concurrency of 40 in one environment: 1,000 records/s for $0.123 per million messages (predicted from a measurement with ±2 %). ',
  )
  t.equal(
    recommendationFor(undefined, [TOO_SMALL], TRIED, MEASUREMENTS),
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
  t.equal(line({ ...own, margin: 0.05 }), null, 'exactly ±5 %')
  t.equal(
    line(own, { ...equal, margin: 0.05 }),
    'The concurrencies 40 to 60 are equal: their records per second (up to ±5 %) do not differ clearly.',
  )
  t.strictSame(range(own, { ...equal, margin: null }, { ...equal, problem: 'no' }), null, 'not exact, or unusable')
})

test('a confirmed recommendation is compared with the confirmed figures of its memory size', async (t) => {
  const confirmed = (concurrency: number, goodput: number, memory = 512) =>
    combination({ memory, concurrency, goodput, origin: 'confirmed' })
  const best = confirmed(40, 100)
  const predicted = combination({ memory: 512, concurrency: 120, goodput: 100, origin: 'predicted' })
  const all = [confirmed(20, 80), best, confirmed(80, 101), confirmed(160, 100, 1769), predicted]
  t.strictSame(equalRange(best, all, [measurement({ concurrency: 300 })]), { least: 40, most: 80 })
})

test('if no figure is better than ±25 %, there is no recommendation, and the text says why', async (t) => {
  const inexact = combination({ margin: 0.26 })
  t.equal(
    recommendationFor(undefined, [inexact], TRIED, []),
    'There is no recommendation, because no goodput is known to ±25 %. Run tune again on a quiet machine.',
  )
  t.match(
    recommendationFor(undefined, [{ ...inexact, origin: 'confirmed' }], TRIED, MEASUREMENTS),
    'There is no recommendation, ',
    'the confirmation is not exact',
  )
  const crashed = combination({ margin: null, problem: 'the process ended with exit code 1' })
  t.equal(
    recommendationFor(undefined, [crashed], TRIED, []),
    'No combination can be used: the process ended with exit code 1.',
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
  const equal = [{ concurrency: 34, goodput: 1050 }, atEnd]
  t.equal(reasons(equal), `${upTo40} ${raise}`, 'equal apart from noise')
  t.equal(reasons([{ concurrency: 34, goodput: 1051 }, atEnd]), upTo40, 'the goodput falls')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, problem: 'it is too slow' }]), upTo40, 'the end cannot be used')
  t.equal(reasons([{ concurrency: 34 }, { ...atEnd, memory: 128 }]), notTried, 'of the same memory')
})

test('the recommendation says if another concurrency may be faster, and otherwise what was compared', async (t) => {
  function aboutSpeed(optimize: 'speed' | 'cost', others: readonly Partial<Combination>[]) {
    const best = combination({ concurrency: 40, goodput: 1000 })
    const combinations = [best, ...others.map((each) => combination({ concurrency: 80, ...each }))]
    return recommendationFor(best, combinations, { ...TRIED, optimize }, []).split('cheaper. ')[1]
  }
  const faster = (percent: number) =>
    `Other concurrencies may be up to ${percent} % faster, but this depends on predictions, which are not that exact.`
  const none = 'Of the higher concurrencies that were tried (up to 80), no usable one is clearly faster.'
  t.equal(aboutSpeed('cost', [{ goodput: 1080 }, { goodput: 1060 }]), faster(8))
  t.equal(aboutSpeed('cost', [{ goodput: 1051 }]), faster(5))
  t.equal(aboutSpeed('cost', [{ goodput: 1050 }]), none, 'equal apart from noise')
  t.equal(aboutSpeed('cost', [{ goodput: 2000, problem: 'it needs more memory' }]), none, 'cannot be used')
  t.equal(aboutSpeed('cost', [{ goodput: 2000, margin: 0.26 }]), none, 'not exact')
  t.equal(aboutSpeed('cost', [{ goodput: 2000, memory: 3538 }, {}]), none, 'another memory size')
  t.equal(aboutSpeed('speed', [{ goodput: 2000, memory: 3538 }]), faster(100), 'another memory size')
  t.equal(
    aboutSpeed('speed', [{}]),
    'Of the combinations that were tried (concurrency up to 80), no usable one is clearly faster.',
  )
})

test('if more than 1 % of the records failed, the recommendation says whether the concurrency may be the cause', async (t) => {
  function aboutFailures(failedShare: number, others: readonly Partial<Combination>[]) {
    const best = combination({ concurrency: 40, failedShare })
    const combinations = [best, ...others.map((each) => combination({ failedShare, ...each }))]
    return recommendationFor(best, combinations, TRIED, []).split(' is clearly faster.')[1]
  }
  const rest =
    'The records per second include only successful records. Find the cause first: failed records can take less time ' +
    'than others, so the figures can be wrong.'
  const maybe = `. The concurrency may cause these failures, so try a wider range with --concurrency. ${rest}`
  const isNot = `, and about as many failed at every other concurrency that can be used. So the concurrency does not cause these failures. ${rest}`
  const double = { concurrency: 80 }
  t.equal(aboutFailures(0.01, [double]), '')
  t.equal(aboutFailures(0.011, [double]), ` But 1.1 % of the records failed${isNot}`)
  t.equal(aboutFailures(0.2, [double]), ` But 20 % of the records failed${isNot}`)
  t.equal(aboutFailures(0.2, [{ concurrency: 79 }]), ` But 20 % of the records failed${maybe}`, 'too close')
  const unusable = { concurrency: 400, problem: '90 % of the records failed' }
  t.equal(aboutFailures(0.2, [{ concurrency: 79 }, unusable]), ` But 20 % of the records failed${maybe}`)
  const fewer = { concurrency: 80, failedShare: 0.1 }
  t.equal(aboutFailures(0.2, [fewer]), ` But 20 % of the records failed${maybe}`, 'fewer failed at 80')
})

/** Sets the processors of the machine until the end of the test. */
function setMachine(t: Test, models: readonly string[], cores: number) {
  t.teardown(syncBuiltinESMExports) // the last teardown, after tap has restored the functions
  t.intercept(os, 'cpus', { value: () => models.map((model) => ({ model })) })
  t.intercept(os, 'availableParallelism', { value: () => cores })
  syncBuiltinESMExports()
}

test('what a run cannot measure depends on the handler, the environments and the load of the machine', async (t) => {
  setMachine(t, [' Xeon 8375C @ 2.90GHz '], 4)
  const always = [
    "The processor: Lambda's can be faster or slower than that of this machine (Xeon 8375C @ 2.90GHz).",
    'The network: a call from Lambda to the downstream can take more or less time.',
    'The real downstream: if the environment variables point to a substitute, tune found the limits of the substitute.',
    'The memory of extensions: Lambda counts it, and tune measured only the process.',
    'The prices: tune used those of us-east-1, November 2026, unless --price is given. The cost does not include cold starts, empty receives, and the sending of messages.',
  ]
  const quiet = [measurement({ cores: 3.4 })]
  t.strictSame(unknownsOf(2, quiet, false), always)
  t.strictSame(unknownsOf(1, quiet, true), [
    ...always,
    'The bundled handler: the measured one is TypeScript, for which Node needs about 15 MB more.',
    'Other environments: without MaximumConcurrency, Lambda starts more of them, and they share the downstream.',
  ])
  t.strictSame(unknownsOf(2, [...quiet, measurement({ cores: 3.41 })], false), [
    ...always,
    'The goodput with more CPU: it may be higher, because the environments used nearly all 4 cores of this machine.',
  ])
})

test('if the processor is not known, the recommendation says so', async (t) => {
  setMachine(t, [], 4)
  t.match(unknownsOf(2, [], false)[0], 'than that of this machine (unknown).')
})
