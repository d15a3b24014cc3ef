import { ChangeMessageVisibilityBatchCommand, type ChangeMessageVisibilityBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import type { FailureRequest } from '../types.ts'
import { callInBatches, inBatches } from './batch-calls.ts'
import { MAX_DELAY_SECONDS, type RetryBackoffOptions } from './options.ts'
import { logReasons, type Reasons } from './reasons.ts'
import { setQueueUrlFromArn } from './source-queue.ts'

/** A random whole number from `least` to `most`, which are whole numbers, too. SQS accepts only whole seconds. */
export function randomSeconds(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

type Calls = Pick<RetryBackoffOptions, 'client' | 'sourceQueueUrl'> & Pick<FailureRequest, 'signal' | 'log'>

/** Sets the visibility timeout of each record, counted from now. If SQS does not confirm all of them, this logs it. */
export async function setVisibilityTimeouts(
  caller: string,
  delays: readonly { readonly record: SQSRecord; readonly seconds: number }[],
  { client, sourceQueueUrl, signal, log }: Calls,
): Promise<void> {
  const reasons: Reasons = new Map()
  // An event from Lambda has records of one queue only. Events made by hand can have several.
  for (const [arn, ofQueue] of Map.groupBy(delays, ({ record }) => record.eventSourceARN)) {
    function send(Entries: ChangeMessageVisibilityBatchRequestEntry[]) {
      const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: sourceQueueUrl ?? arn, Entries })
      if (sourceQueueUrl === undefined) setQueueUrlFromArn(command, arn)
      return client.send(command, { abortSignal: signal })
    }
    const items = ofQueue.map(({ record, seconds }) => ({
      entry: { ReceiptHandle: record.receiptHandle, VisibilityTimeout: Math.min(seconds, MAX_DELAY_SECONDS) },
      bytes: 0, // only calls that send messages have a size limit
    }))
    await callInBatches(inBatches(items), send, { reasons, signal })
  }
  logReasons(log, reasons, (count) => {
    const text = `SQS did not confirm the delay of ${count} of ${delays.length} records`
    return `${caller}(): ${text}. They may keep the visibility timeout of their queue`
  })
}
