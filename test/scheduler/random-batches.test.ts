import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { boundedSqsBatch, type ChunkHandler, eachChunk, eachRecord, type RecordHandler } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'
import { seeded } from '../support/seed.ts'

// Compares random batches with a model that has no queues, workers or promises. No two events fall on the same
// millisecond, because their order would not be defined. Handlers take multiples of 20 ms. Timeouts come 5 and 10 ms
// after such a time, the drain 3 ms and the abort 7 ms. A chunk takes as long as its first record, and hangs if that
// one hangs.

interface Plan {
  readonly group: string
  readonly outcome: 'succeeds' | 'fails' | 'hangs'
  /** Milliseconds. 0 means a synchronous handler. */
  readonly takes: number
}

interface Scenario {
  readonly plans: readonly Plan[]
  /** The chunk size. 0 means one handler call per record. */
  readonly size: number
  readonly isFifo: boolean
  readonly fifoFailure: 'group' | 'batch'
  readonly concurrency: number
  readonly recordTimeout: number
  readonly drainAt: number
  readonly abortAt: number
}

/** The jobs of a batch as lists of record indices. On a FIFO queue a job has records of one group. */
function jobsOf({ plans, isFifo, size }: Scenario): number[][] {
  const jobs: number[][] = []
  for (const [index, { group }] of plans.entries()) {
    const last = jobs.findLast(([first]) => !isFifo || plans[first as number]?.group === group)
    if (last && last.length < size) last.push(index)
    else jobs.push([index])
  }
  return jobs
}

/** The expected report, the records in the order of their starts, and the time of the response. */
function model(scenario: Scenario) {
  const { plans, isFifo, fifoFailure, concurrency, recordTimeout, drainAt, abortAt } = scenario
  const jobs = jobsOf(scenario)
  const planOf = (job: number) => plans[jobs[job]?.[0] as number] as Plan
  const groupOf = (job: number) => (isFifo ? planOf(job).group : job)
  const started: number[] = []
  const state = jobs.map((): 'waits' | 'runs' | 'succeeded' | 'failed' => 'waits')
  const succeeded = new Set<number>()
  const slots: { index: number; since: number; until: number }[] = []
  let now = 0

  function settle(index: number, outcome: Plan['outcome']) {
    if (state[index] !== 'runs') return
    const job = jobs[index] as number[]
    const failing = (place: number) => outcome === 'hangs' || plans[place]?.outcome === 'fails'
    state[index] = job.some(failing) ? 'failed' : 'succeeded'
    for (const place of job) {
      if (isFifo && failing(place)) break
      if (!failing(place)) succeeded.add(place)
    }
    if (state[index] === 'succeeded' || !isFifo) return
    for (const [other, what] of state.entries()) {
      const isBlocked = fifoFailure === 'batch' || groupOf(other) === groupOf(index)
      if (what === 'waits' && isBlocked) state[other] = 'failed'
    }
  }
  function startReadyJobs() {
    while (now < drainAt && slots.length < concurrency) {
      const index = state.findIndex(
        (what, index) =>
          what === 'waits' && !state.some((other, at) => other === 'runs' && groupOf(at) === groupOf(index)),
      )
      if (index < 0) return
      const { outcome, takes } = planOf(index)
      started.push(index)
      state[index] = 'runs'
      if (takes > 0) slots.push({ index, since: now, until: outcome === 'hangs' ? Infinity : now + takes })
      else settle(index, outcome)
    }
  }
  function isOver() {
    if (now >= abortAt || !state.some((what) => what === 'runs' || (what === 'waits' && now < drainAt))) return true
    return slots.length === concurrency && slots.every(({ since }) => now >= since + 2 * recordTimeout)
  }

  startReadyJobs()
  while (!isOver()) {
    const events = slots.flatMap(({ since, until }) => [until, since + recordTimeout, since + 2 * recordTimeout])
    now = Math.min(...[drainAt, abortAt, ...events].filter((at) => at > now))
    for (const { index, since } of slots) if (now >= since + recordTimeout) settle(index, 'hangs')
    for (const slot of slots.filter(({ until }) => until === now)) {
      slots.splice(slots.indexOf(slot), 1)
      settle(slot.index, planOf(slot.index).outcome)
    }
    startReadyJobs()
  }
  return {
    reported: plans.flatMap((_plan, place) => (succeeded.has(place) ? [] : `m${place}`)),
    started: started.flatMap((index) => (jobs[index] as number[]).map((place) => `m${place}`)),
    end: now,
  }
}

const plan = fc.record({
  group: fc.constantFrom('a', 'b', 'c'),
  outcome: fc.constantFrom('succeeds', 'succeeds', 'succeeds', 'fails', 'hangs') as fc.Arbitrary<Plan['outcome']>,
  takes: fc.nat(6).map((n) => n * 20),
})
const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    plans: fc.array(plan, { maxLength: 16 }),
    size: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
    isFifo: fc.boolean(),
    fifoFailure: fc.constantFrom('group', 'batch') as fc.Arbitrary<'group' | 'batch'>,
    concurrency: fc.integer({ min: 1, max: 5 }),
    recordTimeout: fc.oneof(
      fc.constant(Infinity),
      fc.integer({ min: 0, max: 6 }).map((n) => n * 20 + 5),
    ),
    drainAt: fc.integer({ min: 0, max: 20 }).map((n) => n * 20 + 3),
    drain: fc.integer({ min: 0, max: 6 }).map((n) => n * 20 + 4),
  })
  .map(({ drain, plans, ...rest }) => ({
    ...rest,
    plans: plans.map(({ group, outcome, takes }) => ({
      group,
      outcome,
      takes: outcome === 'hangs' ? 1 : rest.size > 0 ? takes || 20 : takes, // a chunk handler always takes time
    })),
    abortAt: rest.drainAt + drain,
  }))

function handle(scenario: Scenario) {
  const { plans, size, isFifo, fifoFailure, concurrency, recordTimeout, drainAt, abortAt } = scenario
  const started: string[] = []
  let running = 0
  let peakRunning = 0
  function run({ outcome, takes }: Plan) {
    peakRunning = Math.max(peakRunning, ++running)
    const { promise, resolve } = Promise.withResolvers<void>()
    function end() {
      running--
      resolve()
    }
    if (outcome !== 'hangs') setTimeout(end, takes)
    return promise
  }
  const handleRecord: RecordHandler = ({ messageId }, _context, { index }) => {
    const plan = plans[index] as Plan
    function end() {
      if (plan.outcome === 'fails') throw new Error(messageId)
    }
    started.push(messageId)
    return plan.takes === 0 ? end() : run(plan).then(end)
  }
  const handleChunk: ChunkHandler = async (records) => {
    const chunk = records.map(({ messageId }) => ({ messageId, plan: plans[Number(messageId.slice(1))] as Plan }))
    started.push(...chunk.map(({ messageId }) => messageId))
    await run(chunk[0]?.plan as Plan)
    const fails = chunk.filter(({ plan }) => plan.outcome === 'fails')
    return { batchItemFailures: fails.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
  const handler = middy()
    .use(
      boundedSqsBatch({
        concurrency,
        fifoFailure,
        recordTimeout: recordTimeout === Infinity ? undefined : recordTimeout,
        timeBudget: { drain: abortAt - drainAt + 1000, abort: 1000 },
        logger: false,
      }),
    )
    .handler(size > 0 ? eachChunk(size, handleChunk) : eachRecord(handleRecord))
  const Records = plans.map(({ group }, index) => {
    const record = sqsRecord(`m${index}`, { eventSourceARN: isFifo ? 'arn:aws:sqs:x:1:q.fifo' : 'arn:aws:sqs:x:1:q' })
    return { ...record, attributes: { ...record.attributes, MessageGroupId: group } }
  })
  const context = { getRemainingTimeInMillis: () => abortAt + 1000 } as Context
  return { result: handler({ Records }, context), started, peakRunning: () => peakRunning }
}

t.test(
  'random batches: the report, the starts and the time of the response match a model, and the bound holds',
  async (t) => {
    const clock = mockClock(t)
    const runs = Number(process.env.PROPERTY_RUNS ?? 400)
    const seen = { aborted: 0, 'not started': 0, blocked: 0, 'timed out': 0, chunks: 0, 'no failure': 0 }
    await fc.assert(
      fc.asyncProperty(scenario, async (scenario) => {
        const expected = model(scenario)
        const { plans, size, isFifo, recordTimeout, drainAt, abortAt } = scenario
        const isAllStarted = expected.started.length === plans.length
        if (expected.end === abortAt) seen.aborted += 1
        if (!isAllStarted && expected.end >= drainAt) seen['not started'] += 1
        if (!isAllStarted && expected.end < drainAt && isFifo) seen.blocked += 1
        if (plans.some(({ takes }) => takes > recordTimeout)) seen['timed out'] += 1
        if (size > 1 && plans.length > size) seen.chunks += 1
        if (plans.length > 0 && expected.reported.length === 0) seen['no failure'] += 1
        const begin = performance.now()
        const run = handle(scenario)
        let end: number | undefined
        const result = run.result.finally(() => {
          end = performance.now() - begin
        })
        for (let now = 0; end === undefined && now <= scenario.abortAt + 20; now += 20) {
          for (const offset of [0, 3, 5, 7, 10]) {
            if (end === undefined) clock.advance(begin + now + offset - performance.now())
            await settled()
          }
        }
        if (end === undefined) throw new Error('Expected a response 20 ms after the abort')
        const actual = { reported: failed(await result), started: run.started, end }
        if (JSON.stringify(actual) !== JSON.stringify(expected)) {
          throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
        }
        if (run.peakRunning() > scenario.concurrency) throw new Error(`${run.peakRunning()} ran at once`)
      }),
      { numRuns: runs, ...seeded },
    )
    const rare = Object.entries(seen).filter(([, count]) => count < runs / 100)
    t.strictSame(rare, [], `${runs} scenarios, and at least 1 % of each kind: ${JSON.stringify(seen)}`)
  },
)
