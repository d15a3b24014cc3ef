import { setTimeout as sleep } from 'node:timers/promises'
import type { Received } from './sqs-record.ts'

/** The limit of Lambda for one event, including metadata. The wrapping `{"Records":[]}` takes 14 bytes of it. */
export const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 - 14
/**
 * Concurrent receive calls. Each returns at most ten messages. 20 calls fill a batch of 10,000 in about a second on
 * loopback.
 */
const RECEIVERS = 20

export interface GatherOptions {
  receive: (max: number, waitSeconds: number) => Promise<Received[]>
  batchSize: number
  windowMs: number
  /** Received messages that did not fit into the last batch. */
  held: readonly Received[]
  /** Whether no further message can arrive. The batch then does not wait for the end of its window. */
  isDrained?: (() => boolean) | undefined
  signal: AbortSignal
}

/**
 * Gathers one batch as an event source mapping does. It waits up to one second for a first message. Without one, the
 * batch is empty. Otherwise, it receives more until the batch size, the payload limit or the window is reached, or until no more can
 * arrive. `rest` contains the received messages that did not fit.
 */
export async function gather({ receive, batchSize, windowMs, held, isDrained, signal }: GatherOptions) {
  const got = [...held]
  if (got.length === 0 && !signal.aborted) got.push(...(await receive(Math.min(10, batchSize), 1)))

  const deadline = performance.now() + windowMs
  let bytes = got.reduce((sum, message) => sum + message.bytes, 0)
  let reserved = 0
  // Each call reserves room for the messages that it may return. Their size is estimated from the average so far. This
  // avoids receiving messages that do not fit into the batch: every receive counts towards the redrive policy.
  function reserve(): number {
    const room = Math.min(10, batchSize - got.length - reserved)
    const estimated = bytes + ((reserved + room) * bytes) / got.length
    return estimated > MAX_PAYLOAD_BYTES ? 0 : room
  }
  async function receiver() {
    while (!signal.aborted && !isDrained?.()) {
      const left = deadline - performance.now()
      const room = left > 0 ? reserve() : 0
      if (room <= 0) return
      reserved += room
      const waitSeconds = left >= 1000 ? 1 : 0
      const messages = await receive(room, waitSeconds).finally(() => {
        reserved -= room
      })
      got.push(...messages)
      bytes += messages.reduce((sum, message) => sum + message.bytes, 0)
      if (messages.length === 0 && waitSeconds === 0) await sleep(Math.min(left, 50))
    }
  }
  if (got.length > 0) await Promise.all(Array.from({ length: RECEIVERS }, receiver))

  let size = 0
  const end = got.findIndex((message, index) => {
    size += message.bytes
    return index > 0 && (index >= batchSize || size > MAX_PAYLOAD_BYTES)
  })
  return end === -1 ? { batch: got, rest: [] } : { batch: got.slice(0, end), rest: got.slice(end) }
}
