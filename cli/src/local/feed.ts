import { randomUUID } from 'node:crypto'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { pMapIterable } from 'p-map'
import { oneLine, UsageError } from '../errors.ts'
import type { OpenLedger } from './ledger.ts'
import type { InputMessage } from './messages.ts'
import type { Queue } from './queue.ts'

export type Input = Iterable<InputMessage> | AsyncIterable<InputMessage>

/** A call of ten is kept under a quarter of SQS's limit for a message, which older stand-ins of SQS still ask for. */
const CALL_BYTES = 256 * 1024
/**
 * Messages that wait in the queue of this process before the feed pauses: as many as a batch takes. fauxqs keeps them in
 * an array and takes from its front, which with a million of them is a move of 8 MB for each message: 230 messages/s
 * were received then, and 3,200 with a hundred thousand.
 */
const MAX_WAITING = 10_000
const MIN_ROOM = 1000
const POLL_MS = 20

export interface FeedOptions {
  queue: Pick<Queue, 'send' | 'fifo' | 'own' | 'waiting'>
  ledger: Pick<OpenLedger, 'sent'>
  messages: Input
  /** The queue holds what it should hold for now: time to receive. */
  onFull: () => void
  signal: AbortSignal
}

/**
 * Sends the input, and takes no more of it than the queue has room for. On a FIFO queue one call is made after another,
 * so that its order is the input's.
 */
export async function feed({ queue, ledger, messages, onFull, signal }: FeedOptions): Promise<void> {
  const send = async (entries: SendMessageBatchRequestEntry[]) => {
    if (signal.aborted) return
    const { Successful = [], Failed = [] } = await queue.send(entries)
    ledger.sent(Successful.flatMap(({ MessageId }) => MessageId ?? []))
    const [refused] = Failed
    if (refused) throw new UsageError(`SQS refused a message: ${oneLine(`${refused.Code}: ${refused.Message}`)}`)
  }
  const concurrency = queue.fifo ? 1 : 16
  const calls = inCalls(inRoom({ queue, messages, onFull, signal }), queue)
  for await (const _ of pMapIterable(calls, send, { concurrency, backpressure: concurrency }))
    if (signal.aborted) return
}

/** The messages, each as soon as the queue has room for it. Another queue than our own takes what it is sent. */
async function* inRoom({ queue, messages, onFull, signal }: Omit<FeedOptions, 'ledger'>): AsyncGenerator<InputMessage> {
  let room = MAX_WAITING
  for await (const message of messages) {
    while (room === 0 && !signal.aborted) {
      onFull()
      const free = MAX_WAITING - (queue.own ? await queue.waiting() : 0)
      if (free >= MIN_ROOM) room = free
      else await sleep(POLL_MS)
    }
    if (signal.aborted) return
    room -= 1
    yield message
  }
}

const PAUSE = Symbol('pause')

/** Calls of up to ten messages; a call does not wait for an input that makes a pause. */
async function* inCalls(
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
    const { body, messageGroupId, messageAttributes } = result.value
    const bytes =
      Buffer.byteLength(body) + (messageAttributes ? Buffer.byteLength(JSON.stringify(messageAttributes)) : 0)
    if (call.length === 10 || (call.length > 0 && size + bytes > CALL_BYTES)) {
      yield call
      call = []
      size = 0
    }
    size += bytes
    call.push({
      Id: String(call.length),
      MessageBody: own ? escapeAstral(body) : body,
      ...(messageAttributes ? { MessageAttributes: messageAttributes } : {}),
      ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
      ...(fifo ? { MessageDeduplicationId: randomUUID() } : {}),
    })
    next = iterator.next()
  }
  if (call.length > 0) yield call
}

const ASTRAL = /[\u{10000}-\u{10FFFF}]/gu

/** fauxqs 2.4 refuses characters beyond U+FFFF, which SQS takes. In JSON they can be written as escapes, the same value. */
function escapeAstral(body: string): string {
  if (!/[\u{10000}-\u{10FFFF}]/u.test(body)) return body
  try {
    JSON.parse(body)
  } catch {
    throw new UsageError(
      'a body of plain text holds characters beyond U+FFFF: the SQS of this process takes them in JSON only',
    )
  }
  const toEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16)}`
  return body.replace(ASTRAL, (character) => character.split('').map(toEscape).join(''))
}
