import type middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { DurableContextError } from './errors.ts'
import { recordJobs } from './handlers/jobs.ts'
import { provideRunBatch } from './handlers/run-batch.ts'
import { createInvocation, type Invocation } from './invocation.ts'
import { checkOptions, type Settings } from './options.ts'
import { isTraced } from './report/tracing.ts'
import { checkDescriptors } from './scheduler/descriptors.ts'
import { createRateLimit } from './scheduler/rate-limit.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { isObject } from './shared/describe.ts'
import { safely } from './shared/safely.ts'
import { checkSqsEvent } from './sqs-event.ts'
import type { BoundedSqsBatchOptions } from './types.ts'

const STATE = Symbol('state')

const nativePromise = (async () => {})()

type MiddyRequest = middy.Request<SQSEvent, SQSBatchResponse>

/** The declared type of the middleware, so that the types of this file do not become public. */
interface Middleware {
  before: (request: MiddyRequest) => void
  after: (request: MiddyRequest) => Promise<void>
  onError: (request: MiddyRequest) => void
}

/** Middy creates one request object for each invocation and passes it to every hook. The state is stored on it. */
type Request = MiddyRequest & { readonly [STATE]?: State }
type GuardedRequest = Request & { readonly [STATE]: State }

interface State {
  /**
   * - `running`: the inner handler has not responded yet
   * - `received`: it has
   * - `responded`: the response is ours. A middleware can only add failures to it
   * - `failed`: the response was set to `undefined`. Middy does this when something throws. This phase is final
   */
  phase: 'running' | 'received' | 'responded' | 'failed'
  event: unknown
  response?: unknown
  /** Missing if there is no valid event. */
  invocation?: Invocation
  /**
   * `request.error` when our response was removed. While it is the same, nothing shows that something has thrown: a hook
   * may have removed the response.
   */
  removal?: { readonly error: unknown } | undefined
}

/** What happens if something sets `request.response` to a value, by phase. `undefined` goes to `removeResponse()`. */
const SET_RESPONSE: Readonly<Record<State['phase'], (request: GuardedRequest, response: unknown) => void>> = {
  /** Middy sets what the inner handler returned, or a later middleware responds. */
  running(request, response) {
    if ('earlyResponse' in request) throw laterResponseError()
    const state = request[STATE]
    state.invocation?.receive(response)
    state.phase = 'received'
    state.response = response
  },
  /** A later middleware responds, or Middy sets the response a second time. */
  received() {
    throw laterResponseError()
  },
  /** An `after` hook of an earlier middleware sets a response. */
  responded(request, response) {
    // After an early response, Middy skips the hooks of earlier middlewares, for example COMMIT.
    if ('earlyResponse' in request) {
      throw new TypeError('A middleware returned a value from after. Set request.response instead')
    }
    const state = request[STATE]
    state.response = state.invocation?.acceptReplacement(response)
  },
  /** What an `onError` hook sets or returns is ignored: a failure stays a failure. */
  failed(request) {
    // Without an error, a hook responds early, and Middy would skip our `after`.
    if ('earlyResponse' in request && request.error === undefined) throw laterResponseError()
  },
}

/**
 * Something sets `request.response` to `undefined`: Middy does this when something has thrown, or when the inner handler
 * returned nothing. It must not throw, because Middy would not call the `onError` hooks.
 */
function removeResponse(request: GuardedRequest): void {
  if (request[STATE].phase === 'responded') {
    // A hook after ours may have set `undefined`. With `earlyResponse`, Middy calls no further hook and reads the
    // response: the getter throws. If Middy itself has set `undefined`, it deletes `earlyResponse` and sets the error.
    request.earlyResponse = undefined
    request[STATE].removal = { error: request.error }
  }
  fail(request)
}

function laterResponseError(): TypeError {
  return new TypeError('A later middleware responded. Make boundedSqsBatch() the last .use()')
}

/**
 * The properties `request.event` and `request.response`. They keep other middlewares from replacing the event before our
 * `after`, and the response by one that lists fewer failures.
 *
 * All requests share these functions, because V8 makes a hidden class for each new pair. The properties exist already,
 * so they stay enumerable.
 */
const GUARDS = {
  event: {
    configurable: false,
    get(this: GuardedRequest): unknown {
      return this[STATE].event
    },
    set(this: GuardedRequest, event: unknown): void {
      const state = this[STATE]
      const isGuarded = state.phase === 'running' || state.phase === 'received'
      if (isGuarded && event !== state.event) {
        throw new TypeError(
          'A later middleware replaced request.event. Change its records in place, or move it before boundedSqsBatch()',
        )
      }
      state.event = event
    },
  },
  response: {
    configurable: false,
    get(this: GuardedRequest): unknown {
      const { phase, response, invocation, removal } = this[STATE]
      if (phase === 'responded') invocation?.assertNotFailed() // Middy reads the response last
      if (phase !== 'failed') return response
      // Something has thrown, or our `after` will throw. Middy then throws `request.error`, because the response is
      // `undefined`. `onError` hooks can read it, too. After a removal, hooks may also have set the error, and Middy would
      // respond with what it reads: the whole batch is redelivered.
      const throws = !removal || removal.error !== this.error
      if (throws && !('earlyResponse' in this)) return removal && invocation?.allFailed()
      // Middy would respond with `undefined`, and Lambda would delete the batch.
      if (this.error === undefined) invocation?.assertNotFailed()
      throw this.error
    },
    set(this: GuardedRequest, response: unknown): void {
      if (response === undefined) removeResponse(this)
      else SET_RESPONSE[this[STATE].phase](this, response)
    },
  },
}

/**
 * A Middy middleware for functions that consume an SQS queue. It checks the event and runs your record handler on each
 * record (or your chunk handler on each chunk), at most `concurrency` at once. The response reports exactly the records
 * that failed and that no failure handler has handled, so SQS redelivers only those.
 *
 * The event source mapping must have `ReportBatchItemFailures`. Without it, Lambda ignores the response and deletes the
 * failed messages. The middleware cannot check this setting, because the event does not contain it
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 *
 * Make it the last `.use()`. Every error of the inner handler or of another middleware fails the invocation, and SQS
 * redelivers the whole batch. What completes the batch, such as COMMIT, belongs into your inner handler, after `eachRecord()`.
 *
 * Create one instance, outside of the handler function: all invocations of the instance share `concurrency`.
 *
 * @param options see {@link BoundedSqsBatchOptions}
 * @throws {TypeError} if an option is unknown, of the wrong type or out of range, or if the global `Promise` was replaced
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: 100 }))
 *   .handler(eachRecord(async (record) => { await save(record.body) }))
 */
export function boundedSqsBatch(options?: BoundedSqsBatchOptions): Middleware {
  refuseReplacedPromise()
  const settings = checkOptions(options)
  const rateLimit = settings.rateLimit && createRateLimit(settings.rateLimit)
  checkDescriptors(settings.concurrency)
  const schedule = createScheduler({ ...settings, rateLimit })
  // A rate limit would count the record of the warm-up batch.
  const warmUpSchedule = rateLimit ? createScheduler({ concurrency: 1 }) : schedule
  // Not if the channels have subscribers, because they would receive the warm-up batch.
  if (!isTraced()) warmUp(settings, warmUpSchedule).catch(() => {})

  function boundedSqsBatchBefore(request: Request): void {
    refuseReplacedPromise()
    if (request[STATE]) throw new TypeError('boundedSqsBatch() is used twice')
    const state = guard(request)
    refuseDurableContext(request.context)
    const batch = checkSqsEvent(request.event)
    const invocation = createInvocation(batch, request.context, settings, schedule)
    provideRunBatch(batch.event, invocation.run)
    state.invocation = invocation
    state.event = batch.event
  }

  function boundedSqsBatchAfter(request: Request): Promise<void> {
    refuseReplacedPromise() // not in an async function, because Middy would not notice its rejection
    return setOwnResponse((request as GuardedRequest)[STATE]) // Middy calls this only after `before`
  }

  /** Synchronous, and never throws: Middy would skip the `onError` hooks of earlier middlewares, such as a rollback. */
  function boundedSqsBatchOnError(request: Request): void {
    // `before` did not run if an earlier middleware threw.
    const state = request[STATE] ?? safely(() => guard(request))
    if (!state) return // another middleware has sealed the request
    state.removal = undefined // something has thrown
    fail(request as GuardedRequest)
    state.invocation?.traceError(request.error)
  }

  return { before: boundedSqsBatchBefore, after: boundedSqsBatchAfter, onError: boundedSqsBatchOnError }
}

function guard(request: Request): State {
  const state: State = { phase: 'running', event: request.event }
  Object.defineProperty(request, STATE, { value: state }) // not enumerable, so that no log or copy contains it
  Object.defineProperties(request, GUARDS)
  return state
}

/** Replaces what the inner handler returned by the response of this package. */
async function setOwnResponse(state: State): Promise<void> {
  const invocation = state.invocation as Invocation
  if (state.response === undefined) invocation.receive(undefined) // throws: the inner handler returned nothing
  const response = await invocation.createResponse()
  invocation.assertNotFailed() // a middleware can remove the response until here
  state.response = response
  state.phase = 'responded'
}

/** Ends the invocation: what follows cannot turn it into a success. */
function fail(request: GuardedRequest): void {
  const state = request[STATE]
  // Middy sets `request.error` after the response. If a later `onError` hook throws or responds, ours is not called.
  queueMicrotask(() => {
    if (request.error !== undefined) state.invocation?.traceError(request.error)
  })
  if (state.phase === 'failed') return
  state.phase = 'failed'
  state.invocation?.abandon()
}

/**
 * Middy awaits only what is an instance of the global `Promise`. Otherwise it would respond before our hooks have ended.
 */
function refuseReplacedPromise(): void {
  if (nativePromise instanceof Promise) return
  throw new TypeError(
    'Something has replaced the global Promise, so Middy does not await hooks. Remove it (Bluebird, zone.js)',
  )
}

/**
 * Runs a batch of one record that does nothing, so that V8 compiles the code now. Otherwise, compiling would take half
 * of the time of the first batch (measured). While a function starts, Lambda gives it a whole CPU, even if it has less
 * than 1,769 MB of memory.
 *
 * One batch, and not ten. Ten would make each of the first twenty batches about 15 % faster, but take more time at the
 * start than this saves (measured).
 *
 * @param schedule if possible, the scheduler of the middleware. V8 collects type feedback for each closure. With this
 * feedback, the first batch is about 8 % faster (measured)
 */
async function warmUp(settings: Settings, schedule: ReturnType<typeof createScheduler>): Promise<void> {
  const batch = checkSqsEvent({ Records: [{ messageId: 'warm-up' }] })
  const warmUpSettings = { ...settings, onSummary: undefined }
  const { run, receive, createResponse } = createInvocation(batch, {} as Context, warmUpSettings, schedule)
  receive(await run(recordJobs, () => {}, {}, undefined))
  await createResponse()
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
