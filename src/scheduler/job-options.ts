import { safely } from '../shared/safely.ts'
import type { RecordOptions } from '../types.ts'

/**
 * Aborts the signal of a job. A signal that is first read after this call is aborted from the beginning. Does not
 * throw.
 *
 * A function and not a method: handlers receive the options and must not be able to abort their signal. Assigned in the
 * class, because only code in the class can read its private fields.
 */
export let abort: (options: LazyJobOptions, reason: Error) => void

/**
 * Makes the signal of a job when it is first read: an AbortController costs as much as everything else that is done for
 * a record.
 */
export class LazyJobOptions implements RecordOptions {
  static {
    abort = (options, reason) => {
      options.#reason = reason
      // Throws if the handler has replaced a method of the signal, such as `dispatchEvent`.
      safely(() => options.#controller?.abort(reason))
    }
  }
  readonly index: number
  readonly receiveCount: number
  #controller: AbortController | undefined
  #reason: Error | undefined

  constructor(index: number, receiveCount: number) {
    this.index = index
    this.receiveCount = receiveCount
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }
}
