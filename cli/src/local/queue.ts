import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageBatchResult,
  SQSClient,
} from '@aws-sdk/client-sqs'
import pMap from 'p-map'
import { oneLine, UsageError } from '../shared/errors.ts'
import type { QueueCounts } from './ledger.ts'
import { type Received, toReceived } from './sqs-record.ts'

/** At most this many concurrent calls, of ten messages each. */
const MAX_CALLS = 32
/** The default of the SDK is 50 sockets, which is too few: each worker of a run has 20 receivers. */
const MAX_SOCKETS = 256

const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const

const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|TimeoutError/

/** Converts an error of the SDK to one line that says what to do. `noQueue` is that line if the queue does not exist. */
function explain(error: unknown, noQueue: string, endpoint: string): Error {
  if (error instanceof UsageError) return error // has been converted already
  const { name = 'Error', message = '', code = '' } = error as { name?: string; message?: string; code?: string }
  const said = `${code} ${name} ${message}`
  if (/NonExistentQueue|QueueDoesNotExist/.test(said)) {
    return new UsageError(noQueue)
  }
  if (UNREACHABLE.test(said)) {
    const reason = UNREACHABLE.exec(said)?.[0]
    return new UsageError(
      `SQS does not respond at ${endpoint} (${reason}): start it, or correct --endpoint or --queue-url`,
    )
  }
  if (/CredentialsProvider|Could not load credentials/.test(said)) {
    return new UsageError(
      'no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    )
  }
  return new UsageError(`SQS at ${endpoint} refused the call: ${oneLine(`${name}: ${message}`)}`)
}

export interface QueueAddress {
  queueUrl: string
  endpoint?: string
}

/** The endpoint of SQS: as given, from the environment variables of the SDK, or from the URL of the queue. */
function endpointOf({ queueUrl, endpoint }: QueueAddress) {
  return endpoint ?? process.env.AWS_ENDPOINT_URL_SQS ?? process.env.AWS_ENDPOINT_URL ?? new URL(queueUrl).origin
}

/** The region that calls are signed for. An endpoint of AWS accepts only its own region. */
export function regionFor(hostname: string, fallback = 'us-east-1'): string {
  return /^sqs\.([a-z0-9-]+)\.amazonaws/.exec(hostname)?.[1] ?? fallback
}

function createClient(endpoint: string) {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
  const { hostname } = new URL(endpoint)
  // The SDK requires credentials. A local substitute for SQS accepts any.
  const acceptsAnyCredentials = !hostname.includes('.amazonaws.com') && !AWS_ACCESS_KEY_ID && !AWS_PROFILE
  return new SQSClient({
    endpoint,
    region: regionFor(hostname, AWS_REGION),
    ...(acceptsAnyCredentials ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
    requestHandler: {
      connectionTimeout: 5000,
      // The SDK only warns after a `requestTimeout`, and waits for 15 minutes by default.
      socketTimeout: 30_000,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  })
}

function inTens<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 10) }, (_, index) => items.slice(index * 10, index * 10 + 10))
}

/** Opens a queue, and reads its settings once. Rejects with a UsageError if SQS cannot be reached. */
export async function openQueue(address: QueueAddress, onWarning: (line: string) => void = process.emitWarning) {
  const { queueUrl } = address
  const endpoint = endpointOf(address)
  const client = createClient(endpoint)
  function guard<T>(
    call: Promise<T>,
    noQueue = `there is no queue ${queueUrl}: create it first, or correct --queue-url`,
  ): Promise<T> {
    return call.catch((error) => {
      throw explain(error, noQueue, endpoint)
    })
  }
  function guardDeadLetters<T>(call: Promise<T>, name: string): Promise<T> {
    const fix = `create it first, or correct the redrive policy of ${queueUrl}`
    return guard(call, `there is no dead-letter queue ${name}: ${fix}`)
  }
  async function count(url: string, names: readonly (typeof COUNTS)[number][] = COUNTS): Promise<number> {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] }),
    )
    return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0)
  }
  const countDeadLetters = (url: string) => guardDeadLetters(count(url), url)
  async function read() {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
    )
    const { maxReceiveCount, deadLetterTargetArn } = JSON.parse(Attributes.RedrivePolicy || '{}')
    const [, , , , account, name] = String(deadLetterTargetArn).split(':')
    const find = new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account })
    const deadLetterUrl =
      deadLetterTargetArn && (await guardDeadLetters(client.send(find), deadLetterTargetArn)).QueueUrl
    return {
      arn: Attributes.QueueArn ?? '',
      visibilityTimeout: Number(Attributes.VisibilityTimeout ?? 30),
      maxReceives: Number(maxReceiveCount ?? Number.POSITIVE_INFINITY),
      deadLetterUrl,
      deadLettersBefore: deadLetterUrl ? await countDeadLetters(deadLetterUrl) : 0,
    }
  }
  const { deadLettersBefore, ...queueSettings } = await guard(read()).catch((error) => {
    client.destroy()
    throw error
  })

  /** Calls `send` with ten messages at a time. Returns the messages that SQS refused. */
  async function callInTens(
    messages: readonly Received[],
    send: (
      entries: { Id: string; ReceiptHandle: string }[],
    ) => Promise<{ Failed?: { Id?: string | undefined }[] | undefined }>,
  ): Promise<Received[]> {
    const refused = await pMap(
      inTens(messages),
      async (ten) => {
        const entries = ten.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
        const { Failed = [] } = await guard(send(entries))
        return Failed.flatMap(({ Id }) => ten[Number(Id)] ?? [])
      },
      { concurrency: MAX_CALLS },
    )
    return refused.flat()
  }

  let hasWarned = false
  return {
    ...queueSettings,
    queueUrl,
    own: false,
    fifo: queueSettings.arn.endsWith('.fifo'),
    /** Returns no messages once the signal is aborted. */
    receive: async (max: number, waitSeconds: number, abortSignal?: AbortSignal): Promise<Received[]> => {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: max,
        WaitTimeSeconds: waitSeconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
        AttributeNames: ['All'], // the older name, the only one that moto 5.1 supports
      })
      const sent = client.send(command, abortSignal ? { abortSignal } : {}).catch((error) => {
        if (abortSignal?.aborted) return { Messages: [] }
        throw error
      })
      const { Messages = [] } = await guard(sent)
      if (!hasWarned && Messages.some(({ Attributes }) => !Attributes?.ApproximateReceiveCount)) {
        hasWarned = true
        onWarning(
          `SQS at ${endpoint} does not send ApproximateReceiveCount, so every delivery counts as the first delivery, also in the handler`,
        )
      }
      return Messages.map((message) => toReceived(message, queueSettings.arn))
    },
    remove: (messages: readonly Received[]) =>
      callInTens(messages, (Entries) => client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))),
    /** Makes messages visible again after this many seconds. */
    setVisibility: (messages: readonly Received[], seconds: number) =>
      callInTens(messages, (entries) => {
        const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }))
        return client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }))
      }),
    send: async (entries: SendMessageBatchRequestEntry[]): Promise<SendMessageBatchResult> => {
      const command = new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries })
      return guard(client.send(command))
    },
    /** The number of visible messages. */
    waiting: (): Promise<number> => guard(count(queueUrl, ['ApproximateNumberOfMessages'])),
    /** Removes and returns the ids of those messages that a client, such as the function, has deleted. Not known here. */
    takeDeleted: (_messages: readonly Received[]): Set<string> => new Set(),
    /** Must be called before an invocation receives these messages. */
    delivering: (_messages: readonly Received[]): void => {},
    /** Must be called after the last message was sent. */
    endInput: (): void => {},
    /** Whether it is certain that no other messages can arrive. */
    isDrained: (): boolean => false,
    counts: (): Promise<QueueCounts> =>
      guard(
        Promise.all([
          count(queueUrl),
          queueSettings.deadLetterUrl ? countDeadLetters(queueSettings.deadLetterUrl) : deadLettersBefore,
        ]).then(([queue, deadLetter]) => ({ queue, deadLetter: deadLetter - deadLettersBefore })),
      ),
    close: () => client.destroy(),
  }
}

export type Queue = Awaited<ReturnType<typeof openQueue>>
