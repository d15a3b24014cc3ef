import middy from '@middy/core'
import type { Context, SQSBatchResponse } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachChunk, eachRecord } from '../../src/index.ts'
import { passingClock } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'
import { seeded } from '../support/seed.ts'
import { maxWithin } from '../support/starts.ts'

// Random invocations that share a rate limit. They have records or chunks of either kind of queue, which succeed or
// fail.

interface Plan {
  readonly group: 'a' | 'b' | 'c'
  readonly fails: boolean
  /** Milliseconds. 0 means a synchronous handler. */
  readonly takes: number
}

interface InvocationPlan {
  readonly begin: number
  readonly plans: readonly Plan[]
  readonly isFifo: boolean
  /** The chunk size. 0 means records. */
  readonly size: number
  /** Milliseconds from its start to its drain. Infinity means no drain. */
  readonly drain: number
}

interface Scenario {
  readonly limit: number
  readonly interval: number
  readonly concurrency: number
  readonly invocations: readonly InvocationPlan[]
}

const plan: fc.Arbitrary<Plan> = fc.record({
  group: fc.constantFrom('a', 'b', 'c'),
  fails: fc.nat(5).map((n) => n === 0),
  takes: fc.constantFrom(0, 0, 1, 7, 30),
})
const scenario: fc.Arbitrary<Scenario> = fc.record({
  limit: fc.integer({ min: 1, max: 6 }),
  interval: fc.integer({ min: 1, max: 20 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  invocations: fc.array(
    fc.record({
      begin: fc.nat(40),
      plans: fc.array(plan, { maxLength: 10 }),
      isFifo: fc.boolean(),
      size: fc.nat(4),
      drain: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 60 })),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

/** The context of an invocation has its inner handler. */
type ContextWithHandler = Context & { readonly run: BatchHandler }

/** Runs a scenario. Returns a description of each broken guarantee. */
async function play(clock: ReturnType<typeof passingClock>, scenario: Scenario) {
  const { limit, interval, concurrency, invocations } = scenario
  const { until, delay } = clock
  const origin = clock.now()
  const now = () => clock.now() - origin
  const wrong: string[] = []
  const starts: number[] = []
  let running = 0

  /** An invocation's handler, and what it must report. */
  function invocation({ plans, isFifo, size, drain }: InvocationPlan) {
    const begin = now()
    const started: number[] = []
    const open = new Set<string>()
    const failing = new Set<string>()
    const unfinished = new Set(plans.keys())

    function start(places: readonly number[]): Plan {
      const first = plans[places[0] as number] as Plan
      const check = (isRight: boolean, what: string) => isRight || wrong.push(`${places}: ${what}`)
      check(++running <= concurrency, `${running} run at once`)
      check(now() < begin + drain, 'started after the drain')
      check(places.length <= Math.min(limit, Math.max(1, size)), 'too many records in a chunk')
      check(!places.some((place) => started.includes(place)), 'started twice')
      check(isFifo || started.every((place) => place < (places[0] as number)), 'started out of order')
      check(
        !isFifo || places.every((place) => plans[place]?.group === first.group),
        'records of several groups in a chunk',
      )
      check(
        !isFifo || !(open.has(first.group) || failing.has(first.group)),
        'started before the record ahead of it in its group had succeeded',
      )
      open.add(first.group)
      started.push(...places)
      starts.push(...places.map(now))
      return first
    }
    function finish(places: readonly number[]): number[] {
      running--
      open.delete((plans[places[0] as number] as Plan).group)
      for (const place of places) {
        const { group, fails } = plans[place] as Plan
        if (fails) failing.add(group)
        if (!fails && !(isFifo && failing.has(group))) unfinished.delete(place)
      }
      return places.filter((place) => plans[place]?.fails)
    }
    function finishOne(place: number) {
      if (finish([place]).length > 0) throw new Error('fails')
    }
    const run =
      size === 0
        ? eachRecord((_record, _context, { index }) => {
            const { takes } = start([index])
            return takes === 0 ? finishOne(index) : delay(takes).then(() => finishOne(index))
          })
        : eachChunk(size, async (records) => {
            const places = records.map(({ messageId }) => Number(messageId.slice(1)))
            await delay(start(places).takes)
            return { batchItemFailures: finish(places).map((place) => ({ itemIdentifier: `m${place}` })) }
          })
    const hasFailed = ({ group }: Plan, place: number) =>
      plans.some((other, at) => other.fails && (at === place || (isFifo && at < place && other.group === group)))
    /** Without a drain, every record runs, unless an earlier record of its group has failed. */
    function reported() {
      const places = drain < Infinity ? unfinished : [...plans.keys()].filter((at) => hasFailed(plans[at] as Plan, at))
      return [...places].map((place) => `m${place}`)
    }
    return { run, reported }
  }

  const handler = middy()
    .use(
      boundedSqsBatch({
        concurrency,
        rateLimit: { limit, interval },
        timeBudget: { drain: 1000, abort: 0 },
        logger: false,
      }),
    )
    .handler((event, context, options) => (context as ContextWithHandler).run(event, context, options))
  const all = invocations.map(async (plan) => {
    await delay(plan.begin)
    const { run, reported } = invocation(plan)
    const Records = plan.plans.map(({ group }, index) => {
      const record = sqsRecord(`m${index}`, { eventSourceARN: `arn:aws:sqs:x:1:q${plan.isFifo ? '.fifo' : ''}` })
      return { ...record, attributes: { ...record.attributes, MessageGroupId: group } }
    })
    const end = now() + plan.drain + 1000
    const context = { run, ...(plan.drain < Infinity && { getRemainingTimeInMillis: () => end - now() }) }
    const response = failed((await handler({ Records }, context as never)) as SQSBatchResponse)
    if (`${response}` !== `${reported()}`) wrong.push(`expected ${reported()}, got ${response}`)
  })
  // The scenario may take at most as long as all records would take one after another.
  const plans = invocations.flatMap(({ plans }) => plans)
  const longest = plans.reduce((sum, { takes }) => sum + takes + 1 + interval + 1, 50)
  await until(Promise.all(all), longest)
  const most = maxWithin(interval, starts)
  if (most > limit) wrong.push(`${most} started in ${interval} ms: ${starts}`)
  return wrong
}

t.test(
  'random invocations that share a rate limit: limit, bound and order hold, and the reports are exact',
  async (t) => {
    const clock = passingClock(t)
    const runs = Number(process.env.PROPERTY_RUNS ?? 300)
    await fc.assert(
      fc.asyncProperty(scenario, async (scenario) => {
        const wrong = await play(clock, scenario)
        if (wrong.length > 0) throw new Error(wrong.join('\n'))
      }),
      { numRuns: runs, ...seeded },
    )
    t.pass(`${runs} scenarios`)
  },
)
