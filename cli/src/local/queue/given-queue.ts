import { randomUUID } from 'node:crypto'
import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { oneLine, UsageError } from '../../shared/errors.ts'
import type { Queue } from './queue.ts'
import { type Received, toReceived } from './sqs-record.ts'

/** Converts an error of the SDK to one line that says what to do. */
function explain(error: unknown, queueUrl: string, endpoint: string): Error {
  const { name = 'Error', message = '', code = '' } = error as { name?: string; message?: string; code?: string }
  const why = oneLine([name, code, message].filter(Boolean).join(': '))
  return new UsageError(
    `SQS at ${endpoint} refused a call for ${queueUrl}, or did not respond (${why}). ` +
      'Start SQS, create the queue, or correct --queue-url, AWS_ENDPOINT_URL_SQS or the redrive policy',
  )
}

/** The region that calls are signed for. An endpoint of AWS accepts only its own region. */
export function regionFor(hostname: string, fallback = 'us-east-1'): string {
  return /^sqs\.([a-z0-9-]+)\.amazonaws/.exec(hostname)?.[1] ?? fallback
}

function createClient(endpoint: string, socketTimeout: number) {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
  const { hostname } = new URL(endpoint)
  // The SDK requires credentials. A local substitute for SQS accepts any.
  const acceptsAnyCredentials = !hostname.includes('.amazonaws.com') && !AWS_ACCESS_KEY_ID && !AWS_PROFILE
  const client = new SQSClient({
    endpoint,
    region: regionFor(hostname, AWS_REGION),
    ...(acceptsAnyCredentials ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
    // The SDK only warns after a `requestTimeout`, and waits for 15 minutes by default.
    requestHandler: { connectionTimeout: 5000, socketTimeout },
  })
  client.middlewareStack.add(
    (next) => (call) =>
      next(call).catch((error) => {
        throw explain(error, (call.input as { QueueUrl: string }).QueueUrl, endpoint)
      }),
    { step: 'initialize' },
  )
  return client
}

/** Makes a call for ten messages at a time. Returns the messages that SQS refused. */
async function callInTens(
  messages: readonly Received[],
  call: (entries: { Id: string; ReceiptHandle: string }[]) => Promise<{ Failed?: BatchResultErrorEntry[] | undefined }>,
): Promise<Received[]> {
  const refused: Received[] = []
  for (let start = 0; start < messages.length; start += 10) {
    const ten = messages.slice(start, start + 10)
    const { Failed = [] } = await call(
      ten.map(({ receiptHandle: ReceiptHandle }, Id) => ({ Id: `${Id}`, ReceiptHandle })),
    )
    refused.push(...Failed.flatMap(({ Id }) => ten[Number(Id)] ?? []))
  }
  return refused
}

/** The calls of the event source mapping that send, receive and delete messages. */
function callsOf(client: SQSClient, QueueUrl: string, arn: string) {
  const setVisibility = (messages: readonly Received[], VisibilityTimeout: number) =>
    callInTens(messages, (entries) => {
      const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout }))
      return client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }))
    })
  return {
    // A call that is aborted would leave its messages invisible, so it ends by itself.
    async receive(most: number, waitSeconds: number) {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: most,
        WaitTimeSeconds: waitSeconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
        AttributeNames: ['All'], // the older name, the only one that moto 5.1 supports
      })
      const { Messages = [] } = await client.send(command)
      return Messages.map((message) => toReceived(message, arn))
    },
    send(entries: SendMessageBatchRequestEntry[]) {
      // SQS would drop a message whose id it has had within five minutes, such as in the run before.
      const withNewId = (entry: SendMessageBatchRequestEntry) => ({ ...entry, MessageDeduplicationId: randomUUID() })
      const Entries = arn.endsWith('.fifo') ? entries.map(withNewId) : entries
      return client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    },
    remove: (messages: readonly Received[]) =>
      callInTens(messages, (Entries) => client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))),
    setVisibility,
    release: (messages: readonly Received[]) => setVisibility(messages, 0),
  }
}

async function attributesOf(client: SQSClient, QueueUrl: string) {
  const { Attributes = {} } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
  const attributes: Partial<Record<string, string>> = Attributes
  const count = (kind: string) => Number(attributes[`ApproximateNumberOfMessages${kind}`] ?? 0)
  return { attributes, visible: count(''), all: count('') + count('NotVisible') + count('Delayed') }
}

/**
 * Opens a queue of another SQS, and reads its settings once. It is meant for tests against another SQS, and
 * makes one call after another. Rejects with a UsageError if SQS cannot be reached, or does not respond for
 * `socketTimeout` milliseconds.
 */
export async function openGivenQueue(queueUrl: string, socketTimeout = 30_000): Promise<Queue> {
  const { AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL } = process.env
  const client = createClient(AWS_ENDPOINT_URL_SQS ?? AWS_ENDPOINT_URL ?? new URL(queueUrl).origin, socketTimeout)
  try {
    const { attributes } = await attributesOf(client, queueUrl)
    const { QueueArn = '', VisibilityTimeout = 30 } = attributes
    const { maxReceiveCount, deadLetterTargetArn } = JSON.parse(attributes.RedrivePolicy || '{}')
    // SQS requires both queues in the same account and region.
    const deadLetterName = deadLetterTargetArn?.split(':').at(-1)
    const deadLetterUrl = deadLetterName && queueUrl.replace(/[^/]*$/, deadLetterName)
    const countDeadLetters = async () => (deadLetterUrl ? (await attributesOf(client, deadLetterUrl)).all : 0)
    const before = await countDeadLetters()
    return {
      queueUrl,
      deadLetterUrl,
      fifo: QueueArn.endsWith('.fifo'),
      visibilityTimeout: Number(VisibilityTimeout),
      maxReceives: Number(maxReceiveCount ?? Number.POSITIVE_INFINITY),
      isPrivate: false,
      variables: {},
      ...callsOf(client, queueUrl, QueueArn),
      async counts() {
        const reads = [attributesOf(client, queueUrl), countDeadLetters()] as const
        const [{ visible, all }, after] = await Promise.all(reads)
        return { visible, queue: all, deadLetter: after - before }
      },
      close: () => client.destroy(),
    }
  } catch (error) {
    client.destroy()
    throw error
  }
}
