import { subscribe } from 'node:diagnostics_channel'
import type { BatchTrace, RecordTrace } from '../../../../src/types.ts'
import { type Cause, causeOfError } from '../../shared/error-groups.ts'

export interface RecordReport {
  /** Missing if it did not start. */
  error?: Cause | string | undefined
  /** The library reported it in its response. */
  isReported?: boolean | undefined
  /** It had not succeeded when the handler ended, and the library had made no response for its batch. */
  isUnfinished?: boolean
  /** It was in no batch of the library, although the handler passed it others of its event. */
  isUnlisted?: boolean
}

export interface LibraryReport {
  /** By message id. A record that has just succeeded has no entry. */
  records: Record<string, RecordReport>
  /** The number of records that ran in a record or chunk handler, and succeeded. */
  succeeded: number
  /** The records that had not started or finished when the library ended their batch. */
  ended: number
  /** The maximum number of records or chunks that were in flight at the same time. */
  peakInFlight: number
}

/** A record and the last batch that it was in. Its error may be of an earlier batch, until it succeeds. */
interface RecordState extends Pick<RecordReport, 'error' | 'isReported'> {
  batch: BatchTrace
  hasSucceeded?: boolean
}

const REJECTED = 'the result of the handler is rejected: the log of the function has its error'

/**
 * Subscribes to middy-bounded-sqs-batch, which publishes the error of each record. Channels are found by
 * name, so the library is not imported here and may be bundled with the handler.
 */
export class LibraryWatch {
  readonly #states = new Map<string, RecordState>()
  /** The batches for which the library made a response. */
  readonly #responded = new WeakSet<object>()
  /** The batches of eachRecord() or eachChunk(), which publish errors. */
  readonly #traced = new WeakSet<object>()
  /** Whether a batch has started since the last call of `take()`. */
  #isUsed = false

  constructor() {
    function watch(name: string, receive: (message: never) => void) {
      subscribe(`tracing:middy-bounded-sqs-batch:${name}`, (message) => receive(message as never))
    }
    watch('batch:start', (batch: BatchTrace) => this.#started(batch))
    watch('batch:asyncEnd', (batch: BatchTrace) => this.#batchEnded(batch))
    watch('record:asyncEnd', (trace: RecordTrace) => this.#recordEnded(trace))
  }

  /** Ignores an earlier batch that still runs: it says nothing about a later delivery of its messages. */
  #change(id: string, batch: BatchTrace, news: Partial<RecordState>) {
    const state = this.#states.get(id)
    if (state?.batch === batch) Object.assign(state, news)
  }

  #started(batch: BatchTrace) {
    this.#isUsed = true
    for (const { messageId } of batch.event.Records) {
      this.#states.set(messageId, { batch, error: this.#states.get(messageId)?.error })
    }
  }

  #recordEnded({ batch, records, failures: failed = [] }: RecordTrace) {
    this.#traced.add(batch)
    const failures = new Map(failed.map(({ record, error }) => [record.messageId, causeOfError(error)]))
    for (const { messageId } of records) {
      const error = failures.get(messageId)
      this.#change(messageId, batch, error ? { error } : { hasSucceeded: true, error })
    }
  }

  /** The response of the library. The handler may return something else, such as without a `return`. */
  #batchEnded(batch: BatchTrace) {
    const { result, summary } = batch
    if (!result) return
    this.#responded.add(batch)
    const { timedOut = 1, aborted = 0, blocked = 0, notStarted = 0 } = summary ?? {}
    const areRejected = !this.#traced.has(batch) && timedOut + aborted + blocked + notStarted === 0
    for (const { itemIdentifier } of result.batchItemFailures)
      this.#change(itemIdentifier, batch, { isReported: true, ...(areRejected ? { error: REJECTED } : {}) })
  }

  /**
   * Removes and returns what is known about the records of an invocation that has ended. Undefined if it
   * passed none to the library.
   */
  take(ids: readonly string[]): LibraryReport | undefined {
    const isUsed = this.#isUsed
    this.#isUsed = false
    if (!isUsed && !ids.some((id) => this.#states.has(id))) return undefined
    const taken: LibraryReport = { records: {}, succeeded: 0, ended: 0, peakInFlight: 0 }
    const batches = new Set<BatchTrace>()
    // SQS can deliver a message twice in one batch.
    for (const id of new Set(ids)) {
      const state = this.#states.get(id)
      if (!state) {
        taken.records[id] = { isUnlisted: true }
        continue
      }
      this.#states.delete(id)
      const { batch, error, isReported, hasSucceeded = false } = state
      batches.add(batch)
      if (hasSucceeded) taken.succeeded += 1
      const isUnfinished = !hasSucceeded && !this.#responded.has(batch)
      if (error !== undefined || isReported || isUnfinished) taken.records[id] = { error, isReported, isUnfinished }
    }
    for (const { summary } of batches) {
      taken.ended += summary ? summary.aborted + summary.notStarted : 0
      taken.peakInFlight = Math.max(taken.peakInFlight, summary?.peakInFlight ?? 0)
    }
    return taken
  }
}

/** The ids of an event's records. They are read before the handler, which may change the event. */
export function recordIdsOf(event: { Records?: { messageId: string }[] }): string[] {
  return (event.Records ?? []).map(({ messageId }) => messageId)
}
