import { test } from 'tap'
import { numberedMessages } from '../../src/local/queue/messages-file.ts'
import { InitError } from '../../src/shared/errors.ts'
import type { Candidate, MeasuredBatch } from '../../src/tune/environment.ts'
import { findBest, growthIn, type RunOptions } from '../../src/tune/run.ts'
import { createSample } from '../../src/tune/sample.ts'
import { tuneRun } from '../support/tune-result.ts'

interface Machine {
  time?: number
  /** Milliseconds of a record, and of a start. */
  recordMs?: number
  startMs?: number
  /** MB of the process, and MB by which a record makes the memory grow. */
  memoryOf?: (candidate: Candidate) => number
  /** How many calls the service processes at once. */
  slots?: number
  leak?: number
  signal?: AbortSignal
  /** Why the process of this candidate cannot load the handler. */
  whyNotLoaded?: (candidate: Candidate) => string | undefined
}

/** Finds the best with environments whose clock is imitated, on a machine whose service is busy with 30 calls, if not said otherwise. */
async function run({ time = 60_000, recordMs = 100, startMs = 300, memoryOf = () => 90, ...more }: Machine = {}) {
  const { slots = 30, leak = 0, signal = new AbortController().signal, whyNotLoaded = () => undefined } = more
  let clock = 5000
  let [alive, mostAlive] = [0, 0]
  const activities: string[] = []
  const options: RunOptions = {
    async start(candidate) {
      const why = whyNotLoaded(candidate)
      if (why !== undefined) throw new InitError(why)
      clock += startMs
      mostAlive = Math.max(mostAlive, ++alive)
      let inUse = 20
      return {
        pid: 0,
        async process(records): Promise<MeasuredBatch> {
          signal.throwIfAborted()
          const duration = Math.ceil(records.length / Math.min(candidate.concurrency, slots)) * recordMs
          clock += duration
          inUse += leak * records.length
          const usage = { cpu: 1, longestBlock: 0 }
          const memory = { peakMemory: memoryOf(candidate), memoryInUse: candidate.collects ? inUse : undefined }
          const counts = { succeeded: records.length, failed: 0, causes: [], problem: undefined }
          return { ...counts, duration, usage: { ...usage, ...memory } }
        },
        async end() {
          alive -= 1
        },
      }
    },
    sample: createSample([...numberedMessages(10)], 1000, false),
    time,
    signal,
    now: () => clock,
    plan: { ...tuneRun().plan, workload: { ...tuneRun().plan.workload, environments: 1 } },
    range: { least: 10, most: 400 },
    onRound: (activity) => activities.push(activity),
  }
  const found = await findBest(options)
  return { ...found, ms: clock - 5000, mostAlive, alive, activities }
}

for (const time of [30_000, 40_000, 120_000]) {
  test(`a run of ${time / 1000} s ends when its time is over, with one environment at a time`, async (t) => {
    for (const [recordMs, slots] of [
      [50, 30],
      [2000, 1000],
    ] as const) {
      const { ms, measurements, alive, mostAlive } = await run({ time, recordMs, slots })
      t.ok(ms <= 1.1 * time, `${ms} ms with records of ${recordMs} ms`)
      t.ok(slots === 1000 || ms >= 0.85 * time, `${ms} ms, because there are equal ones to compare`)
      t.ok(measurements.length >= 3, `${measurements.length} concurrencies`)
      t.strictSame([alive, mostAlive], [0, 1])
    }
  })
}

test('memory sizes that seem too small are checked with their heap, from the largest to the first that does not suffice', async (t) => {
  const { checks, activities } = await run({ memoryOf: ({ memory }) => (memory > 1000 ? 900 : 300) })
  // 900 MB do not fit into 1,024 MB, because 20 % must stay free.
  t.strictSame(
    Array.from(checks, ([memory, { peakMemory }]) => [memory, peakMemory]),
    [[1024, 900]],
  )
  t.match(activities.join(), /concurrency \d+ with 1024 MB/)
  const smaller = await run({ memoryOf: ({ memory }) => (memory > 1500 ? 900 : 300) })
  t.strictSame([...smaller.checks.keys()], [1024, 512, 256])
  const lower = await run({ memoryOf: ({ memory, concurrency }) => (memory > 1500 && concurrency === 10 ? 250 : 100) })
  t.strictSame([...lower.checks.keys()], [256, 128], 'a lower concurrency needs more than the best one')
})

test('a memory that grows by 20 kB a record is noticed, and the check ends in time', async (t) => {
  const { growth } = await run({ leak: 20 / 1024 })
  t.equal(Math.round(Number(growth)), 20 * 1024)
  t.equal((await run()).growth, null)
  t.equal((await run({ time: 30_000, recordMs: 3000 })).growth, 'not measured')
})

test('the memory grows only if it grows clearly in each round', async (t) => {
  const grown = (...megabytes: number[]) => growthIn(megabytes.map((each) => ({ records: 1024, megabytes: each })))
  t.equal(grown(10, 11, 12, 13), 1024)
  t.equal(grown(10, 11, 15, 17), 2048, 'the median of 1, 4 and 2 MB')
  t.equal(grown(10, 12, 11, 13), null)
  t.equal(grown(10, 12, 14, 14.4), null, 'code that Node compiles')
})

test('if the run is interrupted, what was found so far is returned', async (t) => {
  const stopping = new AbortController()
  const { signal } = stopping
  let rounds = 0
  const stopped = await run({
    signal,
    memoryOf() {
      rounds += 1
      if (rounds === 40) stopping.abort()
      return 90
    },
  })
  t.ok(stopped.measurements.length > 1)
  t.strictSame([stopped.growth, stopped.alive], ['not measured', 0])
})

test('a later process that cannot load the handler is a problem, and the first one is an error', async (t) => {
  const refused = 'the process ended with exit code 1 while it was loading'
  const { measurements } = await run({
    whyNotLoaded: ({ concurrency }) => (concurrency > 100 ? refused : undefined),
  })
  t.strictSame(
    measurements
      .filter(({ problem }) => problem !== undefined)
      .map(({ concurrency, problem }) => [concurrency > 100, problem]),
    measurements.filter(({ concurrency }) => concurrency > 100).map(() => [true, refused]),
  )
  t.ok(measurements.some(({ concurrency }) => concurrency > 100))
  await t.rejects(run({ whyNotLoaded: () => refused }), new InitError(refused))
})
