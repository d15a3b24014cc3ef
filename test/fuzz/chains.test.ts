import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { check, countKinds, equal, keyOf, oneOf, outcomeOf, reported } from '../support/fuzz.ts'
import { listOf, timedContext } from '../support/handlers.ts'
import { lookUp } from '../support/hostile.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>
type Hook = (request: Request) => unknown

const IDS = ['a1', 'b1', 'a2', 'b2', 'c1']

const set =
  (property: 'response' | 'earlyResponse' | 'error' | 'event', value: () => unknown): Hook =>
  (request) => {
    request[property] = value() as never
  }

/** What a hook does before it ends. */
const ACTIONS: Record<string, Hook> = {
  nothing: () => {},
  'sets an empty list': set('response', () => listOf()),
  'sets a list': set('response', () => listOf('a1', 'a2')),
  'sets all': set('response', () => listOf(...IDS)),
  'sets an object': set('response', () => ({ statusCode: 200 })),
  'sets settled results': set('response', () => IDS.map(() => ({ status: 'fulfilled' }))),
  'sets undefined': set('response', () => undefined),
  'removes the response and that Middy stops': (request) => {
    request.response = undefined as never
    delete request.earlyResponse
  },
  'sets the same response': (request) => {
    const { response } = request
    request.response = response as never
  },
  'sets an early response': set('earlyResponse', () => listOf()),
  'sets an early response of undefined': set('earlyResponse', () => undefined),
  'sets an error': set('error', () => new Error('set')),
  'removes the error': set('error', () => undefined),
  'empties the list': ({ response }) => {
    const list = Array.isArray(response) ? response : response?.batchItemFailures
    list?.splice(0)
  },
  'adds to the list': ({ response }) => {
    response?.batchItemFailures?.push({ itemIdentifier: 'c1' })
  },
  'replaces the list': ({ response }) => {
    if (response) response.batchItemFailures = []
  },
  'reverses the list': ({ response }) => {
    const list = Array.isArray(response) ? response : response?.batchItemFailures
    list?.reverse()
  },
  'replaces the event': set('event', () => standardEvent('a1')),
  'replaces the records': ({ event }) => {
    event.Records = event.Records.slice(1)
  },
  'removes a record': ({ event }) => void event.Records.pop(),
  'reverses the records': ({ event }) => void event.Records.reverse(),
  'freezes the event': ({ event }) => void Object.freeze(event),
  'parses a body': ({ event }) => void Object.assign(event.Records?.[0] ?? {}, { body: {} }),
}

/** How a hook ends. */
const ENDS: Record<string, () => unknown> = {
  'returns nothing': () => {},
  'resolves later': async () => settled(),
  'returns true': () => true,
  'returns a list': () => listOf(),
  'resolves with an object': async () => ({ statusCode: 500 }),
  'returns a thenable': () => ({ then: (resolve: (value: unknown) => void) => resolve(undefined) }),
  throws: () => {
    throw new Error('of a hook')
  },
  'throws undefined': () => {
    throw undefined
  },
  rejects: async () => {
    throw new Error('of a hook')
  },
}

/** What an inner handler does after its records. */
const FINISHES: Record<string, (report: SQSBatchResponse) => unknown> = {
  'returns the report': (report) => report,
  'returns the report later': async (report) => settled().then(() => report),
  'adds to the report': (report) => {
    report.batchItemFailures.push({ itemIdentifier: 'c1' })
    return report
  },
  'returns an empty list': () => listOf(),
  'returns settled results': () => IDS.map(() => ({ status: 'fulfilled' })),
  'returns nothing': () => {},
  'returns an object': () => ({ statusCode: 200 }),
  'cannot flush': () => {
    throw new Error('flush')
  },
  hangs: () => new Promise(() => {}),
}

/** What Middy does at its early timeout. */
const TIMEOUTS: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('early timeout')
  },
  'returns an empty list': () => listOf(),
  'returns undefined': () => undefined,
  'returns an object': () => ({ statusCode: 504 }),
}

const hook = fc.record({ action: keyOf(ACTIONS), end: keyOf(ENDS) })
const quiet = fc.constant({ action: 'nothing', end: 'returns nothing' })
const hooks = fc.oneof({ weight: 3, arbitrary: quiet }, { weight: 1, arbitrary: hook })
/** What an earlier middleware does to the event before the batch cannot be seen. */
const keepsEvent = ({ action }: { action: string }) => !/event|record/.test(action)
const earlier = fc.record({ before: hooks.filter(keepsEvent), after: hooks, onError: hooks, hasOnError: fc.boolean() })
const later = fc.record({ before: hooks, after: hooks, onError: hooks, hasOnError: fc.boolean() })
const scenarios = fc.record({
  earlier: fc.array(earlier, { maxLength: 2 }),
  later: fc.array(later, { maxLength: 2 }),
  failing: fc.subarray(IDS),
  isFifo: fc.boolean(),
  inner: oneOf('each', 'each', 'settled', 'list'),
  passesSignal: fc.boolean(),
  finish: fc.oneof(
    { weight: 2, arbitrary: fc.constant('returns the report') },
    { weight: 1, arbitrary: keyOf(FINISHES) },
  ),
  timeout: keyOf(TIMEOUTS),
})
type Scenario = typeof scenarios extends fc.Arbitrary<infer T> ? T : never
type Middleware = Scenario['earlier'][number]

/** Runs a chain with one transaction as the first middleware. `steps` has what that transaction did. */
async function runChain({ earlier, later, failing, isFifo, inner, passesSignal, finish, timeout }: Scenario) {
  const steps: string[] = []
  const failedIds = new Set<string>()
  const toMiddleware = ({ before, after, onError, hasOnError }: Middleware) => {
    const run =
      ({ action, end }: Middleware['before']): Hook =>
      (request) => {
        lookUp(ACTIONS, action)(request)
        return lookUp(ENDS, end)()
      }
    return { before: run(before), after: run(after), ...(hasOnError && { onError: run(onError) }) }
  }
  const each = eachRecord(({ messageId }) => {
    if (!failing.includes(messageId)) return
    failedIds.add(messageId)
    throw new Error(`${messageId} failed`)
  })
  const handle: BatchHandler = async (event, context, options) => {
    const running: Record<string, () => Promise<SQSBatchResponse>> = {
      each: () => each(event, context, passesSignal ? options : undefined),
      settled: async () => {
        const results = event.Records.map(({ messageId }) => ({
          status: failing.includes(messageId) ? 'rejected' : 'fulfilled',
        }))
        for (const id of failing) failedIds.add(id)
        return results as never
      },
      list: async () => {
        for (const id of failing) failedIds.add(id)
        return listOf(...failing)
      },
    }
    const report = await lookUp(running, inner)()
    // The other kinds return their own response: what they return is all that is known.
    return (
      inner === 'each' || finish === 'cannot flush' || finish === 'hangs'
        ? await lookUp(FINISHES, finish)(report)
        : report
    ) as SQSBatchResponse
  }
  const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyResponse: lookUp(TIMEOUTS, timeout) as () => never })
    .use({ after: () => void steps.push('COMMIT'), onError: () => void steps.push('ROLLBACK') })
    .use(earlier.map(toMiddleware) as middy.MiddlewareObj[])
    .use(boundedSqsBatch({ logger: false }))
    .use(later.map(toMiddleware) as middy.MiddlewareObj[])
    .handler(handle)
  const event = isFifo ? fifoEvent(...IDS) : standardEvent(...IDS)
  const outcome = await outcomeOf(handler(event, timedContext(1000)), () => clock.advance(50))
  return { outcome, steps, failedIds }
}

/**
 * The documented limits: an earlier `before` hook that responds early, or that throws if a later `onError` hook returns.
 */
function isLimit({ earlier, later }: Scenario): boolean {
  const responds = ({ action, end }: Middleware['before']) =>
    /early/.test(action) || /^(returns (?!nothing)|resolves with)/.test(end)
  const isStopped = earlier.some(
    ({ before }) => responds(before) || before.end !== 'returns nothing' || before.action !== 'nothing',
  )
  return (
    isStopped &&
    (earlier.some(({ before }) => responds(before)) ||
      later.some(({ onError, hasOnError }) => hasOnError && responds(onError)))
  )
}

/** Whether no hook does anything, and the inner handler returns its report. Such a chain must not fail. */
function isOrdinary({ earlier, later, inner, finish }: Scenario): boolean {
  const isQuiet = ({ action, end }: Middleware['before']) =>
    action === 'nothing' && /^(returns nothing|resolves later)$/.test(end)
  const isReturned = inner === 'each' ? /^returns the report/.test(finish) : !/^(cannot flush|hangs)$/.test(finish)
  return isReturned && [...earlier, ...later].every(({ before, after }) => isQuiet(before) && isQuiet(after))
}

const kinds = countKinds('ordinary', 'limit', 'failed', 'all succeeded', 'some failed', 'blocked')

/**
 * The model: Lambda receives a list with at least the failures of the records, and the transaction has committed. On a
 * FIFO queue, the list also has the later records of their groups. Otherwise the invocation fails. An ordinary chain
 * never fails, and its list has no other records.
 */
async function runScenario(scenario: Scenario): Promise<void> {
  if (isLimit(scenario)) return kinds.count('limit')
  const { outcome, steps, failedIds } = await runChain(scenario)
  if (isOrdinary(scenario)) {
    const { failing, isFifo } = scenario
    const isAfterFailure = (id: string) =>
      isFifo && failing.some((other) => other[0] === id[0] && IDS.indexOf(other) < IDS.indexOf(id))
    equal(
      'report of an ordinary chain',
      reported(outcome),
      IDS.filter((id) => failing.includes(id) || isAfterFailure(id)),
    )
    kinds.count('ordinary')
  }
  if ('error' in outcome) return kinds.count('failed')
  equal('steps of the transaction', steps, ['COMMIT'])
  const list = (outcome.response as SQSBatchResponse | undefined)?.batchItemFailures
  const listed = list?.map(({ itemIdentifier }) => itemIdentifier) ?? []
  equal('response', outcome.response, listOf(...listed))
  equal(
    'ids of other messages',
    listed.filter((id) => !IDS.includes(id)),
    [],
  )
  const isBlocked = (id: string) =>
    scenario.isFifo && listed.some((other) => other[0] === id[0] && IDS.indexOf(other) < IDS.indexOf(id))
  equal(
    'messages that are deleted although they failed',
    IDS.filter((id) => !listed.includes(id) && (failedIds.has(id) || isBlocked(id))),
    [],
  )
  kinds.count(
    failedIds.size === 0 ? 'all succeeded' : listed.some((id) => !failedIds.has(id)) ? 'blocked' : 'some failed',
  )
}

let clock: ReturnType<typeof mockClock>
t.test('random chains of middlewares: Lambda receives at least the failures, or the invocation fails', async (t) => {
  clock = mockClock(t)
  await check(0.5, scenarios, runScenario)
  kinds.check(t)
})
