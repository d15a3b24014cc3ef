import { type BatchResult, type IgnoredList, readBatchResponse } from './batch-response.ts'
import type { Cause } from './causes.ts'
import type { LibraryReport } from './library.ts'
import type { Outcome } from './runtime-api.ts'
import type { Received } from './sqs-record.ts'

/**
 * What happens to a message after a delivery. `dropped`: it failed, but a failure handler removed it from the report, as
 * deadLetter() does. `failed`: it stays in the queue. `exhausted`: it failed in its last delivery. `lost`: it is deleted,
 * although it was not processed. `filtered`: a filter deleted it without a delivery.
 */
export type Fate = 'processed' | 'dropped' | 'failed' | 'exhausted' | 'lost' | 'filtered'

/** A message of a batch after its delivery. */
export interface Judged {
  message: Received
  fate: Fate
  /** What happened, and why, unless it was processed or the whole batch failed. */
  what?: string
  cause?: Cause | string | undefined
  /** A handler has thrown for it, or reported it. */
  isThrown: boolean
}

export interface JudgedBatch {
  /** Why the invocation failed as a whole. */
  error?: string
  /** Why the run fails, although the invocation has not: its list of failures is where Lambda does not read it. */
  ignored?: string | undefined
  messages: Judged[]
}

/** What the fate of a message depends on, beside the outcome. */
export interface Circumstances {
  reportBatchItemFailures: boolean
  fifo: boolean
  /** Deliveries until a message goes to the dead-letter queue. */
  maxReceives: number
  /** The ids of messages that the handler itself deleted in SQS, as far as it is known. */
  deleted: ReadonlySet<string>
}

const UNKNOWN_CAUSE = 'unknown error: the handler reported only the id of the record'
const NOT_STARTED = 'not started before the batch ended'
const BLOCKED = ', blocked by an earlier failure of its message group'
const WITHOUT_ERROR = ', or reported by the handler without an error'
const UNLISTED =
  'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it'
const UNFINISHED =
  'the library made no response for this batch: await the Middy handler, return its response, and do not catch its error'
const DELETED_WITHOUT_RESPONSE =
  'failed, but deleted, because the handler did not return the response of middy-bounded-sqs-batch'
const DELETED_WITH_SETTING_OFF = 'failed, but deleted (ReportBatchItemFailures is off)'
const LIST_IS_IN = 'the list of failures is in'
const NOT_READ = 'where Lambda does not read it: return a promise of { batchItemFailures: […] }'
const UNREAD = 'the handler read no property of this record, though it read others of its event'

/** Why a record failed. The library publishes no error of a record that did not start, is still running, or was blocked. */
function causeOf(known: LibraryReport | undefined, id: string, fifo: boolean): Cause | string {
  if (!known) return UNKNOWN_CAUSE
  if (known.unlisted?.[id]) return UNLISTED
  const without = known.unfinished?.[id] ? UNFINISHED : `${NOT_STARTED}${fifo ? BLOCKED : ''}${WITHOUT_ERROR}`
  return known.errors[id] ?? without
}

function failedOrExhausted({ receiveCount }: Received, { maxReceives }: Circumstances): Fate {
  return receiveCount >= maxReceives ? 'exhausted' : 'failed'
}

/** What is known about the messages of an invocation that has responded. */
interface Response {
  outcome: Outcome
  circumstances: Circumstances
  ignored?: IgnoredList | undefined
  /** The ids that the library has reported. */
  reported: ReadonlySet<string>
  unread: ReadonlySet<string>
}

/** The fate of a message that the response lists. */
function judgeListed(message: Received, { outcome, circumstances, reported }: Response): Judged {
  const { messageId: id, receiveCount } = message
  const { reportBatchItemFailures, deleted, fifo } = circumstances
  const cause = causeOf(outcome.library, id, fifo)
  const isThrown = outcome.library?.errors[id] !== undefined || !reported.has(id)
  if (deleted.has(id))
    return { message, fate: 'lost', what: 'reported as failed, but the handler deleted it', cause, isThrown }
  if (!reportBatchItemFailures) return { message, fate: 'lost', what: DELETED_WITH_SETTING_OFF, cause, isThrown }
  const what = `reported as failed, receive count ${receiveCount}`
  return { message, fate: failedOrExhausted(message, circumstances), what, cause, isThrown }
}

/** The fate of a message that the response does not list, so that Lambda deletes it. */
function judgeDeleted(message: Received, { outcome, circumstances, ignored, reported, unread }: Response): Judged {
  const { messageId: id } = message
  const { errors = {}, unfinished, unlisted } = outcome.library ?? {}
  const error = errors[id]
  function lost(what: string, cause: Cause | string): Judged {
    return { message, fate: 'lost', what, cause, isThrown: error !== undefined }
  }
  if (ignored?.ids.has(id))
    return lost('reported as failed, but deleted', error ?? `listed in ${ignored.where}, where Lambda does not read it`)
  if (reported.has(id) || unfinished?.[id] || unlisted?.[id]) {
    const why = circumstances.reportBatchItemFailures ? DELETED_WITHOUT_RESPONSE : DELETED_WITH_SETTING_OFF
    return lost(why, causeOf(outcome.library, id, circumstances.fifo))
  }
  if (unread.has(id)) return lost('deleted, but not processed', UNREAD)
  if (error === undefined) return { message, fate: 'processed', isThrown: false }
  const what = 'failed, but a failure handler removed it from the report'
  return { message, fate: 'dropped', what, cause: error, isThrown: true }
}

/** The fate of a message whose whole batch failed. */
function judgeFailed(message: Received, { library }: Outcome, circumstances: Circumstances): Judged {
  const { messageId: id } = message
  if (circumstances.deleted.has(id)) return { message, fate: 'processed', isThrown: false }
  const cause = library?.errors[id]
  return { message, fate: failedOrExhausted(message, circumstances), cause, isThrown: cause !== undefined }
}

/** The only place that decides the fate of messages. */
export function judge(batch: readonly Received[], outcome: Outcome, circumstances: Circumstances): JudgedBatch {
  const ids = new Set(batch.map(({ messageId }) => messageId))
  const isResponse = outcome.type === 'response'
  let result: BatchResult = isResponse ? readBatchResponse(outcome.payload, ids) : { invalid: outcome.message }
  if ('invalid' in result) {
    // Without ReportBatchItemFailures, Lambda ignores the response, so an invalid one does no harm.
    const isIgnored = isResponse && !circumstances.reportBatchItemFailures
    if (!isIgnored) {
      return { error: result.invalid, messages: batch.map((message) => judgeFailed(message, outcome, circumstances)) }
    }
    result = { failed: new Set() }
  }
  const { failed, ignored } = result
  const { library, unread } = outcome
  const response: Response = {
    outcome,
    circumstances,
    ignored,
    reported: new Set(library?.reported),
    // The library reads all records, and does not say which of them the handler has read.
    unread: new Set(library || unread === 'all' ? [] : unread),
  }
  const messages = batch.map((message) =>
    failed.has(message.messageId) ? judgeListed(message, response) : judgeDeleted(message, response),
  )
  return { ignored: ignored && `${LIST_IS_IN} ${ignored.where}, ${NOT_READ}`, messages }
}

/** The messages of a batch that were deleted although an earlier message of their group is still in the queue. */
export function deletedOutOfOrder({ messages }: JudgedBatch): Received[] {
  const blockedGroups = new Set<string | undefined>()
  return messages.flatMap(({ message, fate }) => {
    if (fate !== 'failed' && fate !== 'exhausted') return blockedGroups.has(message.group) ? message : []
    blockedGroups.add(message.group)
    return []
  })
}
