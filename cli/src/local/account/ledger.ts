import { type Cause, ErrorCounter } from '../../shared/error-groups.ts'
import type { Outcome } from '../environment/runtime-api.ts'
import type { QueueCounts } from '../queue/queue.ts'
import type { Received } from '../queue/sqs-record.ts'
import type { Fate } from './fate.ts'

/**
 * The result of a run. Most counts are messages. `delivered` and `redelivered` are deliveries, and
 * `invocations` and `timeouts` are invocations. The comments below describe the others.
 */
export interface Ledger {
  sent: number
  /** Messages that the function sent to the queue that it reads. 0 if other programs can send, too. */
  sentByFunction: number
  /** Whether all messages of the input were sent. False if the run was interrupted before that. */
  isInputComplete: boolean
  invocations: number
  /** Processes that loaded the function. */
  processes: number
  delivered: number
  processed: number
  redelivered: number
  /** How often `retryAfter` has replaced a visibility timeout that the function had set. */
  replacedTimeouts: number
  deadLettered: number
  /** Those that the function had sent to its own queue, and that came back too often. */
  stoppedLoops: number
  /** Those for which nothing was thrown: their batch failed in each delivery, or they did not start or end. */
  deadLetteredWithoutError: number
  /** Messages that the function or another client sent to the dead-letter queue. 0 for a given queue. */
  sentDeadLetters: number
  /** Processed messages that the queue moved after their visibility timeout. 0 for a given queue. */
  expiredDeadLetters: number
  /** Messages that matched no filter of the mapping, and were deleted without an invocation. */
  filtered: number
  /** Failures that the handler removed from the report, and that did not arrive in the dead-letter queue. */
  dropped: number
  /** Messages of a FIFO queue that were deleted although an earlier one of their group stayed. */
  outOfOrder: number
  remaining: number
  lost: number
  /** The id of the first message of the input that was neither processed nor filtered, if there is one. */
  firstUnprocessed?: string | undefined
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
  /** The first ten failures of invocations, records and processes. */
  failures: string[]
  wallMs: number
  /** Processed messages per second, from the first delivery to the last response that processed a message. */
  perSecond: number
}

export interface Progress extends Ledger {
  inFlight: number
  /** Failed deliveries so far. */
  failed: number
}

/**
 * What is known about a message: its last fate. `foreign`: the run has not sent it, and it has no fate yet.
 * `sent`: the same for a message of the run.
 */
interface Entry {
  state: Fate | 'foreign' | 'sent'
  delivered: boolean
  /** A handler has thrown for it, or reported it. */
  thrown: boolean
}

const MAX_FAILURES = 10

const isDone = (state: Entry['state']) => state === 'processed' || state === 'dropped'

const OF_DELIVERIES = { sent: 0, delivered: 0, inFlight: 0, failed: 0, invocations: 0, timeouts: 0, crashes: 0 }
/** What other parts of a run count. */
const OF_INVOCATIONS = { failedInvocations: 0, respondedEarly: 0, wouldTimeOut: 0, ignoredLists: 0 }
const OF_OTHERS = { ...OF_INVOCATIONS, outOfOrder: 0, processes: 0, diedBetween: 0 }

/**
 * Stores what is known about every message by its id. Only the queue knows how many messages were
 * dead-lettered or remain, so `snapshot` receives its counts. A message without a good fate that is in no
 * queue is lost.
 */
export class OpenLedger {
  readonly #started = performance.now()
  readonly #messages = new Map<string, Entry>()
  readonly #tally = { foreign: 0, sent: 0, processed: 0, dropped: 0, failed: 0, exhausted: 0, lost: 0, filtered: 0 }
  readonly #counts = { ...OF_DELIVERIES, ...OF_OTHERS }
  #deliveredMessages = 0
  #exhaustedWithoutError = 0
  readonly #reasons = new ErrorCounter()
  readonly #causes = new ErrorCounter()
  readonly #failures: string[] = []
  #isInputComplete = false
  #firstDelivery = 0
  #lastReport = 0

  #update(id: string, change: (entry: Entry) => Partial<Entry>) {
    const entry = this.#messages.get(id) ?? { state: 'foreign', delivered: false, thrown: false }
    this.#tallyUp(entry, -1)
    Object.assign(entry, change(entry))
    this.#tallyUp(entry, 1)
    this.#messages.set(id, entry)
  }

  #tallyUp({ state, delivered, thrown }: Entry, by: number) {
    this.#tally[state] += by
    if (delivered) this.#deliveredMessages += by
    if (state === 'exhausted' && !thrown) this.#exhaustedWithoutError += by
  }

  sent(ids: readonly string[]) {
    // A message can be delivered, and even settled, before its sender receives the response of SQS.
    for (const id of ids) this.#update(id, ({ state }) => ({ state: state === 'foreign' ? 'sent' : state }))
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
    for (const { messageId } of batch) this.#update(messageId, () => ({ delivered: true }))
  }

  invocationEnded({ type }: Outcome, batch: readonly Received[]) {
    this.#counts.inFlight -= batch.length
    if (type === 'timeout') this.#counts.timeouts += 1
    if (type === 'crash') this.#counts.crashes += 1
  }

  /** Counts something. `failure`: a line. `reason`: why it happened. */
  add(what: keyof typeof OF_OTHERS, failure?: string, reason?: string) {
    this.#counts[what] += 1
    if (failure !== undefined) this.failure(failure)
    if (reason !== undefined) this.#reasons.add(reason)
  }

  cause(cause: Cause | string) {
    this.#causes.add(cause)
  }

  failure(line: string) {
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(line)
  }

  /** The fate of a message. Once it has been processed, a second delivery changes nothing. */
  settle(messageId: string, fate: Fate, isThrown = false) {
    if (fate === 'failed' || fate === 'exhausted' || fate === 'lost') this.#counts.failed += 1
    if (isDone(fate)) this.#lastReport = performance.now()
    this.#update(messageId, ({ state, thrown }) => ({
      state: isDone(state) ? state : fate,
      thrown: thrown || isThrown,
    }))
  }

  snapshot({ queue, deadLetter, sentDeadLetters, ...others }: Omit<QueueCounts, 'visible'>): Progress {
    const { sent, failed, exhausted, processed, dropped, filtered, lost } = this.#tally
    const unprocessed = sent + failed + exhausted
    // Neither the ledger nor the queue is exact alone: SQS may also move a processed message, and other
    // programs may use both queues. If more unprocessed messages have left the queue than were exhausted,
    // those count as dead-lettered. The count is never above the number that SQS moved.
    const { stoppedLoops = 0, replacedTimeouts = 0, sentByFunction = 0 } = others
    const moved = Math.max(0, deadLetter - (sentDeadLetters ?? 0) - stoppedLoops)
    const deadLettered = Math.min(Math.max(exhausted, unprocessed - queue), moved)
    const unaccounted = Math.max(0, unprocessed - deadLettered - queue)
    const seconds = (this.#lastReport - this.#firstDelivery) / 1000
    return {
      ...this.#counts,
      crashes: this.#counts.crashes + this.#counts.diedBetween,
      sentByFunction,
      isInputComplete: this.#isInputComplete,
      processed: processed + dropped,
      redelivered: this.#counts.delivered - this.#deliveredMessages,
      replacedTimeouts,
      deadLettered: deadLettered + stoppedLoops,
      stoppedLoops,
      deadLetteredWithoutError: Math.min(deadLettered, this.#exhaustedWithoutError),
      sentDeadLetters: sentDeadLetters ?? 0,
      expiredDeadLetters: sentDeadLetters === undefined ? 0 : moved - deadLettered,
      filtered,
      dropped: Math.max(0, dropped - (sentDeadLetters ?? moved - deadLettered)),
      remaining: queue,
      lost: lost + unaccounted,
      reasons: this.#reasons.counts(),
      causes: this.#causes.counts(),
      failures: [...this.#failures],
      wallMs: Math.round(performance.now() - this.#started),
      perSecond: seconds > 0 ? Math.round((processed + dropped) / seconds) : 0,
    }
  }

  /** The ledger at the end of a run. */
  total(queueCounts: QueueCounts): Ledger {
    const { inFlight, failed, ...ledger } = this.snapshot(queueCounts)
    const isUnprocessed = ({ state }: Entry) => !isDone(state) && !['foreign', 'filtered'].includes(state)
    const [firstUnprocessed] = [...this.#messages].find(([, entry]) => isUnprocessed(entry)) ?? []
    return { ...ledger, firstUnprocessed }
  }
}
