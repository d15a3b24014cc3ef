import { AsyncLocalStorage } from 'node:async_hooks'
import PQueue from 'p-queue'

/** How many slots are made at the construction: a batch of ten, Lambda's default, then needs no `queue.add()`. */
const FIRST_SLOTS = 10
/** How many free slots are kept. Each takes 1.7 to 2.7 kB of memory (Node 24). */
const MAX_KEPT_SLOTS = 1_000

/** A task of p-queue that runs until its slot is freed. */
export interface Slot {
  readonly endTask: () => void
  /** Whether the slot can be kept when it is free. */
  readonly isReusable: boolean
}

export interface Slots {
  /** How many slots there are. */
  readonly limit: number
  /** Whether a run waits for a slot. */
  isContended(): boolean
  /** Takes a slot if one is free. While a run waits, none is: no slot is kept then, and p-queue is full. */
  take(): Slot | undefined
  /** Calls `start` when there is a slot. Runs that wait receive slots in order. */
  wait(start: (slot: Slot) => void): void
  free(slot: Slot): void
}

/**
 * The slots of one middleware instance. At most `limit` workers hold a slot at once.
 *
 * A slot is a task of p-queue that ends only when its slot is freed. A worker holds it for many records,
 * because one `queue.add()` for each record would cost ten times as much as all else (4.4 µs, Node 24).
 *
 * A slot comes from one of three places, in this order:
 * 1. It is free and was kept, because a `queue.add()` for each worker costs more than the rest of a small
 *    batch.
 * 2. Fewer than `limit` tasks exist: a new one is made, in the async context in which the middleware was
 *    made. It can be kept.
 * 3. The run waits in p-queue until a slot is freed. This slot is not kept: p-queue keeps the async context
 *    of `add()` until the task ends. Here this is the context of an invocation, with its AsyncLocalStorage
 *    stores.
 */
export function createSlots(limit: number): Slots {
  const queue = new PQueue({ concurrency: limit })
  const kept: Slot[] = []
  let waitingRuns = 0 // like `queue.size`, which takes longer
  // p-queue starts the task at once, because fewer than `limit` tasks exist.
  const makeSlot = AsyncLocalStorage.bind(() => {
    void queue.add(() => new Promise<void>((endTask) => void kept.push({ endTask, isReusable: true })))
  })

  for (let slot = 0; slot < Math.min(limit, FIRST_SLOTS); slot++) makeSlot()

  return {
    limit,
    isContended: () => waitingRuns > 0,
    take() {
      if (kept.length === 0 && queue.pending < limit) makeSlot() // 2
      return kept.pop() // 1, or the new one
    },
    wait(start) {
      waitingRuns++
      void queue.add(() => {
        waitingRuns--
        return new Promise<void>((endTask) => start({ endTask, isReusable: false })) // 3
      })
    },
    free(slot) {
      if (slot.isReusable && waitingRuns === 0 && kept.length < MAX_KEPT_SLOTS) kept.push(slot)
      else slot.endTask()
    },
  }
}
