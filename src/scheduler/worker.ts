import type { LazyJobOptions } from './job-options.ts'
import type { JobNumber } from './job-states.ts'

/** Holds a slot, and runs one job after another in it. */
export interface Worker {
  /** Frees the slot. */
  readonly release: () => void
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
}
