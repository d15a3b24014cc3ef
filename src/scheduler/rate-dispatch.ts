import type { RateLimit } from './rate-limit.ts'
import type { Run, Shared } from './run.ts'
import type { Slot } from './slots.ts'
import { microtasksDone } from './yield-timer.ts'

/**
 * Returns a function that starts the jobs of a batch when there is a slot and the rate limit allows it. Call
 * it when a job may be ready. When no more jobs may start, call `rateLimit.leave()`: it removes the batch
 * from its queue.
 */
export function createRateDispatch(
  run: Run,
  rateLimit: RateLimit,
  { slots, yieldTimer }: Shared,
): () => void {
  let isDispatching = false

  /**
   * At most one job of this invocation holds a slot while it waits. Other invocations could use the slots of
   * more.
   */
  function dispatch(): void {
    if (isDispatching || run.nextCount() === 0) return
    isDispatching = true
    run.watch()
    const slot = slots.take()
    if (slot) void startWhenDue(slot)
    else slots.wait(startWhenDue)
  }

  async function startWhenDue(slot: Slot): Promise<void> {
    while (await rateLimit.waitUntilDue(run, run.nextCount)) {
      if (performance.now() > yieldTimer.yieldAt) await yieldTimer.yield()
      const recordCount = run.nextCount()
      // The next job has more records now, or another invocation has started some: wait again.
      if (!rateLimit.mayStart(recordCount)) continue
      const mayStart = run.mayStart(performance.now())
      void run.boundedSqsBatchWorker(slot) // with a rate limit, it starts a job before it returns
      // Counts all records of the job, and only now: after a pause in between, the next could start too soon.
      rateLimit.countStarts(mayStart ? recordCount : 0)
      await microtasksDone() // a handler that uses the CPU after microtasks does this before the next one starts
      isDispatching = false
      return dispatch()
    }
    slots.free(slot) // no more jobs may start
  }

  return dispatch
}
