import { ChangeMessageVisibilityBatchCommand, type ChangeMessageVisibilityBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { callInBatches, type Item, inBatches } from './batch-calls.ts'
import { checkRetryBackoffOptions, type RetryBackoffOptions } from './options.ts'
import { countReasons, errorWithoutStack, listReasons, type Reasons } from './reasons.ts'
import { setQueueUrlFromArn } from './source-queue.ts'

/**
 * Makes a failure handler that delays the redelivery of failed records, longer with each delivery. It sets the
 * visibility timeout of each message, counted from now, with `ChangeMessageVisibilityBatch`.
 *
 * The longest delay is `base × factor ^ (receive count - 1)` seconds, at most `max`. By default, the delay is a random
 * number of whole seconds from 1 to the longest delay (full jitter). With the default options, the longest delay is
 * 30 s after the first delivery. It is then 60, 120, 240 and 480 s, and 900 s from the sixth delivery on.
 *
 * All failures stay reported. If SQS refuses the change for a message, the message keeps the visibility timeout of its
 * queue. A line in the log gives the reason.
 *
 * A failure handler does not receive all failed records (see `FailureHandler`): the others keep the visibility timeout
 * of their queue. On a FIFO queue, SQS delivers no message of a group while an earlier one of the group is invisible.
 *
 * @throws {TypeError} if an option is missing, unknown or not valid
 * @example
 * boundedSqsBatch({ onFailure: [deadLetter({ client, queueUrl }), retryBackoff({ client, base: 10, max: 3600 })] })
 */
export function retryBackoff(options: RetryBackoffOptions) {
  const {
    client,
    base = 30,
    factor = 2,
    max = 900,
    jitter = 'full',
    sourceQueueUrl,
  } = checkRetryBackoffOptions(options)

  /** Whole seconds, because SQS accepts no others. Not 0: SQS would redeliver the message during this invocation. */
  function delayOf(receiveCount: number): number {
    const delay = Math.min(max, Math.ceil(base * factor ** (receiveCount - 1)))
    return jitter === 'full' ? 1 + Math.floor(Math.random() * delay) : delay
  }

  function toItem(failure: RecordFailure): Item<Omit<ChangeMessageVisibilityBatchRequestEntry, 'Id'>> {
    const entry = { ReceiptHandle: failure.record.receiptHandle, VisibilityTimeout: delayOf(failure.receiveCount) }
    return { failure, entry, bytes: 0 } // only calls that send messages have a size limit
  }

  return async function retryBackoffFailures(
    failures: readonly RecordFailure[],
    request: FailureRequest,
  ): Promise<readonly RecordFailure[]> {
    const { signal } = request
    const reasons: Reasons = new Map()
    // An event from Lambda has records of one queue only. Events made by hand can have several.
    for (const [arn, ofQueue] of Map.groupBy(failures, ({ record }) => record.eventSourceARN)) {
      function send(Entries: ChangeMessageVisibilityBatchRequestEntry[]) {
        const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: sourceQueueUrl ?? arn, Entries })
        if (sourceQueueUrl === undefined) setQueueUrlFromArn(command, arn)
        return client.send(command, { abortSignal: signal })
      }
      await callInBatches(inBatches(ofQueue.map(toItem)), send, { reasons, signal })
    }
    if (reasons.size > 0) {
      const count = `${countReasons(reasons)} of ${failures.length} records`
      const text = `SQS did not confirm the delay of ${count}. They may keep the visibility timeout of their queue`
      request.log(errorWithoutStack(`retryBackoff(): ${text}: ${listReasons(reasons)}`))
    }
    return failures
  }
}
