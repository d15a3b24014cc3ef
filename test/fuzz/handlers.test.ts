import diagnostics from 'node:diagnostics_channel'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { type BatchHandler, type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import {
  check,
  countKinds,
  equal,
  failsWith,
  keyOf,
  type Outcome,
  oneOf,
  outcomesOf,
  reported,
  SECRET,
  unhandled,
} from '../support/fuzz.ts'
import { failed } from '../support/handlers.ts'
import { BEHAVIOURS, CONTEXTS, DURABLE, LOGGERS, lookUp, THROWN, TIMED_CONTEXTS } from '../support/hostile.ts'
import { RECORD } from '../support/tracing.ts'

interface Plan {
  readonly behaviour: string
  readonly thrown: string
  readonly group: string
  readonly id: string
}

const scenarios = fc.record({
  plans: fc.array(
    fc.record({
      behaviour: keyOf(BEHAVIOURS),
      thrown: keyOf(THROWN),
      group: oneOf('a', 'b', 'c'),
      id: oneOf('a', 'b', 'c', 'd'),
    }),
    { maxLength: 8 },
  ),
  concurrency: fc.constantFrom(1, 2, 3, 100),
  queue: oneOf('standard', 'standard with ids twice', 'FIFO'),
  fifoFailure: fc.constantFrom('group', 'batch') as fc.Arbitrary<'group' | 'batch'>,
  throwOnFullBatchFailure: fc.boolean(),
  /** The time limits. With 'none', no handler hangs, because the batch would not end. */
  limit: oneOf('none', 'budget', 'recordTimeout', 'both'),
  context: keyOf(CONTEXTS),
  timedContext: keyOf(TIMED_CONTEXTS),
  isEarly: fc.boolean(),
  logger: oneOf('default', 'none', ...Object.keys(LOGGERS)),
  thrown: keyOf(THROWN),
  /** `fuzz/chains` has inner handlers that throw or return something else. */
  inner: oneOf('waits', 'waits', 'waits', 'adds', 'empties', 'does not wait'),
  invocations: fc.constantFrom(1, 1, 2),
  /** Whether a subscriber listens to the records, which run in another way then. */
  isTraced: fc.boolean(),
})

type Scenario = typeof scenarios extends fc.Arbitrary<infer T> ? T : never

/** Makes an inner handler of this kind. `started` has the records that it started, `added` the ids that it reported itself. */
function innerOf(inner: string, plans: readonly Plan[]) {
  const started = new Set<number>()
  const added = new Set<string>()
  const bounded = eachRecord((_record, _context, options) => {
    const { behaviour, thrown } = plans[options.index] as Plan
    if (started.has(options.index)) unhandled.push('A record was started twice')
    started.add(options.index)
    return lookUp(BEHAVIOURS, behaviour).run(lookUp(THROWN, thrown), options)
  })
  const handle: BatchHandler = async (event, context, options) => {
    const running = bounded(event, context, options)
    if (inner === 'does not wait') return { batchItemFailures: [] }
    const report = await running
    if (inner === 'empties') return { batchItemFailures: [] }
    if (inner === 'adds') {
      const isListed = new Set(failed(report))
      for (const { id } of plans.slice(0, 3)) if (!isListed.has(id)) added.add(id)
      report.batchItemFailures.push(...Array.from(added, (itemIdentifier) => ({ itemIdentifier })))
    }
    return report
  }
  return { handle, started, added }
}

/** The records that must be reported: those that did not succeed and, on a FIFO queue, the later ones of their groups. */
function expectedReport(
  plans: readonly Plan[],
  isFifo: boolean,
  started: ReadonlySet<number>,
  added: ReadonlySet<string>,
): number[] {
  const isFailed = plans.map(
    ({ behaviour, id }, index) =>
      added.has(id) || !started.has(index) || lookUp(BEHAVIOURS, behaviour).outcome !== 'succeeds',
  )
  const isBlocked = (index: number) =>
    plans.some(({ group }, before) => before < index && isFailed[before] && group === plans[index]?.group)
  return [...plans.keys()].filter((index) => isFailed[index] || (isFifo && isBlocked(index)))
}

/** The records that must have started, unless handlers that hang occupy every slot. */
function expectedStarts(plans: readonly Plan[], isFifo: boolean, fifoFailure: 'group' | 'batch'): number[] {
  const blocks = ({ behaviour }: Plan) => lookUp(BEHAVIOURS, behaviour).outcome !== 'succeeds'
  if (isFifo && fifoFailure === 'batch' && plans.some(blocks)) return []
  return [...plans.keys()].filter(
    (index) => !isFifo || !plans.slice(0, index).some((plan) => plan.group === plans[index]?.group && blocks(plan)),
  )
}

/** The scenario without the combinations whose outcome does not depend on this package. */
function settingOf(scenario: Scenario) {
  const { queue, limit, isEarly, context, timedContext } = scenario
  const isTimed = limit === 'budget' || limit === 'both'
  /** Middy may end the invocation early because of the context. */
  const isCut = isEarly && (isTimed ? timedContext !== 'steady' : lookUp(CONTEXTS, context).mayCut)
  return {
    ...scenario,
    plans: scenario.plans
      .filter(({ behaviour }) => limit !== 'none' || lookUp(BEHAVIOURS, behaviour).outcome !== 'hangs')
      .map((plan, index) => ({ ...plan, id: queue === 'standard with ids twice' ? plan.id : `m${index}` })),
    isFifo: queue === 'FIFO',
    isTimed,
    isCut,
    isDurable: !isTimed && context === DURABLE,
    thrown: lookUp(THROWN, scenario.thrown)(),
  }
}

type Setting = ReturnType<typeof settingOf>

/** Runs the invocations of a scenario at the same time on one instance. */
async function runInvocations(setting: Setting) {
  const { concurrency, fifoFailure, throwOnFullBatchFailure, limit, isEarly, isTimed, isFifo, plans, thrown } = setting
  let logged = 0
  function logger() {
    logged++
    return lookUp(LOGGERS, setting.logger)(() => thrown) as undefined
  }
  const options: BoundedSqsBatchOptions = {
    concurrency,
    fifoFailure,
    throwOnFullBatchFailure,
    recordTimeout: limit === 'recordTimeout' || limit === 'both' ? 100 : undefined,
    logger: setting.logger === 'default' ? undefined : setting.logger === 'none' ? false : logger,
  }
  const inners = Array.from({ length: setting.invocations }, () => innerOf(setting.inner, plans))
  const queued = inners.map(({ handle }) => handle)
  const handler = middy({ timeoutEarlyInMillis: isEarly ? 5 : 0 })
    .use(boundedSqsBatch(options))
    .handler((...args: Parameters<BatchHandler>) => (queued.shift() as BatchHandler)(...args))
  const event = {
    Records: plans.map(({ id, group }) =>
      sqsRecord(id, {
        body: SECRET,
        eventSourceARN: isFifo ? 'arn:aws:sqs:x:1:q.fifo' : 'arn:aws:sqs:x:1:q',
        attributes: { ApproximateReceiveCount: '1', MessageGroupId: group } as never,
      }),
    ),
  }
  const shared = lookUp(CONTEXTS, setting.context).make()
  const contextOf = () => (isTimed ? lookUp(TIMED_CONTEXTS, setting.timedContext)() : shared) as Context
  function listen() {}
  if (setting.isTraced) diagnostics.subscribe(`tracing:${RECORD}:start`, listen)
  const outcomes = await outcomesOf(
    inners.map(() => handler(event, contextOf())),
    () => clock.advance(50),
  ).finally(() => diagnostics.unsubscribe(`tracing:${RECORD}:start`, listen))
  return { outcomes, inners, logged }
}

const kinds = countKinds(
  'durable',
  'cut, with a response',
  'cut, without a response',
  'does not wait',
  'full failure',
  'all slots held',
  'no failure',
  'failures',
  'blocked',
  'added',
  'two invocations',
)

async function runScenario(scenario: Scenario): Promise<void> {
  const setting = settingOf(scenario)
  const { plans, isFifo, isCut, isDurable, inner, throwOnFullBatchFailure, fifoFailure } = setting
  const { outcomes, inners, logged } = await runInvocations(setting)
  const isHeld = hanging(plans) * inners.length >= setting.concurrency
  let failures = 0
  for (const [number, { started, added }] of inners.entries()) {
    const outcome = outcomes[number] as Outcome
    const must = expectedReport(plans, isFifo, started, isCut ? new Set() : added)
    const mustIds = [...new Set(must.map((index) => plans[index]?.id))]
    failures += must.length
    if (inners.length > 1) kinds.count('two invocations')
    if (isDurable) {
      kinds.count('durable')
      failsWith(outcome, 'DurableContextError')
      equal('started', [...started], [])
    } else if (isCut) {
      // If it fails, Middy's early timeout or the context has thrown.
      kinds.count('response' in outcome ? 'cut, with a response' : 'cut, without a response')
      if ('response' in outcome) checkIds(reported(outcome), mustIds, plans)
    } else if (inner === 'does not wait') {
      kinds.count('does not wait')
      if (throwOnFullBatchFailure && 'error' in outcome) failsWith(outcome, 'FullBatchFailureError')
      else checkIds(reported(outcome), mustIds, plans)
    } else {
      const isFull = throwOnFullBatchFailure && must.length === plans.length && plans.length > 0
      kinds.count(kindOf(setting, must, { isFull, isHeld, isAdded: added.size > 0 }))
      if (isFull) failsWith(outcome, 'FullBatchFailureError')
      else equal('reported', reported(outcome), mustIds)
      const missing = expectedStarts(plans, isFifo, fifoFailure).filter((index) => !started.has(index))
      if (!isHeld) equal('not started', missing, [])
    }
  }
  const isReport = !isCut && !isDurable && inner !== 'does not wait'
  if (isReport && setting.logger in LOGGERS) equal('calls of the logger', logged, failures)
}

/** The kind of an invocation whose inner handler returns the report. */
function kindOf(
  { plans }: Setting,
  must: readonly number[],
  { isFull, isHeld, isAdded }: Readonly<Record<'isFull' | 'isHeld' | 'isAdded', boolean>>,
) {
  if (isFull) return 'full failure'
  if (isHeld) return 'all slots held'
  if (must.length === 0) return 'no failure'
  if (isAdded) return 'added'
  const hasOwnFailure = (index: number) => lookUp(BEHAVIOURS, (plans[index] as Plan).behaviour).outcome !== 'succeeds'
  return must.every(hasOwnFailure) ? 'failures' : 'blocked'
}

function hanging(plans: readonly Plan[]): number {
  return plans.filter(({ behaviour }) => lookUp(BEHAVIOURS, behaviour).outcome === 'hangs').length
}

/** Checks that all these ids are reported. If an invocation ended early, others of the batch may be reported too. */
function checkIds(ids: readonly string[], expected: readonly unknown[], plans: readonly Plan[]): void {
  const lost = expected.filter((id) => !ids.includes(id as string))
  const known = [...new Set(ids)].filter((id) => plans.some((plan) => plan.id === id))
  equal('failed and not reported', lost, [])
  equal('ids of the batch, each once', ids, known)
}

let clock: ReturnType<typeof mockClock>
t.test('random handlers, loggers and contexts: the report has the records that did not succeed', async (t) => {
  clock = mockClock(t)
  await check(0.4, scenarios, runScenario)
  kinds.check(t)
})
