import { countOf, formatNumber } from '../../shared/format.ts'
import type { Ledger } from '../simulator/ledger.ts'

export interface Allowed {
  maxDeadLettered: number
  maxFailedInvocations: number
}

/** The number of messages, as the start of a sentence. */
function messages(count: number) {
  return `${countOf(count, 'message')} ${count === 1 ? 'was' : 'were'}`
}

const EXPIRED =
  'dead-lettered although processed, because the visibility timeout had expired or a second delivery failed'

/**
 * Why a run failed, in one line. For a limit that was exceeded, the line names the flag and the value that would allow
 * it. Undefined if the run passed.
 */
export function whyFailed(ledger: Ledger, { maxDeadLettered, maxFailedInvocations }: Allowed): string | undefined {
  const {
    isInputComplete,
    lost,
    remaining,
    processed,
    failedInvocations,
    diedBetween,
    outOfOrder,
    filtered,
    respondedEarly,
    wouldTimeOut,
  } = ledger
  const unprocessed = ledger.deadLettered + ledger.sentDeadLetters + ledger.expiredDeadLetters + ledger.dropped
  const reasons: string[] = []
  if (!isInputComplete) reasons.push('the run was interrupted before all messages were sent')
  if (lost > 0) reasons.push(`${messages(lost)} lost`)
  if (remaining > 0) reasons.push(`${messages(remaining)} left in the queue`)
  if (outOfOrder > 0) {
    reasons.push(`${messages(outOfOrder)} deleted before an earlier message of the same message group, which failed`)
  }
  if (processed === 0) {
    const why = filtered > 0 ? `, because ${messages(filtered)} deleted by a filter` : ''
    reasons.push(`no message was processed${why}`)
  }
  if (diedBetween > 0) reasons.push(`the process died between invocations: ${countOf(diedBetween, 'time')}`)
  if (respondedEarly > 0) {
    const what = countOf(respondedEarly, 'invocation')
    reasons.push(`${what} responded before all work had ended (--no-freeze would allow it)`)
  }
  if (wouldTimeOut > 0) {
    const what = countOf(wouldTimeOut, 'invocation')
    reasons.push(`${what} would time out on Lambda (raise the memory or the timeout, or lower the batch size)`)
  }
  if (failedInvocations > maxFailedInvocations) {
    const what = countOf(failedInvocations, 'invocation')
    reasons.push(`${what} failed (--max-failed-invocations ${failedInvocations} would allow it)`)
  }
  if (unprocessed > maxDeadLettered) {
    const parts = [
      [ledger.deadLettered, `dead-lettered${withoutError(ledger)}`],
      [ledger.sentDeadLetters, 'dead-lettered by the handler'],
      [ledger.expiredDeadLetters, EXPIRED],
      [ledger.dropped, 'dropped by onFailure and sent to no dead-letter queue'],
    ] as const
    const known = parts.flatMap(([count, what]) => (count > 0 ? `${messages(count)} ${what}` : []))
    reasons.push(`${known.join(', and ')} (--max-dead-lettered ${unprocessed} would allow it)`)
  }
  return reasons.length === 0 ? undefined : reasons.join('; ')
}

/** How many of the dead letters may have nothing wrong, as the end of a sentence. */
function withoutError({ deadLetteredWithoutError, crashes, diedBetween }: Ledger): string {
  if (deadLetteredWithoutError === 0) return ''
  const why = crashes > diedBetween ? '; one of them may have ended the process' : ''
  return `; of these, no handler had thrown: ${formatNumber(deadLetteredWithoutError)}${why}`
}
