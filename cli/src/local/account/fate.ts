import type { Cause } from '../../shared/error-groups.ts'
import type { Outcome } from '../environment/runtime-api.ts'
import type { LibraryReport } from '../in-function/library-watch.ts'
import type { Received } from '../queue/sqs-record.ts'
import { type IgnoredList, type Listed, readBatchResponse } from './batch-response.ts'

/**
 * What happens to a message after a delivery. `dropped`: it failed, but a failure handler removed it from the
 * report, as deadLetter() does. `failed`: it stays in the queue. `exhausted`: it failed in its last delivery.
 * `lost`: it is deleted, although it was not processed. `filtered`: a filter deleted it without a delivery.
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
  /** Why the run fails although the invocation has not: Lambda does not read its list of failures. */
  ignored?: string | undefined
  messages: Judged[]
}

/** What the fate of a message depends on, beside the outcome. */
export interface Circumstances {
  reportBatchItemFailures: boolean
  fifo: boolean
  /** Deliveries until a message goes to the dead-letter queue. */
  maxReceives: number
}

const UNKNOWN_CAUSE = 'unknown error: the handler reported only the id of the record'
const UNLISTED =
  'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it'
const UNFINISHED =
  'the library made no response for this batch: await the Middy handler, return its response, and do not catch its error'
const DELETED_WITHOUT_RESPONSE =
  'failed, but deleted, because the handler did not return the response of middy-bounded-sqs-batch'
const DELETED_WITH_SETTING_OFF = 'failed, but deleted (ReportBatchItemFailures is off)'
const NOT_READ = 'where Lambda does not read it'
const UNREAD = 'the handler read no property of this record, though it read others of its event'

interface Delivery extends Circumstances {
  library: LibraryReport | undefined
  ignored?: IgnoredList | undefined
  unread: ReadonlySet<string>
}

/** Why a record failed. The library publishes no error of one that did not start, still runs, or was blocked. */
function causeOf(id: string, { library, fifo }: Delivery): Cause | string {
  if (!library) return UNKNOWN_CAUSE
  const { error, isUnlisted, isUnfinished } = library.records[id] ?? {}
  if (isUnlisted) return UNLISTED
  if (error ?? isUnfinished) return error ?? UNFINISHED
  const blocked = fifo ? ', blocked by an earlier failure of its message group' : ''
  return `not started before the batch ended${blocked}, or reported by the handler without an error`
}

function failedOrExhausted({ receiveCount }: Received, { maxReceives }: Circumstances): Fate {
  return receiveCount >= maxReceives ? 'exhausted' : 'failed'
}

function judgeListed(message: Received, delivery: Delivery): Judged {
  const { messageId: id, receiveCount } = message
  const { error, isReported } = delivery.library?.records[id] ?? {}
  const why = { message, cause: causeOf(id, delivery), isThrown: error !== undefined || !isReported }
  if (message.byClients.isDeleted)
    return { ...why, fate: 'lost', what: 'reported as failed, but the handler deleted it' }
  if (!delivery.reportBatchItemFailures) return { ...why, fate: 'lost', what: DELETED_WITH_SETTING_OFF }
  const what = `reported as failed, receive count ${receiveCount}`
  return { ...why, fate: failedOrExhausted(message, delivery), what }
}

/** The fate of a message that the response does not list, so that Lambda deletes it. */
function judgeDeleted(message: Received, delivery: Delivery): Judged {
  const { messageId: id } = message
  const { ignored, unread, reportBatchItemFailures } = delivery
  const { error, isReported, isUnfinished, isUnlisted } = delivery.library?.records[id] ?? {}
  function lost(what: string, cause: Cause | string): Judged {
    return { message, fate: 'lost', what, cause, isThrown: error !== undefined }
  }
  if (ignored?.ids.has(id))
    return lost('reported as failed, but deleted', error ?? `listed in ${ignored.where}, ${NOT_READ}`)
  if (isReported || isUnfinished || isUnlisted) {
    const why = reportBatchItemFailures ? DELETED_WITHOUT_RESPONSE : DELETED_WITH_SETTING_OFF
    return lost(why, causeOf(id, delivery))
  }
  if (unread.has(id)) return lost('deleted, but not processed', UNREAD)
  if (error === undefined) return { message, fate: 'processed', isThrown: false }
  const what = 'failed, but a failure handler removed it from the report'
  return { message, fate: 'dropped', what, cause: error, isThrown: true }
}

function judgeFailed(message: Received, delivery: Delivery): Judged {
  const { messageId: id } = message
  if (message.byClients.isDeleted) return { message, fate: 'processed', isThrown: false }
  const cause = delivery.library?.records[id]?.error
  return { message, fate: failedOrExhausted(message, delivery), cause, isThrown: cause !== undefined }
}

/** The only place that decides the fate of messages. */
export function judge(batch: readonly Received[], outcome: Outcome, circumstances: Circumstances): JudgedBatch {
  const { type, library, unread } = outcome
  const ids = new Set(batch.map(({ messageId }) => messageId))
  const result = type === 'response' ? readBatchResponse(outcome.payload, ids) : { invalid: outcome.message }
  const delivery: Delivery = {
    ...circumstances,
    library,
    // The library reads all records, and does not say which of them the handler has read.
    unread: new Set(library || unread === 'all' ? [] : unread),
  }
  // Without ReportBatchItemFailures, Lambda ignores the response, so an invalid one does no harm.
  const isIgnored = type === 'response' && !circumstances.reportBatchItemFailures
  if ('invalid' in result && !isIgnored)
    return { error: result.invalid, messages: batch.map((message) => judgeFailed(message, delivery)) }
  const { failed, ignored }: Listed = 'invalid' in result ? { failed: new Set() } : result
  delivery.ignored = ignored
  const messages = batch.map((message) =>
    failed.has(message.messageId) ? judgeListed(message, delivery) : judgeDeleted(message, delivery),
  )
  const where = ignored && `the list of failures is in ${ignored.where}, ${NOT_READ}`
  return { ignored: where && `${where}: return a promise of { batchItemFailures: […] }`, messages }
}

/** The messages of a batch that were deleted although an earlier one of their group stays in the queue. */
export function deletedOutOfOrder({ messages }: JudgedBatch): Received[] {
  const blockedGroups = new Set<string | undefined>()
  return messages.flatMap(({ message, fate }) => {
    if (fate !== 'failed' && fate !== 'exhausted') return blockedGroups.has(message.group) ? message : []
    blockedGroups.add(message.group)
    return []
  })
}
