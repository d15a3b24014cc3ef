import type middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { isObject } from './describe.ts'
import { fitDescriptors } from './descriptors.ts'
import { DurableContextError } from './errors.ts'
import { recordJobs } from './handlers/jobs.ts'
import { provideRunBatch } from './handlers/run-batch.ts'
import { createInvocation, type Invocation } from './invocation.ts'
import { checkOptions, type Settings } from './options.ts'
import { isTraced } from './report/tracing.ts'
import { CREATE_LIMITER } from './scheduler/limiter.ts'
import { createRateLimit } from './scheduler/rate-limit.ts'
import { createScheduler, type Limits } from './scheduler/scheduler.ts'
import { checkSqsEvent } from './sqs-event.ts'
import type { BoundedSqsBatchOptions } from './types.ts'

const INVOCATION = Symbol('invocation')

type MiddyRequest = middy.Request<SQSEvent, SQSBatchResponse>

/** The declared type of the middleware, so that the types of this file do not become public. */
interface Middleware {
  before: (request: MiddyRequest) => void
  after: (request: MiddyRequest) => Promise<void>
  onError: (request: MiddyRequest) => Promise<void>
}

/** Middy creates one request object for each invocation and passes it to every hook. The invocation is stored on it. */
type Request = MiddyRequest & { [INVOCATION]?: Invocation }
type PreparedRequest = Request & { [INVOCATION]: Invocation }

/**
 * The property `request.event`. A later middleware may replace the event or its records, and restore them after the
 * handler. The records are therefore checked at each read of the property: Middy reads it when it calls the handler.
 *
 * All requests share this pair of functions, because V8 makes a hidden class for each new pair. The property exists
 * already, so it stays enumerable and configurable.
 */
const EVENT_PROPERTY = {
  get(this: PreparedRequest): unknown {
    const invocation = this[INVOCATION]
    invocation.checkRecords(invocation.event)
    return invocation.event
  },
  set(this: PreparedRequest, event: unknown): void {
    this[INVOCATION].event = event
  },
}

/** The property `request.response`. The invocation sees each response that Middy or a middleware sets. */
const RESPONSE_PROPERTY = {
  get(this: PreparedRequest): unknown {
    return this[INVOCATION].response
  },
  set(this: PreparedRequest, response: unknown): void {
    this[INVOCATION].noteResponse(response)
    this[INVOCATION].response = response
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
 * Create one instance, outside of the handler function: all invocations of the instance share `concurrency`.
 *
 * @param options see {@link BoundedSqsBatchOptions}
 * @throws {TypeError} if an option is unknown, of the wrong type or out of range
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: 100 }))
 *   .handler(eachRecord(async (record) => { await save(record.body) }))
 */
export function boundedSqsBatch(options?: BoundedSqsBatchOptions): Middleware {
  const settings = checkOptions(options)
  const rateLimit = settings.rateLimit && createRateLimit(settings.rateLimit)
  const schedule = createScheduler({ ...settings, ...createLimits(settings.concurrency), rateLimit })
  // A rate limit would count the record of the warm-up batch, and adaptive concurrency would measure it.
  const countsRecords = rateLimit || typeof settings.concurrency !== 'number'
  const warmUpSchedule = countsRecords ? createScheduler({ concurrency: 1 }) : schedule
  // Not if the channels have subscribers, because they would receive the warm-up batch.
  if (!isTraced()) warmUp(settings, warmUpSchedule).catch(() => {})

  function boundedSqsBatchBefore(request: Request): void {
    if (request[INVOCATION]) throw new TypeError('boundedSqsBatch() is used twice on one handler: use it once')
    refuseDurableContext(request.context)
    const batch = checkSqsEvent(request.event)
    const invocation = createInvocation(batch, request.context, settings, schedule)
    request[INVOCATION] = invocation
    // From here on, `request.event` is the copy in `batch.event`, until a later middleware replaces it.
    provideRunBatch(batch.event, invocation.run)
    Object.defineProperty(request, 'event', EVENT_PROPERTY)
    Object.defineProperty(request, 'response', RESPONSE_PROPERTY)
  }

  async function boundedSqsBatchAfter(request: Request): Promise<void> {
    // Middy calls this only after `before`.
    request.response = await (request as PreparedRequest)[INVOCATION].conclude(request.response)
  }

  async function boundedSqsBatchOnError(request: Request): Promise<void> {
    // If the response is `undefined`, Middy throws the error. This replaces a response that another middleware has set:
    // with it, Lambda could delete the messages.
    request.response = (await request[INVOCATION]?.recover(request.error)) as SQSBatchResponse
  }

  return { before: boundedSqsBatchBefore, after: boundedSqsBatchAfter, onError: boundedSqsBatchOnError }
}

function createLimits(concurrency: Settings['concurrency']): Pick<Limits, 'concurrency' | 'limiter'> {
  if (typeof concurrency === 'number') {
    fitDescriptors(concurrency, true)
    return { concurrency }
  }
  const limiter = concurrency[CREATE_LIMITER](fitDescriptors(concurrency.max, false))
  return { concurrency: limiter.limit, limiter }
}

/**
 * Runs a batch of one record that does nothing, so that V8 compiles the code now. Otherwise, compiling would take half
 * of the time of the first batch (measured). While a function starts, Lambda gives it a whole CPU, even if it has less
 * than 1,769 MB of memory.
 *
 * Only one batch. Ten would make each of the first twenty batches about 15 % faster, but delay the start by more time
 * than those batches save (measured).
 *
 * @param schedule if possible, the scheduler of the middleware. V8 collects type feedback for each closure. With this
 * feedback, the first batch is about 8 % faster (measured)
 */
async function warmUp(settings: Settings, schedule: ReturnType<typeof createScheduler>): Promise<void> {
  const batch = checkSqsEvent({ Records: [{ messageId: 'warm-up' }] })
  const { run, conclude } = createInvocation(batch, {} as Context, { ...settings, onSummary: undefined }, schedule)
  await conclude(await run(recordJobs, () => {}, batch.event, {}, undefined))
}

function refuseDurableContext(context: object): void {
  let isDurable = false
  try {
    const { lambdaContext, executionContext, step } = context as Record<string, unknown>
    isDurable = isObject(lambdaContext) && (isObject(executionContext) || typeof step === 'function')
  } catch {} // a context that throws when it is read is not the context of a durable execution
  if (!isDurable) return
  throw new DurableContextError(
    'boundedSqsBatch() cannot be used in a durable function. SQS starts a new execution for each retry, so the ' +
      'checkpoints are lost, and an execution is limited to 3,000 operations. Use a regular function that starts one ' +
      'durable execution for each message, named after the message id',
  )
}
