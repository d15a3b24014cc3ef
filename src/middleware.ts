import type middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { DurableContextError } from './errors.ts'
import { recordJobs } from './handlers/jobs.ts'
import { type CreateJobs, provideRunBatch } from './handlers/run-batch.ts'
import { createInvocation, type Invocation, type Received } from './invocation.ts'
import { checkOptions, type Settings } from './options.ts'
import { isTraced } from './report/tracing.ts'
import { checkDescriptors } from './scheduler/descriptors.ts'
import { createRateLimit } from './scheduler/rate-limit.ts'
import { createScheduler, type Schedule } from './scheduler/scheduler.ts'
import { isObject } from './shared/describe.ts'
import { safely } from './shared/safely.ts'
import { checkSqsEvent } from './sqs-event.ts'
import type { BoundedSqsBatchOptions } from './types.ts'

const STATE = Symbol('state')

const nativePromise = (async () => {})()

type MiddyRequest = middy.Request<SQSEvent, SQSBatchResponse>

/** What `boundedSqsBatch()` returns. Pass it to Middy's `.use()`. */
export interface BoundedSqsBatchMiddleware {
  before: (request: MiddyRequest) => void
  after: (request: MiddyRequest) => Promise<void>
  onError: (request: MiddyRequest) => void
}

/** Middy creates one request object for each invocation and passes it to every hook. The state is stored on it. */
type Request = MiddyRequest & { readonly [STATE]?: State }
type GuardedRequest = Request & { readonly [STATE]: State }

interface State {
  /** Missing if there is no valid event. */
  invocation?: Invocation
  /** The value of `request.response`: what the inner handler returned, then ours. */
  response?: unknown
  received?: Received | undefined
  /** The copy of the event that the inner handler receives. */
  event?: SQSEvent
  /**
   * - `open`: the response is that of the inner handler, or not there yet
   * - `responded`: it is ours
   * - `removed`: it was set to `undefined`: by Middy, because something has thrown, or by a hook
   * - `failed`: our `onError` has run, and Middy throws `request.error`
   */
  status: 'open' | 'responded' | 'removed' | 'failed'
}

/**
 * The property `request.response` is a latch: the response is the inner handler's, then ours, and never
 * anything else. Otherwise, a middleware could respond with fewer failures, and Lambda would delete failed
 * messages. `undefined` closes it: the invocation fails. All requests share these functions, because V8 makes
 * a hidden class for each pair.
 */
const LATCH = {
  configurable: false,
  get(this: GuardedRequest): unknown {
    const { status, response, invocation } = this[STATE]
    if (status === 'responded') invocation?.assertNotFailed() // Middy reads the response after all hooks
    if (status === 'open' || status === 'responded') return response
    // Middy calls no further hook, and responds with what it reads. `undefined` would delete the batch.
    if ('earlyResponse' in this || (status === 'removed' && this.error === undefined)) {
      if (this.error === undefined) invocation?.assertNotFailed()
      throw this.error
    }
    // An `onError` hook reads the response, or a hook has set `request.error` without throwing. Then Middy
    // responds with this list of all ids, and the whole batch is redelivered.
    return status === 'removed' ? invocation?.allFailed() : undefined
  },
  set(this: GuardedRequest, response: unknown): void {
    const state = this[STATE]
    if (response === undefined) close(this)
    else if (state.status === 'open' || state.status === 'responded') {
      // With an early response, Middy skips the hooks of earlier middlewares, for example COMMIT.
      const isFirst = state.response === undefined
      if ('earlyResponse' in this || (!isFirst && response !== state.response)) {
        throw new TypeError(
          'Another middleware responded. Make boundedSqsBatch() the last .use(), and do not change its response',
        )
      }
      if (isFirst) state.received = state.invocation?.receive(response)
      state.response = response
    }
    // Once it is closed, a value is ignored, so that every `onError` hook runs.
  },
}

/** Fails the invocation for good. Does not throw: if it did, Middy would not call the `onError` hooks. */
function close(request: GuardedRequest): void {
  const state = request[STATE]
  const { status, invocation } = state
  // After a microtask, because Middy sets `request.error` next. If a later `onError` hook throws or responds,
  // Middy does not call ours, so the error is published here, too.
  queueMicrotask(() => {
    if (request.error !== undefined) invocation?.traceError(request.error)
  })
  if (status === 'removed' || status === 'failed') return
  state.status = 'removed'
  safely(() => setEvent(request, request.event, true))
  invocation?.abandon(state.received)
}

/**
 * A Middy middleware for functions that consume an SQS queue. It checks the event and runs your record
 * handler on each record (or your chunk handler on each chunk), at most `concurrency` at once. The response
 * reports exactly the records that failed and that no failure handler has handled, so SQS redelivers only
 * those.
 *
 * The event source mapping must have `ReportBatchItemFailures`. Without it, Lambda ignores the response and
 * deletes the failed messages. The middleware cannot check this setting, because the event does not contain
 * it (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 *
 * Make it the last `.use()`. Every error of the inner handler or of another middleware fails the invocation,
 * and SQS redelivers the whole batch. What completes the batch, such as COMMIT, belongs in your inner
 * handler, after `eachRecord()`.
 *
 * Create one instance, outside of the handler function: all invocations of the instance share `concurrency`.
 *
 * @param options see {@link BoundedSqsBatchOptions}
 * @throws {TypeError} if an option is unknown, of the wrong type or out of range, or if the global `Promise`
 * was replaced
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: 100 }))
 *   .handler(eachRecord(async (record) => { await save(record.body) }))
 */
export function boundedSqsBatch(options?: BoundedSqsBatchOptions): BoundedSqsBatchMiddleware {
  refuseReplacedPromise()
  const settings = checkOptions(options)
  checkDescriptors(settings.concurrency)
  const schedule = createScheduler({
    ...settings,
    rateLimit: settings.rateLimit && createRateLimit(settings.rateLimit),
  })

  // No warm-up if subscribers of the channels would receive its batch, or a rate limit count its records.
  if (!settings.rateLimit && !isTraced()) warmUp(settings, schedule).catch(() => {})

  function boundedSqsBatchBefore(request: Request): void {
    refuseReplacedPromise()
    if (request[STATE]) throw new TypeError('boundedSqsBatch() is used twice')
    const state = guard(request)
    refuseDurableContext(request.context)
    const batch = checkSqsEvent(request.event)
    state.invocation = createInvocation(batch, request.context, settings, schedule)
    provideRunBatch(batch.event, state.invocation.runBatch)
    state.event = batch.event
    setEvent(request, batch.event, false)
  }

  function boundedSqsBatchAfter(request: Request): Promise<void> {
    refuseReplacedPromise() // not in an async function, because Middy would not notice its rejection
    const state = (request as GuardedRequest)[STATE] // Middy calls this only after `before`
    if (request.event !== state.event) throw new TypeError('A later middleware has redefined request.event')
    setEvent(request, request.event, true)
    return respond(state)
  }

  /** Synchronous, and throws only if it must: Middy then skips earlier `onError` hooks, such as a rollback. */
  function boundedSqsBatchOnError(request: Request): void {
    // `before` did not run if an earlier middleware threw.
    const state = request[STATE] ?? safely(() => guard(request))
    // An earlier middleware has sealed the request, so another hook could respond and delete the batch.
    if (!state) throw request.error
    state.status = 'failed'
    state.invocation?.traceError(request.error)
  }

  return { before: boundedSqsBatchBefore, after: boundedSqsBatchAfter, onError: boundedSqsBatchOnError }
}

function guard(request: Request): State {
  const state: State = { status: 'open' }
  Object.defineProperty(request, STATE, { value: state }) // not enumerable, so that no log or copy contains it
  Object.defineProperty(request, 'response', LATCH)
  return state
}

/** While records run, a middleware cannot set `request.event`: results belong to records by their position. */
function setEvent(request: Request, event: SQSEvent, writable: boolean): void {
  // Throws if a later middleware has sealed the request. The event then stays as it is.
  safely(() => Object.defineProperty(request, 'event', { value: event, writable }))
}

/** Replaces what the inner handler returned by the response of this package. */
async function respond(state: State): Promise<void> {
  const invocation = state.invocation as Invocation
  // Nothing was received if the inner handler returned `undefined`. Then `receive()` throws.
  const response = await invocation.respond(state.received ?? invocation.receive(undefined))
  invocation.assertNotFailed() // a middleware can remove the response until here
  state.response = response
  state.status = 'responded'
}

/** Middy awaits only instances of the global `Promise`. Otherwise, it would respond before our hooks end. */
function refuseReplacedPromise(): void {
  if (nativePromise instanceof Promise) return
  throw new TypeError(
    'Something has replaced the global Promise, so Middy does not await hooks. Remove it (Bluebird, zone.js)',
  )
}

/**
 * Runs a batch that does nothing, so that V8 compiles the code now. Otherwise, the first batch would take
 * twice as long (measured). While a function starts, Lambda gives it a whole CPU, whatever its memory is. Two
 * records: with one, the code that lets the event loop run would not be compiled.
 */
async function warmUp(settings: Settings, schedule: Schedule): Promise<void> {
  const batch = checkSqsEvent({ Records: [{ messageId: '1' }, { messageId: '2' }] })
  const context = {} as Context
  const invocation = createInvocation(batch, context, { ...settings, onSummary: undefined }, schedule)
  const createJobs: CreateJobs = () => recordJobs(batch, async () => {}, context, settings)
  await invocation.respond(invocation.receive(await invocation.runBatch(createJobs, context, undefined)))
}

function refuseDurableContext(context: object): void {
  // A context that throws when it is read is not the context of a durable execution.
  const isDurable = safely(() => {
    const { lambdaContext, executionContext, step } = context as Record<string, unknown>
    return isObject(lambdaContext) && (isObject(executionContext) || typeof step === 'function')
  })
  if (!isDurable) return
  throw new DurableContextError(
    'boundedSqsBatch() cannot be used in a durable function, because a redelivery has no checkpoints. ' +
      'Use a regular function that starts an execution named after each message id',
  )
}
