import { RecordAbortedError, RecordBlockedError, RecordNotStartedError, withoutStack } from '../errors.ts'
import { isObject } from '../shared/describe.ts'
import { startTimer } from '../shared/timers.ts'
import type { RecordOptions } from '../types.ts'
import type { Deadlines } from './deadlines.ts'
import { abort, type JobFailure, type JobNumber, JobOptions, rejected } from './job.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReadyQueue } from './ready-queue.ts'
import type { Slot, Slots } from './slots.ts'
import { microtasksDone, type YieldTimer } from './yield-timer.ts'

/** What a run does: its jobs. A job is a record or a chunk. */
export interface Jobs {
  readonly count: number
  /** Which job may start next on a FIFO queue. `undefined` if all may: they start in order. */
  readonly ready?: ReadyQueue | undefined
  /** Calls the handler. The log recognises the frames of this package by this name and by `boundedSqsBatchWorker`. */
  boundedSqsBatchJob(job: JobNumber, options: RecordOptions): unknown
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
  readonly rateLimit: RateLimit | undefined
  /** Milliseconds, or `Infinity`. */
  readonly recordTimeout: number
  /** Reports the jobs of a run that have run for `recordTimeout`. Returns when it must be called again. */
  readonly expireJobs: (run: Run, now: number) => number
  /** The runs that have not ended. */
  readonly active: Set<Run>
}

/** Holds a slot, and takes one job after another. */
export interface Worker {
  readonly slot: Slot
  /** The last job that it started; -1 before the first. */
  job: JobNumber
  startedAt: number
  /**
   * When the job was aborted because it timed out. `Infinity` if it was not. If the thread was blocked, this
   * is later than `startedAt` + `recordTimeout`.
   */
  timedOutAt: number
  /** `undefined` while no job runs. */
  options: JobOptions | undefined
}

/** The jobs of one invocation while they run. */
export interface Run {
  /** Milliseconds from the start of a job to its result, for each job that started. */
  readonly durations: readonly number[]
  readonly workers: ReadonlySet<Worker>
  /** The maximum number of handlers of this invocation that were in flight at once. */
  peakInFlight(): number
  /** Whether the run waits for a slot. */
  isWaiting(): boolean
  /** Whether the worker's job has no result yet. */
  isRunning(worker: Worker): boolean
  /** How many records the next job that is ready has; 0 if none is ready. */
  nextCount(): number
  /** Whether a job may start now. */
  mayStart(now: number): boolean
  /** Starts what may start. Call it when a job may be ready. */
  start(): void
  /** Takes one job after another in this slot, and frees it. */
  boundedSqsBatchWorker(slot: Slot): Promise<void>
  settle(worker: Worker, result: PromiseSettledResult<undefined>, now: number): void
  /** Starts the timer that drains and ends the run at its deadlines, and reports jobs that have run too long. */
  watch(): void
  endIfDone(): void
  /** Ends the run now: the running jobs are aborted, and no further one starts. */
  end(): void
}

/** Everything that refers to the batch. A run drops it at its end, so a hung handler does not keep it in memory. */
interface Work {
  readonly jobs: Jobs
  /** `undefined` for a job that has not started. */
  readonly results: (PromiseSettledResult<unknown> | undefined)[]
  readonly ended: (failures: JobFailure[]) => void
}

const FULFILLED: PromiseFulfilledResult<undefined> = { status: 'fulfilled', value: undefined }
/** Marks a job that runs. It is compared by identity, and its content is never read. */
const RUNNING = rejected(undefined)
/** How many workers start between two times at which all microtasks run. */
const GROUP = 4

/**
 * Makes the run of one invocation: which job is next, the result of each job, its workers and its timer. A
 * job counts as failed unless it was fulfilled before the end.
 *
 * This is one closure, because cold code runs in V8's interpreter: private fields made the first twenty
 * batches of ten 50 % slower. It has few functions: after a pause, each one costs 0.25 to 0.5 µs, whatever it
 * does (measured).
 *
 * @param ended is called with the jobs that failed, in order, when all jobs have a result
 */
export function createRun(
  jobs: Jobs,
  { drainAt, abortAt }: Deadlines,
  shared: Shared,
  ended: (failures: JobFailure[]) => void,
): Run {
  const { slots, yieldTimer, rateLimit, recordTimeout, expireJobs, active } = shared
  const durations: number[] = []
  const workers = new Set<Worker>()
  let work: Work | undefined = { jobs, results: new Array(jobs.count), ended }
  let { ready } = jobs
  let next = 0 // the job that starts next on a standard queue
  let unstarted = jobs.count // how many jobs are neither started nor blocked. 0 after `drain()`
  let running = 0 // how many jobs are started and have no result
  let inFlight = 0 // how many handlers have started and not settled
  let peakInFlight = 0
  let isStarting = false // whether workers start, or the run waits for a slot
  let isWaiting = false
  let timer: NodeJS.Timeout | undefined

  const isReady = () => unstarted > 0 && (ready === undefined || ready.peek() !== undefined)
  const canStart = () => isReady() && workers.size < slots.limit

  /**
   * Starts workers one after another, while each worker has a handler in flight. A worker that has none waits
   * for its turn to use the CPU, and another one would not help.
   *
   * All microtasks run after the first start, and then after each group of four. So a handler that uses the
   * CPU after many microtasks, for example after an asynchronous schema, does this before others start, and
   * at most one group of them runs in the same turn of the event loop.
   *
   * @param given a slot that the run has waited for
   */
  async function startWorkers(given?: Slot): Promise<void> {
    isStarting = true
    let slot = given
    let started = 0
    while (canStart()) {
      if (inFlight < workers.size) {
        await yieldTimer.yield()
        continue
      }
      slot ??= slots.take()
      if (!slot) return waitForSlot()
      void run.boundedSqsBatchWorker(slot)
      slot = undefined
      started++
      // Waiting for all microtasks after each worker would make batches of 100 a third slower.
      if (started > 1 && started % GROUP > 0) {
        await null
        continue
      }
      await microtasksDone()
      watch() // before a yield, which can last long while other batches use the CPU
    }
    isStarting = false
    if (slot) slots.free(slot)
  }

  function waitForSlot(): void {
    watch()
    isWaiting = true
    slots.wait((slot) => {
      isWaiting = false
      void startWorkers(slot)
    })
  }

  function mayStart(now: number): boolean {
    if (now >= drainAt) drain()
    return isReady()
  }

  /**
   * Whether another run waits for a slot and holds less than its share of the slots. With fewer slots than
   * runs, the share is one slot, so each run waits for its turn. Comparing with the share keeps two large
   * batches from giving slots to each other after each record, which took 8 times the CPU. A run that holds
   * no more than its share gives a slot up only for one that has none, or at least two fewer.
   */
  function mustShare(): boolean {
    if (!slots.isContended()) return false
    const share = Math.max(1, Math.floor(slots.limit / active.size))
    const least = workers.size > share ? share : Math.max(1, workers.size - 1)
    for (const other of active) if (other.isWaiting() && other.workers.size < least) return true
    return false
  }

  /** Starts the next job, which must be ready. Returns what its handler returned. */
  function startJob(worker: Worker, now: number): unknown {
    const { jobs, results } = work as Work
    const job = (ready ? ready.take() : next++) as JobNumber
    const options = new JobOptions(job, jobs.receiveCounts?.[job] ?? 1)
    worker.job = job
    worker.startedAt = now
    worker.timedOutAt = Infinity
    worker.options = options
    results[job] = RUNNING
    unstarted--
    running++
    if (++inFlight > peakInFlight) peakInFlight = inFlight
    return jobs.boundedSqsBatchJob(job, options)
  }

  /** Ignores a result if the job already has one, or if the run has ended. */
  function settle(worker: Worker, result: PromiseSettledResult<undefined>, now: number): void {
    const { job } = worker
    if (work?.results[job] !== RUNNING) return
    const { jobs, results } = work
    results[job] = result
    running--
    durations.push(now - worker.startedAt)
    jobs.settled?.(job, result)
    if (ready) {
      if (result.status === 'fulfilled') ready.advanceGroup(job)
      else block(results, ready.removeBlockedBy(job), result.reason)
    }
    endIfDone()
  }

  /** Marks jobs that must not start, because another job failed with `cause`. */
  function block(results: Work['results'], jobs: readonly JobNumber[], cause: unknown): void {
    if (jobs.length === 0) return
    const blocked = rejected(new RecordBlockedError({ cause }))
    for (const job of jobs) results[job] = blocked
    unstarted = Math.max(0, unstarted - jobs.length) // after `drain()` it is 0 already
  }

  function endIfDone(): void {
    if (running === 0 && unstarted === 0) end()
  }

  /** From now on, no job starts. */
  function drain(): void {
    unstarted = 0
    rateLimit?.leave(run)
    endIfDone()
  }

  function end(): void {
    if (!work) return
    const { jobs, results, ended } = work
    work = undefined
    ready = undefined
    unstarted = 0
    clearTimeout(timer)
    active.delete(run)
    rateLimit?.leave(run)
    const now = performance.now()
    for (const { job, slot, options, startedAt } of workers) {
      // A job may already have a result, although its handler still runs.
      if (options && results[job] === RUNNING) {
        // Each job has its own error, because its handler receives it as `signal.reason`, and can change it.
        const aborted = withoutStack(
          () => new RecordAbortedError('The batch ended before the record was finished'),
        )
        const result = rejected(aborted)
        results[job] = result
        durations.push(now - startedAt)
        jobs.settled?.(job, result)
        abort(options, aborted)
      }
      slots.free(slot) // its handler may still hang
    }
    workers.clear()
    ended(failuresOf(results))
  }

  function watch(): void {
    if (timer || !work) return
    let expiry = Infinity
    for (const { startedAt } of workers) expiry = Math.min(expiry, startedAt + recordTimeout)
    startWatchTimer(performance.now(), expiry)
  }

  function startWatchTimer(now: number, nextExpiry: number): void {
    // A job that starts after now expires no earlier than now + recordTimeout.
    const at = Math.min(now < drainAt ? drainAt : abortAt, nextExpiry, now + recordTimeout)
    if (at < Infinity && work) timer = startTimer(check, at - now)
  }

  function check(): void {
    const now = performance.now()
    if (now >= abortAt) end()
    else if (now >= drainAt) drain()
    startWatchTimer(now, expireJobs(run, now))
  }

  const run: Run = {
    durations,
    workers,
    peakInFlight: () => peakInFlight,
    isWaiting: () => isWaiting,
    isRunning: ({ job }) => work?.results[job] === RUNNING,
    nextCount: () => (work && isReady() ? work.jobs.sizeOf(ready?.peek() ?? (next as JobNumber)) : 0),
    mayStart,
    start() {
      if (!isStarting) void startWorkers()
    },
    async boundedSqsBatchWorker(slot) {
      const worker: Worker = {
        slot,
        job: -1 as JobNumber,
        startedAt: 0,
        timedOutAt: Infinity,
        options: undefined,
      }
      workers.add(worker)
      let now = performance.now()
      while (true) {
        if (now > yieldTimer.yieldAt && work && !rateLimit) {
          await yieldTimer.yield()
          now = performance.now()
          continue
        }
        if (!mayStart(now)) break
        let result: PromiseSettledResult<undefined> = FULFILLED
        try {
          const value = startJob(worker, now)
          if (isObject(value)) await value
        } catch (error) {
          result = rejected(error)
        }
        now = performance.now()
        inFlight--
        worker.options = undefined
        settle(worker, result, now)
        if (work?.jobs.settled) now = performance.now() // a subscriber of the tracing channel can take long
        if (rateLimit || mustShare()) break
      }
      if (workers.delete(worker)) slots.free(slot) // `end()` may have freed it
      if (isReady()) run.start()
    },
    settle,
    watch,
    endIfDone,
    end,
  }
  return run
}

/** The jobs that did not succeed. */
function failuresOf(results: Work['results']): JobFailure[] {
  const failures: JobFailure[] = []
  let notStarted: Error | undefined // one error for all: to make one costs as much as ten records
  for (let job = 0; job < results.length; job++) {
    const result = results[job]
    if (result === FULFILLED) continue
    if (!result) notStarted ??= new RecordNotStartedError('The batch ended before the record started')
    failures.push({
      job: job as JobNumber,
      reason: result ? (result as PromiseRejectedResult).reason : notStarted,
    })
  }
  return failures
}
