import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { check, countKinds, equal, keyOf, type Outcome, oneOf, outcomeOf, reported } from '../support/fuzz.ts'
import { listOf, timedContext } from '../support/handlers.ts'
import { lookUp } from '../support/hostile.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>
type Hook = (request: Request) => unknown

const IDS = ['a1', 'b1', 'a2', 'b2', 'c1']
const SEALS = 'seals the request'

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
  'sets the same response': (request) => {
    const { response } = request
    request.response = response as never
  },
  'sets undefined, then the same response': (request) => {
    const { response } = request
    request.response = undefined as never
    request.response = response as never
  },
  'sets undefined and an error': (request) => {
    request.response = undefined as never
    request.error = new Error('set')
  },
  'sets an early response': set('earlyResponse', () => listOf()),
  'sets an early response of undefined': set('earlyResponse', () => undefined),
  'sets an error': set('error', () => new Error('set')),
  'removes the error': set('error', () => undefined),
  [SEALS]: (request) => void Object.seal(request),
  'empties the list': ({ response }) => {
    const list = Array.isArray(response) ? response : response?.batchItemFailures
    list?.splice(0)
  },
  'empties the list, and sets it again': (request) => {
    const { response } = request
    response?.batchItemFailures?.splice(0)
    request.response = response
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
  'redefines the event': (request) => {
    Object.defineProperty(request, 'event', { value: { Records: request.event.Records?.toReversed() } })
  },
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

const actions = fc.oneof(
  { weight: 5, arbitrary: keyOf(ACTIONS) },
  { weight: 1, arbitrary: oneOf('sets undefined', SEALS) },
)
const hook = fc.record({ action: actions, end: fc.oneof(keyOf(ENDS), oneOf('returns nothing')) })
type HookCase = typeof hook extends fc.Arbitrary<infer T> ? T : never
const quiet = fc.constant({ action: 'nothing', end: 'returns nothing' })
const hooks = fc.oneof({ weight: 3, arbitrary: quiet }, { weight: 1, arbitrary: hook })
/** What an earlier middleware does to the event before the batch cannot be seen. */
const firstHooks = hooks.filter(({ action }) => !/event|record/.test(action))
const earlier = fc.record({ before: firstHooks, after: hooks, onError: hooks, hasOnError: fc.boolean() })
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

/** A call of a hook or of the inner handler. */
interface Call {
  readonly by: 'inner' | `${'earlier' | 'later'} ${'before' | 'after' | 'onError'}`
  /** What it threw. */
  thrown?: { readonly error: unknown }
  /** Middy calls no further hook. */
  respondsEarly?: boolean
  /** What it set `request.error` to. */
  set?: { readonly error: unknown }
  seals?: boolean
}

interface Chain {
  readonly outcome: Outcome
  readonly calls: readonly Call[]
  /** What Middy caught from a hook, the inner handler or its early timeout. */
  readonly caught: { readonly error: unknown } | undefined
  /** What the transaction did, which is the first middleware. */
  readonly steps: readonly string[]
  /** The records that were processed, and that nobody has reported as failed. */
  readonly succeeded: ReadonlySet<string>
}

async function runChain(scenario: Scenario): Promise<Chain> {
  const calls: Call[] = []
  const steps: string[] = []
  let caught: { readonly error: unknown } | undefined
  function toMiddleware(position: 'earlier' | 'later', { before, after, onError, hasOnError }: Middleware) {
    const watch =
      (name: 'before' | 'after' | 'onError', { action, end }: HookCase): Hook =>
      (request) => {
        const call: Call = {
          by: `${position} ${name}`,
          seals: action === SEALS,
        }
        calls.push(call)
        return noted(call, request, () => {
          const { error } = request
          lookUp(ACTIONS, action)(request)
          if (request.error !== error) call.set = { error: request.error }
          return lookUp(ENDS, end)()
        })
      }
    return {
      before: watch('before', before),
      after: watch('after', after),
      ...(hasOnError && { onError: watch('onError', onError) }),
    }
  }
  const { inner, succeeded } = innerHandler(scenario)
  const timeoutEarlyResponse = lookUp(TIMEOUTS, scenario.timeout) as () => never
  const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyResponse })
    .use({ after: () => void steps.push('COMMIT'), onError: () => void steps.push('ROLLBACK') })
    .use(scenario.earlier.map((each) => toMiddleware('earlier', each)) as middy.MiddlewareObj[])
    .use(boundedSqsBatch({ logger: false }))
    .use(scenario.later.map((each) => toMiddleware('later', each)) as middy.MiddlewareObj[])
    .onError(({ error }) => {
      caught = { error } // the last middleware: its onError hook is the first one
    })
    .handler((...args) => {
      const call: Call = { by: 'inner' }
      calls.push(call)
      return noted(call, undefined, () => inner(...args)) as Promise<SQSBatchResponse>
    })
  const event = scenario.isFifo ? fifoEvent(...IDS) : standardEvent(...IDS)
  const outcome = await outcomeOf(handler(event, timedContext(1000)), () => clock.advance(50))
  return { outcome, calls, caught, steps, succeeded }
}

/** Runs a hook or the inner handler, and notes how it ends. Not async, because Middy awaits only hooks that are. */
function noted(call: Call, request: Request | undefined, run: () => unknown): unknown {
  function returned(value: unknown): unknown {
    call.respondsEarly = request !== undefined && (value !== undefined || 'earlyResponse' in request)
    return value
  }
  function threw(error: unknown): never {
    call.thrown = { error }
    throw error
  }
  try {
    const value = run()
    return value instanceof Promise ? value.then(returned, threw) : returned(value)
  } catch (error) {
    return threw(error)
  }
}

function innerHandler({ failing, inner, passesSignal, finish }: Scenario) {
  const succeeded = new Set<string>()
  const each = eachRecord(({ messageId }) => {
    if (failing.includes(messageId)) throw new Error(`${messageId} failed`)
    succeeded.add(messageId)
  })
  const handle: BatchHandler = async (event, context, options) => {
    const running: Record<string, () => Promise<SQSBatchResponse>> = {
      each: () => each(event, context, passesSignal ? options : undefined),
      settled: async () => {
        return event.Records.map(({ messageId }) => {
          if (failing.includes(messageId)) return { status: 'rejected' }
          succeeded.add(messageId)
          return { status: 'fulfilled' }
        }) as never
      },
      list: async () => {
        for (const { messageId } of event.Records) if (!failing.includes(messageId)) succeeded.add(messageId)
        return listOf(...failing)
      },
    }
    const report = await lookUp(running, inner)()
    // The other kinds return their own response: what they return is all that is known.
    if (inner !== 'each' && !/^(cannot flush|hangs)$/.test(finish)) return report
    if (finish === 'adds to the report') succeeded.delete('c1')
    return (await lookUp(FINISHES, finish)(report)) as SQSBatchResponse
  }
  return { inner: handle, succeeded }
}

/**
 * The documented limits: an earlier `before` hook that responds early, or that throws if a later `onError` hook
 * responds. One that seals the request is no limit.
 */
function isLimit({ calls }: Chain): boolean {
  const has = (by: Call['by'], test: (call: Call) => unknown) => calls.some((call) => call.by === by && test(call))
  return (
    has('earlier before', ({ respondsEarly }) => respondsEarly) ||
    (has('earlier before', ({ thrown }) => thrown) && has('later onError', ({ respondsEarly }) => respondsEarly))
  )
}

/** Whether no hook does anything of effect, and the inner handler returns its report. Such a chain must not fail. */
function isOrdinary({ earlier, later, inner, finish }: Scenario): boolean {
  const isQuiet = ({ action, end }: HookCase, harmless: RegExp) =>
    harmless.test(action) && /^(returns nothing|resolves later)$/.test(end)
  const isReturned = inner === 'each' ? /^returns the report/.test(finish) : !/^(cannot flush|hangs)$/.test(finish)
  const before = /^(nothing|sets an error|removes the error)$/
  const after = /^(nothing|sets an error|removes the error|sets the same response)$/
  return (
    isReturned && [...earlier, ...later].every((each) => isQuiet(each.before, before) && isQuiet(each.after, after))
  )
}

function isTrue(what: string, value: unknown, chain: Chain): void {
  if (!value) throw new Error(`Expected that ${what}`, { cause: chain })
}

/** The records that follow these in their message group. */
function isAfter(ids: readonly string[], id: string): boolean {
  return ids.some((other) => other[0] === id[0] && IDS.indexOf(other) < IDS.indexOf(id))
}

/** No message is lost: the response is a list with each message that did not succeed, or whose group is blocked. */
function checkResponse(response: unknown, { isFifo }: Scenario, { succeeded }: Chain): string[] {
  const list = (response as SQSBatchResponse | undefined)?.batchItemFailures
  const listed = list?.map(({ itemIdentifier }) => itemIdentifier) ?? []
  equal('response', response, listOf(...listed))
  equal(
    'ids of other messages',
    listed.filter((id) => !IDS.includes(id)),
    [],
  )
  equal(
    'messages that are lost',
    IDS.filter((id) => !listed.includes(id) && (!succeeded.has(id) || (isFifo && isAfter(listed, id)))),
    [],
  )
  return listed
}

/** A failure stays a failure, and its error is the original one: nobody but an `onError` hook can replace it. */
function checkError(chain: Chain): void {
  const { outcome, calls, caught } = chain
  const onError = calls.filter(({ by }) => by.endsWith('onError'))
  const first = calls.find((call) => call.thrown && !onError.includes(call))?.thrown
  if (first) isTrue('Middy caught what was thrown', caught && caught.error === first.error, chain)
  if (caught) isTrue('the invocation failed', 'error' in outcome, chain)
  if (!('error' in outcome)) return
  const expected = onError.flatMap(({ thrown, set }) => thrown ?? set ?? []).at(-1) ?? caught
  // If `undefined` was thrown and a hook responds, our error says more. Middy cannot add a response to a sealed request.
  const isUnknown = expected?.error === undefined || calls.some(({ seals }) => seals)
  const mayDiffer = !expected || (isUnknown && onError.some(({ respondsEarly }) => respondsEarly))
  const isOriginal = expected && outcome.error === expected.error
  isTrue('the error is the original one', isOriginal || (mayDiffer && outcome.error instanceof Error), chain)
}

/** The other hooks run: Middy skips only those after a hook that throws or responds early. */
function checkSteps(chain: Chain): void {
  const { calls, caught, steps } = chain
  const isStopped = (pattern: RegExp) =>
    calls.some(({ by, thrown, respondsEarly }) => pattern.test(by) && (thrown || respondsEarly))
  // Our hook throws the error if the request was sealed before it could be guarded.
  const isGuarded = !calls.some(({ by, thrown }) => by === 'earlier before' && thrown)
  const isSealed = calls.some(
    ({ by, seals }) => seals && (by === 'earlier before' || (by === 'later onError' && !isGuarded)),
  )
  const rollsBack = caught && !isStopped(/onError$/) && !isSealed
  const commits = !caught && !isStopped(/(before|after)$/)
  equal('steps of the transaction', steps, [...(commits ? ['COMMIT'] : []), ...(rollsBack ? ['ROLLBACK'] : [])])
}

const kinds = countKinds(
  'ordinary',
  'limit',
  'sealed',
  'rolled back',
  'failed without ROLLBACK',
  'failed after COMMIT',
  'all succeeded',
  'some failed',
  'listed although it succeeded',
)

async function runScenario(scenario: Scenario): Promise<void> {
  const chain = await runChain(scenario)
  const { outcome, calls, steps, succeeded } = chain
  if (isLimit(chain)) return kinds.count('limit')
  if (isOrdinary(scenario)) {
    const { failing, isFifo } = scenario
    const expected = IDS.filter((id) => failing.includes(id) || (isFifo && isAfter(failing, id)))
    equal('report of an ordinary chain', reported(outcome), expected)
    kinds.count('ordinary')
  }
  checkError(chain)
  checkSteps(chain)
  if (calls.some(({ seals }) => seals)) kinds.count('sealed')
  if ('error' in outcome) {
    if (steps.includes('COMMIT')) kinds.count('failed after COMMIT')
    else kinds.count(steps.includes('ROLLBACK') ? 'rolled back' : 'failed without ROLLBACK')
    return
  }
  equal('steps of the transaction', steps, ['COMMIT'])
  const listed = checkResponse(outcome.response, scenario, chain)
  if (listed.length === 0) kinds.count('all succeeded')
  else kinds.count(listed.some((id) => succeeded.has(id)) ? 'listed although it succeeded' : 'some failed')
}

let clock: ReturnType<typeof mockClock>
t.test('random chains of middlewares: no message is lost, and a failure stays a failure', async (t) => {
  clock = mockClock(t)
  await check(0.5, scenarios, runScenario)
  kinds.check(t)
})
