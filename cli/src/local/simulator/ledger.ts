import { type Cause, openCounter } from './causes.ts'
import type { Fate } from './fate.ts'
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
  /** Those that the function had sent to its own queue, and that came back too often. */
  stoppedLoops: number
  /** Those that failed with their whole batch in each delivery, or did not start or end, and for which nothing was thrown. */
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
  /** Responses with a list of failures in a place where Lambda does not read it. */
  ignoredLists: number
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
  stoppedLoops?: number
  replacedTimeouts?: number
}

/**
 * The state of a message. `foreign`: the run has not sent it, and it has no result yet. `open`: it was sent, or it failed
 * and is still in the queue. `exhausted`: its last allowed delivery failed. `lost`: it was not processed, and was deleted.
 * `filtered`: a filter deleted it.
 */
type State = 'foreign' | 'open' | 'exhausted' | 'processed' | 'lost' | 'filtered'

const STATES: Record<Fate | 'filtered', State> = {
  processed: 'processed',
  dropped: 'processed',
  failed: 'open',
  exhausted: 'exhausted',
  lost: 'lost',
  filtered: 'filtered',
}

interface Entry {
  readonly state: State
  readonly delivered: boolean
  /** A handler has thrown for it, or reported it. */
  readonly thrown: boolean
}

/** All messages with the same entry share one object, so that a run of a million messages needs little memory. */
const ENTRIES = Object.fromEntries(
  ['foreign', ...Object.values(STATES)].map((state) => [
    state,
    [0, 1, 2, 3].map((flags) => ({ state, delivered: flags % 2 === 1, thrown: flags > 1 })),
  ]),
) as Record<State, Entry[]>

const entryOf = ({ state, delivered, thrown }: Entry) => ENTRIES[state][Number(delivered) + 2 * Number(thrown)] as Entry
const NEW = entryOf({ state: 'foreign', delivered: false, thrown: false })

/** Counts of the ledger to which other parts of a run add. */
type Added = 'finished' | 'outOfOrder' | 'respondedEarly' | 'wouldTimeOut'

/**
 * Stores the state of every message by its id. Only the queue knows how many messages were dead-lettered or remain, so
 * `snapshot` receives its counts. A message without a result that is in no queue is lost.
 */
export class OpenLedger {
  readonly #started = performance.now()
  readonly #messages = new Map<string, Entry>()
  readonly #tally = { foreign: 0, open: 0, exhausted: 0, processed: 0, lost: 0, filtered: 0 }
  readonly #counts = {
    ...{
      sent: 0,
      delivered: 0,
      inFlight: 0,
      finished: 0,
      failed: 0,
      outOfOrder: 0,
      respondedEarly: 0,
      wouldTimeOut: 0,
    },
    ...{ invocations: 0, failedInvocations: 0, timeouts: 0, crashes: 0, diedBetween: 0, ignoredLists: 0 },
  }
  #deliveredMessages = 0
  #exhaustedWithoutError = 0
  #dropped = 0
  readonly #reasons = openCounter()
  readonly #causes = openCounter()
  #isInputComplete = false
  #firstFailed: string | undefined
  #firstDelivery = 0
  #lastReport = 0

  #update(id: string, change: Partial<Entry>) {
    const before = this.#messages.get(id) ?? NEW
    const after = entryOf({ ...before, ...change })
    this.#tallyUp(before, -1)
    this.#tallyUp(after, 1)
    this.#messages.set(id, after)
  }

  #tallyUp({ state, delivered, thrown }: Entry, by: number) {
    this.#tally[state] += by
    if (delivered) this.#deliveredMessages += by
    if (state === 'exhausted' && !thrown) this.#exhaustedWithoutError += by
  }

  sent(ids: readonly string[]) {
    // A message can be delivered, and even settled, before its sender receives the response of SQS.
    for (const id of ids) this.#update(id, (this.#messages.get(id) ?? NEW).state === 'foreign' ? { state: 'open' } : {})
    this.#counts.sent += ids.length
  }

  inputComplete() {
    this.#isInputComplete = true
  }

  delivered(batch: readonly Received[]) {
    this.#firstDelivery ||= performance.now()
    this.#counts.invocations += 1
    this.#counts.delivered += batch.length
    this.#counts.inFlight += batch.length
    for (const { messageId } of batch) this.#update(messageId, { delivered: true })
  }

  invocationEnded(outcome: Outcome, batch: readonly Received[]) {
    this.#counts.inFlight -= batch.length
    this.#counts.finished -= outcome.finished ?? 0
    if (outcome.type === 'timeout') this.#counts.timeouts += 1
    if (outcome.type === 'crash') this.#counts.crashes += 1
  }

  failedInvocation(reason: string, first?: string) {
    this.#counts.failedInvocations += 1
    this.#firstFailed ??= first
    this.#reasons.add(reason)
  }

  diedBetween(reason: string, last?: string) {
    this.#firstFailed ??= last
    this.#counts.crashes += 1
    this.#counts.diedBetween += 1
    this.#reasons.add(reason)
  }

  /** A response has a list of failures that Lambda does not read. */
  ignoredList(reason: string, first: string) {
    this.#counts.ignoredLists += 1
    this.#firstFailed ??= first
    this.#reasons.add(reason)
  }

  /** `finished`: some records of running invocations have a result. `first`: the first message of what is counted. */
  add(what: Added, count = 1, first?: string) {
    this.#counts[what] += count
    this.#firstFailed ??= first
  }

  /** Why a record failed. */
  cause(cause: Cause | string) {
    this.#causes.add(cause)
  }

  /** The fate of a message. Once it has been processed, a second delivery changes nothing. */
  settle(messageId: string, fate: Fate | 'filtered', isThrown = false) {
    const { state, thrown } = this.#messages.get(messageId) ?? NEW
    if (fate === 'failed' || fate === 'exhausted' || fate === 'lost') this.#counts.failed += 1
    if (fate === 'dropped') this.#dropped += 1
    if (fate === 'processed' || fate === 'dropped') this.#lastReport = performance.now()
    this.#update(messageId, { state: state === 'processed' ? state : STATES[fate], thrown: thrown || isThrown })
  }

  /** The function deleted a message, but this was known only after its invocation had failed. */
  deletedLate(messageId: string) {
    this.#update(messageId, { state: 'processed' })
  }

  /** The id of the first message of the input that has no good result. */
  #firstUnprocessed(): string | undefined {
    for (const [id, { state }] of this.#messages) {
      if (state === 'open' || state === 'exhausted' || state === 'lost') return id
    }
    return undefined
  }

  snapshot({ queue, deadLetter, sentDeadLetters, ...others }: Omit<QueueCounts, 'visible'>): Progress {
    const tally = this.#tally
    const unprocessed = tally.open + tally.exhausted
    // Neither the ledger nor the queue is exact alone: SQS may also move a processed message, and other programs may
    // use both queues. Dead-lettered messages are the exhausted ones. If more unprocessed messages have left the queue,
    // those count instead. The count is never above the number that SQS moved.
    const { stoppedLoops = 0 } = others
    const moved = Math.max(0, deadLetter - (sentDeadLetters ?? 0) - stoppedLoops)
    const deadLettered = Math.min(Math.max(tally.exhausted, unprocessed - queue), moved)
    const unaccounted = Math.max(0, unprocessed - deadLettered - queue)
    const arrived = sentDeadLetters ?? moved - deadLettered
    const seconds = (this.#lastReport - this.#firstDelivery) / 1000
    return {
      ...this.#counts,
      sentByFunction: others.sentByFunction ?? 0,
      isInputComplete: this.#isInputComplete,
      processed: tally.processed,
      redelivered: this.#counts.delivered - this.#deliveredMessages,
      replacedTimeouts: others.replacedTimeouts ?? 0,
      deadLettered: deadLettered + stoppedLoops,
      stoppedLoops,
      deadLetteredWithoutError: Math.min(deadLettered, this.#exhaustedWithoutError),
      sentDeadLetters: sentDeadLetters ?? 0,
      expiredDeadLetters: sentDeadLetters === undefined ? 0 : moved - deadLettered,
      filtered: tally.filtered,
      dropped: Math.max(0, this.#dropped - arrived),
      remaining: queue,
      lost: tally.lost + unaccounted,
      reasons: this.#reasons.counts(),
      causes: this.#causes.counts(),
      wallMs: Math.round(performance.now() - this.#started),
      perSecond: seconds > 0 ? Math.round(tally.processed / seconds) : 0,
    }
  }

  /** The ledger at the end of a run. */
  total(queueCounts: QueueCounts): Ledger {
    const { inFlight, finished, failed, ...ledger } = this.snapshot(queueCounts)
    return { ...ledger, firstUnprocessed: this.#firstUnprocessed(), firstFailed: this.#firstFailed }
  }
}

export function openLedger(): OpenLedger {
  return new OpenLedger()
}
