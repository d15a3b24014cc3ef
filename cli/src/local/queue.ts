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
import { oneLine, UsageError } from '../errors.ts'
import type { QueueCounts } from './ledger.ts'
import { type Received, toReceived } from './sqs-record.ts'

/** Calls at once, of ten messages each. The SDK's own agent has 50 sockets, one run may have 20 receivers a lane. */
const CALLS = 32
const SOCKETS = 256

const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const

const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|TimeoutError/

/** The SDK's error in one line that says what to do; it never holds more than SQS itself said. */
function explain(error: unknown, queueUrl: string, endpoint: string): Error {
  const { name = 'Error', message = '', code = '' } = error as { name?: string; message?: string; code?: string }
  const said = `${name} ${code} ${message}`
  if (/NonExistentQueue|QueueDoesNotExist/.test(said)) {
    return new UsageError(`there is no queue ${queueUrl}: create it first, or correct --queue-url`)
  }
  if (UNREACHABLE.test(said)) {
    const reason = UNREACHABLE.exec(said)?.[0]
    return new UsageError(`no SQS answers at ${endpoint} (${reason}): start it, or correct --endpoint or --queue-url`)
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

/** Where SQS answers: as given, as the SDK's own variables say, or as the queue's URL says. */
function endpointOf({ queueUrl, endpoint }: QueueAddress) {
  return endpoint ?? process.env.AWS_ENDPOINT_URL_SQS ?? process.env.AWS_ENDPOINT_URL ?? new URL(queueUrl).origin
}

function createClient(endpoint: string) {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
  const { hostname } = new URL(endpoint)
  // A stand-in of SQS asks for credentials and takes any.
  const anyWillDo = !hostname.includes('.amazonaws.com') && !AWS_ACCESS_KEY_ID && !AWS_PROFILE
  return new SQSClient({
    endpoint,
    region: AWS_REGION ?? /^sqs\.([a-z0-9-]+)\.amazonaws/.exec(hostname)?.[1] ?? 'us-east-1',
    ...(anyWillDo ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
    requestHandler: {
      connectionTimeout: 5000,
      requestTimeout: 30_000,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS },
    },
  })
}

function inTens<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 10) }, (_, index) => items.slice(index * 10, index * 10 + 10))
}

/** A queue and its redrive policy, read once; rejects with a UsageError when it cannot be reached. */
export async function openQueue(
  address: QueueAddress & { deadLetterUrl?: string },
  own: boolean,
  onWarning: (line: string) => void = process.emitWarning,
) {
  const { queueUrl } = address
  const endpoint = endpointOf(address)
  const client = createClient(endpoint)
  const count = async (url: string): Promise<number> => {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...COUNTS] }),
    )
    return COUNTS.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0)
  }
  const read = async () => {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
    )
    const { maxReceiveCount, deadLetterTargetArn } = JSON.parse(Attributes.RedrivePolicy || '{}')
    const [, , , , account, name] = String(deadLetterTargetArn).split(':')
    const find = new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account })
    const deadLetterUrl = address.deadLetterUrl ?? (deadLetterTargetArn && (await client.send(find)).QueueUrl)
    return {
      arn: Attributes.QueueArn ?? '',
      visibilityTimeout: Number(Attributes.VisibilityTimeout ?? 30),
      maxReceives: Number(maxReceiveCount ?? Number.POSITIVE_INFINITY),
      deadLetterUrl,
      deadLettersBefore: deadLetterUrl ? await count(deadLetterUrl) : 0,
    }
  }
  const facts = await read().catch((error) => {
    client.destroy()
    throw explain(error, queueUrl, endpoint)
  })
  const guard = <T>(call: Promise<T>): Promise<T> =>
    call.catch((error) => {
      throw explain(error, queueUrl, endpoint)
    })

  /** Calls `one` with ten messages at a time; returns the messages whose entries SQS refused. */
  const each = async (
    messages: readonly Received[],
    one: (
      entries: { Id: string; ReceiptHandle: string }[],
    ) => Promise<{ Failed?: { Id?: string | undefined }[] | undefined }>,
  ): Promise<Received[]> => {
    const refused = await pMap(
      inTens(messages),
      async (ten) => {
        const entries = ten.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
        const { Failed = [] } = await guard(one(entries))
        return Failed.flatMap(({ Id }) => ten[Number(Id)] ?? [])
      },
      { concurrency: CALLS },
    )
    return refused.flat()
  }

  let hasWarned = false
  return {
    ...facts,
    queueUrl,
    own,
    fifo: facts.arn.endsWith('.fifo'),
    /** Brings nothing once the signal is aborted. */
    receive: async (max: number, waitSeconds: number, abortSignal?: AbortSignal): Promise<Received[]> => {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: max,
        WaitTimeSeconds: waitSeconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
        AttributeNames: ['All'], // the older name: moto 5.1 knows no other
      })
      const sent = client.send(command, abortSignal ? { abortSignal } : {}).catch((error) => {
        if (abortSignal?.aborted) return { Messages: [] }
        throw error
      })
      const { Messages = [] } = await guard(sent)
      if (!hasWarned && Messages.some(({ Attributes }) => !Attributes?.ApproximateReceiveCount)) {
        hasWarned = true
        onWarning(
          `SQS at ${endpoint} sends no ApproximateReceiveCount: every delivery counts as the first, here and in the handler`,
        )
      }
      return Messages.map((message) => toReceived(message, facts.arn))
    },
    remove: (messages: readonly Received[]) =>
      each(messages, (Entries) => client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))),
    /** Makes messages come back after so many seconds, from now. */
    setVisibility: (messages: readonly Received[], seconds: number) =>
      each(messages, (entries) => {
        const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }))
        return client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }))
      }),
    send: async (entries: SendMessageBatchRequestEntry[]): Promise<SendMessageBatchResult> => {
      const command = new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries })
      return guard(client.send(command))
    },
    /** How many messages could be received now: asked only of the queue of this process. */
    waiting: async (): Promise<number> => 0,
    counts: (): Promise<QueueCounts> =>
      guard(
        Promise.all([count(queueUrl), facts.deadLetterUrl ? count(facts.deadLetterUrl) : facts.deadLettersBefore]).then(
          ([queue, deadLetter]) => ({ queue, deadLetter: deadLetter - facts.deadLettersBefore }),
        ),
      ),
    close: () => client.destroy(),
  }
}

export type Queue = Awaited<ReturnType<typeof openQueue>>
