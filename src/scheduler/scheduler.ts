import type { Deadlines } from './deadlines.ts'
import type { JobFailure } from './job.ts'
import { createRateDispatch } from './rate-dispatch.ts'
import type { RateLimit } from './rate-limit.ts'
import { createRun, type Jobs, type Run, type Shared } from './run.ts'
import { createSlots } from './slots.ts'
import { createTimeouts } from './timeouts.ts'
import { createYieldTimer } from './yield-timer.ts'

export interface Limits {
  /** How many slots there are. */
  readonly concurrency: number
  /** Milliseconds. */
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
}

/**
 * Starts the jobs of one invocation.
 *
 * @param ended is called with the jobs that failed, in order, when all jobs have a result
 */
export type Schedule = (jobs: Jobs, deadlines: Deadlines, ended: (failures: JobFailure[]) => void) => Run

/** Makes the scheduler of a middleware instance. */
export function createScheduler({ concurrency, recordTimeout = Infinity, rateLimit }: Limits): Schedule {
  const yieldTimer = createYieldTimer()
  const active = new Set<Run>()
  const slots = createSlots(concurrency)
  const expireJobs = createTimeouts(recordTimeout, concurrency, active)
  const shared: Shared = { slots, yieldTimer, rateLimit, recordTimeout, expireJobs, active }
  return (jobs, deadlines, ended) => {
    const run = createRun(jobs, deadlines, shared, ended)
    if (rateLimit) run.start = createRateDispatch(run, rateLimit, shared)
    if (active.size === 0) yieldTimer.reset()
    active.add(run)
    run.endIfDone()
    run.start()
    return run
  }
}
