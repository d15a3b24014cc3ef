import { RecordBlockedError, RecordNotStartedError } from '../errors.ts'

declare const JOB: unique symbol

/** The number of a job in its batch, from 0. It is not the position of a record: a mix-up does not compile. */
export type JobNumber = number & { readonly [JOB]: true }

/** A job that did not succeed. A job is a record or a chunk. */
export interface JobFailure {
  readonly job: JobNumber
  readonly reason: unknown
}

type Result = PromiseSettledResult<unknown>

export const FULFILLED: PromiseFulfilledResult<undefined> = Object.freeze({ status: 'fulfilled', value: undefined })
/** The entry of a running job. Recognised by its identity, and never returned as a result. */
const RUNNING = rejected(undefined)

export function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason }
}

/**
 * The state of each job of a batch: waiting, running, blocked, or settled with a result. A job counts as failed unless
 * it was fulfilled before the end.
 */
export function createJobStates(count: number) {
  const results: (Result | undefined)[] = new Array(count) // `undefined` for a job that is waiting
  let isOver = false

  // Fields, because getters took as much time as all other code in this file.
  const states = {
    /** How many jobs are neither started nor blocked. 0 after `drain()`. */
    waiting: count,
    /** How many jobs are started and not settled. */
    running: 0,
    isRunning: (job: JobNumber) => results[job] === RUNNING,
    start(job: JobNumber): void {
      results[job] = RUNNING
      states.waiting--
      states.running++
    },
    /** The first result of a running job counts. Returns `false` if the result was ignored. */
    settle(job: JobNumber, result: Result): boolean {
      if (isOver || results[job] !== RUNNING) return false
      results[job] = result
      states.running--
      return true
    },
    /** Marks jobs that must not start, because another job failed with `cause`. */
    block(jobs: readonly JobNumber[], cause: unknown): void {
      if (jobs.length === 0) return
      const blocked = rejected(new RecordBlockedError({ cause }))
      for (const job of jobs) results[job] = blocked
      states.waiting = Math.max(0, states.waiting - jobs.length) // after `drain()` it is 0 already
    },
    /** From now on, no job starts. */
    drain(): void {
      states.waiting = 0
    },
    /**
     * Ends the batch: later results are ignored. Settle the running jobs first. Otherwise, they are failures with the
     * reason `undefined`.
     *
     * @returns the jobs that did not succeed, in order
     */
    end(): JobFailure[] {
      isOver = true
      const failures: JobFailure[] = []
      let notStarted: Error | undefined // one error for all: to make one costs as much as ten records
      for (let job = 0; job < count; job++) {
        const result = results[job]
        if (result?.status === 'fulfilled') continue
        if (!result) notStarted ??= new RecordNotStartedError('The batch ended before the record started')
        failures.push({ job: job as JobNumber, reason: result ? result.reason : notStarted })
      }
      return failures
    },
  }
  return states
}
