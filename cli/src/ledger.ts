import type { Outcome } from './runtime-api.ts'
import type { Received } from './sqs-record.ts'

/** What a run came to. Counts are messages, but for `delivered` and `redelivered` (deliveries) and the invocations. */
export interface Ledger {
  sent: number
  invocations: number
  delivered: number
  processed: number
  redelivered: number
  deadLettered: number
  /** Messages that somebody, such as the function, sent to the dead-letter queue; known of the queue of this process. */
  sentDeadLetters: number
  remaining: number
  lost: number
  timeouts: number
  crashes: number
  /** Invocations that failed as a whole, the timeouts and crashes among them. */
  failedInvocations: number
  /** Why they failed, and how often; the first ten reasons. */
  reasons: Record<string, number>
  wallMs: number
  /** Processed messages a second, from the first delivery to the last report. */
  perSecond: number
}

const REASONS = 10

export interface Progress extends Ledger {
  inFlight: number
  /** Deliveries that failed so far. */
  failed: number
}

export interface QueueCounts {
  queue: number
  deadLetter: number
  /** How many of those in the dead-letter queue were sent there, and not moved by the queue; where nobody tells, none. */
  sentDeadLetters?: number
}

/** Sent or failed, and still the queue's; `exhausted` when that was its last delivery; `deleted` though it failed. */
type State = 'open' | 'exhausted' | 'processed' | 'deleted'

/**
 * Follows every message by its id. Whether one was dead-lettered or still remains is the queue's to say: `snapshot` takes its counts,
 * and what neither the queue nor the ledger accounts for is lost.
 */
export const openLedger = (maxReceives = Number.POSITIVE_INFINITY) => {
  const started = performance.now()
  const states = new Map<string, State>()
  const seen = new Set<string>()
  const invocations = { all: 0, failed: 0, timeouts: 0, crashes: 0 }
  const reasons = new Map<string, number>()
  const deliveries = { all: 0, inFlight: 0, failed: 0 }
  let sentCount = 0
  let firstDelivery = 0
  let lastReport = 0

  const settle = (batch: readonly Received[], state: (message: Received) => State) => {
    for (const message of batch) {
      // A message that was processed once stays so, whatever a second delivery of it comes to.
      if (states.get(message.messageId) !== 'processed') states.set(message.messageId, state(message))
    }
  }

  return {
    sent(ids: readonly string[]) {
      for (const id of ids) states.set(id, 'open')
      sentCount += ids.length
    },
    delivered(batch: readonly Received[]) {
      firstDelivery ||= performance.now()
      invocations.all += 1
      deliveries.all += batch.length
      deliveries.inFlight += batch.length
      for (const { messageId } of batch) seen.add(messageId)
    },
    answered(outcome: Outcome, batch: readonly Received[]) {
      deliveries.inFlight -= batch.length
      if (outcome.type === 'timeout') invocations.timeouts += 1
      if (outcome.type === 'crash') invocations.crashes += 1
    },
    failedInvocation(reason: string) {
      invocations.failed += 1
      if (reasons.has(reason) || reasons.size < REASONS) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    },
    processed(batch: readonly Received[]) {
      if (batch.length > 0) lastReport = performance.now()
      settle(batch, () => 'processed')
    },
    failed(batch: readonly Received[]) {
      deliveries.failed += batch.length
      settle(batch, ({ receiveCount }) => (receiveCount >= maxReceives ? 'exhausted' : 'open'))
    },
    deletedThoughFailed(batch: readonly Received[]) {
      deliveries.failed += batch.length
      settle(batch, () => 'deleted')
    },
    snapshot({ queue, deadLetter, sentDeadLetters = 0 }: QueueCounts): Progress {
      const tally = { open: 0, exhausted: 0, processed: 0, deleted: 0 }
      for (const state of states.values()) tally[state] += 1
      const unprocessed = tally.open + tally.exhausted
      // A message that was processed may have been moved too, and others may use both queues: neither count is enough alone.
      const moved = Math.max(0, deadLetter - sentDeadLetters)
      const deadLettered = Math.min(Math.max(tally.exhausted, unprocessed - queue), moved)
      const unaccounted = Math.max(0, unprocessed - deadLettered - queue)
      const seconds = (lastReport - firstDelivery) / 1000
      return {
        sent: sentCount,
        invocations: invocations.all,
        delivered: deliveries.all,
        processed: tally.processed,
        redelivered: deliveries.all - seen.size,
        deadLettered,
        sentDeadLetters,
        remaining: queue,
        lost: tally.deleted + unaccounted,
        timeouts: invocations.timeouts,
        crashes: invocations.crashes,
        failedInvocations: invocations.failed,
        reasons: Object.fromEntries(reasons),
        wallMs: Math.round(performance.now() - started),
        inFlight: deliveries.inFlight,
        failed: deliveries.failed,
        perSecond: seconds > 0 ? Math.round(tally.processed / seconds) : 0,
      }
    },
  }
}

export type OpenLedger = ReturnType<typeof openLedger>
