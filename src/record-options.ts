import type { RecordOptions } from './types.ts'

/** Aborts the signal of a record, also one that is read only later. */
export let abort: (options: LazyRecordOptions, reason: Error) => void

/** Makes a record's signal when it is asked for: an AbortController costs as much as the rest of a record's way. */
export class LazyRecordOptions implements RecordOptions {
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
