import { createHash, randomUUID } from 'node:crypto'

/** What fauxqs stores about a message. */
export interface StoredMessage {
  messageId: string
  body: string
  md5OfBody: string
  messageAttributes: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>
  md5OfMessageAttributes: string
  sentTimestamp: number
  approximateReceiveCount: number
  approximateFirstReceiveTimestamp?: number
  delayUntil?: number
  messageGroupId?: string
  messageDeduplicationId?: string
  sequenceNumber?: string
}

interface InFlight {
  message: StoredMessage
  receiptHandle: string
  /** On the clock of `performance.now()`, which nobody can move. */
  visibilityDeadline: number
}

const ACCOUNT = '000000000000'
const DEFAULT_ATTRIBUTES = {
  VisibilityTimeout: '30',
  DelaySeconds: '0',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
}
const DEDUPLICATION_MS = 5 * 60_000
const POLL_MS = 20
/**
 * A receive call on a FIFO queue takes at most this many messages of each group at first, then more of the same groups.
 * So batches mix groups, and have several messages of most of them.
 */
const FIRST_OF_GROUP = 4

/**
 * A queue in memory: what fauxqs stores for its wire protocol, and what the event source mapping of this process calls
 * directly. fauxqs itself delivers only one message of a message group at a time, drops the message groups of standard
 * queues, and becomes slow with many messages.
 */
export class MemoryQueue {
  readonly name: string
  readonly url: string
  readonly arn: string
  readonly tags: Map<string, string>
  attributes: Record<string, string>
  readonly inflightMessages = new Map<string, InFlight>()
  /** How many messages clients have sent, without those that this process has sent or moved. */
  sentByClients = 0
  /** The ids of messages that clients have deleted. */
  readonly deletedByClients = new Set<string>()
  /** The messages that are delivered once more after they have been deleted, as SQS sometimes does. */
  readonly duplicated = new Set<StoredMessage>()
  readonly #created = String(Math.floor(Date.now() / 1000))
  readonly #store: MemoryStore
  /** The message groups of a FIFO queue, the messages of each in their order. A standard queue has a single list. */
  readonly #ready = new Map<string | undefined, StoredMessage[]>()
  readonly #locks = new Map<string | undefined, number>()
  readonly #deduplicationIds = new Map<string, { messageId: string; sequenceNumber?: string | undefined; at: number }>()
  #waiters: { wake: () => void; timer: NodeJS.Timeout }[] = []
  #delayed: { message: StoredMessage; visibleAt: number }[] = []
  #sequence = 0
  #nextDeadline = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(
    name: string,
    url: string,
    arn: string,
    attributes: Record<string, string>,
    tags: Record<string, string>,
    store: MemoryStore,
  ) {
    this.name = name
    this.url = url
    this.arn = arn
    this.attributes = { ...DEFAULT_ATTRIBUTES, ...attributes }
    this.tags = new Map(Object.entries(tags))
    this.#store = store
  }

  isFifo(): boolean {
    return this.attributes.FifoQueue === 'true'
  }

  /** The number of visible messages. */
  get readyCount(): number {
    let count = 0
    for (const { length } of this.#ready.values()) count += length
    return count
  }

  /** The number of all messages. */
  get size(): number {
    return this.readyCount + this.#delayed.length + this.inflightMessages.size
  }

  getAllAttributes(requested: readonly string[]): Record<string, string> {
    const all: Record<string, string> = {
      ...this.attributes,
      QueueArn: this.arn,
      ApproximateNumberOfMessages: String(this.readyCount),
      ApproximateNumberOfMessagesNotVisible: String(this.inflightMessages.size),
      ApproximateNumberOfMessagesDelayed: String(this.#delayed.length),
      CreatedTimestamp: this.#created,
      LastModifiedTimestamp: this.#created,
    }
    if (requested.includes('All')) return all
    return Object.fromEntries(requested.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])))
  }

  setAttributes(attributes: Record<string, string>): void {
    Object.assign(this.attributes, attributes)
    if (attributes.RedrivePolicy === '') delete this.attributes.RedrivePolicy
  }

  /** fauxqs calls it for the messages of clients. */
  enqueue(message: StoredMessage): void {
    this.sentByClients += 1
    const group = message.messageGroupId ?? this.#store.groupOf(message.messageAttributes)
    if (group !== undefined) message.messageGroupId = group
    const delay = (message.delayUntil ?? 0) - Date.now()
    if (delay > 0) {
      const visibleAt = performance.now() + delay
      this.#delayed.push({ message, visibleAt })
      this.#nextDeadline = Math.min(this.#nextDeadline, visibleAt)
    } else this.add(message)
  }

  /** Makes a message visible. On a FIFO queue, a message that was in flight returns to its place in its group. */
  add(message: StoredMessage): void {
    const group = this.#groupOf(message)
    const list = this.#ready.get(group) ?? []
    this.#ready.set(group, list)
    // Only messages of a FIFO queue have sequence numbers.
    const isLater = (other: StoredMessage) => String(other.sequenceNumber) > String(message.sequenceNumber)
    let index = list.length
    while (index > 0 && isLater(list[index - 1] as StoredMessage)) index -= 1
    list.splice(index, 0, message)
    this.wake()
  }

  #putBack(entry: InFlight): void {
    this.#leave(entry)
    this.add(entry.message)
  }

  dequeue(most: number, visibilityTimeout = Number(this.attributes.VisibilityTimeout)) {
    return this.take(most, visibilityTimeout).map(({ message, receiptHandle }) => ({
      MessageId: message.messageId,
      ReceiptHandle: receiptHandle,
      MD5OfBody: message.md5OfBody,
      Body: message.body,
      ...(message.md5OfMessageAttributes ? { MD5OfMessageAttributes: message.md5OfMessageAttributes } : {}),
      ...(Object.keys(message.messageAttributes).length > 0 ? { MessageAttributes: message.messageAttributes } : {}),
    }))
  }

  /** Receives messages. Those that were delivered often enough go to the dead-letter queue. */
  take(most: number, visibilityTimeout = Number(this.attributes.VisibilityTimeout)): InFlight[] {
    this.processTimers()
    const { maxReceiveCount, deadLetterTargetArn } = JSON.parse(this.attributes.RedrivePolicy || '{}')
    const deadLetters = this.#store.getQueueByArn(deadLetterTargetArn)
    const free: (string | undefined)[] = []
    for (const group of this.#ready.keys()) {
      if (free.length === most) break
      if (!this.#locks.has(group)) free.push(group)
    }
    const visibilityDeadline = performance.now() + visibilityTimeout * 1000
    const taken: InFlight[] = []
    const takeFrom = (group: string | undefined, limit: number) => {
      const list = this.#ready.get(group) ?? []
      for (let count = 0; count < limit && list.length > 0 && taken.length < most; ) {
        const message = list.shift() as StoredMessage
        if (deadLetters && message.approximateReceiveCount >= maxReceiveCount) {
          deadLetters.add(message)
          continue
        }
        count += 1
        message.approximateReceiveCount += 1
        message.approximateFirstReceiveTimestamp ??= Date.now()
        const receiptHandle = randomUUID()
        const entry = { message, receiptHandle, visibilityDeadline }
        this.inflightMessages.set(receiptHandle, entry)
        taken.push(entry)
        if (this.isFifo()) this.#locks.set(group, (this.#locks.get(group) ?? 0) + 1)
      }
      if (list.length === 0) this.#ready.delete(group)
    }
    for (const limit of [FIRST_OF_GROUP, most]) {
      for (const group of free) {
        if (taken.length === most) break
        takeFrom(group, limit)
        this.#moveToEnd(group)
      }
    }
    this.#nextDeadline = Math.min(this.#nextDeadline, visibilityDeadline)
    return taken
  }

  /** The other groups are delivered next. */
  #moveToEnd(group: string | undefined) {
    const list = this.#ready.get(group)
    if (!list) return
    this.#ready.delete(group)
    this.#ready.set(group, list)
  }

  /** fauxqs calls it for clients. */
  deleteMessage(receiptHandle: string): boolean {
    const entry = this.inflightMessages.get(receiptHandle)
    if (entry) this.deletedByClients.add(entry.message.messageId)
    return this.remove(receiptHandle)
  }

  remove(receiptHandle: string): boolean {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return false
    this.#leave(entry)
    if (this.duplicated.delete(entry.message)) this.add({ ...entry.message, approximateReceiveCount: 0 })
    return true
  }

  /** Puts a message back that was not delivered, as if it had not been received. */
  release(receiptHandle: string): void {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return
    entry.message.approximateReceiveCount -= 1
    this.#putBack(entry)
  }

  changeVisibility(receiptHandle: string, seconds: number): void {
    const entry = this.inflightMessages.get(receiptHandle)
    if (!entry) return
    if (seconds === 0) {
      this.#putBack(entry)
      return
    }
    entry.visibilityDeadline = performance.now() + seconds * 1000
    this.#nextDeadline = Math.min(this.#nextDeadline, entry.visibilityDeadline)
  }

  #leave({ receiptHandle, message }: InFlight) {
    this.inflightMessages.delete(receiptHandle)
    if (!this.isFifo()) return
    const group = this.#groupOf(message)
    const locks = (this.#locks.get(group) as number) - 1
    if (locks > 0) this.#locks.set(group, locks)
    else {
      this.#locks.delete(group)
      this.wake() // the rest of the group can be delivered
    }
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
    const delayed = this.#delayed
    this.#delayed = []
    for (const entry of delayed) {
      if (entry.visibleAt <= now) this.add(entry.message)
      else {
        this.#delayed.push(entry)
        this.#nextDeadline = Math.min(this.#nextDeadline, entry.visibleAt)
      }
    }
  }

  /** Resolves when there may be messages, or after this time. */
  waitForMessages(seconds: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter = {
        wake: resolve,
        timer: setTimeout(() => {
          this.#waiters = this.#waiters.filter((other) => other !== waiter)
          resolve()
        }, seconds * 1000),
      }
      this.#waiters.push(waiter)
      this.#timer ??= setInterval(() => {
        this.processTimers()
        if (this.#waiters.length > 0) return
        clearInterval(this.#timer)
        this.#timer = undefined
      }, POLL_MS)
    })
  }

  wake(): void {
    for (const { wake, timer } of this.#waiters.splice(0)) {
      clearTimeout(timer)
      wake()
    }
  }

  close(): void {
    this.wake()
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  purge(): void {
    this.#ready.clear()
    this.#locks.clear()
    this.inflightMessages.clear()
    this.#delayed = []
  }

  checkDeduplication(id: string) {
    const known = this.#deduplicationIds.get(id)
    if (!known || known.at < performance.now() - DEDUPLICATION_MS) return { isDuplicate: false }
    return {
      isDuplicate: true,
      originalMessageId: known.messageId,
      ...(known.sequenceNumber === undefined ? {} : { originalSequenceNumber: known.sequenceNumber }),
    }
  }

  recordDeduplication(id: string, messageId: string, sequenceNumber?: string): void {
    this.#deduplicationIds.set(id, { messageId, sequenceNumber, at: performance.now() })
  }

  nextSequenceNumber(): string {
    this.#sequence += 1
    return String(this.#sequence).padStart(20, '0')
  }

  #groupOf({ messageGroupId }: StoredMessage): string | undefined {
    return this.isFifo() ? messageGroupId : undefined
  }
}

/** The queues of one account, as fauxqs uses them. */
export class MemoryStore {
  /** fauxqs sets it. */
  region: string | undefined
  /** The message group of a message that a client has sent, by the object of its attributes. */
  groupOf: (attributes: object) => string | undefined = () => undefined
  readonly #queues = new Map<string, MemoryQueue>()

  createQueue(
    name: string,
    url: string,
    arn: string,
    attributes: Record<string, string> = {},
    tags: Record<string, string> = {},
  ): MemoryQueue {
    const queue = new MemoryQueue(name, url, arn, attributes, tags, this)
    this.#queues.set(name, queue)
    return queue
  }

  /** Clients use the address that they have for this process, which may not be the one in the URL of the queue. */
  getQueue(url: string): MemoryQueue | undefined {
    return this.#queues.get(url.slice(url.lastIndexOf('/') + 1))
  }

  getQueueByArn(arn: string): MemoryQueue | undefined {
    return [...this.#queues.values()].find((queue) => queue.arn === arn)
  }

  deleteQueue(url: string): boolean {
    const queue = this.getQueue(url)
    queue?.close()
    return queue !== undefined && this.#queues.delete(queue.name)
  }

  listQueues(prefix = '') {
    return { queues: [...this.#queues.values()].filter(({ name }) => name.startsWith(prefix)) }
  }

  buildQueueUrl(name: string, _port: string, host: string): string {
    return `http://${host}/${ACCOUNT}/${name}`
  }

  shutdown(): void {
    for (const queue of this.#queues.values()) queue.close()
  }
}

function md5(data: string | Buffer): string {
  return createHash('md5').update(data).digest('hex')
}

/** The bytes after their length, as in the checksum of message attributes, which the page of SQS on attributes defines. */
function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A message as fauxqs stores it. */
export function createMessage(
  body: string,
  attributes: StoredMessage['messageAttributes'],
  messageGroupId?: string,
): StoredMessage {
  const names = Object.keys(attributes).sort()
  const parts = names.flatMap((name) => {
    const { DataType, StringValue, BinaryValue } = attributes[name] as StoredMessage['messageAttributes'][string]
    return [
      withLength(Buffer.from(name)),
      withLength(Buffer.from(DataType)),
      Buffer.from([BinaryValue === undefined ? 1 : 2]),
      withLength(BinaryValue === undefined ? Buffer.from(StringValue ?? '') : Buffer.from(BinaryValue, 'base64')),
    ]
  })
  return {
    messageId: randomUUID(),
    body,
    md5OfBody: md5(body),
    messageAttributes: attributes,
    md5OfMessageAttributes: parts.length === 0 ? '' : md5(Buffer.concat(parts)),
    sentTimestamp: Date.now(),
    approximateReceiveCount: 0,
    ...(messageGroupId === undefined ? {} : { messageGroupId }),
  }
}
