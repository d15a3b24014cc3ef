import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { Received } from './sqs-record.ts'

export interface StoredMessage {
  messageId: string
  entry: SendMessageBatchRequestEntry
  md5OfBody: string
  sentTimestamp: number
  receiveCount: number
  firstReceiveTimestamp?: number
  sequenceNumber?: string
}

/** A message that is not visible: it was received, or a client sent it with a delay. */
export interface InFlight {
  message: StoredMessage
  receiptHandle: string
  /** On the clock of `performance.now()`, which nobody can move. */
  visibilityDeadline: number
  /** Whether a client has deleted it, or set its visibility timeout. */
  byClients: Received['byClients']
}

/** A message group of a FIFO queue. A standard queue has a single group, which is never locked. */
interface Group {
  /** The visible messages, in their order. */
  ready: StoredMessage[]
  /** While a message of the group is in flight, no other one is delivered. */
  inFlight: number
}

export interface QueueOptions {
  readonly url: string
  readonly arn: string
  readonly fifo: boolean
  readonly contentBasedDeduplication?: boolean
  /** Seconds. */
  readonly visibilityTimeout: number
  /** Where messages go that have been delivered `maxReceives` times. */
  readonly deadLetters?: MemoryQueue
  readonly maxReceives?: number
  /** Whether a message that came back from its function too often goes there, too. */
  readonly stopsLoops?: boolean
}

export const ACCOUNT = '000000000000'
/** The most rounds of a message through its function. */
const MAX_ROUNDS = 16
const DEDUPLICATION_MS = 5 * 60_000
const POLL_MS = 10
/**
 * A receive call on a FIFO queue takes at most this many messages of each group at first, then more of the
 * same groups. So batches mix groups, and have several messages of most of them.
 */
const FIRST_OF_GROUP = 4

/** A queue in memory. The event source mapping calls it directly, and clients through wire-protocol.ts. */
export class MemoryQueue {
  readonly options: QueueOptions
  readonly inflightMessages = new Map<string, InFlight>()
  /** How many messages clients have sent, without those that this process has sent or moved. */
  sentByClients = 0
  /** How many messages came back from their function too often. */
  stoppedLoops = 0
  /** How often this process has replaced a visibility timeout that a client had set. */
  replacedTimeouts = 0
  /** The messages that are delivered once more after they have been deleted, as SQS sometimes does. */
  readonly duplicated = new Set<StoredMessage>()
  /** In the order of their next deliveries. */
  readonly #groups = new Map<string | undefined, Group>()
  readonly #deduplicated = new Map<string, { message: StoredMessage; at: number }>()
  #sequence = 0
  #nextDeadline = Number.POSITIVE_INFINITY

  constructor(options: QueueOptions) {
    this.options = options
  }

  get readyCount(): number {
    let count = 0
    for (const { ready } of this.#groups.values()) count += ready.length
    return count
  }

  get size(): number {
    return this.readyCount + this.inflightMessages.size
  }

  get attributes(): Record<string, string> {
    const { arn, fifo, contentBasedDeduplication = false, visibilityTimeout, deadLetters, maxReceives } = this.options
    const redrivePolicy = { deadLetterTargetArn: deadLetters?.options.arn, maxReceiveCount: maxReceives }
    return {
      QueueArn: arn,
      VisibilityTimeout: String(visibilityTimeout),
      ApproximateNumberOfMessages: String(this.readyCount),
      ApproximateNumberOfMessagesNotVisible: String(this.inflightMessages.size),
      ApproximateNumberOfMessagesDelayed: '0', // they are among those that are not visible
      ...(deadLetters ? { RedrivePolicy: JSON.stringify(redrivePolicy) } : {}),
      ...(fifo ? { FifoQueue: 'true', ContentBasedDeduplication: String(contentBasedDeduplication) } : {}),
    }
  }

  /** Keeps a message, or that of a client with the same deduplication id. Returns the one that is kept. */
  send(entry: SendMessageBatchRequestEntry, isClient = false): StoredMessage {
    const message = createMessage(entry)
    if (this.options.fifo && isClient) {
      const id = entry.MessageDeduplicationId ?? createHash('sha256').update(String(entry.MessageBody)).digest('hex')
      const known = this.#deduplicated.get(id)
      if (known && known.at >= performance.now() - DEDUPLICATION_MS) {
        return { ...known.message, md5OfBody: message.md5OfBody } // clients compare it with what they have sent
      }
      message.entry = { ...entry, MessageDeduplicationId: id }
      this.#deduplicated.set(id, { message, at: performance.now() })
    }
    if (this.options.fifo) message.sequenceNumber = String(++this.#sequence).padStart(20, '0')
    if (isClient) this.sentByClients += 1
    if (entry.DelaySeconds) this.#hide(message, entry.DelaySeconds)
    else this.add(message)
    return message
  }

  /** Makes a message visible. On a FIFO queue, one that was in flight returns to its place in its group. */
  add(message: StoredMessage): void {
    const { ready } = this.#groupOf(message)
    // Only messages of a FIFO queue have sequence numbers.
    const isLater = (other: StoredMessage) => String(other.sequenceNumber) > String(message.sequenceNumber)
    ready.splice(ready.findLastIndex((other) => !isLater(other)) + 1, 0, message)
  }

  #hide(message: StoredMessage, seconds: number): InFlight {
    const entry = { message, receiptHandle: randomUUID(), visibilityDeadline: 0, byClients: {} }
    this.inflightMessages.set(entry.receiptHandle, entry)
    this.#hideUntil(entry, seconds)
    return entry
  }

  #hideUntil(entry: InFlight, seconds: number) {
    entry.visibilityDeadline = performance.now() + seconds * 1000
    this.#nextDeadline = Math.min(this.#nextDeadline, entry.visibilityDeadline)
  }

  /** Receives messages. Waits for a first one, unless the signal aborts. */
  async receive(
    most: number,
    waitSeconds: number,
    signal?: AbortSignal,
    visibilityTimeout = this.options.visibilityTimeout,
  ) {
    const deadline = performance.now() + waitSeconds * 1000
    while (!signal?.aborted) {
      const taken = this.take(most, visibilityTimeout)
      if (taken.length > 0 || performance.now() >= deadline) return taken
      await sleep(POLL_MS)
    }
    return []
  }

  /** Receives messages. Those that were delivered often enough go to the dead-letter queue. */
  take(most: number, visibilityTimeout = this.options.visibilityTimeout): InFlight[] {
    this.processTimers()
    const { fifo } = this.options
    const free: [string | undefined, Group][] = []
    for (const [name, group] of this.#groups) {
      if (free.length === most) break
      if (group.inFlight === 0) free.push([name, group])
    }
    const taken: InFlight[] = []
    for (const limit of [FIRST_OF_GROUP, most]) {
      for (const [name, group] of free) {
        const room = Math.min(limit, most - taken.length)
        if (room === 0) break
        for (const message of this.#next(group.ready, room)) {
          message.receiveCount += 1
          message.firstReceiveTimestamp ??= Date.now()
          taken.push(this.#hide(message, visibilityTimeout))
          if (fifo) group.inFlight += 1
        }
        // The other groups are delivered next.
        this.#groups.delete(name)
        if (group.ready.length + group.inFlight > 0) this.#groups.set(name, group)
      }
    }
    return taken
  }

  /** Removes the first messages of a list. */
  #next(ready: StoredMessage[], most: number): StoredMessage[] {
    const { deadLetters, maxReceives = Number.POSITIVE_INFINITY, stopsLoops } = this.options
    const next: StoredMessage[] = []
    while (next.length < most && ready.length > 0) {
      const message = ready.shift() as StoredMessage
      const isLoop = stopsLoops && roundOf(message) > MAX_ROUNDS
      if (isLoop) this.stoppedLoops += 1
      if (deadLetters && (isLoop || message.receiveCount >= maxReceives)) deadLetters.add(message)
      else next.push(message)
    }
    return next
  }

  /** Deletes a message, for a client or for the event source mapping of this process. */
  remove(receiptHandle: string, isClient = false): void {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return
    entry.byClients.isDeleted = isClient
    this.#leave(entry)
    if (this.duplicated.delete(entry.message)) this.add({ ...entry.message, receiveCount: 0 })
  }

  /** Puts a message back that was not delivered, as if it had not been received. */
  release(receiptHandle: string): void {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return
    entry.message.receiveCount -= 1
    this.#putBack(entry)
  }

  /** Sets a visibility timeout, for a client or for the event source mapping of this process. */
  setVisibility(receiptHandle: string, seconds: number, isClient = false): void {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return
    if (isClient) entry.byClients.isDelayed = true
    else if (entry.byClients.isDelayed) this.replacedTimeouts += 1
    if (seconds === 0) this.#putBack(entry)
    else this.#hideUntil(entry, seconds)
  }

  #putBack(entry: InFlight): void {
    this.#leave(entry)
    this.add(entry.message)
  }

  #leave({ receiptHandle, message }: InFlight) {
    this.inflightMessages.delete(receiptHandle)
    if (!this.options.fifo) return
    const group = this.#groupOf(message)
    group.inFlight -= 1
    if (group.inFlight + group.ready.length === 0) this.#groups.delete(message.entry.MessageGroupId)
  }

  /** Makes messages visible whose time has come. */
  processTimers(): void {
    const now = performance.now()
    if (now < this.#nextDeadline) return
    this.#nextDeadline = Number.POSITIVE_INFINITY
    for (const entry of this.inflightMessages.values()) {
      if (entry.visibilityDeadline > now) this.#nextDeadline = Math.min(this.#nextDeadline, entry.visibilityDeadline)
      else this.#putBack(entry)
    }
  }

  #groupOf({ entry }: StoredMessage): Group {
    const name = this.options.fifo ? entry.MessageGroupId : undefined
    const group = this.#groups.get(name) ?? { ready: [], inFlight: 0 }
    this.#groups.set(name, group)
    return group
  }
}

const traceHeaderOf = ({ entry }: StoredMessage) => entry.MessageSystemAttributes?.AWSTraceHeader?.StringValue

/** How often a message has gone through its function: Lambda counts it in the lineage of the trace header. */
function roundOf(message: StoredMessage): number {
  const round = /Lineage=[^:]*:[^:]*:(\d+)/.exec(traceHeaderOf(message) ?? '')?.[1]
  return round === undefined ? 0 : Number(round) + 1
}

export function createMessage(entry: SendMessageBatchRequestEntry): StoredMessage {
  const md5OfBody = createHash('md5').update(String(entry.MessageBody)).digest('hex')
  return { messageId: randomUUID(), entry, md5OfBody, sentTimestamp: Date.now(), receiveCount: 0 }
}

/** A message as a client receives it that asks for all attributes. */
export function toMessage({ message, receiptHandle }: Pick<InFlight, 'message' | 'receiptHandle'>): Message {
  const { MessageAttributes, MessageGroupId, MessageDeduplicationId } = message.entry
  return {
    MessageId: message.messageId,
    ReceiptHandle: receiptHandle,
    Body: message.entry.MessageBody,
    MD5OfBody: message.md5OfBody,
    MessageAttributes,
    // JSON does not contain those that are undefined.
    Attributes: {
      SenderId: ACCOUNT,
      SentTimestamp: String(message.sentTimestamp),
      ApproximateReceiveCount: String(message.receiveCount),
      ApproximateFirstReceiveTimestamp: String(message.firstReceiveTimestamp),
      MessageGroupId,
      MessageDeduplicationId,
      SequenceNumber: message.sequenceNumber,
      AWSTraceHeader: traceHeaderOf(message),
    } as Record<string, string>,
  }
}
