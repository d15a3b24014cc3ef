import { randomUUID } from 'node:crypto'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { pMapIterable } from 'p-map'
import { kindOf, oneLine, UsageError } from '../shared/errors.ts'
import type { OpenLedger } from './ledger.ts'
import type { InputMessage } from './messages.ts'
import type { Queue } from './queue.ts'

export type Input = Iterable<InputMessage> | AsyncIterable<InputMessage>

/**
 * The limit for one batch call. SQS allows 1 MiB; older substitutes for SQS still enforce its former limit of 256 KiB.
 */
const MAX_CALL_BYTES = 256 * 1024
/**
 * The feed pauses while this many messages wait in the queue of this process. It is the size of the largest batch. With
 * this limit, receiving stays fast: fauxqs removes messages from the front of an array, which moves all other messages.
 * Measured: 230 messages/s with a million waiting messages, and 3,200 with a hundred thousand.
 */
const MAX_WAITING = 10_000
const MIN_ROOM = 1000
const POLL_MS = 20

const PAUSE = Symbol('pause')
type Item = InputMessage | typeof PAUSE

export interface FeedOptions {
  queue: Pick<Queue, 'send' | 'fifo' | 'own' | 'waiting'>
  ledger: Pick<OpenLedger, 'sent'>
  messages: Input
  /** Mixes the messages within about this many. Missing: they are sent in order. */
  shuffle?: { random: () => number; within: number } | undefined
  /** Called when the queue is full, so that receiving can start. */
  onFull: () => void
  signal: AbortSignal
}

/**
 * Sends the input, and takes messages from it only while the queue has room, except for those that are mixed. On a FIFO
 * queue, it makes one call after another to keep the order.
 *
 * @returns whether the whole input was sent. If the signal aborts, the rest is not sent
 */
export async function feed({ queue, ledger, messages, shuffle, onFull, signal }: FeedOptions): Promise<boolean> {
  let isComplete = true
  function skip() {
    isComplete = false
  }
  async function send(entries: SendMessageBatchRequestEntry[]) {
    if (signal.aborted) return skip()
    const { Successful, Failed } = await queue.send(entries)
    const ids = Successful?.flatMap(({ MessageId }) => MessageId ?? []) ?? []
    ledger.sent(ids)
    const refused = Failed?.[0]
    if (refused) throw new UsageError(`SQS refused a message: ${oneLine(`${refused.Code}: ${refused.Message}`)}`)
    if (ids.length !== entries.length) {
      throw new UsageError(
        `expected SQS to accept or refuse each of ${entries.length} messages, but its response has ${ids.length} ids. ` +
          'Use an SQS that responds to SendMessageBatch as AWS does',
      )
    }
  }
  const concurrency = queue.fifo ? 1 : 16
  const input: Iterable<Item> | AsyncIterable<Item> = Symbol.asyncIterator in messages ? withPauses(messages) : messages
  const mixed = shuffle ? mix(input, shuffle) : input
  const calls = groupIntoCalls(waitForRoom({ queue, messages: mixed, onFull, signal }, skip), queue)
  for await (const _ of pMapIterable(calls, send, { concurrency })) {
    // until all calls have ended
  }
  return isComplete
}

/** Yields PAUSE before it waits for a slow input, so that the messages before it are sent immediately. */
async function* withPauses(messages: AsyncIterable<InputMessage>): AsyncGenerator<Item> {
  const iterator = messages[Symbol.asyncIterator]()
  for (;;) {
    const next = iterator.next()
    const first = await Promise.race([next, setImmediate(PAUSE)])
    if (first === PAUSE) yield PAUSE
    const { done, value } = await next
    if (done) return
    yield value
  }
}

/** Keeps up to `within` messages, and yields a random one of them for each that follows. A pause yields all of them. */
async function* mix(
  messages: Iterable<Item> | AsyncIterable<Item>,
  { random, within }: NonNullable<FeedOptions['shuffle']>,
): AsyncGenerator<Item> {
  const pool: Item[] = []
  function takeOne(replacement?: Item): Item {
    const index = Math.floor(random() * pool.length)
    const taken = pool[index] as Item
    const last = replacement ?? (pool.pop() as Item)
    if (index < pool.length) pool[index] = last
    return taken
  }
  for await (const message of messages) {
    if (message === PAUSE) {
      while (pool.length > 0) yield takeOne()
      yield PAUSE
    } else if (pool.length < within) pool.push(message)
    else yield takeOne(message)
  }
  while (pool.length > 0) yield takeOne()
}

/** Yields each message as soon as the queue has room for it. Only the queue of this process has a limit. */
async function* waitForRoom(
  {
    queue,
    messages,
    onFull,
    signal,
  }: Pick<FeedOptions, 'queue' | 'onFull' | 'signal'> & { messages: Iterable<Item> | AsyncIterable<Item> },
  onSkip: () => void,
): AsyncGenerator<Item> {
  let room = MAX_WAITING
  for await (const message of messages) {
    while (room === 0 && message !== PAUSE && !signal.aborted) {
      yield PAUSE
      onFull()
      const free = MAX_WAITING - (queue.own ? await queue.waiting() : 0)
      if (free >= MIN_ROOM) room = free
      else await sleep(POLL_MS)
    }
    if (signal.aborted) return onSkip()
    if (message !== PAUSE) room -= 1
    yield message
  }
}

/** Groups messages into calls of up to ten. If the input pauses, an incomplete call is sent immediately. */
async function* groupIntoCalls(
  messages: AsyncIterable<Item>,
  { fifo }: Pick<Queue, 'fifo'>,
): AsyncGenerator<SendMessageBatchRequestEntry[]> {
  let call: SendMessageBatchRequestEntry[] = []
  let size = 0
  for await (const message of messages) {
    if (message === PAUSE) {
      if (call.length > 0) yield call
      call = []
      size = 0
      continue
    }
    const { body, messageGroupId, messageAttributes } = message ?? {}
    if (typeof body !== 'string') {
      const received = (message as unknown) instanceof Object ? `a body that is ${kindOf(body)}` : kindOf(message)
      throw new UsageError(`expected each message to be an object whose body is a string, got ${received}`)
    }
    if (body === '') throw new UsageError('expected each message to have a body, got an empty body, which SQS rejects')
    const bytes =
      Buffer.byteLength(body) + (messageAttributes ? Buffer.byteLength(JSON.stringify(messageAttributes)) : 0)
    if (call.length === 10 || (call.length > 0 && size + bytes > MAX_CALL_BYTES)) {
      yield call
      call = []
      size = 0
    }
    size += bytes
    call.push({
      Id: String(call.length),
      MessageBody: body,
      ...(messageAttributes ? { MessageAttributes: messageAttributes } : {}),
      ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
      ...(fifo ? { MessageDeduplicationId: randomUUID() } : {}),
    })
  }
  if (call.length > 0) yield call
}
