import { setTimeout } from 'node:timers/promises'
import type { OpenLedger, Progress } from '../account/ledger.ts'
import type { Queue, QueueCounts } from '../queue/queue.ts'

const POLL_MS = 250

export interface RunEndOptions {
  queue: Pick<Queue, 'counts' | 'isPrivate'>
  ledger: Pick<OpenLedger, 'snapshot'>
  /** The run ends once the queue has been empty for this many seconds. Undefined: never. */
  idle: number | undefined
  /** Whether the queue counts as empty only after a first message has been delivered. */
  awaitFirst: boolean
  onProgress: (progress: Progress) => void
  /** The signals that the caller of the run aborts. */
  signals: readonly AbortSignal[]
  sleep?: typeof setTimeout // tests give their own
}

/** Decides when a run ends: the queue is idle, a part of the run fails, or the caller ends it. */
export class RunEnd {
  /** Aborts when no further message is sent, and no further invocation starts. */
  readonly draining: AbortSignal
  /** The last known counts of the queue. */
  counts: QueueCounts = { visible: 0, queue: 0, deadLetter: 0 }
  /** Whether the run sends no more messages. */
  isInputSent = false
  readonly #options: RunEndOptions
  readonly #over = new AbortController()

  constructor(options: RunEndOptions) {
    this.#options = options
    this.draining = AbortSignal.any([...options.signals, this.#over.signal])
  }

  /** Whether no other message can arrive, if this many were received and not delivered. */
  async isLast(gathered: number): Promise<boolean> {
    const { queue } = this.#options
    return this.isInputSent && queue.isPrivate && (await queue.counts()).queue === gathered
  }

  /**
   * Waits for the parts of the run. Meanwhile, reports the progress, and ends the run once the queue is idle
   * or a part has failed. Rejects with the first error.
   */
  async watch(...parts: Promise<unknown>[]): Promise<void> {
    const errors: unknown[] = []
    const fail = (error: unknown) => {
      errors.push(error)
      this.#over.abort()
    }
    const done = new AbortController()
    const work = Promise.all(parts.map((part) => part.catch(fail))).finally(() => done.abort())
    await Promise.all([work, this.#look(done.signal).catch(fail)])
    if (errors.length > 0) throw errors[0]
  }

  async #look(done: AbortSignal) {
    const { queue, ledger, idle = Number.POSITIVE_INFINITY, awaitFirst, onProgress, sleep = setTimeout } = this.#options
    let emptySince = Number.POSITIVE_INFINITY
    while (!done.aborted) {
      const wasSent = this.isInputSent // read first: the counts may not include a message that is sent while they are read
      this.counts = await queue.counts()
      const progress = ledger.snapshot(this.counts)
      onProgress(progress)
      const isEmpty = wasSent && progress.remaining + progress.inFlight === 0 && (!awaitFirst || progress.delivered > 0)
      const now = performance.now()
      emptySince = isEmpty ? Math.min(emptySince, now) : Number.POSITIVE_INFINITY
      const left = Math.max(0, emptySince + idle * 1000 - now)
      if (left === 0) this.#over.abort()
      await sleep(Math.min(POLL_MS, left || POLL_MS), undefined, { signal: done }).catch(() => {})
    }
  }
}
