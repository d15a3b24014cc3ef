import { RecordAbortedError, withoutStack } from '../errors.ts'
import { isObject } from '../shared/describe.ts'
import type { RecordOptions } from '../types.ts'
import { abort, LazyJobOptions } from './job-options.ts'
import { createJobStates, FULFILLED, type JobFailure, type JobNumber, rejected } from './job-states.ts'
import type { ReadyQueue } from './ready-queue.ts'
import type { Slots } from './slots.ts'
import type { Worker } from './worker.ts'
import type { YieldTimer } from './yield-timer.ts'

export interface Jobs {
  readonly count: number
  readonly ready: ReadyQueue
  run(job: JobNumber, options: RecordOptions): unknown
  /** How many records a job has. The rate limit counts them. */
  sizeOf(job: JobNumber): number
  /** How often the record of each job has been received. `undefined` for chunks. */
  readonly receiveCounts?: readonly number[]
  /** Is called with the result of each job that was started. */
  readonly settled?: ((job: JobNumber, result: PromiseSettledResult<undefined>) => void) | undefined
}

/** What the invocations of a middleware instance share. */
export interface Shared {
  readonly slots: Slots
  readonly yieldTimer: YieldTimer
  /** The batches that have not ended. */
  readonly active: ReadonlySet<object>
}

export interface BatchHooks {
  /** A worker has started, and the batch has not ended yet. Can be called several times. */
  started(): void
  /** All jobs have a result. These failed, in order. */
  ended(failures: JobFailure[]): void
}

export type WorkerLoop = ReturnType<typeof createWorkerLoop>

/**
 * Runs the jobs of one invocation.
 *
 * This is a closure and not a class. The code of a small batch runs in V8's interpreter, where private fields made the
 * first twenty batches of ten 50 % slower. No object literal here has a getter, because V8 makes a hidden class for each
 * such object.
 *
 * @param drainAt from this time on, no job starts
 */
export function createWorkerLoop(
  jobs: Jobs,
  drainAt: number,
  { slots, yieldTimer, active }: Shared,
  batch: BatchHooks,
) {
  const { maxInFlight } = jobs.ready
  // Tracing subscribers run at the end of a job, and can take long. The worker then reads the clock again before the
  // next job.
  const isObserved = jobs.settled !== undefined
  const durations: number[] = [] // of each settled job
  const workers = new Set<Worker>() // those that hold a slot
  // Everything that refers to the batch. `undefined` after the end, so that a handler that hangs does not keep the
  // batch in memory.
  let work: { jobs: Jobs; states: ReturnType<typeof createJobStates>; batch: BatchHooks } | undefined = {
    jobs,
    states: createJobStates(jobs.count),
    batch,
  }
  let inFlight = 0
  let peakInFlight = 0
  let workerCount = 0 // those that hold a slot or wait for one
  let isStartingWorkers = false

  const isOver = () => work === undefined
  const hasWaitingJobs = () => work !== undefined && work.states.waiting > 0
  const isRunning = ({ job }: Worker) => work?.states.isRunning(job) === true

  /** Calls `start` when a slot is free. Call `free()` when the slot is no longer needed. */
  function enqueue(start: (worker: Worker) => void): void {
    slots.enqueue((release) => {
      const worker: Worker = {
        release,
        job: 0 as JobNumber,
        startedAt: 0,
        timedOutAt: Infinity,
        options: undefined,
      }
      workers.add(worker)
      start(worker)
    })
  }

  /** Does nothing if `end()` has freed the slot. */
  function free(worker: Worker): void {
    if (workers.delete(worker)) worker.release()
  }

  /**
   * Starts workers one after another, each after a microtask. So a handler that uses the CPU after one `await` does this
   * before the next worker reads the clock.
   *
   * If a job has settled after two microtasks, its handler does no I/O, and more workers would not help. So this waits
   * for the event loop, which makes batches of 1,000 and more such jobs 16 to 26 % faster. It checks this until no job has
   * settled in that time, because from then on the check costs more than it saves.
   */
  async function startWorkers(): Promise<void> {
    if (isStartingWorkers) return
    isStartingWorkers = true
    let handlersWait = false
    while (workerCount < slots.limit && workerCount < maxInFlight && nextCount() > 0) {
      const settled = durations.length
      workerCount++
      enqueue(runJobs)
      await null // one microtask
      if (handlersWait) continue
      await null // two
      handlersWait = durations.length === settled
      work?.batch.started() // before the yield, which can last long while other batches use the CPU
      if (!handlersWait) await yieldTimer.yield()
    }
    isStartingWorkers = false
  }

  /** Runs one job after another in a slot, until no job is ready or the worker must give up its slot. */
  async function runJobs(worker: Worker): Promise<void> {
    let now = performance.now()
    let mustGiveUp = false
    while (!mustGiveUp) {
      if (work && now > yieldTimer.yieldAt) {
        await yieldTimer.yield()
        now = performance.now()
        continue
      }
      const job = takeJob(now)
      if (job === undefined) break
      // Repeats the code of `runJob()`, because a call would create a promise for each record, which costs more
      // than the rest of this loop.
      let result: PromiseSettledResult<undefined> = FULFILLED
      try {
        const value = startJob(worker, job, now)
        if (isObject(value)) await value
      } catch (error) {
        result = rejected(error)
      }
      now = finishJob(worker, result)
      // Without another batch, the workers that wait for a slot belong to batches that have ended.
      mustGiveUp = active.size > 1 && slots.isContended()
    }
    if (mustGiveUp && hasWaitingJobs()) enqueue(runJobs)
    else workerCount--
    free(worker)
  }

  async function runJob(worker: Worker, job: JobNumber, now: number): Promise<void> {
    let result: PromiseSettledResult<undefined> = FULFILLED
    try {
      await startJob(worker, job, now)
    } catch (error) {
      result = rejected(error)
    }
    finishJob(worker, result)
  }

  /** Removes and returns the next job; `undefined` if none may start. */
  function takeJob(now: number): JobNumber | undefined {
    if (now >= drainAt) drain()
    return hasWaitingJobs() ? work?.jobs.ready.take() : undefined
  }

  /** How many records the next job that is ready has; 0 if none is ready. */
  function nextCount(): number {
    const job = hasWaitingJobs() ? work?.jobs.ready.peek() : undefined
    return job === undefined ? 0 : (work?.jobs.sizeOf(job) as number)
  }

  function startJob(worker: Worker, job: JobNumber, now: number): unknown {
    const { jobs, states } = work as NonNullable<typeof work>
    worker.job = job
    worker.startedAt = now
    worker.timedOutAt = Infinity
    worker.options = new LazyJobOptions(job, jobs.receiveCounts?.[job] ?? 1)
    states.start(job)
    if (++inFlight > peakInFlight) peakInFlight = inFlight
    return jobs.run(job, worker.options)
  }

  /** Returns the current time. The worker uses it as the start time of its next job. */
  function finishJob(worker: Worker, result: PromiseSettledResult<undefined>): number {
    const now = performance.now()
    inFlight--
    worker.options = undefined
    settle(worker, result, now)
    return isObserved ? performance.now() : now
  }

  /** Ignores a result if the job already has one, or if the batch has ended. */
  function settle({ job, startedAt }: Worker, result: PromiseSettledResult<undefined>, now: number): void {
    if (!work?.states.settle(job, result)) return
    durations.push(now - startedAt)
    const { jobs, states } = work
    jobs.settled?.(job, result)
    if (result.status === 'fulfilled') jobs.ready.advanceGroup?.(job)
    else states.block(jobs.ready.removeBlockedBy?.(job) ?? [], result.reason)
    endIfDone()
  }

  function endIfDone(): void {
    if (work && work.states.running === 0 && work.states.waiting === 0) end()
  }

  /** From now on, no job starts. */
  function drain(): void {
    work?.states.drain()
    endIfDone()
  }

  /** Aborts the running jobs, and does not start the waiting ones. */
  function end(): void {
    if (!work) return
    const { jobs, states, batch } = work
    work = undefined
    const now = performance.now()
    for (const worker of workers) {
      // A job may already have a result, although its handler still runs.
      if (worker.options && states.isRunning(worker.job)) {
        // Each job has its own error, because its handler receives it as `signal.reason`, and can change it.
        const aborted = withoutStack(() => new RecordAbortedError('The batch ended before the record was finished'))
        const result = rejected(aborted)
        states.settle(worker.job, result)
        durations.push(now - worker.startedAt)
        jobs.settled?.(worker.job, result)
        abort(worker.options, aborted)
      }
      free(worker) // its handler may still hang
    }
    batch.ended(states.end())
  }

  return {
    workers,
    measures: { durations, peakInFlight: () => peakInFlight },
    isOver,
    isRunning,
    nextCount,
    enqueue,
    free,
    startWorkers,
    takeJob,
    runJob,
    settle,
    endIfDone,
    drain,
    end,
  }
}
