import { RecordBlockedError, RecordNotStartedError } from '../errors.ts'

/** A record, or a job, that did not succeed. A job is a record or a chunk. */
export interface Failure {
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly reason: unknown
}

/** What became of each job of a batch. */
export interface JobStates {
  /** How many jobs are neither started nor blocked. 0 after `drain()`. */
  readonly waiting: number
  /** How many jobs are started and not settled. */
  readonly running: number
  isRunning(job: number): boolean
  start(job: number): void
  /** The first result of a running job counts. Returns `false` if the result was ignored. */
  settle(job: number, result: PromiseSettledResult<unknown>): boolean
  /** These jobs are not started, because of this error of another one. */
  block(jobs: readonly number[], cause: unknown): void
  /** No further job is started. */
  drain(): void
  /**
   * No further result counts.
   *
   * @param aborted the error of the jobs that are still running
   * @returns the jobs that did not succeed, in order
   */
  end(aborted: Error | undefined): Failure[]
}

const WAITING = 0
const RUNNING = 1
const SUCCEEDED = 2
const FAILED = 3

export const FULFILLED: PromiseFulfilledResult<undefined> = Object.freeze({ status: 'fulfilled', value: undefined })

export function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason }
}

/** Keeps "unknown means failed": a job is a failure until it has settled as fulfilled before the end. */
export function createJobStates(count: number): JobStates {
  const states = new Uint8Array(count).fill(WAITING)
  const reasons: unknown[] = new Array(count)
  let waiting = count
  let running = 0
  let isOver = false

  function fail(job: number, reason: unknown): void {
    states[job] = FAILED
    reasons[job] = reason
  }

  return {
    get waiting() {
      return waiting
    },
    get running() {
      return running
    },
    isRunning: (job) => states[job] === RUNNING,
    start(job) {
      states[job] = RUNNING
      waiting--
      running++
    },
    settle(job, result) {
      if (isOver || states[job] !== RUNNING) return false
      if (result.status === 'fulfilled') states[job] = SUCCEEDED
      else fail(job, result.reason)
      running--
      return true
    },
    block(jobs, cause) {
      if (jobs.length === 0) return
      const reason = new RecordBlockedError({ cause })
      for (const job of jobs) fail(job, reason)
      waiting = Math.max(0, waiting - jobs.length) // after `drain()` it is 0 already
    },
    drain() {
      waiting = 0
    },
    end(aborted) {
      isOver = true
      const failures: Failure[] = []
      let notStarted: Error | undefined // one error for all: to make one costs as much as ten records
      for (let job = 0; job < count; job++) {
        if (states[job] === SUCCEEDED) continue
        let reason: unknown = aborted
        if (states[job] === FAILED) reason = reasons[job]
        else if (states[job] === WAITING) {
          notStarted ??= new RecordNotStartedError('The batch ended before the turn of the record came')
          reason = notStarted
        }
        failures.push({ index: job, reason })
      }
      return failures
    },
  }
}
