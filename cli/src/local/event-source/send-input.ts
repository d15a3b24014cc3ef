import { setTimeout as sleep } from 'node:timers/promises'
import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { oneLine, UsageError } from '../../shared/errors.ts'
import type { OpenLedger } from '../account/ledger.ts'
import { sizeOf } from '../queue/message-rules.ts'
import { type InputMessage, toEntry } from '../queue/messages-file.ts'
import type { Queue } from '../queue/queue.ts'

export type Input = Iterable<InputMessage> | AsyncIterable<InputMessage>

/** The limit for one batch call. SQS allows 1 MiB, but older substitutes for SQS only 256 KiB. */
const MAX_CALL_BYTES = 256 * 1024
/**
 * Sending pauses while this many messages wait in the queue. It is the size of the largest batch. With this
 * limit, receiving stays fast, also in a substitute for SQS that becomes slow with many messages.
 */
const MAX_WAITING = 10_000
const MIN_ROOM = 1000
const POLL_MS = 20

export interface SendOptions {
  queue: Pick<Queue, 'send' | 'fifo' | 'counts'>
  ledger: Pick<OpenLedger, 'sent'>
  messages: Input
  /** Mixes the messages within about this many. Missing: they are sent in order. */
  shuffle?: { random: () => number; within: number } | undefined
  signal: AbortSignal
}

/**
 * Sends the input in calls of up to ten messages, one call after another. It takes messages from the input
 * only while the queue has room, except for those that are mixed.
 *
 * @returns whether the whole input was sent. If the signal aborts, the rest is not sent
 */
export async function sendInput({ queue, ledger, messages, shuffle, signal }: SendOptions): Promise<boolean> {
  let call: SendMessageBatchRequestEntry[] = []
  let bytes = 0
  let room = MAX_WAITING

  async function send() {
    const entries = call
    call = []
    bytes = 0
    const { Successful, Failed } = await queue.send(entries)
    const ids = Successful?.flatMap(({ MessageId }) => MessageId ?? []) ?? []
    ledger.sent(ids)
    if (ids.length === entries.length) return
    const [refused] = Failed ?? []
    const why = refused ? oneLine(`${refused.Code}: ${refused.Message}`) : 'it gives no reason'
    throw new UsageError(`SQS accepted only ${ids.length} of ${entries.length} messages: ${why}`)
  }

  for await (const message of shuffle ? mix(messages, shuffle) : messages) {
    while (room === 0 && !signal.aborted) {
      const free = MAX_WAITING - (await queue.counts()).visible
      if (free >= MIN_ROOM) room = free
      else await sleep(POLL_MS)
    }
    if (signal.aborted) return false
    const entry = toEntry(message, call.length, queue.fifo)
    const size = sizeOf(entry)
    if (call.length > 0 && bytes + size > MAX_CALL_BYTES) await send()
    room -= 1
    bytes += size
    call.push(entry)
    if (call.length === 10) await send()
  }
  if (signal.aborted) return call.length === 0
  if (call.length > 0) await send()
  return true
}

/** Keeps up to `within` messages, and yields a random one of them for each that follows. */
async function* mix(messages: Input, { random, within }: NonNullable<SendOptions['shuffle']>) {
  const pool: InputMessage[] = []
  function takeOne(replacement?: InputMessage): InputMessage {
    const index = Math.floor(random() * pool.length)
    const taken = pool[index] as InputMessage
    const last = replacement ?? (pool.pop() as InputMessage)
    if (index < pool.length) pool[index] = last
    return taken
  }
  for await (const message of messages) {
    if (pool.length < within) pool.push(message)
    else yield takeOne(message)
  }
  while (pool.length > 0) yield takeOne()
}
