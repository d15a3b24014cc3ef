import type { Deadlines } from './deadlines.ts'
import type { JobFailure } from './job-states.ts'
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
}

export interface Limits {
  /** How many slots there are. */
  readonly concurrency: number
  /** Milliseconds. */
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
}

/** Makes the scheduler of a middleware instance: a function that runs the jobs of one invocation. */
export function createScheduler({ concurrency, recordTimeout = Infinity, rateLimit }: Limits) {
  const slots = createSlots(concurrency)
  const yieldTimer = createYieldTimer()
  const active = new Set<object>() // the batches that have not ended
  const shared = { slots, yieldTimer, active }
  const watch = createWatches(recordTimeout, slots)

  function schedule(jobs: Jobs, deadlines: Deadlines): JobRun {
    const { promise: done, resolve } = Promise.withResolvers<JobFailure[]>()
    let stopWatching: (() => void) | undefined
    const loop = createWorkerLoop(jobs, deadlines.drainAt, shared, { started, ended })
    const dispatch = rateLimit && createRateDispatch(loop, rateLimit, yieldTimer)
    const start = dispatch ?? loop.startWorkers
    const leave = () => rateLimit?.leave(loop)

    function started(): void {
      stopWatching ??= watch(loop, deadlines, leave)
    }

    function ended(failures: JobFailure[]): void {
      stopWatching?.()
      leave()
      active.delete(loop)
      resolve(failures)
    }

    if (active.size === 0) yieldTimer.reset()
    active.add(loop)
    loop.endIfDone()
    // Without a rate limit, the timer starts after the first worker: a batch that this worker finishes needs none.
    if (dispatch && !loop.isOver()) started()
    void start()
    return { done, end: loop.end, ...loop.measures }
  }
  return schedule
}
