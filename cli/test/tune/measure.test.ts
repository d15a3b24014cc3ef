import { test } from 'tap'
import type { Usage } from '../../src/local/in-function/resource-usage.ts'
import { numberedMessages } from '../../src/local/queue/messages-file.ts'
import { ErrorCounter } from '../../src/shared/error-groups.ts'
import type { Candidate, MeasuredBatch } from '../../src/tune/environment.ts'
import { goodputOf, openRounds, type RoundOptions, toMeasurement } from '../../src/tune/measure.ts'
import { createSample } from '../../src/tune/sample.ts'

const NEVER = new AbortController().signal
const USAGE: Usage = { cpu: 30, peakMemory: 50, longestBlock: 0 }
const AT_20: Candidate = { concurrency: 20, memory: 1769, collects: false }

function batch(changes: Partial<MeasuredBatch> = {}): MeasuredBatch {
  return { succeeded: 100, failed: 0, causes: [], duration: 100, usage: USAGE, problem: undefined, ...changes }
}

function groupsOf(causes: Record<string, number>) {
  const counter = new ErrorCounter()
  for (const [text, count] of Object.entries(causes)) counter.add(text, count)
  return counter.groups()
}

/**
 * Environments with a clock of their own, in which each record takes `recordMs`. `log` has what happened: the start and
 * the end of environments, and the sizes of batches.
 */
function simulate(recordMs: number, { time = 180_000, batchSize = 1000, change = (_step: number) => ({}) } = {}) {
  let clock = 0
  let step = 0
  const log: string[] = []
  const options: RoundOptions = {
    async start({ concurrency, memory }) {
      log.push(`start ${concurrency}/${memory}`)
      return {
        pid: 0,
        async process(records) {
          const duration = Math.ceil(records.length / concurrency) * recordMs
          const changes: Partial<MeasuredBatch> = change(step++)
          log.push(String(records.length))
          clock += duration
          return batch({ succeeded: records.length, duration, ...changes })
        },
        async end() {
          log.push('end')
        },
      }
    },
    sample: createSample([...numberedMessages(10)], batchSize, false),
    time,
    signal: NEVER,
    now: () => clock,
  }
  return { options, log }
}

test('a candidate is warmed up once, and its environment keeps running', async (t) => {
  const { options, log } = simulate(10)
  const rounds = openRounds(options, { environments: 1, timeout: 30 })
  const first = await rounds.measure(AT_20)
  // 20 records take 10 ms, and 80 take 40 ms. 320 take 160 ms, so 500 ms are over with the next batch.
  t.strictSame(log, ['start 20/1769', '20', '80', '320', '1000', '1000', '1000'])
  t.equal(first.goodput, 2000)
  await rounds.measure(AT_20)
  t.strictSame(log.slice(7), ['1000', '1000'], 'a round of a second')
  await rounds.close()
  t.equal(log.at(-1), 'end')
})

test('the environments of a candidate end before those of the next one start', async (t) => {
  const { options, log } = simulate(1000)
  const rounds = openRounds(options, { environments: 2, timeout: 30 })
  await rounds.measure(AT_20)
  for (const changes of [{ concurrency: 30 }, { memory: 512 }, { collects: true }]) {
    log.length = 0
    await rounds.measure({ ...AT_20, ...changes })
    t.strictSame(
      log.filter((entry) => /start|end/.test(entry)).map((entry) => entry.slice(0, 5)),
      ['end', 'end', 'start', 'start'],
    )
  }
})

test('if records take long, batches are smaller, and always have the same size', async (t) => {
  // A batch may take 180 ÷ 40 = 4.5 s, so 40 records fit. They are two turns of 20 records.
  const { options, log } = simulate(2000)
  const rounds = openRounds(options, { environments: 1, timeout: 30 })
  await rounds.measure(AT_20)
  await rounds.measure({ ...AT_20, memory: 512 })
  t.strictSame(log, ['start 20/1769', '20', '40', 'end', 'start 20/512', '20', '40'])
  t.equal(rounds.batchSizeOf(20), 40)
  t.equal(rounds.batchSizeOf(30), undefined)
  const short = simulate(2000, { time: 30_000 })
  await openRounds(short.options, { environments: 1, timeout: 30 }).measure(AT_20)
  t.strictSame(short.log, ['start 20/1769', '20', '20'], 'at least one turn')
})

test('a problem ends the round and the environments', async (t) => {
  const { options, log } = simulate(100, { change: (step) => (step === 1 ? { problem: 'it died' } : {}) })
  const rounds = openRounds(options, { environments: 1, timeout: 30 })
  const { problem, batches } = await rounds.measure(AT_20)
  t.strictSame([problem, batches.length], ['it died', 0], 'the warm-up does not count')
  t.strictSame(log, ['start 20/1769', '20', '80', 'end'])
  const later = simulate(1000, { change: (step) => (step === 1 ? { problem: 'it died', failed: 50 } : {}) })
  const round = await openRounds(later.options, { environments: 1, timeout: 30 }).measure(AT_20)
  t.match(toMeasurement(20, [round]), { problem: 'it died', records: 130 })
  t.equal(later.log.at(-1), 'end')
})

test('a batch takes at most 70 % of the timeout, so that the library does not end it early', async (t) => {
  const { options, log } = simulate(1000, { time: 3_600_000 })
  // The warm-up shows that 20 records take 1 s. 42 records would take 2.1 s, which is 70 % of 3 s.
  await openRounds(options, { environments: 1, timeout: 3 }).measure(AT_20)
  t.strictSame(log.slice(0, 4), ['start 20/1769', '20', '40', '40'])
})

test('if an environment cannot start, the others end', async (t) => {
  const { options, log } = simulate(100)
  let started = 0
  const rounds = openRounds(
    {
      ...options,
      start(candidate, signal) {
        if (started++ === 1) return Promise.reject(new Error('no memory'))
        return options.start(candidate, signal)
      },
    },
    { environments: 2, timeout: 30 },
  )
  await t.rejects(rounds.measure(AT_20), new Error('no memory'))
  await rounds.measure({ ...AT_20, concurrency: 40 })
  t.strictSame(log.slice(0, 4), ['start 20/1769', 'end', 'start 40/1769', 'start 40/1769'], 'before the next start')
})

test('if the run is interrupted, the round rejects', async (t) => {
  const stopping = new AbortController()
  const { options } = simulate(100, {
    change() {
      stopping.abort()
      return {}
    },
  })
  await t.rejects(
    openRounds({ ...options, signal: stopping.signal }, { environments: 1, timeout: 30 }).measure(AT_20),
    { name: 'AbortError' },
  )
})

test('goodput is the number of successful records of all environments ÷ the durations of the slowest in each step', async (t) => {
  const of = (succeeded: number, duration: number) => batch({ succeeded, duration })
  t.equal(goodputOf([[of(100, 500), of(100, 1000)]]), 200)
  t.equal(goodputOf([[of(60, 300), of(40, 400)], [of(60, 300), of(40, 200)]]), 200 / 0.7) // biome-ignore format: two steps
  t.equal(goodputOf([[of(0, 0), of(0, 0)]]), 0)
  t.equal(goodputOf([]), 0)
})

test('a measurement has the median, the lowest and the highest of its rounds, and the sums of their batches', async (t) => {
  const round = (goodput: number, ...batches: MeasuredBatch[]) => ({ goodput, batches, problem: undefined })
  const failed = batch({ succeeded: 60, failed: 40, causes: groupsOf({ 'Error: a': 10, 'Error: b': 30 }) })
  const large = batch({ usage: { ...USAGE, peakMemory: 53 } })
  const measured = toMeasurement(7, [
    round(50, failed, batch({ usage: undefined })),
    round(100, large),
    round(90, failed),
  ])
  t.strictSame(measured, {
    concurrency: 7,
    goodput: 90,
    lowest: 50,
    highest: 100,
    rounds: 3,
    records: 400,
    failedShare: 0.2,
    causes: { 'Error: b': 60, 'Error: a': 20 },
    cpuPerRecord: 90 / 320,
    peakMemory: 53,
    problem: undefined,
  })
  t.match(toMeasurement(7, [round(0)]), { goodput: 0, failedShare: 0, cpuPerRecord: null, peakMemory: null })
  t.equal(toMeasurement(7, [round(50), round(100)]).goodput, 75)
})

test('the causes of all batches have the same groups as those of one batch', async (t) => {
  const words = 'one two three four five six seven eight nine ten eleven twelve'.split(' ')
  const missing = (some: readonly string[]) => Object.fromEntries(some.map((word) => [`Error: ${word} is missing`, 5]))
  const kinds = { 'Error: HTTP 500': 9, 'Error: HTTP 503': 8 }
  const batches = [{ ...missing(words), ...kinds }, missing(words.slice(0, 3)), kinds]
  const rounds = batches.map((causes) => ({
    goodput: 1,
    batches: [batch({ failed: 1, causes: groupsOf(causes) })],
    problem: undefined,
  }))
  t.strictSame(toMeasurement(20, rounds).causes, {
    'Error: one is missing (one of 12 different messages)': 75,
    'Error: HTTP 500': 18,
    'Error: HTTP 503': 16,
  })
})
