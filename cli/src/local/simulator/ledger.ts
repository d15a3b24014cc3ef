import type { Outcome } from './runtime-api.ts'
import type { Received } from './sqs-record.ts'

/**
 * The result of a run. Most counts are messages. `delivered` and `redelivered` are deliveries, and `invocations` and
 * `timeouts` are invocations. The comments below describe the others.
 */
export interface Ledger {
  sent: number
  /** Messages that the function sent to the queue that it reads. 0 if other programs can send messages, too. */
  sentByFunction: number
  /** Whether all messages of the input were sent. False if the run was interrupted before that. */
  isInputComplete: boolean
  invocations: number
  delivered: number
  processed: number
  redelivered: number
  /** Failures of messages whose visibility timeout the function had set, and that `retryAfter` has replaced. */
  replacedTimeouts: number
  deadLettered: number
  /** Those for which no handler had thrown: in each delivery, the whole invocation failed, or the record did not end. */
  deadLetteredWithoutError: number
  /** Messages that a client, such as the function, sent to the dead-letter queue. 0 for a given queue, which cannot know it. */
  sentDeadLetters: number
  /** Processed messages that the queue moved, because their visibility timeout had expired. 0 for a given queue. */
  expiredDeadLetters: number
  /** Messages that matched no filter of the mapping, and were deleted without an invocation. */
  filtered: number
  /** Failures that the handler removed from the report, and that did not arrive in the dead-letter queue. */
  dropped: number
  /** Messages of a FIFO queue that were deleted although an earlier message of their group stayed in the queue. */
  outOfOrder: number
  remaining: number
  lost: number
  /** The id of the first message of the input that was neither processed nor filtered. Missing if there is none. */
  firstUnprocessed?: string | undefined
  /**
   * The id of the first message out of order, or of the first invocation that failed, responded early, would time out or
   * was the last one of its process. Missing if there is none.
   */
  firstFailed?: string | undefined
  timeouts: number
  /** Processes that ended unexpectedly, during an invocation or between two. */
  crashes: number
  /** The crashes between two invocations. */
  diedBetween: number
  /** Invocations that failed as a whole, including timeouts and crashes. */
  failedInvocations: number
  /** Invocations that responded before their work had ended, which Lambda then stops. */
  respondedEarly: number
  /** Invocations that need more than twice the timeout with the CPU of a memory that was given. */
  wouldTimeOut: number
  /** Why invocations failed or processes ended, and how often, the most frequent first. */
  reasons: Record<string, number>
  /** The same for records. */
  causes: Record<string, number>
  wallMs: number
  /** Processed messages per second, from the first delivery to the last response that processed a message. */
  perSecond: number
}

export interface Progress extends Ledger {
  inFlight: number
  /** The records in flight that have a result, as far as it is known. */
  finished: number
  /** Failed deliveries so far. */
  failed: number
}

export interface QueueCounts {
  /** The messages that can be received. */
  visible: number
  /** All messages, also those in flight. */
  queue: number
  deadLetter: number
  /** How many messages in the dead-letter queue were sent by clients. The queue moved the others. Undefined if not known. */
  sentDeadLetters?: number | undefined
  sentByFunction?: number | undefined
  replacedTimeouts?: number
}

/**
 * The state of a message. `foreign`: the run has not sent it, and it has no result yet. `open`: it was sent, or it failed
 * and is still in the queue. `exhausted`: its last allowed delivery failed. `deleted`: it failed and was deleted.
 * `filtered`: a filter deleted it.
 */
const STATES = ['foreign', 'open', 'exhausted', 'processed', 'deleted', 'filtered'] as const
type State = (typeof STATES)[number]
/** Flags beside the index of the state: the message has been delivered, and a handler has thrown for it. */
const DELIVERED = 8
const THROWN = 16
const stateIn = (entry: number) => STATES[entry % DELIVERED] as State

const IDS_AND_NUMBERS = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+([.,]\d+)*/gi
const MAX_KINDS = 100

/**
 * Counts texts. Texts that differ only in numbers and UUIDs are counted together, under the first of them. From the
 * hundred and first kind on, they are counted as `other`.
 */
export function openCounter(other = 'other errors') {
  const kinds = new Map<string, { text: string; count: number }>()
  return {
    add(text: string, count = 1) {
      const key = text.replace(IDS_AND_NUMBERS, '#')
      const isKept = kinds.has(key) || kinds.size < MAX_KINDS
      const kind = isKept ? key : other
      const known = kinds.get(kind)
      if (known) known.count += count
      else kinds.set(kind, { text: isKept ? text : other, count })
    },
    counts: (): Record<string, number> => {
      const sorted = [...kinds.values()].sort((a, b) => b.count - a.count)
      return Object.fromEntries(sorted.map(({ text, count }) => [text, count]))
    },
  }
}

/**
 * Stores the state of every message by its id, in about 90 bytes each. Only the queue knows how many messages were
 * dead-lettered or remain, so `snapshot` receives its counts. A message without a result that is in no queue is lost.
 */
export function openLedger(maxReceives = Number.POSITIVE_INFINITY) {
  const started = performance.now()
  const messages = new Map<string, number>()
  const tally = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
  const counts = {
    ...{ sent: 0, delivered: 0, deliveredMessages: 0, inFlight: 0, finished: 0, failed: 0, exhaustedWithoutError: 0 },
    ...{ invocations: 0, failedInvocations: 0, timeouts: 0, crashes: 0, diedBetween: 0 },
    ...{ removedFromReport: 0, outOfOrder: 0, respondedEarly: 0, wouldTimeOut: 0 },
  }
  const reasons = openCounter('other reasons')
  const causes = openCounter()
  let isInputComplete = false
  let firstFailed: string | undefined
  let firstDelivery = 0
  let lastReport = 0

  /** Changes the state of a message, and sets a flag. */
  function update(id: string, next: (state: State) => State, flag = 0) {
    const entry = messages.get(id) ?? STATES.indexOf('foreign')
    const before = stateIn(entry)
    const after = next(before)
    const flags = (entry & (DELIVERED | THROWN)) | flag
    count(before, entry, -1)
    count(after, flags, 1)
    messages.set(id, STATES.indexOf(after) | flags)
  }
  function count(state: State, flags: number, by: number) {
    tally[state] += by
    if (flags & DELIVERED) counts.deliveredMessages += by
    if (state === 'exhausted' && !(flags & THROWN)) counts.exhaustedWithoutError += by
  }
  function settle<M extends Pick<Received, 'messageId'>>(batch: readonly M[], state: (message: M) => State) {
    for (const message of batch) {
      // Once a message has been processed, a second delivery does not change its state.
      update(message.messageId, (before) => (before === 'processed' ? before : state(message)))
    }
  }

  /** The id of the first message of the input that has no good result. */
  function firstUnprocessed(): string | undefined {
    for (const [id, entry] of messages) {
      const state = stateIn(entry)
      if (state === 'open' || state === 'exhausted' || state === 'deleted') return id
    }
    return undefined
  }

  function snapshot(queueCounts: Omit<QueueCounts, 'visible'>): Progress {
    const { queue, deadLetter, sentDeadLetters, sentByFunction = 0, replacedTimeouts = 0 } = queueCounts
    const { deliveredMessages, exhaustedWithoutError, removedFromReport, ...counted } = counts
    const unprocessed = tally.open + tally.exhausted
    // Neither the ledger nor the queue is exact alone: SQS may also move a processed message, and other programs may
    // use both queues. Dead-lettered messages are the exhausted ones. If more unprocessed messages have left the queue,
    // those count instead. The count is never above the number that SQS moved.
    const moved = Math.max(0, deadLetter - (sentDeadLetters ?? 0))
    const deadLettered = Math.min(Math.max(tally.exhausted, unprocessed - queue), moved)
    const unaccounted = Math.max(0, unprocessed - deadLettered - queue)
    const arrived = sentDeadLetters ?? moved - deadLettered
    const seconds = (lastReport - firstDelivery) / 1000
    return {
      ...counted,
      sentByFunction,
      isInputComplete,
      processed: tally.processed,
      redelivered: counts.delivered - deliveredMessages,
      replacedTimeouts,
      deadLettered,
      deadLetteredWithoutError: Math.min(deadLettered, exhaustedWithoutError),
      sentDeadLetters: sentDeadLetters ?? 0,
      expiredDeadLetters: sentDeadLetters === undefined ? 0 : moved - deadLettered,
      filtered: tally.filtered,
      dropped: Math.max(0, removedFromReport - arrived),
      remaining: queue,
      lost: tally.deleted + unaccounted,
      reasons: reasons.counts(),
      causes: causes.counts(),
      wallMs: Math.round(performance.now() - started),
      perSecond: seconds > 0 ? Math.round(tally.processed / seconds) : 0,
    }
  }

  return {
    snapshot,
    /** The ledger at the end of a run. */
    total(queueCounts: QueueCounts): Ledger {
      const { inFlight, finished, failed, ...ledger } = snapshot(queueCounts)
      return { ...ledger, firstUnprocessed: firstUnprocessed(), firstFailed }
    },
    sent(ids: readonly string[]) {
      // A message can be delivered, and even settled, before its sender receives the response of SQS.
      for (const id of ids) update(id, (before) => (before === 'foreign' ? 'open' : before))
      counts.sent += ids.length
    },
    inputComplete() {
      isInputComplete = true
    },
    delivered(batch: readonly Received[]) {
      firstDelivery ||= performance.now()
      counts.invocations += 1
      counts.delivered += batch.length
      counts.inFlight += batch.length
      for (const { messageId } of batch) update(messageId, (before) => before, DELIVERED)
    },
    invocationEnded(outcome: Outcome, batch: readonly Received[]) {
      counts.inFlight -= batch.length
      counts.finished -= outcome.finished ?? 0
      if (outcome.type === 'timeout') counts.timeouts += 1
      if (outcome.type === 'crash') counts.crashes += 1
    },
    failedInvocation(reason: string, first?: string) {
      counts.failedInvocations += 1
      firstFailed ??= first
      reasons.add(reason)
    },
    diedBetween(reason: string, last?: string) {
      firstFailed ??= last
      counts.crashes += 1
      counts.diedBetween += 1
      reasons.add(reason)
    },
    /**
     * `finished`: some records of running invocations have a result. `removedFromReport`: a failure handler of the library
     * removed a message from the report. The others are counts of the ledger, and `first` is their first message.
     */
    add(
      what: 'finished' | 'removedFromReport' | 'outOfOrder' | 'respondedEarly' | 'wouldTimeOut',
      count = 1,
      first?: string,
    ) {
      counts[what] += count
      firstFailed ??= first
    },
    /** Why a record failed. */
    cause: causes.add,
    filtered(batch: readonly Received[]) {
      settle(batch, () => 'filtered')
    },
    /** `isLate`: the function deleted the messages, but this was known only after their invocation had failed. */
    processed(batch: readonly Pick<Received, 'messageId'>[], isLate = false) {
      if (batch.length > 0 && !isLate) lastReport = performance.now()
      settle(batch, () => 'processed')
    },
    /** A handler threw for a message that failed, or reported it. */
    thrown(messageId: string) {
      update(messageId, (before) => before, THROWN)
    },
    failed(batch: readonly Received[]) {
      counts.failed += batch.length
      settle(batch, ({ receiveCount }) => (receiveCount >= maxReceives ? 'exhausted' : 'open'))
    },
    deletedThoughFailed(batch: readonly Received[]) {
      counts.failed += batch.length
      settle(batch, () => 'deleted')
    },
  }
}

export type OpenLedger = ReturnType<typeof openLedger>
