import { safely } from '../shared/safely.ts'
import type { RecordOptions } from '../types.ts'

declare const JOB: unique symbol

/** The number of a job in its batch, from 0. It is not the position of a record: a mix-up does not compile. */
export type JobNumber = number & { readonly [JOB]: true }

/** A job that did not succeed. A job is a record or a chunk. */
export interface JobFailure {
  readonly job: JobNumber
  readonly reason: unknown
}

export function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason }
}

/**
 * Aborts the signal of a job. Does not throw.
 *
 * A function and not a method: handlers receive the options and must not be able to abort their signal.
 * Assigned in the class, because only code in the class can read its private fields.
 */
export let abort: (options: JobOptions, reason: Error) => void

/**
 * The third argument of a handler. Makes the signal when it is first read: an AbortController costs as much
 * as everything else that is done for a record.
 */
export class JobOptions implements RecordOptions {
  static {
    abort = (options, reason) => {
      options.#controller ??= new AbortController()
      const controller = options.#controller
      // Throws if the handler has replaced a method of the signal, such as `dispatchEvent`.
      safely(() => controller.abort(reason))
    }
  }
  readonly index: number
  readonly receiveCount: number
  #controller: AbortController | undefined

  constructor(index: number, receiveCount: number) {
    this.index = index
    this.receiveCount = receiveCount
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }
}
