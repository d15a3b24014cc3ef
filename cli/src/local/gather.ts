import { setTimeout as sleep } from 'node:timers/promises'
import type { Received } from './sqs-record.ts'

/** Lambda's limit for one event, metadata counted; the wrapping `{"Records":[]}` takes 14 bytes of it. */
const PAYLOAD_BYTES = 6 * 1024 * 1024 - 14
/** Ten messages a call: this many calls at once fill a batch of 10,000 in about a second on loopback. */
const RECEIVERS = 20

export interface GatherOptions {
  receive: (max: number, waitSeconds: number) => Promise<Received[]>
  batchSize: number
  windowMs: number
  /** What the last batch had no room for. */
  held: readonly Received[]
  signal: AbortSignal
}

/**
 * One batch, as an event source mapping gathers it: it waits for a first message, then takes more until the batch size,
 * the payload limit or the window is reached, whichever comes first. `rest` is what came and did not fit.
 */
export async function gather({ receive, batchSize, windowMs, held, signal }: GatherOptions) {
  const got = [...held]
  if (got.length === 0 && !signal.aborted) got.push(...(await receive(Math.min(10, batchSize), 1)))

  const deadline = performance.now() + windowMs
  let bytes = got.reduce((sum, message) => sum + message.bytes, 0)
  let awaited = 0
  // What a call may bring is reserved before it is made, its size guessed from the average so far: a batch is filled
  // without receiving what has no room in it, since every receipt counts towards the redrive policy.
  const reserve = (): number => {
    const room = Math.min(10, batchSize - got.length - awaited)
    const fits = bytes + ((awaited + room) * bytes) / got.length <= PAYLOAD_BYTES
    return fits ? room : 0
  }
  const receiver = async () => {
    while (!signal.aborted) {
      const left = deadline - performance.now()
      const room = left > 0 ? reserve() : 0
      if (room <= 0) return
      awaited += room
      const waitSeconds = left >= 1000 ? 1 : 0
      const messages = await receive(room, waitSeconds).finally(() => {
        awaited -= room
      })
      got.push(...messages)
      bytes += messages.reduce((sum, message) => sum + message.bytes, 0)
      if (messages.length === 0 && waitSeconds === 0) await sleep(Math.min(left, 50))
    }
  }
  if (got.length > 0 && windowMs > 0) await Promise.all(Array.from({ length: RECEIVERS }, receiver))

  let size = 0
  const end = got.findIndex((message, index) => {
    size += message.bytes
    return index > 0 && (index >= batchSize || size > PAYLOAD_BYTES)
  })
  return end === -1 ? { batch: got, rest: [] } : { batch: got.slice(0, end), rest: got.slice(end) }
}
