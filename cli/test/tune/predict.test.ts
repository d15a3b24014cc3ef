import { test } from 'tap'
import { batchTimes, coresOf, predict, toCombination } from '../../src/tune/predict.ts'
import { costPerMillion, pricesFor, type Workload } from '../../src/tune/prices.ts'
import { measurement } from '../support/combinations.ts'

const prices = pricesFor('x86_64', false)
const WORKLOAD: Workload = { environments: 1, batchSize: 1000, bodyBytes: 100, prices, timeout: 30 }

test('if the memory gives a full core, a combination has the measured figures', async (t) => {
  const measured = measurement({ goodput: 1000, cpuPerRecord: 0.5 })
  const { goodput, p50, p95, origin, problem } = predict(measured, 1769, WORKLOAD, [measured])
  t.strictSame(
    { goodput, p50, p95, origin, problem },
    { goodput: 1000, p50: 10, p95: 20, origin: 'measured', problem: undefined },
  )
})

test('with less memory, the CPU share limits the goodput, and records take longer by the same factor', async (t) => {
  // A quarter of a core is 250 CPU milliseconds per second: 250 ÷ 0.5 = 500 records.
  const measured = measurement({ goodput: 1000, cpuPerRecord: 0.5, peakMemory: 100 })
  const { goodput, p50, p95, cpuPerRecord, origin } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.strictSame(
    { goodput, p50, p95, cpuPerRecord, origin },
    { goodput: 500, p50: 20, p95: 40, cpuPerRecord: 0.5, origin: 'predicted' },
  )
})

test('with less memory, the first records of a batch take longer to start', async (t) => {
  // The batch takes 10 s. The first 40 records use 20 ms of CPU, which takes 60 ms longer with a quarter of a core.
  const measured = measurement({ goodput: 100, cpuPerRecord: 0.5 })
  const { goodput, origin } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.strictSame({ goodput: goodput.toFixed(6), origin }, { goodput: (1000 / 10.06).toFixed(6), origin: 'predicted' })
})

test('if all records of a batch start at once, all their CPU time is added', async (t) => {
  const measured = measurement({ concurrency: 5000, goodput: 1000, cpuPerRecord: 0.1 })
  const { goodput } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.equal(goodput.toFixed(6), (1000 / 1.3).toFixed(6))
})

test('above the knee, only as many records as at the knee take longer to start', async (t) => {
  // The batch takes 10 s. The first 20 records use 10 ms of CPU, which takes 30 ms longer with a quarter of a core.
  const knee = measurement({ concurrency: 20, goodput: 100, cpuPerRecord: 0.5 })
  const measured = measurement({ concurrency: 500, goodput: 100, cpuPerRecord: 0.5 })
  const { goodput } = predict(measured, 1769 / 4, WORKLOAD, [knee, measured])
  t.equal(goodput.toFixed(6), (1000 / 10.03).toFixed(6))
})

test('a batch of one record takes its waiting time and its longer CPU time', async (t) => {
  // The batch takes 10 ms, 2 of them CPU. With a quarter of a core, it takes 8 + 4 × 2 ms.
  const measured = measurement({ goodput: 100, cpuPerRecord: 2 })
  const { goodput } = predict(measured, 1769 / 4, { ...WORKLOAD, batchSize: 1 }, [measured])
  t.equal(goodput.toFixed(6), (1000 / 16).toFixed(6))
})

test('the first records of each environment take longer to start', async (t) => {
  // A batch takes 10 s in each of the 2 environments. The first 40 records use 20 ms of CPU, which takes 60 ms longer.
  const measured = measurement({ goodput: 200, cpuPerRecord: 0.5 })
  const { goodput } = predict(measured, 1769 / 4, { ...WORKLOAD, environments: 2 }, [measured])
  t.equal(goodput.toFixed(6), (2000 / 10.06).toFixed(6))
})

test('failed records count like successful ones, because the CPU time per record includes theirs', async (t) => {
  // 10 of 1,000 records succeed in 10 s and use 50 ms of CPU each. The first 40 records use 20 ms of them.
  const measured = measurement({ goodput: 1, failedShare: 0.99, cpuPerRecord: 50 })
  const { goodput } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.equal(goodput.toFixed(6), (10 / 10.06).toFixed(6))
})

test('if no record succeeds, the predicted goodput is 0, and the durations of the failed records stay', async (t) => {
  const none = measurement({ goodput: 0, failedShare: 1, cpuPerRecord: null })
  const slowed = predict(measurement({ goodput: 100 }), 1769, WORKLOAD, [], 0)
  for (const { goodput, p50, p95 } of [predict(none, 1769 / 4, WORKLOAD, [none]), slowed]) {
    t.strictSame({ goodput, p50, p95 }, { goodput: 0, p50: 10, p95: 20 })
  }
})

test('if no record ran, there are no durations', async (t) => {
  const measured = measurement({ cpuPerRecord: 0.5, p50: null, p95: null })
  const { p50, p95 } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.strictSame({ p50, p95 }, { p50: null, p95: null })
})

test('without an exact measurement, as many records take longer to start as this concurrency has', async (t) => {
  // The batch takes 10 s. The first 500 records use 250 ms of CPU, which takes 750 ms longer with a quarter of a core.
  const measured = measurement({ concurrency: 500, goodput: 100, margin: null, cpuPerRecord: 0.5 })
  const { goodput } = predict(measured, 1769 / 4, WORKLOAD, [measured])
  t.equal(goodput.toFixed(6), (1000 / 10.75).toFixed(6))
})

test('a correction applies to the predicted goodput, which is then not a measured one', async (t) => {
  const { goodput, p50, origin } = predict(measurement({ goodput: 1000 }), 1769, WORKLOAD, [], 0.5)
  t.strictSame({ goodput, p50, origin }, { goodput: 500, p50: 20, origin: 'predicted' })
})

test('a full batch takes the time of its successful records, and the timeout leaves what is not reserved', async (t) => {
  // 1,000 records, of which 800 succeed, at 50 per second in each of 4 environments. With a quarter of a core, the
  // reserve is (1,000 × 0.008 ms + 40 in flight × 0.25 ms + 50 ms) × 4 = 272 ms, but at least 1,000 ms.
  const figures = { memory: 1769 / 4, concurrency: 40, goodput: 200, failedShare: 0.2 }
  t.strictSame(batchTimes(figures, { environments: 4, batchSize: 1000, timeout: 30 }), {
    needed: 16_000,
    available: 29_000,
  })
})

test('if records use no CPU that can be measured, less memory does not change the goodput', async (t) => {
  const measured = measurement({ goodput: 100, cpuPerRecord: null })
  const { goodput, origin } = predict(measured, 128, WORKLOAD, [measured])
  t.strictSame({ goodput, origin }, { goodput: 100, origin: 'predicted' })
})

test('a handler that used one core is predicted to use at most one core', async (t) => {
  const measured = measurement({ goodput: 2000, cpuPerRecord: 0.5 })
  for (const [memory, expected] of [
    [1769 / 2, 1000],
    [1769, 2000],
    [10_240, 2000],
  ] as const) {
    t.equal(predict(measured, memory, WORKLOAD, [measured]).goodput, expected)
  }
})

test('a handler that used 1.6 cores is predicted to use up to 1.6 cores', async (t) => {
  // A record needs 1.6 ÷ 3,200 s of CPU = 0.5 ms.
  const measured = measurement({ goodput: 3200, cpuPerRecord: 0.5 })
  t.equal(coresOf(measured, WORKLOAD), 1.6)
  t.equal(coresOf(measured, { environments: 2 }), 1)
  t.equal(coresOf({ ...measured, cpuPerRecord: null }, WORKLOAD), 1)
  const figures = (memory: number) => {
    const { goodput, origin } = predict(measured, memory, WORKLOAD, [measured])
    return `${goodput} ${origin}`
  }
  t.equal(figures(1769), '2000 predicted', 'one core')
  t.equal(figures(1.5 * 1769), '3000 predicted')
  t.equal(figures(3538), '3200 measured', 'all cores that it used')
  t.equal(figures(10_240), '3200 measured')
})

test('each environment has its own CPU share', async (t) => {
  const measured = measurement({ goodput: 3000, cpuPerRecord: 0.5 })
  const { goodput } = predict(measured, 1769 / 4, { ...WORKLOAD, environments: 4 }, [measured])
  t.equal(goodput, 2000)
})

test('problems: memory, failures, timeout, nothing succeeded', async (t) => {
  function problemOf(changes: Parameters<typeof measurement>[0], memory = 1769, workload = WORKLOAD) {
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
  // A small function reserves more for the end of a batch:
  // (10,000 × 0.008 ms + 40 in flight × 0.25 ms + 50 ms) ÷ (128 ÷ 1,769) = 1.93 s.
  const large = { ...WORKLOAD, batchSize: 10_000 }
  t.equal(problemOf({ goodput: 10_000 / 28.0, peakMemory: 100, cpuPerRecord: null }, 128, large), undefined)
  t.equal(
    problemOf({ goodput: 10_000 / 28.2, peakMemory: 100, cpuPerRecord: null }, 128, large),
    'a batch of 10,000 records takes about 28.2 s, but the timeout of 30 s leaves 28.1 s',
  )
})

test('a combination has the figures of its measurement, and the problem of the memory that is needed', async (t) => {
  const { isConfident, rounds, batches, causes, cores, ...figures } = measurement({ goodput: 400, peakMemory: 100 })
  const costs = costPerMillion(128, 400, 0, WORKLOAD)
  const expected = { ...figures, memory: 128, costPerMillion: costs, origin: 'confirmed', problem: undefined }
  const made = measurement(figures)
  t.strictSame(toCombination(made, 128, 'confirmed', WORKLOAD, []), expected)
  const problem = 'the process needs 103 MB, more than 80 % of the memory'
  t.strictSame(toCombination(made, 128, 'confirmed', WORKLOAD, [], 102.5), { ...expected, problem })
})

test('cost: a batch of 1,000 in 1 s with 1,024 MB', async (t) => {
  // 1,000 invocations of 1 GB-s, 1,000 requests, 100,000 receives and 100,000 deletes.
  const expected = 1000 * 0.0000166667 + 0.001 * 0.2 + 0.2 * 0.4
  t.equal(costPerMillion(1024, 1000, 0, WORKLOAD)?.toFixed(9), expected.toFixed(9))
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

test('prices: architecture, FIFO, and --price', async (t) => {
  t.strictSame(pricesFor('x86_64', false), { gbSecond: 0.0000166667, requests: 0.2, sqs: 0.4 })
  t.strictSame(pricesFor('arm64', true), { gbSecond: 0.0000133334, requests: 0.2, sqs: 0.5 })
  t.strictSame(pricesFor('arm64', true, ['gb-second=0.00002', 'requests=0', 'sqs=1']), {
    gbSecond: 0.00002,
    requests: 0,
    sqs: 1,
  })
  for (const wrong of ['sqs', 'sqs=', 'sqs=-1', 'sqs=Infinity', 'toString=1', 'lambda=1', '=1']) {
    t.throws(() => pricesFor('arm64', false, [wrong]), { name: 'UsageError', message: /^--price .* is not a price/ })
  }
})
