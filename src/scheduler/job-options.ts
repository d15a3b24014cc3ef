import type { RecordOptions } from '../types.ts'

/** Aborts the signal of a job, also if the signal is read only later. */
export let abort: (options: LazyJobOptions, reason: Error) => void

/** Makes the signal of a job when it is read first: an AbortController costs as much as the rest of the path of a record. */
export class LazyJobOptions implements RecordOptions {
  static {
    abort = (options, reason) => {
      options.#reason = reason
      options.#controller?.abort(reason)
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
