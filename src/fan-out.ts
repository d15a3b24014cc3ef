import PQueue from 'p-queue'
import { createClock, type Slot } from './clock.ts'
import { isObject } from './describe.ts'
import { RecordAbortedError, RecordBlockedError, RecordTimeoutError, withStack } from './errors.ts'
import { createEventLoop } from './event-loop.ts'
import type { Lanes } from './lanes.ts'
import type { RateLimit } from './rate-limit.ts'
import { abort, LazyRecordOptions } from './record-options.ts'
import { complete, FULFILLED, type Results, RUNNING, rejected } from './results.ts'
import { endWhatIsStuck, type Holder } from './stuck.ts'
import type { Deadlines } from './time-budget.ts'
import type { RecordOptions } from './types.ts'

/** The records of one invocation on their way through the queue. */
export interface FanOut {
  /** Resolves, and never rejects, once every record has come to something. */
  readonly done: Promise<Results>
  /** Ends it now: what runs is aborted, what waits is not started. */
  end(): void
  /** Milliseconds from the start of each record's handler to its result; NaN where it did not start. */
  readonly durations: Float64Array
  /** The most handlers of this invocation that ran at once. */
  readonly peakInFlight: number
}

/** What a fan-out is to do. */
export interface Work {
  readonly size: number
  readonly lanes: Lanes
  readonly deadlines: Deadlines
  /** Runs the handler on the record of this index. */
  run(index: number, options: RecordOptions): unknown
  /** How often each record has been received. */
  readonly receiveCounts: readonly number[]
  /** How many records the rate limit counts at the start of this one. */
  weight(index: number): number
  /** Is told what a record that was started came to. */
  settled?: ((index: number, result: PromiseSettledResult<undefined>) => void) | undefined
}

/** What all invocations of a middleware instance share. */
export interface Limits {
  readonly concurrency: number
  readonly recordTimeout?: number | undefined
  readonly rateLimit?: RateLimit | undefined
}

/**
 * Makes the one queue of a middleware instance. What it returns starts an invocation's fan-out on it.
 *
 * One `queue.add()` a record costs some ten times what the rest of a record's way does (bench/results), so a task of the
 * queue is a lane: a loop that takes one record after another from its invocation's cursor. p-queue decides how many lanes
 * run (rule 1). A lane never takes a record of another invocation, whose AsyncLocalStorage it would not have.
 */
export function createFanOuts({ concurrency, recordTimeout = Infinity, rateLimit }: Limits): (work: Work) => FanOut {
  const queue = new PQueue({ concurrency })
  const live = new Set<Holder>()
  const eventLoop = createEventLoop()

  return function startFanOut(work) {
    const { size, lanes, deadlines, receiveCounts } = work
    let { run, weight, settled } = work
    let results: (PromiseSettledResult<undefined> | undefined)[] = new Array(size)
    const slots = new Set<Slot>()
    let { promise: done, resolve } = Promise.withResolvers<Results>()
    const durations = new Float64Array(size).fill(Number.NaN)
    let waiting = size // neither started nor blocked
    let running = 0 // without a result
    let inFlight = 0 // handlers that have not settled, those that timed out among them
    let peakInFlight = 0
    let ended = false
    let isInLine = false // a lane, for the rate limit
    const self = { deaf: 0, end }

    /** Returns whether it came in time. */
    function settle(index: number, result: PromiseSettledResult<undefined>): boolean {
      if (ended || results[index] !== RUNNING) return false
      results[index] = result
      running--
      settled?.(index, result)
      if (result.status === 'fulfilled') lanes.succeeded(index)
      else block(lanes.failed(index), result.reason)
      endIfAllIsDone()
      return true
    }

    function block(blocked: readonly number[], cause: unknown): void {
      if (blocked.length === 0) return
      const result = rejected(new RecordBlockedError({ cause }))
      for (const index of blocked) results[index] = result
      // After the drain they have been written off already.
      waiting = Math.max(0, waiting - blocked.length)
    }

    function endIfAllIsDone(): void {
      if (running === 0 && waiting === 0) end()
    }

    function drain(): void {
      waiting = 0
      rateLimit?.leave(self)
      endIfAllIsDone()
    }

    function end(): void {
      if (ended) return
      ended = true
      clock.stop()
      rateLimit?.leave(self)
      live.delete(self)
      // An error costs as much as ten records, so these are made where a record needs them alone.
      const why = 'The batch ended before the record was finished'
      const aborted = running > 0 ? withStack(new RecordAbortedError(why)) : undefined
      resolve(aborted || results.includes(undefined) ? complete(results, aborted) : (results as Results))
      for (const slot of slots) {
        if (aborted && slot.options && results[slot.options.index] === RUNNING) {
          durations[slot.options.index] = performance.now() - slot.startedAt
          settled?.(slot.options.index, rejected(aborted))
          abort(slot.options, aborted)
        }
        slot.release()
      }
      // A handler that hangs must not keep the whole batch in memory: nor do errors by the functions in their stacks.
      results = []
      resolve = undefined as never
      run = undefined as never
      weight = undefined as never
      settled = undefined
    }

    function take(): number | undefined {
      const index = waiting > 0 ? lanes.take() : undefined
      if (index === undefined) return undefined
      waiting--
      running++
      return index
    }

    function nextWeight(): number {
      const index = lanes.next()
      return index === undefined ? 0 : weight(index)
    }

    async function lane(slot: Slot): Promise<void> {
      let hasTurn = rateLimit === undefined
      let done = -1 // the record whose duration the next look at the clock tells: one of its own would cost as much again
      while (!ended) {
        const now = performance.now()
        if (done >= 0) durations[done] = now - slot.startedAt
        done = -1
        if (now >= deadlines.drainAt) return drain()
        if (eventLoop.isDueToTurn(now)) {
          await eventLoop.turn()
          continue
        }
        if (rateLimit && !hasTurn) {
          hasTurn = await rateLimit.turn(self, nextWeight)
          if (!hasTurn) return
          continue // by the clock as it is now
        }
        if (rateLimit && !rateLimit.mayStart(nextWeight())) {
          hasTurn = false
          continue
        }
        const index = take()
        if (index === undefined) return endTurn(0)
        results[index] = RUNNING
        if (++inFlight > peakInFlight) peakInFlight = inFlight
        slot.startedAt = now
        slot.options = new LazyRecordOptions(index, receiveCounts[index] as number)
        let result: PromiseSettledResult<undefined> = FULFILLED
        try {
          const value = rateLimit ? runInTurn(index, slot.options) : run(index, slot.options)
          // Waiting for what is not thenable would cost a turn of the microtask queue for nothing.
          if (isObject(value)) await value
        } catch (error) {
          result = rejected(error) // whatever it is (rule 4)
        }
        slot.options = undefined
        inFlight--
        if (slot.isDeaf) {
          slot.isDeaf = false
          self.deaf--
        }
        const isInTime = settle(index, result)
        // Lanes of other invocations wait for a slot: they get this one, and this lane gets in line (rule 9).
        const givesWay = rateLimit !== undefined || (queue.size > 0 && waiting > 0)
        if (isInTime && (ended || givesWay)) durations[index] = performance.now() - slot.startedAt
        else if (isInTime) done = index
        if (givesWay) return rateLimit ? getInLine() : addLane()
      }
    }

    function addLane(): void {
      void queue.add(
        () =>
          // A slot is held until the handlers in it have settled or the invocation has ended, whichever comes first.
          new Promise<void>((release) => {
            const slot: Slot = { release, startedAt: 0, options: undefined, isDeaf: false }
            slots.add(slot)
            void lane(slot).then(() => {
              slots.delete(slot)
              release()
            })
          }),
      )
    }

    /** Counted once it has begun: a pause of the process in between must not let another begin too early. */
    function runInTurn(index: number, options: RecordOptions): unknown {
      const count = weight(index)
      try {
        return run(index, options)
      } finally {
        endTurn(count)
        getInLine()
      }
    }

    function endTurn(count: number): void {
      isInLine = false
      rateLimit?.started(count)
    }

    /**
     * Under a rate limit a lane takes one record, and one lane waits for the next: more of them would hold slots that
     * other invocations could use. Called when a record starts, and when one may have become ready.
     */
    function getInLine(): void {
      if (isInLine || waiting === 0) return
      isInLine = true
      addLane()
    }

    /**
     * One lane after another, with time enough between them for a handler that settles at once to do so and for its lane
     * to go on: such handlers leave nothing for most of the lanes, of which each costs as much as ten records. Handlers
     * that wait for anything real do not notice. 10 and 100 records that do nothing took half and a fifth of the time.
     */
    async function addLanes(most: number): Promise<void> {
      for (let count = 0; count < most && waiting > 0; count++) {
        addLane()
        await null
        await null
      }
    }

    /** Reports a record as timed out. Its slot is freed by its handler only. */
    function expire(options: LazyRecordOptions, duration: number): void {
      if (results[options.index] !== RUNNING) return
      const error = new RecordTimeoutError(recordTimeout)
      durations[options.index] = duration
      settle(options.index, rejected(error))
      abort(options, error)
    }

    function deafen(slot: Slot): void {
      if (slot.isDeaf) return
      slot.isDeaf = true
      self.deaf++
    }

    const lookForStuck = () => endWhatIsStuck(live, concurrency, recordTimeout)
    const clock = createClock({ deadlines, recordTimeout, slots, drain, end, expire, deafen, lookForStuck })
    if (live.size === 0) eventLoop.reset()
    live.add(self)
    endIfAllIsDone()
    if (!ended) clock.watch()
    if (rateLimit) getInLine()
    else void addLanes(Math.min(concurrency, lanes.width))
    return {
      done,
      end,
      durations,
      get peakInFlight() {
        return peakInFlight
      },
    }
  }
}
