import { type FilterPattern, matcherOf } from '../../filters/filters.ts'
import { countOf } from '../../shared/format.ts'
import { readBatchResponse } from './batch-response.ts'
import { gather } from './gather.ts'
import type { OpenLedger } from './ledger.ts'
import type { Queue } from './queue.ts'
import type { Runtime } from './runtime.ts'
import type { Outcome } from './runtime-api.ts'
import { type Received, toEvent } from './sqs-record.ts'

export interface EventSourceOptions {
  batchSize: number
  /** Milliseconds, counted from the first message of a batch. */
  windowMs: number
  /** Concurrent invocations. */
  concurrency: number
  reportBatchItemFailures: boolean
  /** Seconds until a failed message is redelivered. Undefined: after the visibility timeout. */
  retryAfter: number | undefined
  /** The patterns of the filters. Lambda deletes messages that match none of them. Default: no filters. */
  filters: readonly FilterPattern[]
  /**
   * Receives one line for each failed invocation, and each failed record of the others. Also for each message that SQS
   * did not delete, failure that the handler removed from its report, and process that died between invocations.
   */
  onFailure: (line: string) => void
}

interface EventSourceParts {
  queue: Pick<Queue, 'fifo' | 'receive' | 'remove' | 'setVisibility' | 'release' | 'takeDeleted'>
  runtime: Pick<Runtime, 'invoke'>
  ledger: OpenLedger
  /** When this signal aborts, no further invocation starts. The promise settles after the running invocations. */
  draining: AbortSignal
  /** When this signal aborts, the queue is empty, and nobody waits for messages any more. */
  idle?: AbortSignal
  /** Whether no further message can arrive, if the workers have this many messages that they have not delivered. */
  isLast: (gathered: number) => Promise<boolean>
}

export interface ClassifiedBatch {
  processed: Received[]
  failed: Received[]
  deletedThoughFailed: Received[]
  /** Why the invocation failed as a whole. */
  error?: string
}

/**
 * Decides what happens to the messages of a batch. Each message is in exactly one of the lists. `deletedByHandler`
 * contains the ids of messages that the handler itself deleted in SQS.
 */
export function classifyBatch(
  batch: readonly Received[],
  outcome: Outcome,
  reportBatchItemFailures: boolean,
  deletedByHandler: ReadonlySet<string> = new Set(),
): ClassifiedBatch {
  const isDeleted = ({ messageId }: Received) => deletedByHandler.has(messageId)
  function failedAsAWhole(error: string): ClassifiedBatch {
    const failed = batch.filter((message) => !isDeleted(message))
    return { processed: batch.filter(isDeleted), failed, deletedThoughFailed: [], error }
  }
  if (outcome.type !== 'response') return failedAsAWhole(outcome.message)
  const result = readBatchResponse(outcome.payload, new Set(batch.map(({ messageId }) => messageId)))
  if ('invalid' in result && reportBatchItemFailures) return failedAsAWhole(result.invalid)
  // Without ReportBatchItemFailures, Lambda ignores the response, so an invalid one does no harm.
  const failedIds = 'invalid' in result ? new Set<string>() : result.failed
  const failed = batch.filter(({ messageId }) => failedIds.has(messageId))
  const deleted = batch.filter(({ messageId }) => !failedIds.has(messageId))
  // The library reported these records, has no result for them, or never received them, but the response of the handler
  // does not list them.
  const { reported = [], unfinished = {}, unlisted = {} } = outcome.recordErrors ?? {}
  const notSucceeded = new Set([...reported, ...Object.keys(unfinished), ...Object.keys(unlisted)])
  const dropped = deleted.filter(({ messageId }) => notSucceeded.has(messageId))
  const processed = deleted.filter(({ messageId }) => !notSucceeded.has(messageId))
  // A message that the handler reports as failed, but has deleted, is not redelivered.
  const remaining = failed.filter((message) => reportBatchItemFailures && !isDeleted(message))
  const keptIds = new Set(remaining.map(({ messageId }) => messageId))
  return {
    processed,
    failed: remaining,
    deletedThoughFailed: [...failed.filter((message) => !keptIds.has(message.messageId)), ...dropped],
  }
}

/** The messages of a batch that were deleted although an earlier message of their group is still in the queue. */
export function deletedOutOfOrder(batch: readonly Received[], { failed }: ClassifiedBatch): Received[] {
  const isKept = new Set(failed)
  const blockedGroups = new Set<string | undefined>()
  return batch.filter((message) => {
    if (!isKept.has(message)) return blockedGroups.has(message.group)
    blockedGroups.add(message.group)
    return false
  })
}

const UNKNOWN_CAUSE = 'unknown error: the handler reported only the id of the record'
const NOT_STARTED = 'not started before the batch ended'
const BLOCKED = ', blocked by an earlier failure of its message group'
const WITHOUT_ERROR = ', or reported by the handler without an error'
const UNLISTED =
  'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it'
const UNFINISHED =
  'the library made no response for this batch: await the Middy handler, return its response, and do not catch its error'

/**
 * Why a record failed, if known. Only middy-bounded-sqs-batch publishes the errors of records. It publishes no error
 * for a record that did not start, is still running, was blocked, or was reported by the handler's own code.
 */
export function causeOf({ recordErrors }: Outcome, messageId: string, fifo: boolean): string {
  if (!recordErrors) return UNKNOWN_CAUSE
  const { errors, unlisted, unfinished } = recordErrors
  if (unlisted?.[messageId]) return UNLISTED
  const without = unfinished?.[messageId] ? UNFINISHED : `${NOT_STARTED}${fifo ? BLOCKED : ''}${WITHOUT_ERROR}`
  return errors[messageId] ?? without
}

/**
 * Imitates an event source mapping: gathers batches, invokes the function, and deletes the messages that it did not
 * report.
 */
export async function runEventSource(parts: EventSourceParts, options: EventSourceOptions): Promise<void> {
  const { queue, runtime, ledger, idle, isLast } = parts
  const { batchSize, windowMs, onFailure, reportBatchItemFailures } = options
  // Aborts if one worker fails, for example because the queue does not exist any more. All workers then end.
  const workerFailed = new AbortController()
  const signal = AbortSignal.any([parts.draining, workerFailed.signal])

  const matches = matcherOf(options.filters)
  /** How many messages the workers have received, and not delivered. */
  let gathered = 0
  /** Receives messages, and deletes those that match no filter. */
  async function receive(most: number, waitSeconds: number): Promise<Received[]> {
    const received = await queue.receive(most, waitSeconds, idle)
    const unmatched = received.filter(({ json }) => matches && !matches(JSON.parse(json).body))
    ledger.filtered(unmatched)
    await queue.remove(unmatched)
    const matched = received.filter((message) => !unmatched.includes(message))
    gathered += matched.length
    return matched
  }

  /** The messages whose last invocation failed as a whole. */
  const failedAsAWhole = new Set<string>()

  /** Counts what happened to each message of a batch, and why. */
  function account(batch: readonly Received[], outcome: Outcome, deleted: ReadonlySet<string>): ClassifiedBatch {
    const result = classifyBatch(batch, outcome, reportBatchItemFailures, deleted)
    const { processed, failed, deletedThoughFailed, error } = result
    const { errors = {}, reported } = outcome.recordErrors ?? {}
    function addCause({ messageId }: Received, what: string) {
      const cause = causeOf(outcome, messageId, queue.fifo)
      ledger.cause(cause)
      onFailure(`${messageId}: ${what}: ${cause}`)
    }
    for (const message of queue.fifo ? deletedOutOfOrder(batch, result) : []) {
      ledger.add('outOfOrder', 1, message.messageId)
      onFailure(`${message.messageId}: deleted, although an earlier message of its message group failed`)
    }
    ledger.processed(processed)
    ledger.failed(failed)
    ledger.deletedThoughFailed(deletedThoughFailed)
    // The library also reports records that it has not run, and records that it has stopped.
    const reportedByLibrary = new Set(reported)
    for (const { messageId } of failed) {
      const isReportedByHandler = error === undefined && !reportedByLibrary.has(messageId)
      if (errors[messageId] !== undefined || isReportedByHandler) ledger.thrown(messageId)
    }
    if (error !== undefined) {
      const { messageId: first } = batch[0] as Received
      if (outcome.type !== 'stopped') ledger.failedInvocation(error, first)
      for (const { messageId } of failed) failedAsAWhole.add(messageId)
      onFailure(`${first}: its invocation with ${countOf(batch.length, 'record')} failed: ${error}`)
      for (const text of Object.values(errors)) ledger.cause(text)
      return result
    }
    for (const message of failed) addCause(message, `reported as failed, receive count ${message.receiveCount}`)
    // A failure handler such as deadLetter() can remove a failed record from the report.
    for (const message of processed.filter(({ messageId }) => errors[messageId] !== undefined)) {
      ledger.add('removedFromReport')
      addCause(message, 'failed, but a failure handler removed it from the report')
    }
    const why = reportBatchItemFailures
      ? 'failed, but deleted, because the handler did not return the response of middy-bounded-sqs-batch'
      : 'failed, but deleted (ReportBatchItemFailures is off)'
    for (const message of deletedThoughFailed)
      addCause(message, deleted.has(message.messageId) ? 'reported as failed, but the handler deleted it' : why)
    return result
  }

  async function deliver(batch: readonly Received[]) {
    ledger.delivered(batch)
    for (const { messageId } of batch) failedAsAWhole.delete(messageId)
    const outcome = await runtime.invoke(toEvent(batch))
    ledger.invocationEnded(outcome, batch)
    const deletedByHandler = queue.takeDeleted(batch)
    const { processed, failed, deletedThoughFailed } = account(batch, outcome, deletedByHandler)
    const [notDeleted] = await Promise.all([
      queue.remove([...processed, ...deletedThoughFailed].filter(({ messageId }) => !deletedByHandler.has(messageId))),
      options.retryAfter === undefined ? undefined : queue.setVisibility(failed, options.retryAfter),
    ])
    for (const { messageId } of notDeleted)
      onFailure(`${messageId}: SQS did not delete the message, so it will be redelivered`)
  }

  async function worker() {
    while (!signal.aborted) {
      const { batch, rest } = await gather({ receive, batchSize, windowMs, isLast: () => isLast(gathered), signal })
      gathered -= batch.length + rest.length
      await queue.release(signal.aborted ? [...batch, ...rest] : rest)
      if (!signal.aborted && batch.length > 0) await deliver(batch)
    }
  }

  const workers = Array.from({ length: options.concurrency }, () =>
    worker().catch((error) => {
      workerFailed.abort()
      throw error
    }),
  )
  const ends = await Promise.allSettled(workers)
  // The calls of a process that has ended may arrive after its end.
  const candidates = Array.from(failedAsAWhole, (messageId) => ({ messageId }))
  const deletedLate = queue.takeDeleted(candidates)
  const processed = candidates.filter(({ messageId }) => deletedLate.has(messageId))
  ledger.processed(processed, true)
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure) throw failure.reason
}
