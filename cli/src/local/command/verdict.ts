import { countOf } from '../../shared/format.ts'
import type { Ledger } from '../account/ledger.ts'

export interface Allowed {
  maxDeadLettered: number
  maxFailedInvocations: number
}

/** The number of messages, as the start of a sentence. */
function messages(count: number) {
  return `${countOf(count, 'message')} ${count === 1 ? 'was' : 'were'}`
}

const invocations = (count: number) => countOf(count, 'invocation')

/**
 * Why a run failed, in one line. For a limit that was exceeded, the line names the flag and the value that
 * would allow it. Undefined if the run passed.
 */
export function whyFailed(ledger: Ledger, { maxDeadLettered, maxFailedInvocations }: Allowed): string | undefined {
  const { lost, remaining, outOfOrder, filtered, diedBetween, failedInvocations: failed } = ledger
  const unprocessed = ledger.deadLettered + ledger.sentDeadLetters + ledger.expiredDeadLetters + ledger.dropped
  const reasons = [
    !ledger.isInputComplete && 'the run was interrupted before all messages were sent',
    lost > 0 && `${messages(lost)} lost`,
    remaining > 0 && `${messages(remaining)} left in the queue`,
    outOfOrder > 0 &&
      `${messages(outOfOrder)} deleted before an earlier message of the same message group, which failed`,
    ledger.processed === 0 &&
      `no message was processed${filtered > 0 ? `, because ${messages(filtered)} deleted by a filter` : ''}`,
    diedBetween > 0 && `the process died between invocations: ${countOf(diedBetween, 'time')}`,
    ledger.ignoredLists > 0 &&
      `${countOf(ledger.ignoredLists, 'response')} had a list of failures that Lambda does not read: return { batchItemFailures: […] }`,
    ledger.respondedEarly > 0 &&
      `${invocations(ledger.respondedEarly)} responded before all work had ended (--no-freeze would allow it)`,
    ledger.wouldTimeOut > 0 &&
      `${invocations(ledger.wouldTimeOut)} would time out on Lambda (raise the memory or the timeout, or lower the batch size)`,
    failed > maxFailedInvocations &&
      `${invocations(failed)} failed (--max-failed-invocations ${failed} would allow it)`,
    unprocessed > maxDeadLettered && whyUnprocessed(ledger, unprocessed),
  ].filter((reason) => reason !== false)
  return reasons.length === 0 ? undefined : reasons.join('; ')
}

function whyUnprocessed(ledger: Ledger, unprocessed: number): string {
  const parts = [
    [ledger.deadLettered, 'dead-lettered'],
    [ledger.sentDeadLetters, 'dead-lettered by the handler'],
    [
      ledger.expiredDeadLetters,
      'dead-lettered although processed, because the visibility timeout had expired or a second delivery failed',
    ],
    [ledger.dropped, 'dropped by onFailure and sent to no dead-letter queue'],
  ] as const
  const known = parts.flatMap(([count, what]) => (count > 0 ? `${messages(count)} ${what}` : []))
  const isTooEarly = ledger.deadLettered > 0 && ledger.replacedTimeouts > 0
  const allow = `--max-dead-lettered ${unprocessed} would allow it`
  return `${known.join(', and ')} (${isTooEarly ? 'the function delays redeliveries: use --retry-after off' : allow})`
}
