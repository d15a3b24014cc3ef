import type { Context } from 'aws-lambda'
import type { TimeBudget } from '../types.ts'
import { warn } from '../warn.ts'

/** When an invocation must stop starting records, and when its batch must end, on the clock of `performance.now()`. */
export interface Deadlines {
  /** From this time on, no further record starts. */
  readonly drainAt: number
  /**
   * At this time, the running jobs are aborted and the batch ends. The failure handlers then run, and the response is
   * sent.
   */
  readonly abortAt: number
}

export const NO_DEADLINES: Deadlines = { drainAt: Infinity, abortAt: Infinity }

/** Milliseconds that are kept for the response, after the failure handlers and `onSummary`. */
const RESPONSE_RESERVE = 100

/**
 * A function with this much memory, in MB, has one vCPU. A smaller function has a proportional share
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
 */
const MEMORY_OF_ONE_CPU = 1_769

/**
 * CPU time, in milliseconds, that the end of a batch takes on a whole vCPU. In this time, running jobs are aborted and
 * the report, the log entry and the response are made. Measured in fresh processes, where V8 has not compiled this code
 * yet (`npm run test:small-functions`): 5 to 6 µs per record, 7 µs at worst. 8 µs leave a margin.
 */
export const END_PER_RECORD = 0.008
const END_PER_BATCH = 10

/**
 * The share of a vCPU that the function has. 1 on Lambda Managed Instances, where memory does not decide it, and 1 if
 * `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` is not set.
 */
export function cpuShare(): number {
  const memory = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE)
  if (isMultiConcurrent() || !(memory > 0)) return 1
  return Math.min(1, memory / MEMORY_OF_ONE_CPU)
}

/** Whether Lambda runs several invocations at once in this process. It then does not stop them at their timeout. */
function isMultiConcurrent(): boolean {
  return process.env.AWS_LAMBDA_MAX_CONCURRENCY !== undefined
}

/**
 * Extends a reserve if the function has less than one vCPU, because it then takes longer to end a batch. The reserve is
 * extended to at most half of the time left. Failure handlers need CPU time, too: with them, the extended reserve is
 * 1.75 times as long, and at most three quarters of the time left.
 */
function extendReserve(reserve: number, share: number, records: number, left: number, hasHandlers = false): number {
  if (share === 1) return reserve
  const extended = (records * END_PER_RECORD + END_PER_BATCH) / share
  return Math.max(reserve, hasHandlers ? Math.min(1.75 * extended, 0.75 * left) : Math.min(extended, 0.5 * left))
}

/** Milliseconds before the function's timeout at which failure handlers and `onSummary` must be done. */
export function responseReserve(share: number, records: number, left: number): number {
  return extendReserve(RESPONSE_RESERVE, share, records, left)
}

/**
 * The deadlines of an invocation whose first record starts `now`.
 *
 * @param left milliseconds until the function's timeout; `undefined` if that is not known
 */
export function deadlines(
  {
    timeBudget,
    cpuShare,
    failureHandlers,
  }: {
    readonly timeBudget?: TimeBudget | false | undefined
    readonly cpuShare: number
    readonly failureHandlers: readonly unknown[]
  },
  records: number,
  left: number | undefined,
  now: number,
): Deadlines {
  // On Managed Instances, the time left can be 0. No record starts then, even without a budget.
  if (left === undefined || (timeBudget === false && left > 0)) return NO_DEADLINES
  const hasFailureHandlers = failureHandlers.length > 0
  const usual = hasFailureHandlers ? Math.min(2000, 0.2 * left) : Math.min(250, 0.05 * left)
  const extended = extendReserve(usual, cpuShare, records, left, hasFailureHandlers)
  const { abort = extended, drain = Math.min(1000, 0.2 * left) } = timeBudget || {}
  const reserve = Math.max(drain, abort)
  if (reserve >= left) {
    const budget =
      left > 0
        ? `, and timeBudget reserves ${reserve} ms for the end of the batch. Lower timeBudget, or raise`
        : '. Raise'
    warn(
      'BOUNDED_SQS_BATCH_TIME_BUDGET',
      `No record starts: the function has ${Math.floor(left)} ms left${budget} the function's timeout`,
    )
  }
  return { drainAt: now + left - reserve, abortAt: now + left - abort }
}

/**
 * Milliseconds until the function's timeout. `undefined` if the context has no usable value: then there is no time
 * budget. Lambda stops a function at its timeout, so only a context made by hand has 0 or less. On Managed Instances,
 * Lambda does not stop it: there, 0 or less means that the time is over, and this function returns 0.
 */
export function timeLeft(context: unknown): number | undefined {
  try {
    const left: unknown = (context as Context).getRemainingTimeInMillis()
    if (typeof left !== 'number' || !Number.isFinite(left)) return undefined
    if (left > 0) return left
    return isMultiConcurrent() ? 0 : undefined
  } catch {
    return undefined // the context has no such function, or the function throws
  }
}
