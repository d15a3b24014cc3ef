import { readBatchResponse } from './batch-response.ts'
import { gather } from './gather.ts'
import type { OpenLedger } from './ledger.ts'
import type { Queue } from './queue.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Outcome } from './runtime/runtime-api.ts'
import { type Received, toEvent } from './sqs-record.ts'

export interface EventSourceOptions {
  batchSize: number
  /** Milliseconds from the first message of a batch. */
  windowMs: number
  /** Invocations at once. */
  concurrency: number
  reportBatchItemFailures: boolean
  /** Seconds after which a failed message comes back; undefined leaves it to the visibility timeout. */
  retryAfter: number | undefined
  /** One line for each failure that the ledger counts. */
  onFailure: (line: string) => void
}

interface EventSourceParts {
  queue: Queue
  runtime: Pick<Runtime, 'invoke'>
  ledger: OpenLedger
  /** No further invocation starts; the promise settles when those under way have been settled. */
  draining: AbortSignal
}

interface Sorted {
  processed: Received[]
  failed: Received[]
  deletedThoughFailed: Received[]
  /** Why the invocation failed as a whole. */
  error?: string
}

/** What becomes of a batch: every message is in exactly one of the lists. */
function sort(batch: readonly Received[], outcome: Outcome, report: boolean): Sorted {
  const all = { processed: [], failed: [], deletedThoughFailed: [] }
  if (outcome.type !== 'response') return { ...all, failed: [...batch], error: outcome.message }
  const verdict = readBatchResponse(outcome.payload, new Set(batch.map(({ messageId }) => messageId)))
  if ('invalid' in verdict) {
    if (report) return { ...all, failed: [...batch], error: verdict.invalid }
    return { ...all, processed: [...batch] } // the response is not looked at
  }
  const failed = batch.filter(({ messageId }) => verdict.failed.has(messageId))
  const processed = batch.filter(({ messageId }) => !verdict.failed.has(messageId))
  return report ? { ...all, processed, failed } : { ...all, processed, deletedThoughFailed: failed }
}

const UNKNOWN_CAUSE = 'no error is known: the handler only reported the record'
const NOT_STARTED = 'not started, or blocked by an earlier failure of its message group'

/** Why a record failed, as far as it is known: only middy-bounded-sqs-batch tells the errors of records. */
function causeOf({ recordErrors }: Outcome, messageId: string): string {
  if (!recordErrors) return UNKNOWN_CAUSE
  return recordErrors.errors[messageId] ?? NOT_STARTED
}

/** The event source mapping: gathers, invokes, and deletes what the function did not report. */
export async function runEventSource(parts: EventSourceParts, options: EventSourceOptions): Promise<void> {
  const { queue, runtime, ledger } = parts
  const { batchSize, windowMs, onFailure } = options
  // One lane that fails, because the queue is gone, ends them all.
  const broken = new AbortController()
  const signal = AbortSignal.any([parts.draining, broken.signal])

  const deliver = async (batch: readonly Received[]) => {
    ledger.delivered(batch)
    const outcome = await runtime.invoke(toEvent(batch))
    ledger.answered(outcome, batch)
    const { processed, failed, deletedThoughFailed, error } = sort(batch, outcome, options.reportBatchItemFailures)
    ledger.processed(processed)
    ledger.failed(failed)
    ledger.deletedThoughFailed(deletedThoughFailed)
    if (error !== undefined) {
      if (outcome.type !== 'stopped') ledger.failedInvocation(error)
      onFailure(`invocation of ${batch.length} records: ${error}`)
      for (const text of Object.values(outcome.recordErrors?.errors ?? {})) ledger.cause(text)
    } else {
      for (const { messageId, receiveCount } of failed) {
        const cause = causeOf(outcome, messageId)
        ledger.cause(cause)
        onFailure(`${messageId}: reported failed, receive ${receiveCount}: ${cause}`)
      }
    }
    for (const { messageId } of deletedThoughFailed) {
      const cause = causeOf(outcome, messageId)
      ledger.cause(cause)
      onFailure(`${messageId}: reported failed, and deleted all the same: ${cause}`)
    }
    const [kept] = await Promise.all([
      queue.remove([...processed, ...deletedThoughFailed]),
      options.retryAfter === undefined ? [] : queue.setVisibility(failed, options.retryAfter),
    ])
    for (const { messageId } of kept) onFailure(`${messageId}: SQS did not delete it, it will come again`)
    return failed.length === 0
  }

  const lane = async () => {
    let held: Received[] = []
    while (!signal.aborted) {
      if (held.length > 0) {
        // They waited for the last invocation: their time starts anew, or has run out and they come again by themselves.
        const expired = new Set(await queue.setVisibility(held, queue.visibilityTimeout))
        held = held.filter((message) => !expired.has(message))
      }
      const { batch, rest } = await gather({ receive: queue.receive, batchSize, windowMs, held, signal })
      held = rest
      if (signal.aborted) held = [...batch, ...rest]
      else if (batch.length > 0) {
        const clean = await deliver(batch)
        if (queue.fifo && !clean) {
          // What was held would overtake what failed before it in its message group.
          await queue.setVisibility(held, options.retryAfter ?? 0)
          held = []
        }
      }
    }
    await queue.setVisibility(held, 0)
  }

  const lanes = Array.from({ length: options.concurrency }, () =>
    lane().catch((error) => {
      broken.abort()
      throw error
    }),
  )
  const results = await Promise.allSettled(lanes)
  const failure = results.find((result) => result.status === 'rejected')
  if (failure) throw failure.reason
}
