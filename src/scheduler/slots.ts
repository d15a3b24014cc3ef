import { AsyncLocalStorage } from 'node:async_hooks'
import PQueue from 'p-queue'

export type Slots = ReturnType<typeof createSlots>

/** How many slots are made at the construction: a batch of ten, Lambda's default, then needs no `queue.add()`. */
const FIRST_SLOTS = 10
/** How many free slots are kept. Each takes 1.7 to 2.7 kB of memory (Node 24). */
const MAX_KEPT_SLOTS = 1_000

/**
 * The slots of one middleware instance. At most `limit` workers hold a slot at once, and p-queue serves them in the order
 * in which they asked.
 *
 * A slot is a task of p-queue that ends only when its slot is given up. A worker holds it for many records. One
 * `queue.add()` per record would cost ten times as much as all else that is done for a record (4.4 µs, Node 24).
 *
 * A slot comes from one of three places, in this order:
 * 1. It is free and was kept, because a `queue.add()` for each worker costs more than the rest of a small batch.
 * 2. Fewer than `limit` tasks exist: a new one is made, in the async context of the construction. It can be kept.
 * 3. The worker waits in p-queue until another one frees its slot. This slot is not kept: p-queue keeps the async context
 *    of `add()` until the task ends. Here this is the context of an invocation, with its AsyncLocalStorage stores.
 */
export function createSlots(limit: number) {
  const queue = new PQueue({ concurrency: limit })
  const kept: (() => void)[] = [] // for each free slot, what ends its task
  const makeSlot = AsyncLocalStorage.bind(() => {
    void queue.add(() => new Promise<void>((endTask) => void kept.push(endTask)))
  })

  for (let slot = 0; slot < Math.min(limit, FIRST_SLOTS); slot++) makeSlot()

  /** Whether a holder should free its slot, because another worker waits for one. */
  const isContended = () => queue.size > 0

  return {
    /** How many slots there are. */
    limit,
    isContended,
    /** Calls `start` when there is a free slot, immediately if there is one. `release` frees the slot: call it once. */
    enqueue(start: (release: () => void) => void): void {
      // 2: p-queue starts the task at once, because none waits. While p-queue starts tasks that have waited, a handler can
      // call `enqueue()`. Then this worker waits behind them.
      if (kept.length === 0 && queue.size === 0 && queue.pending < limit) makeSlot()
      const endTask = kept.pop() // 1, or the new one
      if (endTask) {
        start(() => (isContended() || kept.length === MAX_KEPT_SLOTS ? endTask() : void kept.push(endTask)))
      } else void queue.add(() => new Promise<void>(start)) // 3
    },
  }
}
