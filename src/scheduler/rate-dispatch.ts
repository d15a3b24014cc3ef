import type { RateLimit } from './rate-limit.ts'
import type { Worker } from './worker.ts'
import type { WorkerLoop } from './worker-loop.ts'
import type { YieldTimer } from './yield-timer.ts'

/** The jobs of one invocation, as the dispatch sees them. */
type DispatchedJobs = Pick<WorkerLoop, 'nextCount' | 'enqueue' | 'free' | 'takeJob' | 'runJob' | 'isOver'>

/**
 * Returns a function that starts the jobs of a batch when there is a slot and the rate limit allows it. Call it when a
 * job may be ready. When no more jobs may start, call `rateLimit.leave()`: it removes the batch from the queue of the
 * rate limit.
 */
export function createRateDispatch(run: DispatchedJobs, rateLimit: RateLimit, yieldTimer: YieldTimer) {
  let isDispatching = false

  /**
   * At most one job of this invocation holds a slot while it waits for the rate limit. More would hold slots that other
   * invocations could use.
   */
  function dispatch(): void {
    if (isDispatching || run.nextCount() === 0) return
    isDispatching = true
    run.enqueue((worker) => void runWhenDue(worker).then(() => run.free(worker)))
  }

  async function runWhenDue(worker: Worker): Promise<void> {
    let isDue = false
    while (!run.isOver()) {
      isDue ||= await rateLimit.waitUntilDue(run, run.nextCount)
      const now = performance.now()
      if (!isDue) break
      if (now > yieldTimer.yieldAt) {
        await yieldTimer.yield()
        continue
      }
      const recordCount = run.nextCount()
      if (!rateLimit.mayStart(recordCount)) {
        isDue = false // the next job has more records now, or another invocation has started some: wait again
        continue
      }
      const job = run.takeJob(now) // `undefined` if no job is ready or may start
      const running = job === undefined ? undefined : run.runJob(worker, job, now)
      isDispatching = false
      // Counts all records of the job, and only now. If the process paused between counting and starting, the next
      // records could start too soon.
      rateLimit.countStarts(job === undefined ? 0 : recordCount)
      dispatch()
      await running
      return dispatch() // the next job of a FIFO group may be ready now; does nothing if another worker already waits
    }
    isDispatching = false
  }

  return dispatch
}
