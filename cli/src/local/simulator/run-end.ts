import { setTimeout } from 'node:timers/promises'
import type { OpenLedger, Progress } from './ledger.ts'
import type { Queue } from './queue.ts'

const POLL_MS = 250

export interface RunEndOptions {
  queue: Pick<Queue, 'counts' | 'isPrivate'>
  ledger: Pick<OpenLedger, 'snapshot'>
  /** The run ends once the queue has been empty for this many seconds. Undefined: it does not end by itself. */
  idle: number | undefined
  /** Whether the queue counts as empty only after a first message has been delivered. */
  awaitFirst: boolean
  onProgress: (progress: Progress) => void
  /** The signals that the caller of the run aborts. */
  signals: readonly AbortSignal[]
  sleep?: typeof setTimeout // tests give their own
}

export interface RunEnd {
  /** Aborts once the queue is idle, or a part of the run has failed. */
  readonly over: AbortSignal
  /** Aborts when no further message is sent, and no further invocation starts. */
  readonly draining: AbortSignal
  fail(error: unknown): void
  /** For callbacks that no promise of the run waits for. An error in them would end this process, so it ends the run. */
  guard<Values extends unknown[]>(callback: (...values: Values) => void): (...values: Values) => void
  /** The run sends no more messages. */
  inputSent(): void
  /** Whether no other message can arrive, if this many were received and not delivered. */
  isLast(gathered: number): Promise<boolean>
  /** Reports the progress, and ends the run once the queue is idle. Ends with `work`. */
  watch(work: Promise<unknown>): Promise<void>
  /** Throws the error of the first part that has failed. */
  throwIfFailed(): void
}

/** Decides when a run ends: the queue is idle, a part of the run fails, or the caller ends it. */
export function openRunEnd(options: RunEndOptions): RunEnd {
  const { queue, ledger, idle = Number.POSITIVE_INFINITY, awaitFirst, onProgress, sleep = setTimeout } = options
  const over = new AbortController()
  const errors: unknown[] = []
  let isInputSent = false

  function fail(error: unknown) {
    errors.push(error)
    over.abort()
  }

  return {
    over: over.signal,
    draining: AbortSignal.any([...options.signals, over.signal]),
    fail,
    guard(callback) {
      return (...values) => {
        try {
          callback(...values)
        } catch (error) {
          fail(error)
        }
      }
    },
    inputSent() {
      isInputSent = true
    },
    async isLast(gathered) {
      return isInputSent && queue.isPrivate && (await queue.counts()).queue === gathered
    },
    async watch(work) {
      const done = new AbortController()
      work.finally(() => done.abort())
      let emptySince = Number.POSITIVE_INFINITY
      while (!done.signal.aborted) {
        const wasSent = isInputSent // read first: the counts may not include a message that is sent while they are read
        const progress = ledger.snapshot(await queue.counts())
        onProgress(progress)
        const isEmpty =
          wasSent && progress.remaining + progress.inFlight === 0 && (!awaitFirst || progress.delivered > 0)
        const now = performance.now()
        emptySince = isEmpty ? Math.min(emptySince, now) : Number.POSITIVE_INFINITY
        const left = Math.max(0, emptySince + idle * 1000 - now)
        if (left === 0) over.abort()
        await sleep(Math.min(POLL_MS, left || POLL_MS), undefined, { signal: done.signal }).catch(() => {})
      }
    },
    throwIfFailed() {
      if (errors.length > 0) throw errors[0]
    },
  }
}
