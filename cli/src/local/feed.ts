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

export interface FeedOptions {
  queue: Pick<Queue, 'send' | 'fifo' | 'own' | 'waiting'>
  ledger: Pick<OpenLedger, 'sent'>
  messages: Input
  /** Called when the queue is full, so that receiving can start. */
  onFull: () => void
  signal: AbortSignal
}

/**
 * Sends the input, and takes messages from it only while the queue has room. On a FIFO queue, it makes one call after
 * another to keep the order.
 *
 * @returns whether the whole input was sent. If the signal aborts, the rest is not sent
 */
export async function feed({ queue, ledger, messages, onFull, signal }: FeedOptions): Promise<boolean> {
  let isComplete = true
  function skip() {
    isComplete = false
  }
  async function send(entries: SendMessageBatchRequestEntry[]) {
    if (signal.aborted) return skip()
    const { Successful = [], Failed = [] } = await queue.send(entries)
    ledger.sent(Successful.flatMap(({ MessageId }) => MessageId ?? []))
    const [refused] = Failed
    if (refused) throw new UsageError(`SQS refused a message: ${oneLine(`${refused.Code}: ${refused.Message}`)}`)
  }
  const concurrency = queue.fifo ? 1 : 16
  const calls = groupIntoCalls(waitForRoom({ queue, messages, onFull, signal }, skip), queue)
  for await (const _ of pMapIterable(calls, send, { concurrency, backpressure: concurrency }))
    if (signal.aborted) return false
  return isComplete
}

/** Yields each message as soon as the queue has room for it. Only the queue of this process has a limit. */
async function* waitForRoom(
  { queue, messages, onFull, signal }: Omit<FeedOptions, 'ledger'>,
  onSkip: () => void,
): AsyncGenerator<InputMessage> {
  let room = MAX_WAITING
  for await (const message of messages) {
    while (room === 0 && !signal.aborted) {
      onFull()
      const free = MAX_WAITING - (queue.own ? await queue.waiting() : 0)
      if (free >= MIN_ROOM) room = free
      else await sleep(POLL_MS)
    }
    if (signal.aborted) return onSkip()
    room -= 1
    yield message
  }
}

const PAUSE = Symbol('pause')

/** Groups messages into calls of up to ten. If the input pauses, an incomplete call is sent immediately. */
async function* groupIntoCalls(
  messages: AsyncIterable<InputMessage>,
  { fifo, own }: Pick<Queue, 'fifo' | 'own'>,
): AsyncGenerator<SendMessageBatchRequestEntry[]> {
  let call: SendMessageBatchRequestEntry[] = []
  let size = 0
  const iterator = messages[Symbol.asyncIterator]()
  let next = iterator.next()
  for (;;) {
    const result = await (call.length === 0 ? next : Promise.race([next, setImmediate(PAUSE)]))
    if (result === PAUSE) {
      yield call
      call = []
      size = 0
      continue
    }
    if (result.done) break
    const { body, messageGroupId, messageAttributes } = result.value ?? {}
    if (typeof body !== 'string') {
      const received = result.value instanceof Object ? `a body that is ${kindOf(body)}` : kindOf(result.value)
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
      MessageBody: own ? escapeAboveUFFFF(body) : body,
      ...(messageAttributes ? { MessageAttributes: messageAttributes } : {}),
      ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
      ...(fifo ? { MessageDeduplicationId: randomUUID() } : {}),
    })
    next = iterator.next()
  }
  if (call.length > 0) yield call
}

const ABOVE_U_FFFF = /[\u{10000}-\u{10FFFF}]/gu

/** fauxqs 2.4 rejects characters above U+FFFF, which SQS accepts. In JSON, escape sequences represent the same text. */
function escapeAboveUFFFF(body: string): string {
  if (!/[\u{10000}-\u{10FFFF}]/u.test(body)) return body
  try {
    JSON.parse(body)
  } catch {
    throw new UsageError(
      'a body that is not JSON contains characters above U+FFFF, such as emoji: the SQS in this process accepts them ' +
        'only in JSON bodies. Use --queue-url to test with another SQS',
    )
  }
  const toEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16)}`
  return body.replace(ABOVE_U_FFFF, (character) => character.split('').map(toEscape).join(''))
}
