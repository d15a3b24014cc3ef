import type { Context } from 'aws-lambda'
import { safely } from '../shared/safely.ts'
import { warn } from '../shared/warn.ts'
import type { FailureHandler, TimeBudget } from '../types.ts'

/** When an invocation must stop starting records, and when its batch must end, on the clock of `performance.now()`. */
export interface Deadlines {
  /** From this time on, no further record starts. */
  readonly drainAt: number
  /**
   * At this time, running jobs are aborted and the batch ends. Then come failure handlers and the response.
   */
  readonly abortAt: number
}

/** Milliseconds that are kept for the response, after the failure handlers and `onSummary`. */
const RESPONSE_RESERVE = 100

/**
 * CPU time, in milliseconds, that the end of a batch takes on a whole vCPU: aborts, the report, the log entry
 * and the response. In fresh processes, it takes 5 to 7 µs per record (`npm run test:small-functions`). Each
 * `fetch` that is aborted takes 0.15 to 0.2 ms (0.1 ms with node:http). `END_PER_BATCH` is nearly all margin.
 */
const END_PER_RECORD = 0.008
const END_PER_HANDLER = 0.25
const END_PER_BATCH = 50

/** CPU time, in milliseconds, that the first calls of an SQS client take in addition. Measured: 80 to 120 ms. */
const COLD_CLIENT = 150

/** The settings of the instances that have warned about their time budget. */
const warned = new WeakSet<object>()

/** The failure handlers that have completed. Their client is no longer cold. */
const completed = new WeakSet<FailureHandler>()

/** Call it when a failure handler has settled in time and without an error. */
export function failureHandlerCompleted(handler: FailureHandler): void {
  completed.add(handler)
}

/** Whether Lambda runs several invocations at once in this process. It then does not stop them at their timeout. */
export function isMultiConcurrent(): boolean {
  return process.env.AWS_LAMBDA_MAX_CONCURRENCY !== undefined
}

/** Milliseconds that the end of a batch takes with this share of a vCPU. */
function timeToEnd(share: number, records: number, inFlight: number): number {
  return (records * END_PER_RECORD + inFlight * END_PER_HANDLER + END_PER_BATCH) / share
}

/** Milliseconds before the function's timeout at which failure handlers and `onSummary` must be done. */
export function responseReserve(share: number, records: number, left: number): number {
  return Math.max(RESPONSE_RESERVE, Math.min(timeToEnd(share, records, 0), 0.5 * left))
}

/** Milliseconds before the timeout at which a batch ends by default. Failure handlers need CPU time, too. */
function abortReserve(share: number, end: number, left: number, handlers: readonly FailureHandler[]): number {
  if (handlers.length === 0) return Math.max(Math.min(250, 0.05 * left), Math.min(end, 0.5 * left))
  const coldClient = handlers.every((handler) => completed.has(handler)) ? 0 : COLD_CLIENT / share
  return Math.max(Math.min(2000, 0.2 * left), Math.min(1.75 * end + coldClient, 0.75 * left))
}

/** An instance passes the same object for each invocation, so the object identifies the instance. */
interface BudgetSettings {
  readonly timeBudget?: TimeBudget | false | undefined
  readonly concurrency: number
  readonly cpuShare: number
  readonly failureHandlers: readonly FailureHandler[]
}

/**
 * The deadlines of an invocation whose first record starts `now`.
 *
 * @param left milliseconds until the function's timeout; `Infinity` if that is not known
 */
export function deadlines(
  settings: BudgetSettings,
  records: number,
  jobs: number,
  left: number,
  now: number,
): Deadlines {
  const { timeBudget, concurrency, cpuShare, failureHandlers } = settings
  // On Managed Instances, the time left can be 0. No record starts then, even without a budget.
  if (timeBudget === false && left > 0) return { drainAt: Infinity, abortAt: Infinity }
  const end = timeToEnd(cpuShare, records, Math.min(concurrency, jobs))
  const { abort = abortReserve(cpuShare, end, left, failureHandlers), drain = Math.min(1000, 0.2 * left) } =
    timeBudget || {}
  const reserve = Math.max(drain, abort)
  if (reserve >= left && !warned.has(settings)) {
    warned.add(settings)
    warn(
      'BOUNDED_SQS_BATCH_TIME_BUDGET',
      `No record starts: the function has ${Math.round(left)} ms left, and timeBudget reserves ${reserve} ms. ` +
        "Raise the function's timeout, or lower timeBudget",
    )
  }
  return { drainAt: now + left - reserve, abortAt: now + left - abort }
}

/**
 * Milliseconds until the function's timeout. `Infinity` if the context has no usable value: then there is no
 * time budget. If the value is 0 or less, this returns 0 on Managed Instances, which do not stop an
 * invocation at its timeout. Elsewhere, Lambda would have stopped the function, so the context was made by
 * hand: `Infinity`.
 */
export function timeLeft(context: unknown): number {
  const left = safely(() => (context as Context).getRemainingTimeInMillis()) ?? Infinity
  if (!Number.isFinite(left)) return Infinity
  if (left > 0) return left
  return isMultiConcurrent() ? 0 : Infinity
}
