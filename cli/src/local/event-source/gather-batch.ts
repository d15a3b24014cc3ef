import { setTimeout } from 'node:timers/promises'
import { MAX_PAYLOAD_BYTES, type Received } from '../queue/sqs-record.ts'

const POLL_MS = 50

export interface GatherOptions {
  /** Makes one call, which returns at most ten messages. */
  receive: (most: number, waitSeconds: number) => Promise<Received[]>
  batchSize: number
  windowMs: number
  /** Whether no further message can arrive. The batch then does not wait for the end of its window. */
  isLast: () => Promise<boolean>
  signal: AbortSignal
  now?: () => number
  sleep?: (ms: number) => Promise<unknown>
}

/**
 * Gathers one batch as an event source mapping does. It waits up to one second for a first message. Without
 * one, the batch is empty. Otherwise, it makes one call after another until the batch size, the payload limit
 * or the window is reached, or until no more can arrive. `rest` contains the received messages that did not
 * fit.
 */
export async function gatherBatch(options: GatherOptions) {
  const { receive, batchSize, windowMs, isLast, signal, now = () => performance.now(), sleep = setTimeout } = options
  if (signal.aborted) return { batch: [], rest: [] }
  const got = await receive(Math.min(10, batchSize), 1)
  let bytes = sizeOf(got)
  // A message that does not fit would be received in vain, and every receive counts towards the redrive policy.
  // So the average size says how many to receive. Without messages, it is NaN: there is no further call.
  const room = () =>
    Math.min(10, batchSize - got.length, Math.floor(((MAX_PAYLOAD_BYTES - bytes) * got.length) / bytes))

  const deadline = now() + windowMs
  while (room() > 0 && !signal.aborted && !(await isLast())) {
    const left = deadline - now()
    if (left <= 0) break
    const waitSeconds = left >= 1000 ? 1 : 0
    const messages = await receive(room(), waitSeconds)
    got.push(...messages)
    bytes += sizeOf(messages)
    if (messages.length === 0 && waitSeconds === 0) await sleep(Math.min(left, POLL_MS))
  }

  let end = got.length
  while (end > 1 && sizeOf(got.slice(0, end)) > MAX_PAYLOAD_BYTES) end -= 1
  return { batch: got.slice(0, end), rest: got.slice(end) }
}

function sizeOf(messages: readonly Received[]): number {
  return messages.reduce((sum, { bytes }) => sum + bytes, 0)
}
