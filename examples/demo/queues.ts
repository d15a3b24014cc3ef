import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { type Received, toReceived } from 'bounded-sqs-batch/engine'
import { buildApp } from 'fauxqs'

const URL = 'http://127.0.0.1/000000000000/orders'
const ARN = 'arn:aws:sqs:us-east-1:000000000000:orders'
const VISIBILITY_TIMEOUT = 60

function inTens<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 10) }, (_, index) => items.slice(index * 10, index * 10 + 10))
}

/**
 * A queue with numbered messages and a dead-letter queue, on fauxqs. It is called without sockets: an HTTP call takes
 * six times as much CPU time, and the demo makes thousands of calls.
 */
export async function openQueues({ messages, maxReceives }: { messages: number; maxReceives: number }) {
  const app = buildApp({ logger: false })

  async function call(action: string, parameters: object) {
    const response = await app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}` },
      payload: JSON.stringify(parameters),
    })
    if (response.statusCode !== 200) throw new Error(`SQS refused ${action}: ${response.json().message}`)
    return response.json()
  }

  /** Makes one call per ten messages. Returns the messages that SQS refused. */
  async function callInTens(action: string, received: readonly Received[], more = {}): Promise<Received[]> {
    const refused: Received[] = []
    for (const ten of inTens(received)) {
      const Entries = ten.map(({ receiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
        ...more,
      }))
      const { Failed = [] } = await call(action, { QueueUrl: URL, Entries })
      refused.push(...Failed.flatMap(({ Id }: { Id: string }) => ten[Number(Id)] ?? []))
    }
    return refused
  }

  /** The numbers of the messages in a queue, visible or not. */
  async function numbersIn(name: 'orders' | 'dead-letters'): Promise<number[]> {
    const { ready, delayed, inflight } = (await app.inject(`/_fauxqs/queues/${name}`)).json().messages
    const all = [...ready, ...delayed, ...inflight.map(({ message }: { message: unknown }) => message)]
    return all.map(({ body }: { body: string }) => JSON.parse(body).number)
  }

  async function setVisibility(received: readonly Received[], seconds: number) {
    await callInTens('ChangeMessageVisibilityBatch', received, { VisibilityTimeout: seconds })
  }

  await call('CreateQueue', { QueueName: 'dead-letters' })
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: ARN.replace('orders', 'dead-letters'),
    maxReceiveCount: maxReceives,
  })
  const Attributes = { VisibilityTimeout: String(VISIBILITY_TIMEOUT), RedrivePolicy }
  await call('CreateQueue', { QueueName: 'orders', Attributes })
  const numbers = Array.from({ length: messages }, (_, index) => index + 1)
  for (const ten of inTens(numbers)) {
    const Entries = ten.map(
      (number): SendMessageBatchRequestEntry => ({ Id: String(number), MessageBody: JSON.stringify({ number }) }),
    )
    await call('SendMessageBatch', { QueueUrl: URL, Entries })
  }

  return {
    numbersIn,
    fifo: false,
    maxReceives,
    isDelayedByClient: () => false,
    async receive(max: number, waitSeconds: number): Promise<Received[]> {
      const { Messages = [] } = await call('ReceiveMessage', {
        QueueUrl: URL,
        MaxNumberOfMessages: max,
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
      })
      return Messages.map((message: object) => toReceived(message, ARN))
    },
    remove: (received: readonly Received[]) => callInTens('DeleteMessageBatch', received),
    setVisibility,
    release: (received: readonly Received[]) => setVisibility(received, 0),
    takeDeleted: () => new Set<string>(),
    close: () => app.close(),
  }
}
