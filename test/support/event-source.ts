import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { toRecord } from './sqs.ts'

export type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

/**
 * Imitates Lambda's event source mapping until `isDone` returns true. It gathers messages into batches, invokes the
 * handler, and deletes the messages that the response does not report. The others return after their visibility
 * timeout.
 */
export async function deliver(
  client: SQSClient,
  queue: { readonly url: string; readonly arn: string },
  handler: Handler,
  { batchSize, isDone, timeout = 30_000 }: { batchSize: number; isDone: () => boolean; timeout?: number | undefined },
): Promise<void> {
  while (!isDone()) {
    const Records = await gather(client, queue, batchSize)
    if (Records.length === 0) {
      await sleep(50)
      continue
    }
    const end = Date.now() + timeout
    const context = { getRemainingTimeInMillis: () => end - Date.now() } as Context
    const response = await handler({ Records }, context).catch(() => undefined)
    if (!response) continue // the invocation has failed: all messages return
    const { batchItemFailures } = response
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
    await remove(
      client,
      queue.url,
      Records.filter(({ messageId }) => !failed.has(messageId)),
    )
  }
}

async function gather(
  client: SQSClient,
  { url, arn }: { readonly url: string; readonly arn: string },
  batchSize: number,
): Promise<SQSRecord[]> {
  const messages: Message[] = []
  while (messages.length < batchSize) {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
      AttributeNames: ['All'], // moto reads only this
    })
    const { Messages = [] } = await client.send(command)
    if (Messages.length === 0) break
    messages.push(...Messages)
  }
  return messages.map((message) => toRecord(message, arn))
}

async function remove(client: SQSClient, url: string, records: readonly SQSRecord[]): Promise<void> {
  for (let start = 0; start < records.length; start += 10) {
    const Entries = records
      .slice(start, start + 10)
      .map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
    await client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }))
  }
}
