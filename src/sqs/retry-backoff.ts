import { ChangeMessageVisibilityBatchCommand, type ChangeMessageVisibilityBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { callInBatches, type Item, inBatches } from './batch-calls.ts'
import { checkRetryBackoffOptions, type RetryBackoffOptions } from './options.ts'
import { countReasons, listReasons, notice, type Reasons } from './reasons.ts'
import { addressByArn } from './source-queue.ts'

/**
 * A failure handler that lets failed records come back later with each delivery: it sets the visibility timeout of each,
 * which counts from now, to a random time up to `base × factor ^ (receive count - 1)` seconds and `max` (full jitter).
 * With the defaults that is up to 30 s after the first delivery, then 60, 120, 240, 480, and 900 from the sixth. All
 * failures stay reported. What SQS refuses comes back after the queue's own visibility timeout, and one line of the log
 * says why.
 *
 * Records that never started or were blocked are not passed to failure handlers, nor is what failed behind a failed record
 * of its group: they keep the queue's visibility timeout. On a FIFO queue SQS holds back the group of a record for as
 * long as the record is invisible.
 *
 * @throws {TypeError} on an option that is missing, unknown or of the wrong kind
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

  /** Whole seconds, as SQS takes them, and never 0, which would have the record back while this invocation runs. */
  const delayOf = (receiveCount: number) => {
    const delay = Math.min(max, Math.ceil(base * factor ** (receiveCount - 1)))
    return jitter === 'none' ? delay : 1 + Math.floor(Math.random() * delay)
  }

  const toItem = (failure: RecordFailure): Item<Omit<ChangeMessageVisibilityBatchRequestEntry, 'Id'>> => ({
    failure,
    entry: { ReceiptHandle: failure.record.receiptHandle, VisibilityTimeout: delayOf(failure.receiveCount) },
    bytes: 0,
  })

  return async function retryBackoffFailures(
    failures: readonly RecordFailure[],
    request: FailureRequest,
  ): Promise<readonly RecordFailure[]> {
    const { signal } = request
    const refused: Reasons = new Map()
    // There is one queue in what Lambda sends.
    for (const [arn, ofQueue] of Map.groupBy(failures, ({ record }) => record.eventSourceARN)) {
      const send = (Entries: ChangeMessageVisibilityBatchRequestEntry[]) => {
        const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: sourceQueueUrl ?? arn, Entries })
        if (sourceQueueUrl === undefined) addressByArn(command, arn)
        return client.send(command, { abortSignal: signal })
      }
      await callInBatches(inBatches(ofQueue.map(toItem)), send, { refused, signal })
    }
    if (refused.size > 0) {
      const count = `${countReasons(refused)} of ${failures.length} records`
      request.log(
        notice(`retryBackoff(): ${count} keep the visibility timeout of their queue: ${listReasons(refused)}`),
      )
    }
    return failures
  }
}
