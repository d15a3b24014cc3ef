import { check } from '../shared/check.ts'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { RETRY_BACKOFF_CHECKS, type RetryBackoffOptions } from './options.ts'
import { addReason, logReasons, type Reasons, reasonOf, wrongResult } from './reasons.ts'
import { delaysBehind, randomSeconds, setVisibilityTimeouts } from './visibility.ts'

/**
 * Makes a failure handler that delays the redelivery of failed records, longer with each delivery. It sets
 * the visibility timeout of each message, counted from now, with `ChangeMessageVisibilityBatch`.
 *
 * The longest delay is `base × factor ^ (receive count - 1)` seconds, at most `max`. By default, the delay is
 * a random number of whole seconds from half of the longest delay to all of it (equal jitter). With the
 * default options, the longest delay is 30 s after the first delivery. It is then 60, 120, 240 and 480 s, and
 * 900 s from the sixth delivery on. The option `delay` can ask for a longer one.
 *
 * A message survives an outage shorter than half of the sum of the longest delays before its last delivery,
 * if SQS accepts every delay. With the default options and a `maxReceiveCount` above 5, this is at least `7.5
 * minutes × (maxReceiveCount - 5)`.
 *
 * All failures stay reported. If SQS refuses a change, a line in the log gives the reason, and the delay that
 * is kept.
 *
 * On a FIFO queue, SQS delivers no message of a group while another message of the group is invisible. So the
 * records that wait for a failure (`request.blocked`) get the same delay. Other failed records that a failure
 * handler does not receive (see `FailureHandler`) keep the visibility timeout of their queue.
 *
 * @throws {TypeError} if an option is missing, unknown or not valid
 * @example
 * boundedSqsBatch({ onFailure: retryBackoff({ client, base: 10, max: 3600 }) })
 */
export function retryBackoff(options: RetryBackoffOptions) {
  const {
    base = 30,
    factor = 2,
    max = 900,
    jitter = 'equal',
    delay,
    ...queue
  } = check('retryBackoff', options, RETRY_BACKOFF_CHECKS, ['client'])

  /** Never 0: SQS would redeliver the message during this invocation. */
  function backoffOf(receiveCount: number): number {
    const longest = Math.min(max, Math.ceil(base * factor ** (receiveCount - 1)))
    return randomSeconds({ equal: Math.ceil(longest / 2), full: 1, none: longest }[jitter], longest)
  }

  /** @throws if `delay` throws or returns neither `undefined` nor a number of seconds */
  function askedFor(failure: RecordFailure): number {
    const asked: unknown = delay?.(failure)
    if (asked === undefined) return 0
    if (typeof asked === 'number' && asked >= 0) {
      // Records that were refused together ask for the same time, so they are spread over that of a first
      // backoff. That of a later delivery is mostly longer than `base`: limited to `base`, it would be the
      // same.
      return Math.ceil(asked) + backoffOf(1)
    }
    throw wrongResult('delay() to return undefined or a number of seconds, 0 or more', asked)
  }

  return async function retryBackoffFailures(
    failures: readonly RecordFailure[],
    request: FailureRequest,
  ): Promise<readonly RecordFailure[]> {
    const { signal, log, blocked } = request
    const reasons: Reasons = new Map()
    const delays = failures.flatMap((failure) => {
      let asked = 0
      try {
        asked = askedFor(failure)
      } catch (error) {
        addReason(reasons, reasonOf(error))
      }
      const seconds = Math.max(backoffOf(failure.receiveCount), asked)
      return [{ record: failure.record, seconds }, ...delaysBehind(blocked, [failure], seconds)]
    })
    logReasons(log, reasons, (count) => {
      return `retryBackoff(): delay() failed for ${count} of ${failures.length} records. They get the backoff`
    })
    await setVisibilityTimeouts('retryBackoff', delays, { ...queue, signal, log })
    return failures
  }
}
