import { RecordAbortedError, withoutStack } from '../errors.ts'
import { isObject } from '../shared/describe.ts'
import type { ConcurrencySummary, RecordOptions } from '../types.ts'
import type { Deadlines } from './deadlines.ts'
import { abort, LazyJobOptions } from './job-options.ts'
import { createJobStates, FULFILLED, type JobFailure, rejected } from './job-states.ts'
import { FIXED, type Limiter, type LimiterFactory } from './limiting.ts'
import { createRateDispatch } from './rate-dispatch.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReadyQueue } from './ready-queue.ts'
import { createSlots } from './slots.ts'
import { createWatches, type Watch } from './watch.ts'
import type { Worker } from './worker.ts'
import { createYieldTimer } from './yield-timer.ts'

/** The jobs of one invocation. */
export interface Jobs {
  readonly count: number
  readonly ready: ReadyQueue
  /** Runs the handler of a job. */
  run(job: number, options: RecordOptions): unknown
  /** The records of a job, by their position in the batch. The rate limit counts them. */
  recordsIn(job: number): readonly number[]
  /** How often the record of each job has been received. `undefined` for chunks. */
  readonly receiveCounts?: readonly number[]
  /** Is called with the result of each job that was started. */
  readonly settled?: ((job: number, result: PromiseSettledResult<undefined>) => void) | undefined
}

/** The jobs of one invocation while they run. */
export interface JobRun {
  /** Resolves with the jobs that failed, in order, when all jobs have a result. Never rejects. */
  readonly done: Promise<JobFailure[]>
  /** Ends the run now: the running jobs are aborted, and the waiting ones are not started. */
  end(): void
  /** Milliseconds from the start of a job to its result, for each job that started. */
  readonly durations: readonly number[]
  /** The maximum number of handlers of this invocation that were in flight at once. */
  peakInFlight(): number
  /** `undefined` if the concurrency is a fixed number. */
  readonly limiter: ConcurrencySummary | undefined
}

/** What all invocations of a middleware instance share. */
export interface Limits {
  readonly concurrency: number
  /** Milliseconds. */
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
  /** Finds the concurrency while jobs run. `undefined` if it is fixed. */
  readonly limiter?: Limiter | undefined
  readonly applyLimiter?: LimiterFactory['applyLimiter'] | undefined
}

/**
 * Makes the scheduler of a middleware instance: a function that runs the jobs of one invocation.
 *
 * Functions that share variables, and not classes: the code of a small batch runs in V8's interpreter, where private
 * fields made the first twenty batches of ten 50 % slower. For the same reason, no object literal here has a getter:
 * V8 makes a hidden class for each.
 */
export function createScheduler({ concurrency, recordTimeout = Infinity, rateLimit, limiter, applyLimiter }: Limits) {
  const slots = createSlots(concurrency)
  const yieldTimer = createYieldTimer()
  const activeRuns = new Set<() => void>() // `startWorkers()` of each run that has not ended
  const limiting = (limiter && applyLimiter?.(limiter, slots, startWorkersOfAll)) ?? FIXED
  const watch = createWatches(recordTimeout, () => (limiter ?? slots).limit)

  function startWorkersOfAll(): void {
    for (const startWorkers of activeRuns) startWorkers()
  }

  function schedule(jobs: Jobs, deadlines: Deadlines): JobRun {
    const { promise: done, resolve } = Promise.withResolvers<JobFailure[]>()
    const { maxInFlight } = jobs.ready
    // `classify` and tracing subscribers run at the end of a job, and can take long. The worker then reads the clock
    // again before the next job.
    const isObserved = !limiting.isFixed || jobs.settled !== undefined
    const durations: number[] = []
    const workers = new Set<Worker>() // those that hold a slot
    // Everything that refers to the batch. `undefined` after the end, so that a handler that hangs does not keep the
    // batch in memory.
    let work: { jobs: Jobs; states: ReturnType<typeof createJobStates>; resolve: typeof resolve } | undefined = {
      jobs,
      states: createJobStates(jobs.count),
      resolve,
    }
    let inFlight = 0
    let peakInFlight = 0
    let workerCount = 0 // those that hold a slot or wait for one
    let isStartingWorkers = false
    let watching: Watch | undefined
    const startOwnWorkers = limiting.bind(startWorkers)
    // With a rate limit, `rateDispatch` starts the jobs, and `startWorkers()` does nothing.
    const rateDispatch =
      rateLimit &&
      createRateDispatch({ nextRecordCount, enqueue, free, takeJob, runJob, isOver }, rateLimit, slots, yieldTimer)

    function isOver(): boolean {
      return work === undefined
    }

    function hasWaitingJobs(): boolean {
      return work !== undefined && work.states.waiting > 0
    }

    function isRunning({ job }: Worker): boolean {
      return work?.states.isRunning(job) === true
    }

    /** Calls `start` when a slot is free. Call `free()` when the slot is no longer needed. */
    function enqueue(start: (worker: Worker) => void): void {
      slots.enqueue((release) => {
        const worker: Worker = {
          release,
          job: 0,
          startedAt: 0,
          timedOutAt: Infinity,
          options: undefined,
          token: undefined,
        }
        workers.add(worker)
        start(worker)
      })
    }

    /** Does nothing if `end()` has freed the slot. */
    function free(worker: Worker): void {
      if (workers.delete(worker)) worker.release()
    }

    /** Runs one job after another in a slot, until no job is ready or the worker must give up its slot. */
    async function runJobs(worker: Worker): Promise<void> {
      let now = performance.now()
      let mustGiveUp = false
      while (!mustGiveUp) {
        if (work && now > yieldTimer.yieldAt) {
          await yieldTimer.yieldToEventLoop()
          // Only if the limit has become smaller. If other workers just wait for a slot, this one first runs a job.
          mustGiveUp = slots.isOverLimit()
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
        // With a fixed limit and no other run, the workers that wait for a slot belong to batches that have ended.
        mustGiveUp = (!limiting.isFixed || activeRuns.size > 1) && slots.isContended()
      }
      // If the limit has become smaller, the batch may have more workers than there are slots.
      const hasTooManyWorkers = workerCount > slots.limit
      if (mustGiveUp && hasWaitingJobs() && !hasTooManyWorkers) enqueue(runJobs)
      else workerCount--
      free(worker)
    }

    async function runJob(worker: Worker, job: number, now: number): Promise<void> {
      let result: PromiseSettledResult<undefined> = FULFILLED
      try {
        await startJob(worker, job, now)
      } catch (error) {
        result = rejected(error)
      }
      finishJob(worker, result)
    }

    /** Removes and returns the next job; `undefined` if none may start. Drains the batch if its drain deadline is over. */
    function takeJob(now: number): number | undefined {
      if (now >= deadlines.drainAt) drain()
      return work && work.states.waiting > 0 ? work.jobs.ready.take() : undefined
    }

    /** How many records the next job that is ready has; 0 if none is ready. */
    function nextRecordCount(): number {
      if (!work || work.states.waiting === 0) return 0
      const job = work.jobs.ready.peek()
      return job === undefined ? 0 : work.jobs.recordsIn(job).length
    }

    function startJob(worker: Worker, job: number, now: number): unknown {
      const { jobs, states } = work as NonNullable<typeof work>
      worker.job = job
      worker.startedAt = now
      worker.timedOutAt = Infinity
      worker.options = new LazyJobOptions(job, jobs.receiveCounts?.[job] ?? 1)
      states.start(job)
      if (++inFlight > peakInFlight) peakInFlight = inFlight
      limiting.started(worker, now, states.waiting)
      return jobs.run(job, worker.options)
    }

    /** Returns the current time. The worker uses it as the start time of its next job. */
    function finishJob(worker: Worker, result: PromiseSettledResult<undefined>): number {
      const now = performance.now()
      inFlight--
      worker.options = undefined
      limiting.finished(worker, result, now)
      settle(worker, result, now)
      return isObserved ? performance.now() : now
    }

    /** Late results, of a job that timed out or whose batch has ended, are ignored. */
    function settle({ job, startedAt }: Worker, result: PromiseSettledResult<undefined>, now: number): void {
      if (!work?.states.settle(job, result)) return
      durations.push(now - startedAt)
      const { jobs, states } = work
      jobs.settled?.(job, result)
      if (result.status === 'fulfilled') jobs.ready.advanceGroup?.(job)
      else states.block(jobs.ready.removeBlockedBy?.(job) ?? [], result.reason)
      endIfDone()
    }

    function expire(worker: Worker, error: Error, now: number): void {
      limiting.timedOut(worker, error, now)
      worker.timedOutAt = now
      settle(worker, rejected(error), now)
      abort(worker.options as LazyJobOptions, error)
    }

    function startWatch(): Watch {
      return watch({ workers, isRunning, expire, drain, end: limiting.bind(end), isOver }, deadlines)
    }

    function endIfDone(): void {
      if (work && work.states.running === 0 && work.states.waiting === 0) end()
    }

    function drain(): void {
      work?.states.drain()
      rateDispatch?.leave()
      endIfDone()
    }

    function end(): void {
      if (!work) return
      const { jobs, states, resolve } = work
      work = undefined
      watching?.stop()
      activeRuns.delete(startOwnWorkers)
      rateDispatch?.leave()
      const now = performance.now()
      for (const worker of workers) {
        // A job that has timed out already has a result.
        if (worker.options && states.isRunning(worker.job)) {
          // Each job has its own error, because its handler receives it as `signal.reason`, and can change it.
          const aborted = withoutStack(() => new RecordAbortedError('The batch ended before the record was finished'))
          states.settle(worker.job, rejected(aborted))
          durations.push(now - worker.startedAt)
          jobs.settled?.(worker.job, rejected(aborted))
          abort(worker.options, aborted)
        }
        limiting.ended(worker, now)
        free(worker) // its handler may still hang
      }
      resolve(states.end())
    }

    /**
     * Starts workers one after another, because a worker costs as much as ten records. If a record has finished after
     * two microtasks, its handler does no I/O. More workers would not help, so this waits for the event loop.
     */
    async function startWorkers(): Promise<void> {
      if (rateDispatch || isStartingWorkers) return
      isStartingWorkers = true
      while (workerCount < slots.limit && workerCount < maxInFlight && nextRecordCount() > 0) {
        const finished = durations.length
        workerCount++
        enqueue(runJobs)
        await null
        await null
        if (durations.length > finished) await yieldTimer.yieldToEventLoop()
        // Only now, because a batch that the first worker has finished needs no timer.
        if (work) watching ??= startWatch()
      }
      isStartingWorkers = false
    }

    if (activeRuns.size === 0) yieldTimer.reset()
    activeRuns.add(startOwnWorkers)
    endIfDone()
    void startWorkers()
    if (rateDispatch && work) {
      watching = startWatch()
      watching.check()
      rateDispatch.dispatch()
    }
    return { done, end, durations, peakInFlight: () => peakInFlight, limiter }
  }
  return schedule
}
