import type { Context } from 'aws-lambda'
import type { TimeBudget } from '../types.ts'

/** When an invocation must stop starting records and when it must respond, on the clock of `performance.now()`. */
export interface Deadlines {
  /** From here on no further record starts. */
  readonly drainAt: number
  /** From here on the response is sent, whatever still runs. */
  readonly abortAt: number
}

export const NO_DEADLINES: Deadlines = { drainAt: Infinity, abortAt: Infinity }

/** Milliseconds before the function's timeout that are kept for the response after the failure handlers. */
const RESPONSE_RESERVE = 100

/** The memory, in MB, at which a function has one CPU; with less it has a share in proportion (Lambda's guide). */
const MEMORY_OF_ONE_CPU = 1_769

/**
 * Milliseconds of a whole CPU that the end of a batch takes: to abort what runs and to make the report, the log entry and
 * the response. Measured in fresh processes, where V8 has not compiled this code yet (`npm run test:small-functions`):
 * 5 to 6 µs per record, 7 µs at worst.
 */
export const END_PER_RECORD = 0.008
const END_PER_BATCH = 10

/** Managed Instances do not share a CPU by memory. Without the variable the share is not known. */
export function cpuShare(): number {
  const memory = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE)
  if (isMultiConcurrent() || !(memory > 0)) return 1
  return Math.min(1, memory / MEMORY_OF_ONE_CPU)
}

/** Whether Lambda runs several invocations at once in this process. It then enforces no timeout. */
function isMultiConcurrent(): boolean {
  return process.env.AWS_LAMBDA_MAX_CONCURRENCY !== undefined
}

/** A small function ends a batch slowly, so its reserve grows, up to half of the time left. */
function grown(reserve: number, share: number, records: number, left: number): number {
  if (share === 1) return reserve
  return Math.max(reserve, Math.min(left / 2, (records * END_PER_RECORD + END_PER_BATCH) / share))
}

/** Milliseconds before the function's timeout at which failure handlers and `onSummary` must be done. */
export function responseReserve(share: number, records: number, left: number): number {
  return grown(RESPONSE_RESERVE, share, records, left)
}

/**
 * The deadlines of an invocation whose first record starts `now`.
 *
 * @param left milliseconds of the function's time; `undefined` if that is not known
 */
export function deadlines(
  { timeBudget, cpuShare }: { readonly timeBudget: TimeBudget | false | undefined; readonly cpuShare: number },
  {
    hasFailureHandlers,
    records,
    left,
    now,
  }: {
    readonly hasFailureHandlers: boolean
    readonly records: number
    readonly left: number | undefined
    readonly now: number
  },
): Deadlines {
  if (timeBudget === false || left === undefined) return NO_DEADLINES
  const usual = hasFailureHandlers ? Math.min(2000, 0.2 * left) : Math.min(250, 0.05 * left)
  const { abort = grown(usual, cpuShare, records, left), drain = Math.min(1000, 0.2 * left) } = timeBudget || {}
  const reserve = Math.max(drain, abort)
  if (reserve >= left) {
    process.emitWarning(
      `No record starts: ${Math.floor(left)} ms of the function's time are left, and timeBudget keeps ${reserve} ms. ` +
        "Raise the function's timeout or lower timeBudget",
      { type: 'BoundedSqsBatchWarning', code: 'BOUNDED_SQS_BATCH_TIME_BUDGET' },
    )
  }
  return { drainAt: now + left - reserve, abortAt: now + left - abort }
}

/**
 * Milliseconds of the function's time. `undefined` if the context does not tell, or tells nonsense: then there is no
 * budget. On Managed Instances no timeout is enforced, and 0 or less means that the function has timed out.
 */
export function timeLeft(context: unknown): number | undefined {
  try {
    const left: unknown = (context as Partial<Context>).getRemainingTimeInMillis?.()
    if (typeof left !== 'number' || !Number.isFinite(left)) return undefined
    if (left > 0) return left
    return isMultiConcurrent() ? 0 : undefined
  } catch {
    return undefined
  }
}
