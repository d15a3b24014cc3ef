import { test } from 'tap'
import {
  CONCURRENCY,
  choose,
  combinationsOf,
  MEMORIES,
  memoriesOf,
  type Plan,
  predict,
  withFittingBatches,
} from '../../src/tune/predict.ts'
import { costPerMillion, type Workload } from '../../src/tune/prices.ts'
import type { Combination, Measurement, Optimize } from '../../src/tune/result.ts'
import { measurement } from '../support/combinations.ts'

const WORKLOAD: Workload = { environments: 1, batchSize: 1000, bodyBytes: 100, fifo: false, timeout: 30 }

function goodputAt(memory: number, changes: Partial<Measurement>, workload = WORKLOAD) {
  const measured = measurement(changes)
  const { goodput, origin } = predict(measured, memory, workload, [measured])
  return `${goodput.toFixed(3)} ${origin}`
}

test('a full core has the measured goodput, and less memory a share of the CPU', async (t) => {
  t.equal(goodputAt(1769, { goodput: 1000, cpuPerRecord: 0.5 }), '1000.000 measured')
  // A quarter of a core is 250 CPU milliseconds per second: 250 ÷ 0.5 = 500 records.
  t.equal(goodputAt(1769 / 4, { goodput: 1000, cpuPerRecord: 0.5 }), '500.000 predicted')
  const workload = { ...WORKLOAD, environments: 4 }
  t.equal(goodputAt(1769 / 4, { goodput: 3000, cpuPerRecord: 0.5 }, workload), '2000.000 predicted', 'a share each')
  t.equal(goodputAt(128, { goodput: 100, cpuPerRecord: null }), '100.000 predicted', 'no CPU that can be measured')
})

test('with less memory, the first records of a batch take longer to start', async (t) => {
  // The batch takes 10 s. The first 40 records use 20 ms of CPU, which takes 60 ms longer with a quarter of a core.
  t.equal(goodputAt(1769 / 4, { goodput: 100, cpuPerRecord: 0.5 }), `${(1000 / 10.06).toFixed(3)} predicted`)
  const all = { concurrency: 5000, goodput: 1000, cpuPerRecord: 0.1 }
  t.equal(goodputAt(1769 / 4, all), `${(1000 / 1.3).toFixed(3)} predicted`, 'all records of a batch start at once')
  const one = { ...WORKLOAD, batchSize: 1 }
  // The batch takes 10 ms, 2 of them CPU. With a quarter of a core, it takes 8 + 4 × 2 ms.
  t.equal(goodputAt(1769 / 4, { goodput: 100, cpuPerRecord: 2 }, one), `${(1000 / 16).toFixed(3)} predicted`)
  // A batch takes 10 s in each of the 2 environments.
  const two = { ...WORKLOAD, environments: 2 }
  t.equal(goodputAt(1769 / 4, { goodput: 200, cpuPerRecord: 0.5 }, two), `${(2000 / 10.06).toFixed(3)} predicted`)
})

test('above the knee, only as many records as at the knee take longer to start', async (t) => {
  // The batch takes 10 s. The first 20 records use 10 ms of CPU, which takes 30 ms longer with a quarter of a core.
  const knee = measurement({ concurrency: 20, goodput: 100, cpuPerRecord: 0.5 })
  const measured = measurement({ concurrency: 500, goodput: 100, cpuPerRecord: 0.5 })
  const { goodput } = predict(measured, 1769 / 4, WORKLOAD, [knee, measured])
  t.equal(goodput.toFixed(6), (1000 / 10.03).toFixed(6))
})

test('a handler that used 1.6 cores is predicted to use up to 1.6 cores', async (t) => {
  const used = { goodput: 3200, cpuPerRecord: 0.5 }
  t.equal(goodputAt(1769, used), '2000.000 predicted', 'one core')
  t.equal(goodputAt(1.5 * 1769, used), '3000.000 predicted')
  t.equal(goodputAt(3538, used), '3200.000 measured', 'all cores that it used')
})

function planOf(changes: Partial<Plan> = {}): Plan {
  return { workload: WORKLOAD, memories: [512, 1769, 128], canUseMore: true, optimize: 'balanced', ...changes }
}

test('more memory than that of one core is compared if the handler used several cores', async (t) => {
  const memories = (cpuPerRecord: number | null, changes: Partial<Plan> = {}) =>
    memoriesOf(planOf(changes), [measurement({ goodput: 1000, cpuPerRecord })])
  t.strictSame(memories(1.2), [128, 512, 1769])
  t.strictSame(memories(1.21), [128, 512, 1769, 3538])
  t.strictSame(memories(2), [128, 512, 1769, 3538])
  t.strictSame(memories(2.5), [128, 512, 1769, 3538, 5307])
  t.strictSame(memories(99), [128, 512, 1769, 3538, 5307, 7076, 8845, 10_240])
  t.strictSame(memories(2.5, { canUseMore: false }), [128, 512, 1769])
  t.strictSame(memories(2.5, { workload: { ...WORKLOAD, environments: 2 } }), [128, 512, 1769, 3538])
  t.strictSame(memories(null), [128, 512, 1769])
})

test('problems: memory, failures, timeout, nothing succeeded', async (t) => {
  function problemOf(changes: Partial<Measurement>, memory = 1769, workload = WORKLOAD) {
    const changed = measurement(changes)
    return predict(changed, memory, workload, [measurement(), changed]).problem
  }
  t.equal(problemOf({}), undefined)
  t.equal(problemOf({ peakMemory: 240.2 }, 300), 'the process needs 241 MB, more than 80 % of the memory')
  t.equal(problemOf({ peakMemory: 240 }, 300), undefined)
  t.equal(problemOf({ failedShare: 0.01 }), undefined)
  t.equal(problemOf({ failedShare: 0.25, causes: { 'Error: EMFILE': 3 } }), '25 % of the records failed: Error: EMFILE')
  t.equal(problemOf({ goodput: 0, failedShare: 1, causes: { 'Error: no': 3 } }), 'no record succeeded: Error: no')
  t.equal(problemOf({ goodput: 0, failedShare: 1 }), 'no record succeeded')
  t.equal(problemOf({ peakMemory: null }), undefined)
  t.equal(problemOf({ problem: 'the process ended with exit code 1' }), 'the process ended with exit code 1')
  t.equal(problemOf({ goodput: 8 }, 1769, { ...WORKLOAD, timeout: 126 }), undefined, '125 s of 126 s')
  t.equal(
    problemOf({ goodput: 1000 / 29.1 }),
    'a batch of 1,000 records takes about 29.1 s, but the timeout of 30 s leaves 29.0 s',
  )
  // A batch of each environment has 800 records that succeed, 50 a second.
  const some = measurement({ goodput: 200, failedShare: 0.2 })
  t.equal(
    predict(some, 1769, { ...WORKLOAD, environments: 4, timeout: 16 }, [some]).problem,
    'a batch of 1,000 records takes about 16.0 s, but the timeout of 16 s leaves 15.0 s',
  )
  const none = measurement({ goodput: 0, failedShare: 1 })
  t.equal(predict(none, 512, WORKLOAD, [none]).problem, 'no record succeeded', 'there is no best concurrency')
  // A small function reserves more for the end of a batch:
  // (10,000 × 0.008 ms + 40 in flight × 0.25 ms + 50 ms) ÷ (128 ÷ 1,769) = 1.93 s.
  const large = { ...WORKLOAD, batchSize: 10_000 }
  t.equal(problemOf({ goodput: 10_000 / 28.0, cpuPerRecord: null }, 128, large), undefined)
  t.equal(
    problemOf({ goodput: 10_000 / 28.2, cpuPerRecord: null }, 128, large),
    'a batch of 10,000 records takes about 28.2 s, but the timeout of 30 s leaves 28.1 s',
  )
})

test('there is a combination for each memory size and concurrency, and a check replaces the memory that is needed', async (t) => {
  const measurements = [measurement({ concurrency: 50, peakMemory: 405 }), measurement({ peakMemory: 420 })]
  const checks = new Map([
    [512, measurement({ peakMemory: 300 })],
    [128, measurement({ peakMemory: 110, problem: 'it died' })],
  ])
  const usable = combinationsOf({ measurements, checks }, planOf()).map(
    ({ memory, concurrency, problem }) => `${memory} × ${concurrency}: ${problem}`,
  )
  t.strictSame(usable, [
    '128 × 40: it died',
    '128 × 50: it died',
    '512 × 40: undefined',
    '512 × 50: undefined',
    '1769 × 40: undefined',
    '1769 × 50: undefined',
  ])
})

test('a memory size is usable only if every measured concurrency up to this one fits into it', async (t) => {
  const measurements = [
    measurement({ concurrency: 10, goodput: 500, peakMemory: 230 }),
    measurement({ concurrency: 40, peakMemory: 180 }),
    measurement({ concurrency: 400, peakMemory: 900 }),
  ]
  function usable(checks: Map<number, Measurement>) {
    const combinations = combinationsOf({ measurements, checks }, planOf({ memories: [256, 1769] }))
    return combinations.map(({ memory, concurrency, problem }) => `${memory} × ${concurrency}: ${problem}`)
  }
  const needs = (megabytes: number) => `the process needs ${megabytes} MB, more than 80 % of the memory`
  const large = ['1769 × 10: undefined', '1769 × 40: undefined', '1769 × 400: undefined']
  t.strictSame(usable(new Map()), [
    `256 × 10: ${needs(230)}`,
    `256 × 40: ${needs(230)}`,
    `256 × 400: ${needs(900)}`,
    ...large,
  ])
  const check = measurement({ concurrency: 40, peakMemory: 140 })
  t.strictSame(
    usable(new Map([[256, check]])),
    ['256 × 10: undefined', '256 × 40: undefined', `256 × 400: ${needs(900)}`, ...large],
    'a check at 40 says nothing about 400',
  )
})

test('if full batches do not end in time with any memory size, smaller ones are planned', async (t) => {
  const planned = (changes: Partial<Measurement>, timeout: number, memories = [128, 1769]) => {
    const findings = { measurements: [measurement(changes)], checks: new Map() }
    const plan = planOf({ workload: { ...WORKLOAD, timeout }, memories })
    return withFittingBatches(findings, plan).workload.batchSize
  }
  t.equal(planned({ goodput: 50 }, 30), 1000, '20 s of 29')
  t.equal(planned({ goodput: 20 }, 30), 512, '50 s: 1,000, 800, 640 and 512 are tried')
  t.equal(planned({ goodput: 20, peakMemory: 5000 }, 30), 1000, 'if another problem remains, they are full')
  t.equal(planned({ goodput: 0.01 }, 30), 1000, 'a single record takes 100 s')
})

test('the recommended memory depends on what is optimized, at the best concurrency', async (t) => {
  const best = (optimize: Optimize, changes: Partial<Measurement> = {}) => {
    const measurements = [
      measurement({ concurrency: 20, goodput: 900 }),
      measurement(changes),
      measurement({ concurrency: 80 }),
    ]
    const plan = planOf({ memories: [128, 256, 512, 1024, 1769], optimize })
    const chosen = choose(combinationsOf({ measurements, checks: new Map() }, plan), measurements, optimize)
    return chosen && `${chosen.memory} × ${chosen.concurrency}`
  }
  // Records use 0.1 ms of CPU, so 256 MB give 1,000 records/s.
  t.equal(best('cost'), '128 × 40')
  t.equal(best('balanced', { cpuPerRecord: 0.5 }), '1024 × 40')
  t.equal(best('speed', { cpuPerRecord: 0.5 }), '1024 × 40')
  t.equal(best('speed', { cpuPerRecord: 0.9 }), '1769 × 40')
  t.equal(best('cost', { peakMemory: 300 }), '512 × 40')
  t.equal(best('cost', { peakMemory: 3000 }), undefined, 'another concurrency is not taken instead')
})

test('cost: a batch of 1,000 in 1 s with 1,024 MB', async (t) => {
  // 1,000 invocations of 1 GB-s, 1,000 requests, 100,000 receives and 100,000 deletes.
  const expected = 1000 * 0.0000166667 + 0.001 * 0.2 + 0.2 * 0.4
  t.equal(costPerMillion(1024, 1000, 0, WORKLOAD)?.toFixed(9), expected.toFixed(9))
  const fifo = { ...WORKLOAD, fifo: true }
  t.equal(costPerMillion(1024, 1000, 0, fifo)?.toFixed(9), (expected + 0.2 * 0.1).toFixed(9))
})

test('cost: environments that share the goodput take longer', async (t) => {
  const expected = 1000 * 4 * 0.0000166667 + 0.001 * 0.2 + 0.2 * 0.4
  t.equal(costPerMillion(1024, 1000, 0, { ...WORKLOAD, environments: 4 })?.toFixed(9), expected.toFixed(9))
})

test('cost: failed records are delivered again', async (t) => {
  // Half of each batch succeeds: 2,000 invocations of 0.5 s, 200,000 receives and 100,000 deletes.
  const expected = 2000 * 0.5 * 0.0000166667 + 0.002 * 0.2 + 0.3 * 0.4
  t.equal(costPerMillion(1024, 1000, 0.5, WORKLOAD)?.toFixed(9), expected.toFixed(9))
  t.equal(costPerMillion(1024, 0, 1, WORKLOAD), null)
})

test('cost: durations are rounded up to a millisecond, and large bodies are billed per 64 KB', async (t) => {
  // A batch of 10 in 2.5 ms is billed as 3 ms. Ten bodies of 20,000 bytes are four requests.
  const workload = { ...WORKLOAD, batchSize: 10, bodyBytes: 20_000 }
  const expected = 100_000 * 0.003 * 0.125 * 0.0000166667 + 0.1 * 0.2 + (0.4 + 0.1) * 0.4
  t.equal(costPerMillion(128, 4000, 0, workload)?.toFixed(9), expected.toFixed(9))
})

test('cost: a batch of 2 is received and deleted in calls of 2', async (t) => {
  const expected = 500_000 * 0.002 * 0.0000166667 + 0.5 * 0.2 + 1 * 0.4
  t.equal(costPerMillion(1024, 1000, 0, { ...WORKLOAD, batchSize: 2 })?.toFixed(9), expected.toFixed(9))
})

test('of memory sizes whose cost differs by at most 5 %, the smallest is chosen', async (t) => {
  const at = (memory: number, costPerMillion: number): Combination => ({
    ...{ memory, concurrency: 40, goodput: 1000, origin: 'measured', peakMemory: 100 },
    costPerMillion,
  })
  const best = (...combinations: Combination[]) => choose(combinations, [measurement()], 'cost')?.memory
  t.equal(best(at(128, 1.05), at(512, 1)), 128)
  t.equal(best(at(128, 1.06), at(512, 1)), 512)
  t.equal(choose([], [], 'cost'), undefined)
})

test('what is tried by default', async (t) => {
  t.strictSame(CONCURRENCY, { least: 10, most: 400 })
  t.strictSame(MEMORIES, [128, 256, 512, 1024, 1769])
})
