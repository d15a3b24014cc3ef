import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchRequestEntry,
} from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { callInBatches, inBatches } from './batch-calls.ts'
import { MAX_DELAY_SECONDS, type RetryBackoffOptions } from './options.ts'
import { logReasons, type Reasons } from './reasons.ts'
import { setQueueUrlFromArn } from './source-queue.ts'

/** A random whole number from `least` to `most`, which are whole numbers, too. SQS accepts only whole seconds. */
export function randomSeconds(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

/** Seconds until the records behind a dead letter are visible. At 0, SQS would deliver them before the response. */
export const RELEASE_DELAY = 1

interface Delay {
  readonly record: SQSRecord
  readonly seconds: number
}

/** The same delay for each record that waits for one of these failures. */
export function delaysBehind(
  blocked: FailureRequest['blocked'],
  failures: readonly RecordFailure[],
  seconds: number,
): Delay[] {
  const failed = new Set(failures.map(({ record }) => record)) // a failure can be a copy
  const behind = blocked.filter(({ failure }) => failed.has(failure.record)).flatMap(({ records }) => records)
  return behind.map((record) => ({ record, seconds }))
}

type Calls = Pick<RetryBackoffOptions, 'client' | 'sourceQueueUrl'> & Pick<FailureRequest, 'signal' | 'log'>

/** The records whose visibility timeout has been set, and by which function. */
const lastCallers = new WeakMap<SQSRecord, string>()

/**
 * Sets the visibility timeout of each record, counted from now. Logs what SQS does not confirm. Never
 * rejects.
 */
export async function setVisibilityTimeouts(
  caller: string,
  delays: readonly Delay[],
  { client, sourceQueueUrl, signal, log }: Calls,
): Promise<void> {
  const reasons: Reasons = new Map()
  const unconfirmed = new Set(delays.map(({ record }) => record))
  // Events made by hand can have records of several queues.
  for (const [arn, ofQueue] of Map.groupBy(delays, ({ record }) => record.eventSourceARN)) {
    function send(Entries: ChangeMessageVisibilityBatchRequestEntry[]) {
      const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: sourceQueueUrl ?? arn, Entries })
      if (sourceQueueUrl === undefined) setQueueUrlFromArn(command, arn)
      return client.send(command, { abortSignal: signal })
    }
    const items = ofQueue.map(({ record, seconds }) => ({
      entry: { ReceiptHandle: record.receiptHandle, VisibilityTimeout: Math.min(seconds, MAX_DELAY_SECONDS) },
      bytes: 0, // only calls that send messages have a size limit
      record,
    }))
    for (const { record } of await callInBatches(inBatches(items), send, { reasons, signal })) {
      unconfirmed.delete(record)
      lastCallers.set(record, caller)
    }
  }
  logReasons(log, reasons, (count) => {
    const text = `SQS did not confirm the delay of ${count} of ${delays.length} records`
    return `${caller}(): ${text}. They may keep ${earlierDelays([...unconfirmed])}`
  })
}

function earlierDelays(records: readonly SQSRecord[]): string {
  const callers = new Set(records.map((record) => lastCallers.get(record)))
  return Array.from(callers, (caller) =>
    caller === undefined ? 'the visibility timeout of their queue' : `the delay that ${caller}() has set`,
  ).join(' or ')
}
