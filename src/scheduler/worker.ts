import type { LazyJobOptions } from './job-options.ts'
import type { JobNumber } from './job-states.ts'
import type { Slot } from './slots.ts'

/** Holds a slot, and runs one job after another in it. */
export interface Worker {
  readonly slot: Slot
  /** The last job that it started; 0 before the first. */
  job: JobNumber
  startedAt: number
  /**
   * When the job was aborted because it timed out. `Infinity` if it was not. If the thread was blocked, this is later
   * than `startedAt` + `recordTimeout`.
   */
  timedOutAt: number
  /** `undefined` while no job runs. */
  options: LazyJobOptions | undefined
  /** What the limit search returned for the job. `undefined` while no job runs, and if the concurrency is fixed. */
  token: object | undefined
}
