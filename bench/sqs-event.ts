import assert from 'node:assert/strict'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'

/** An event as Lambda delivers it, with bodies of about 100 bytes. With `groups`, it comes from a FIFO queue. */
export function sqsEvent(size: number, groups = 0): SQSEvent {
  const Records = Array.from({ length: size }, (_, index) => ({
    messageId: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    receiptHandle: `AQEB${String(index).padStart(8, '0').repeat(40)}`,
    body: JSON.stringify({ orderId: index, customer: 'c-0815', items: [{ sku: 'A-100', quantity: 2 }], total: 49.9 }),
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1764000000000',
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: '1764000000001',
      ...(groups > 0 && { MessageGroupId: `customer-${index % groups}` }),
    },
    messageAttributes: {},
    md5OfBody: 'e4e68fb7bd0e697a0ae8f1bb342846b3',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:orders${groups > 0 ? '.fifo' : ''}`,
    awsRegion: 'eu-west-1',
  }))
  return { Records }
}

/** The remaining time is longer than any case takes. */
export const context = { getRemainingTimeInMillis: () => 300_000 } as Context

/** The response of an invocation, its milliseconds, and its CPU time: milliseconds of all threads. */
export async function measured<T>(invoke: () => Promise<T>): Promise<{ response: T; time: number; cpu: number }> {
  const cpuStart = process.cpuUsage()
  const start = performance.now()
  const response = await invoke()
  const time = performance.now() - start
  const { user, system } = process.cpuUsage(cpuStart)
  return { response, time, cpu: (user + system) / 1_000 }
}

/** Throws unless every record ran once and the response reports exactly the failed records, in any order. */
export function assertExact(
  { Records }: SQSEvent,
  { ran, failed }: { readonly ran: readonly string[]; readonly failed: readonly string[] },
  { batchItemFailures }: SQSBatchResponse,
): void {
  const delivered = Records.map(({ messageId }) => messageId)
  const reported = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  assert.deepEqual(ran.toSorted(), delivered.toSorted(), 'every record runs once')
  assert.deepEqual(reported.toSorted(), failed.toSorted(), 'the failed records are reported, each once')
}
