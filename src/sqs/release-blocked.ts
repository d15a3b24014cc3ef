import { check } from '../shared/check.ts'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { RELEASE_BLOCKED_CHECKS, type ReleaseBlockedOptions } from './options.ts'
import { delaysBehind, RELEASE_DELAY, setVisibilityTimeouts } from './visibility.ts'

/**
 * Makes the records behind failures visible after 1 s. Call it in a failure handler for a FIFO queue, after
 * the failures that it takes over are stored elsewhere. `deadLetter()` does this itself.
 *
 * SQS delivers no message of a group while another message of the group is invisible. Without this call, the
 * group waits for the visibility timeout of its queue. The order is kept: the group waits until Lambda has
 * deleted the failure. If SQS refuses a change, the log gives the reason, and the records keep their
 * visibility timeout.
 *
 * @param failures those that the failure handler takes over
 * @throws {TypeError} if an option is missing, unknown or not valid
 * @example
 * const storeFailures: FailureHandler = async (failures, request) => {
 *   await store(failures.map(({ record }) => record))
 *   await releaseBlocked(failures, request, { client })
 *   return []
 * }
 */
export async function releaseBlocked(
  failures: readonly RecordFailure[],
  request: FailureRequest,
  options: ReleaseBlockedOptions,
): Promise<void> {
  const queue = check('releaseBlocked', options, RELEASE_BLOCKED_CHECKS, ['client'])
  const { blocked, signal, log } = request
  const delays = delaysBehind(blocked, failures, RELEASE_DELAY)
  await setVisibilityTimeouts('releaseBlocked', delays, { ...queue, signal, log })
}
