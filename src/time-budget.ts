import type { Context } from 'aws-lambda'
import type { TimeBudget } from './types.ts'

/** When an invocation must stop starting and when it must answer, on the clock of `performance.now()`. */
export interface Deadlines {
  /** From here on no further record starts. */
  readonly drainAt: number
  /** From here on the response goes out, whatever still runs. */
  readonly abortAt: number
}

const NO_DEADLINES: Deadlines = { drainAt: Infinity, abortAt: Infinity }

/** Rule 7: the deadlines of an invocation whose fan-out begins `now`. Failure handlers need time after it. */
export function deadlines(
  budget: TimeBudget | false | undefined,
  hasFailureHandlers: boolean,
  left: number | undefined,
  now: number,
): Deadlines {
  if (budget === false || left === undefined) return NO_DEADLINES
  const usual = hasFailureHandlers ? Math.min(2000, 0.2 * left) : Math.min(250, 0.05 * left)
  const { abort = usual, drain = Math.min(1000, 0.2 * left) } = budget || {}
  const reserve = Math.max(drain, abort)
  if (reserve >= left) {
    process.emitWarning(
      `No record starts: timeBudget keeps ${reserve} ms, and of the function's time ${Math.floor(left)} ms are left. ` +
        "Raise the function's timeout or lower timeBudget",
      { type: 'BoundedSqsBatchWarning', code: 'BOUNDED_SQS_BATCH_TIME_BUDGET' },
    )
  }
  return { drainAt: now + left - reserve, abortAt: now + left - abort }
}

/**
 * Milliseconds of the function's time. A context that cannot tell, or tells nonsense, leaves an invocation without a
 * budget rather than without a result.
 */
export function timeLeft(context: unknown): number | undefined {
  try {
    const left: unknown = (context as Partial<Context>).getRemainingTimeInMillis?.()
    return typeof left === 'number' && Number.isFinite(left) && left > 0 ? left : undefined
  } catch {
    return undefined
  }
}
