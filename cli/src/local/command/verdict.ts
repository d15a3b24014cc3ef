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
  const unprocessed = ledger.deadLettered + ledger.sentDeadLetters + ledger.expiredDeadLetters + ledger.dropped
  const reasons: string[] = []
  if (!ledger.isInputComplete) reasons.push('the run was interrupted before all messages were sent')
  if (ledger.lost > 0) reasons.push(`${messages(ledger.lost)} lost`)
  if (ledger.remaining > 0) reasons.push(`${messages(ledger.remaining)} left in the queue`)
  if (ledger.outOfOrder > 0) {
    reasons.push(
      `${messages(ledger.outOfOrder)} deleted before an earlier message of the same message group, which failed`,
    )
  }
  if (ledger.processed === 0) {
    const why = ledger.filtered > 0 ? `, because ${messages(ledger.filtered)} deleted by a filter` : ''
    reasons.push(`no message was processed${why}`)
  }
  if (ledger.diedBetween > 0)
    reasons.push(`the process died between invocations: ${countOf(ledger.diedBetween, 'time')}`)
  if (ledger.respondedEarly > 0) {
    const what = countOf(ledger.respondedEarly, 'invocation')
    reasons.push(`${what} responded before all work had ended (--no-freeze would allow it)`)
  }
  if (ledger.wouldTimeOut > 0) {
    const what = countOf(ledger.wouldTimeOut, 'invocation')
    reasons.push(`${what} would time out on Lambda (raise the memory or the timeout, or lower the batch size)`)
  }
  if (ledger.failedInvocations > maxFailedInvocations) {
    const what = countOf(ledger.failedInvocations, 'invocation')
    reasons.push(`${what} failed (--max-failed-invocations ${ledger.failedInvocations} would allow it)`)
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
