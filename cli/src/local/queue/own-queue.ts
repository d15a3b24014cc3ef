import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../../shared/errors.ts'
import { seededRandom } from '../../shared/random.ts'
import { ACCOUNT, MemoryQueue, type QueueOptions, toMessage } from './memory-queue.ts'
import type { Queue } from './queue.ts'
import { type Received, toReceived } from './sqs-record.ts'
import { createSqsServer } from './wire-protocol.ts'

export interface OwnQueueOptions {
  /** Default 0: any free port, and only the function sends messages, too. */
  port?: number | undefined
  fifo?: boolean
  /** Whether a FIFO queue needs no deduplication ids from clients; default false. */
  contentBasedDeduplication?: boolean | undefined
  /** Seconds. */
  visibilityTimeout: number
  /** Deliveries before a message goes to the dead-letter queue. */
  maxReceives: number
  /** Whether a message that came back from its function 16 times is dead-lettered; default true. */
  stopsLoops?: boolean | undefined
  /** The share of messages that are delivered a second time after they were deleted; default 0. */
  duplicates?: number | undefined
  /** Selects these messages; default 1. */
  seed?: number | undefined
}

/** Starts an SQS in this process, on loopback only, with a queue `local` and its dead-letter queue. */
export async function startOwnQueue(options: OwnQueueOptions): Promise<Queue> {
  const { port = 0, fifo = false, visibilityTimeout, maxReceives, stopsLoops = true } = options
  const { contentBasedDeduplication = false } = options
  const { AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
  const queues = new Map<string, MemoryQueue>()
  const server = createSqsServer(queues).listen(port, '127.0.0.1')
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${error.code})`
    throw new UsageError(`port ${port} ${why}: choose another with --port, or omit --port to use any free port`)
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  function create(base: string, settings: Pick<QueueOptions, 'visibilityTimeout' | 'deadLetters'>) {
    const name = fifo ? `${base}.fifo` : base
    const [url, arn] = [`${endpoint}/${ACCOUNT}/${name}`, `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`]
    const queue = new MemoryQueue({ url, arn, fifo, contentBasedDeduplication, maxReceives, stopsLoops, ...settings })
    queues.set(name, queue)
    return queue
  }
  const deadLetters = create('local-dead-letters', { visibilityTimeout: 30 })
  const queue = create('local', { visibilityTimeout, deadLetters })
  return {
    queueUrl: queue.options.url,
    deadLetterUrl: deadLetters.options.url,
    fifo,
    visibilityTimeout,
    maxReceives,
    isPrivate: port === 0,
    // They replace a DEAD_LETTER_QUEUE_URL of the shell, which may be the URL of a real queue. The SDK sends
    // to the host in that URL and ignores AWS_ENDPOINT_URL_SQS.
    variables: {
      AWS_ENDPOINT_URL_SQS: endpoint,
      DEAD_LETTER_QUEUE_URL: deadLetters.options.url,
      // Credentials for SQS clients of the function, if the shell has none. The function may also call AWS.
      ...(AWS_ACCESS_KEY_ID || AWS_PROFILE ? {} : { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }),
    },
    ...callsOf(queue, options),
    async counts() {
      queue.processTimers()
      const { readyCount: visible, size, sentByClients, stoppedLoops, replacedTimeouts } = queue
      const [deadLetter, sentDeadLetters] = [deadLetters.size, deadLetters.sentByClients]
      const sentByFunction = port === 0 ? sentByClients : undefined
      return { visible, queue: size, deadLetter, sentDeadLetters, sentByFunction, stoppedLoops, replacedTimeouts }
    },
    close() {
      server.close()
      server.closeAllConnections()
      return once(server, 'close')
    },
  }
}

/** The calls of the event source mapping. HTTP would take most of the time of a run. */
function callsOf(queue: MemoryQueue, { duplicates = 0, seed = 1 }: OwnQueueOptions) {
  const random = seededRandom(seed)
  function forEach<Rest extends unknown[]>(act: (receiptHandle: string, ...rest: Rest) => void) {
    return async (messages: readonly Received[], ...rest: Rest) => {
      for (const { receiptHandle } of messages) act(receiptHandle, ...rest)
      return []
    }
  }
  const calls: Pick<Queue, 'send' | 'receive' | 'remove' | 'setVisibility' | 'release'> = {
    async send(entries) {
      const Successful = entries.map((entry) => {
        const message = queue.send(entry)
        if (duplicates > 0 && random() < duplicates) queue.duplicated.add(message)
        return { Id: entry.Id, MessageId: message.messageId, MD5OfMessageBody: message.md5OfBody }
      })
      return { Successful, Failed: [] }
    },
    async receive(most, waitSeconds, signal) {
      const taken = await queue.receive(most, waitSeconds, signal)
      return taken.map((entry) => toReceived(toMessage(entry), queue.options.arn, entry.byClients))
    },
    remove: forEach((receiptHandle) => queue.remove(receiptHandle)),
    setVisibility: forEach((receiptHandle, seconds: number) => queue.setVisibility(receiptHandle, seconds)),
    release: forEach((receiptHandle) => queue.release(receiptHandle)),
  }
  return calls
}
