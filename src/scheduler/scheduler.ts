import type { ConcurrencySummary } from '../types.ts'
import type { Deadlines } from './deadlines.ts'
import type { JobFailure } from './job-states.ts'
import { FIXED, type Limiter, type LimiterFactory } from './limiting.ts'
import { createRateDispatch } from './rate-dispatch.ts'
import type { RateLimit } from './rate-limit.ts'
import { createSlots } from './slots.ts'
import { createWatches } from './watch.ts'
import { createWorkerLoop, type Jobs } from './worker-loop.ts'
import { createYieldTimer } from './yield-timer.ts'

/** The jobs of one invocation while they run. */
export interface JobRun {
  /** Resolves with the jobs that failed, in order, when all jobs have a result. Never rejects. */
  readonly done: Promise<JobFailure[]>
  /** Ends the run now: the running jobs are aborted, and the waiting ones are not started. */
  end(): void
  /** Milliseconds from the start of a job to its result, for each job that started. */
  readonly durations: readonly number[]
  /** The maximum number of handlers of this invocation that were in flight at once. */
  peakInFlight(): number
  /** `undefined` if the concurrency is a fixed number. */
  readonly limiter: ConcurrencySummary | undefined
}

/** What all invocations of a middleware instance share. */
export interface Limits {
  readonly concurrency: number
  /** Milliseconds. */
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
  /** Finds the concurrency while jobs run. `undefined` if it is fixed. */
  readonly limiter?: Limiter | undefined
  readonly applyLimiter?: LimiterFactory['applyLimiter'] | undefined
}

/** Makes the scheduler of a middleware instance: a function that runs the jobs of one invocation. */
export function createScheduler({ concurrency, recordTimeout = Infinity, rateLimit, limiter, applyLimiter }: Limits) {
  const slots = createSlots(concurrency)
  const yieldTimer = createYieldTimer()
  const active = new Set<() => void>() // for each batch that has not ended, what starts its jobs
  const limiting =
    (limiter &&
      applyLimiter?.(limiter, slots, () => {
        for (const start of active) start()
      })) ??
    FIXED
  const shared = { slots, yieldTimer, limiting, active }
  const watch = createWatches(recordTimeout, () => (limiter ?? slots).limit, limiting)

  function schedule(jobs: Jobs, deadlines: Deadlines): JobRun {
    const { promise: done, resolve } = Promise.withResolvers<JobFailure[]>()
    let stopWatching: (() => void) | undefined
    const loop = createWorkerLoop(jobs, deadlines.drainAt, shared, { started, ended })
    const dispatch = rateLimit && createRateDispatch(loop, rateLimit, slots, yieldTimer)
    const start = limiting.bind(dispatch?.dispatch ?? loop.startWorkers)

    function started(): void {
      stopWatching ??= watch(loop, deadlines, dispatch?.leave)
    }

    function ended(failures: JobFailure[]): void {
      stopWatching?.()
      dispatch?.leave()
      active.delete(start)
      resolve(failures)
    }

    if (active.size === 0) yieldTimer.reset()
    active.add(start)
    loop.endIfDone()
    // Without a rate limit, the timer starts after the first worker: a batch that this worker finishes needs none.
    if (dispatch && !loop.isOver()) started()
    start()
    return { ...loop, done, limiter }
  }
  return schedule
}
