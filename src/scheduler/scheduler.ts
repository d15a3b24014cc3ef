import { AsyncLocalStorage } from 'node:async_hooks'
import { RecordAbortedError, RecordTimeoutError, withoutStack } from '../errors.ts'
import { isObject } from '../shared/describe.ts'
import { startTimer } from '../shared/timers.ts'
import { warn } from '../shared/warn.ts'
import type { Limiter, RecordOptions } from '../types.ts'
import type { Deadlines } from './deadlines.ts'
import { createEventLoop } from './event-loop.ts'
import { abort, LazyJobOptions } from './job-options.ts'
import { createJobStates, type Failure, FULFILLED, rejected } from './job-states.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReadyQueue } from './ready-queue.ts'
import { createSlots } from './slots.ts'

/** The jobs of one invocation while they run. */
export interface Schedule {
  /** Resolves with the jobs that failed, in order, when all jobs have a result. Never rejects. */
  readonly done: Promise<Failure[]>
  /** Ends the batch now: the running jobs are aborted, and the waiting ones are not started. */
  end(): void
  /** Milliseconds from the start of a job to its result, for each job that started. */
  readonly durations: readonly number[]
  /** The maximum number of handlers of this invocation that were in flight at once. */
  peakInFlight(): number
  /** `undefined` if the concurrency is a fixed number. */
  readonly limiter: Limiter | undefined
}

/** The jobs of one invocation. */
export interface Jobs {
  readonly count: number
  readonly ready: ReadyQueue
  /** Runs the handler of a job. */
  run(job: number, options: RecordOptions): unknown
  /** The records of a job, by their position in the batch. The rate limit counts them. */
  recordsIn(job: number): readonly number[]
  /** How often each record has been received. `undefined` for chunks: their handler does not receive it. */
  readonly receiveCounts?: readonly number[]
  /** Is called with the result of each job that was started. */
  readonly settled?: ((job: number, result: PromiseSettledResult<undefined>) => void) | undefined
}

/** What all invocations of a middleware instance share. */
export interface Limits {
  readonly concurrency: number
  /** Milliseconds. */
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
  /** Changes the concurrency while jobs run. `undefined` if it is fixed. */
  readonly limiter?: Limiter | undefined
}

/** A slot that a worker of this invocation holds, and the job that runs in it. */
interface Slot {
  readonly release: () => void
  job: number
  startedAt: number
  /**
   * When the job was aborted because it timed out. `Infinity` if it was not. If the thread was blocked, this is later
   * than `startedAt` + `recordTimeout`.
   */
  timedOutAt: number
  /** `undefined` while no job runs in the slot. */
  options: LazyJobOptions | undefined
  /** Only with a limiter: the value that it returned for the job. `undefined` while no job runs in the slot. */
  token: object | undefined
}

/** Makes the scheduler of a middleware instance: a function that runs the jobs of one invocation. */
export function createScheduler({ concurrency, recordTimeout = Infinity, rateLimit, limiter }: Limits) {
  const slots = createSlots(concurrency)
  const eventLoop = createEventLoop()
  const liveBatches = new Set<{ countUnresponsive(now: number): number; startWorkers(): void; end(): void }>()

  function applyLimit({ limit }: Limiter): void {
    // A higher limit starts handlers, and a handler can block the thread. They start in a microtask, because the caller
    // has read the clock before this call, and uses that time after it.
    if (limit > slots.limit) queueMicrotask(syncLimit)
    else if (limit < slots.limit) slots.limit = limit
  }

  function syncLimit(): void {
    const { limit } = limiter as Limiter
    if (limit !== slots.limit) slots.limit = limit
    for (const batch of liveBatches) batch.startWorkers()
  }

  /**
   * If a handler is still running one `recordTimeout` after it timed out, it ignores its signal. If such handlers
   * occupy all slots, no other handler can run. Their batches are then ended.
   */
  function endUnresponsive(now: number): void {
    let count = 0
    for (const batch of liveBatches) count += batch.countUnresponsive(now)
    if (count < (limiter?.limit ?? slots.limit)) return
    warn(
      'BOUNDED_SQS_BATCH_SIGNAL_IGNORED',
      `Handlers that ignore their signal occupy all ${slots.limit} slots: each still runs ` +
        `${recordTimeout} ms (recordTimeout) after its signal aborted. Their batches end now, and records that have not ` +
        'started are reported. Pass `signal` to every call that a handler awaits, for example fetch(url, { signal })',
    )
    for (const batch of liveBatches) if (batch.countUnresponsive(now) > 0) batch.end()
  }

  function schedule(jobs: Jobs, deadlines: Deadlines): Schedule {
    const { promise: done, resolve } = Promise.withResolvers<Failure[]>()
    const { maxInFlight } = jobs.ready
    // `classify` and tracing subscribers run at the end of a job, and can take long. The worker then reads the clock
    // again before the next job.
    const isObserved = limiter !== undefined || jobs.settled !== undefined
    const durations: number[] = []
    const heldSlots = new Set<Slot>()
    // Everything that refers to the batch. `undefined` after the end, so that a handler that hangs does not keep the
    // batch in memory.
    let work: { jobs: Jobs; states: ReturnType<typeof createJobStates>; resolve: typeof resolve } | undefined = {
      jobs,
      states: createJobStates(jobs.count),
      resolve,
    }
    let inFlight = 0
    let peakInFlight = 0
    let workers = 0 // those that hold a slot or wait for one
    let isStartingWorkers = false
    let isDispatching = false
    let timer: NodeJS.Timeout | undefined // the last one that was set
    const liveBatch = {
      countUnresponsive,
      // With a limiter, another invocation can call these functions. They are bound, so that handlers and abort
      // listeners keep the async context of their own invocation. With a fixed limit, no other invocation calls
      // `startWorkers()`. It can call `end()`, but only if all running jobs have timed out, so no abort listener runs.
      startWorkers: limiter ? AsyncLocalStorage.bind(startWorkers) : startWorkers,
      end: limiter ? AsyncLocalStorage.bind(end) : end,
    }

    /** Calls `run` when a slot is free. Call `freeSlot()` when the slot is no longer needed. */
    function enqueueSlot(run: (slot: Slot) => void): void {
      slots.enqueue((release) => {
        const slot: Slot = {
          release,
          job: 0,
          startedAt: 0,
          timedOutAt: Infinity,
          options: undefined,
          token: undefined,
        }
        heldSlots.add(slot)
        run(slot)
      })
    }

    /** Does nothing if `end()` has freed the slot. */
    function freeSlot(slot: Slot): void {
      if (heldSlots.delete(slot)) slot.release()
    }

    /** Runs one job after another in a slot, until no job is ready or the worker must give the slot up. */
    async function worker(slot: Slot): Promise<void> {
      let now = performance.now()
      let mustGiveUp = false
      while (!mustGiveUp) {
        if (work && now > eventLoop.yieldAt) {
          await eventLoop.yieldToEventLoop()
          // Not `isContended`: if other workers wait for a slot, this worker first runs a job.
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
          const value = startJob(slot, job, now)
          if (isObject(value)) await value
        } catch (error) {
          result = rejected(error)
        }
        now = finishJob(slot, result)
        // With a fixed limit and no other live batch, a worker that waits for a slot has no jobs to run. Its batch may
        // have ended.
        mustGiveUp = (limiter !== undefined || liveBatches.size > 1) && slots.isContended()
      }
      // Waits for a slot again, unless the limit became smaller and this batch has more workers than there are slots.
      if (mustGiveUp && work && work.states.waiting > 0 && workers <= slots.limit) enqueueSlot(worker)
      else workers--
      freeSlot(slot)
    }

    async function runJob(slot: Slot, job: number, now: number): Promise<void> {
      let result: PromiseSettledResult<undefined> = FULFILLED
      try {
        await startJob(slot, job, now)
      } catch (error) {
        result = rejected(error)
      }
      finishJob(slot, result)
    }

    /**
     * Used only with a rate limit. Called when a job may be ready. At most one job of this invocation holds a slot
     * while it waits for the rate limit. More would hold slots that other invocations could use.
     */
    function dispatch(): void {
      if (isDispatching || nextRecordCount() === 0) return
      isDispatching = true
      enqueueSlot((slot) => void runWhenDue(slot).then(() => freeSlot(slot)))
    }

    async function runWhenDue(slot: Slot): Promise<void> {
      const limit = rateLimit as RateLimit
      let isDue = false
      while (work) {
        isDue ||= await limit.waitUntilDue(liveBatch, nextRecordCount)
        const now = performance.now()
        if (now >= deadlines.drainAt) drain()
        if (!isDue || !work || now >= deadlines.drainAt) break
        if (slots.isOverLimit()) {
          // Waits for another slot, and lets the next invocation continue.
          isDispatching = false
          limit.leave(liveBatch)
          return dispatch()
        }
        if (now > eventLoop.yieldAt) {
          await eventLoop.yieldToEventLoop()
          continue
        }
        const recordCount = nextRecordCount()
        if (!limit.mayStart(recordCount)) {
          isDue = false // the next job has more records now, or another invocation has started some: wait again
          continue
        }
        const job = takeJob(now) // `undefined` if the job was blocked in the meantime
        const running = job === undefined ? undefined : runJob(slot, job, now)
        isDispatching = false
        // The records are counted after their handler has started. If they were counted before it, and the process
        // paused in between, the next records could start too soon.
        limit.countStarts(recordCount)
        dispatch()
        await running
        return dispatch() // the next job of a FIFO group may be ready now
      }
      isDispatching = false
    }

    /** Removes and returns the next job; `undefined` if none may start. Drains the batch if its drain deadline is over. */
    function takeJob(now: number): number | undefined {
      if (now >= deadlines.drainAt) drain()
      return work && work.states.waiting > 0 ? work.jobs.ready.take() : undefined
    }

    /**
     * How many records the rate limit counts for the next job that is ready; 0 if none is. Without a rate limit, only
     * whether it is 0 matters.
     */
    function nextRecordCount(): number {
      if (!work || work.states.waiting === 0) return 0
      const job = work.jobs.ready.peek()
      return job === undefined ? 0 : work.jobs.recordsIn(job).length
    }

    function startJob(slot: Slot, job: number, now: number): unknown {
      const { jobs, states } = work as NonNullable<typeof work>
      slot.job = job
      slot.startedAt = now
      slot.timedOutAt = Infinity
      slot.options = new LazyJobOptions(job, jobs.receiveCounts?.[job] ?? 1)
      states.start(job)
      if (++inFlight > peakInFlight) peakInFlight = inFlight
      if (limiter) {
        slot.token = limiter.started(now, states.waiting)
        applyLimit(limiter)
      }
      return jobs.run(job, slot.options)
    }

    /** Returns the current time. The worker uses it as the start time of its next job. */
    function finishJob(slot: Slot, result: PromiseSettledResult<undefined>): number {
      const now = performance.now()
      inFlight--
      slot.options = undefined
      if (limiter && slot.token) {
        // If the job timed out, the limiter knows that already, and ignores `succeeded`.
        const succeeded =
          result.status === 'fulfilled' || (slot.timedOutAt === Infinity && limiter.failed(result.reason, now))
        endInLimiter(slot, now, succeeded)
      }
      settle(slot, result, now)
      return isObserved ? performance.now() : now
    }

    function endInLimiter(slot: Slot, now: number, succeeded: boolean | undefined): void {
      if (!limiter || !slot.token) return
      limiter.ended(slot.token, slot.startedAt, now, succeeded)
      slot.token = undefined
      applyLimit(limiter)
    }

    /** Late results, of a job that timed out or whose batch has ended, are ignored. */
    function settle({ job, startedAt }: Slot, result: PromiseSettledResult<undefined>, now: number): void {
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

    function drain(): void {
      work?.states.drain()
      rateLimit?.leave(liveBatch)
      endIfDone()
    }

    function end(): void {
      if (!work) return
      const { jobs, states, resolve } = work
      work = undefined
      clearTimeout(timer)
      liveBatches.delete(liveBatch)
      rateLimit?.leave(liveBatch)
      const now = performance.now()
      for (const slot of heldSlots) {
        // A job that has timed out already has a result.
        if (slot.options && states.isRunning(slot.job)) {
          // Each job has its own error, because its handler receives it as `signal.reason`, and can change it.
          const aborted = withoutStack(() => new RecordAbortedError('The batch ended before the record was finished'))
          states.settle(slot.job, rejected(aborted))
          durations.push(now - slot.startedAt)
          jobs.settled?.(slot.job, rejected(aborted))
          abort(slot.options, aborted)
        }
        endInLimiter(slot, now, undefined)
        freeSlot(slot) // its handler may still hang
      }
      resolve(states.end())
    }

    /** Handles each deadline and record timeout that has passed, and sets the timer for the next one. */
    function watchDeadlines(): void {
      const now = performance.now()
      if (now >= deadlines.abortAt) {
        end()
        return
      }
      if (now >= deadlines.drainAt) drain()
      let next = now < deadlines.drainAt ? deadlines.drainAt : deadlines.abortAt
      if (recordTimeout < Infinity) {
        const nextExpiry = expireJobs(now)
        if (limiter) applyLimit(limiter)
        // A job that starts after now expires no earlier than now + recordTimeout.
        next = Math.min(next, nextExpiry, now + recordTimeout)
        endUnresponsive(now)
      }
      if (work && next < Infinity) timer = startTimer(watchDeadlines, next - now)
    }

    /**
     * Reports the jobs that have run for `recordTimeout`. Each keeps its slot until its handler settles or the batch
     * ends.
     *
     * @returns when the next job times out or becomes unresponsive
     */
    function expireJobs(now: number): number {
      let next = Infinity
      for (const slot of heldSlots) {
        const { options, startedAt } = slot
        if (!options) continue
        const expiresAt = startedAt + recordTimeout
        if (now >= expiresAt && work?.states.isRunning(slot.job)) {
          const error = new RecordTimeoutError(recordTimeout)
          if (limiter && slot.token) slot.token = limiter.timedOut(slot.token, startedAt, error, now)
          slot.timedOutAt = now
          settle(slot, rejected(error), now)
          abort(options, error)
        }
        // When the job times out, or becomes unresponsive if it has timed out already.
        const nextAt = slot.timedOutAt < Infinity ? slot.timedOutAt + recordTimeout : expiresAt
        if (now < nextAt) next = Math.min(next, nextAt)
      }
      return next
    }

    function countUnresponsive(now: number): number {
      let count = 0
      // The time since `timedOutAt` is -Infinity for a job that has not timed out.
      for (const { options, timedOutAt } of heldSlots) if (options && now - timedOutAt >= recordTimeout) count++
      return count
    }

    /**
     * Starts workers one after another, because a worker costs as much as ten records. A record that finishes within
     * two microtasks does not wait for I/O. One worker is then enough until the event loop continues.
     */
    async function startWorkers(): Promise<void> {
      if (rateLimit || isStartingWorkers) return
      isStartingWorkers = true
      while (workers < slots.limit && workers < maxInFlight && nextRecordCount() > 0) {
        const finished = durations.length
        workers++
        enqueueSlot(worker)
        await null
        await null
        if (durations.length > finished) await eventLoop.yieldToEventLoop()
        // The timer is set here and not earlier: the first worker checks the clock itself, and may finish the batch
        // first. A timer and not a call: the promises of handlers that have finished settle before it, so their records
        // are not reported as timed out.
        if (work) timer ??= startTimer(watchDeadlines, 0)
      }
      isStartingWorkers = false
    }

    if (liveBatches.size === 0) eventLoop.reset()
    liveBatches.add(liveBatch)
    endIfDone()
    void startWorkers()
    if (rateLimit) {
      watchDeadlines()
      dispatch()
    }
    // A function and not a getter: V8 makes a hidden class for each literal with a getter. Measured: 20 µs per
    // invocation.
    return { done, end, durations, peakInFlight: () => peakInFlight, limiter }
  }
  return schedule
}
