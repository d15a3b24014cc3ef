import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { BuildAppOptions } from 'fauxqs'
import { UsageError } from '../../shared/errors.ts'
import { seededRandom } from '../../shared/random.ts'
import { createMessage, MemoryStore, type StoredMessage } from './memory-queue.ts'
import type { Queue } from './queue.ts'
import { toReceived } from './sqs-record.ts'

export interface OwnQueueOptions {
  /** Default 0: any free port, and only the function sends messages, too. */
  port?: number
  fifo?: boolean
  /** Seconds. */
  visibilityTimeout: number
  /** Deliveries before a message goes to the dead-letter queue. */
  maxReceives: number
  /** The share of messages that are delivered a second time after they were deleted; default 0. */
  duplicates?: number
  /** Selects these messages; default 1. */
  seed?: number
}

const ACCOUNT = '000000000000'
const DEAD_LETTERS = 'local-dead-letters'

/** Starts an SQS in this process, on loopback only, with a queue `local` and its dead-letter queue. */
export async function startOwnQueue(options: OwnQueueOptions): Promise<Queue> {
  const { port = 0, fifo = false, visibilityTimeout, maxReceives, duplicates = 0, seed = 1 } = options
  const suffix = fifo ? '.fifo' : ''
  const store = new MemoryStore()
  // Imported here, because the import takes a third of a second and --queue-url does not need it.
  const { buildApp } = await import('fauxqs')
  const stores = { sqsStore: store } as unknown as NonNullable<BuildAppOptions['stores']>
  const app = buildApp({ logger: false, stores })
  keepMessageGroups(app, store)
  const endpoint = await app.listen({ port, host: '127.0.0.1' }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${error.code})`
    throw new UsageError(`port ${port} ${why}: choose another with --port, or omit --port to use any free port`)
  })

  const arn = (name: string) => `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}${suffix}`
  const url = (name: string) => `${endpoint}/${ACCOUNT}/${name}${suffix}`
  function create(name: string, attributes: Record<string, string>) {
    const all = { ...attributes, ...(fifo ? { FifoQueue: 'true', ContentBasedDeduplication: 'false' } : {}) }
    return store.createQueue(`${name}${suffix}`, url(name), arn(name), all)
  }
  const deadLetters = create(DEAD_LETTERS, { MessageRetentionPeriod: '1209600' })
  const queue = create('local', {
    VisibilityTimeout: String(visibilityTimeout),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn(DEAD_LETTERS), maxReceiveCount: maxReceives }),
  })
  const random = seededRandom(seed)
  function toRecord({ message, receiptHandle }: { message: StoredMessage; receiptHandle: string }) {
    const { messageGroupId, messageDeduplicationId, sequenceNumber } = message
    const attributes = Object.entries(message.messageAttributes).map(([name, { BinaryValue, ...rest }]) => [
      name,
      BinaryValue === undefined ? rest : { ...rest, BinaryValue: Buffer.from(BinaryValue, 'base64') },
    ])
    const received = {
      MessageId: message.messageId,
      ReceiptHandle: receiptHandle,
      Body: message.body,
      MD5OfBody: message.md5OfBody,
      MD5OfMessageAttributes: message.md5OfMessageAttributes,
      MessageAttributes: Object.fromEntries(attributes),
      Attributes: {
        SenderId: ACCOUNT,
        SentTimestamp: String(message.sentTimestamp),
        ApproximateReceiveCount: String(message.approximateReceiveCount),
        ApproximateFirstReceiveTimestamp: String(message.approximateFirstReceiveTimestamp),
        ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
        ...(messageDeduplicationId === undefined ? {} : { MessageDeduplicationId: messageDeduplicationId }),
        ...(sequenceNumber === undefined ? {} : { SequenceNumber: sequenceNumber }),
      },
    }
    return toReceived(received, queue.arn)
  }

  function toMessage({ MessageBody = '', MessageAttributes = {}, ...rest }: SendMessageBatchRequestEntry) {
    const attributes = Object.entries(MessageAttributes).map(([name, { DataType = 'String', ...value }]) => [
      name,
      value.BinaryValue === undefined
        ? { DataType, StringValue: value.StringValue }
        : { DataType, BinaryValue: Buffer.from(value.BinaryValue).toString('base64') },
    ])
    const message = createMessage(MessageBody, Object.fromEntries(attributes), rest.MessageGroupId)
    if (fifo) {
      message.sequenceNumber = queue.nextSequenceNumber()
      if (rest.MessageDeduplicationId) message.messageDeduplicationId = rest.MessageDeduplicationId
    }
    return message
  }

  // The calls of the event source mapping do not go through HTTP, which would take most of the time of a run.
  return {
    queueUrl: queue.url,
    deadLetterUrl: deadLetters.url,
    fifo,
    visibilityTimeout,
    maxReceives,
    isPrivate: port === 0,
    // They replace a DEAD_LETTER_QUEUE_URL of the shell, which may be the URL of a real queue. The SDK sends to the host
    // in that URL and ignores AWS_ENDPOINT_URL_SQS.
    variables: {
      AWS_ENDPOINT_URL_SQS: endpoint,
      DEAD_LETTER_QUEUE_URL: deadLetters.url,
      ...localCredentials(),
    },
    async send(entries) {
      const Successful = entries.map((entry) => {
        const message = toMessage(entry)
        if (duplicates > 0 && random() < duplicates) queue.duplicated.add(message)
        queue.add(message)
        return { Id: entry.Id, MessageId: message.messageId, MD5OfMessageBody: message.md5OfBody }
      })
      return { Successful, Failed: [] }
    },
    async receive(most, waitSeconds, signal) {
      let taken = queue.take(most)
      if (taken.length === 0 && waitSeconds > 0 && !signal?.aborted) {
        const wake = () => queue.wake()
        signal?.addEventListener('abort', wake, { once: true })
        await queue.waitForMessages(waitSeconds)
        signal?.removeEventListener('abort', wake)
        if (!signal?.aborted) taken = queue.take(most)
      }
      return taken.map(toRecord)
    },
    async remove(messages) {
      for (const { receiptHandle } of messages) queue.remove(receiptHandle)
      return []
    },
    async setVisibility(messages, seconds) {
      for (const { receiptHandle } of messages) queue.changeVisibility(receiptHandle, seconds)
    },
    async release(messages) {
      for (const { receiptHandle } of messages) queue.release(receiptHandle)
    },
    takeDeleted: (messages) =>
      new Set(
        queue.deletedByClients.size === 0
          ? []
          : messages.filter(({ messageId }) => queue.deletedByClients.delete(messageId)).map((one) => one.messageId),
      ),
    async counts() {
      queue.processTimers()
      return {
        visible: queue.readyCount,
        queue: queue.size,
        deadLetter: deadLetters.size,
        sentDeadLetters: deadLetters.sentByClients,
      }
    },
    close: () => app.close(),
  }
}

/** fauxqs drops the message groups of standard queues. It keeps the object of the attributes, which leads to the group. */
function keepMessageGroups(
  app: { addHook(name: 'preHandler', hook: (request: { body: unknown }) => Promise<void>): unknown },
  store: MemoryStore,
) {
  const groups = new WeakMap<object, string>()
  app.addHook('preHandler', async ({ body }) => {
    const { Entries } = (body ?? {}) as { Entries?: unknown }
    const entries = (Array.isArray(Entries) ? Entries : [body]) as (SendMessageBatchRequestEntry | null)[]
    for (const entry of entries) {
      if (typeof entry?.MessageGroupId !== 'string') continue
      entry.MessageAttributes ??= {}
      groups.set(entry.MessageAttributes, entry.MessageGroupId)
    }
  })
  store.groupOf = (attributes) => groups.get(attributes)
}

/** Credentials for SQS clients of the function, if the shell has none. The function may also call AWS. */
function localCredentials(): NodeJS.Dict<string> {
  const { AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
  if (AWS_ACCESS_KEY_ID || (AWS_PROFILE && hasCredentials(AWS_PROFILE))) return {}
  // The SDK prefers a profile to keys, so a profile without credentials is removed.
  return { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_PROFILE: undefined }
}

const CREDENTIALS =
  /^\s*(aws_access_key_id|credential_process|credential_source|source_profile|role_arn|web_identity_token_file|login_session|sso_\w+)\s*=/m

/** Whether a profile in the files of the SDK says how to get credentials. */
function hasCredentials(profile: string): boolean {
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = process.env
  const files = [
    AWS_CONFIG_FILE ?? join(homedir(), '.aws/config'),
    AWS_SHARED_CREDENTIALS_FILE ?? join(homedir(), '.aws/credentials'),
  ]
  return files
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split(/^\s*(?=\[)/m))
    .filter((section) => /^\[\s*(?:profile\s+)?(.*?)\s*\]/.exec(section)?.[1] === profile)
    .some((section) => CREDENTIALS.test(section))
}
