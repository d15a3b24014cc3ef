import { setImmediate } from 'node:timers' // the true one, also where a test has put a clock of its own in its place
import PQueue from 'p-queue'
import { isObject } from './describe.ts'
import { RecordAbortedError, RecordBlockedError, RecordNotStartedError, RecordTimeoutError } from './errors.ts'
import type { Lanes } from './lanes.ts'
import { abort, LazyRecordOptions } from './record-options.ts'
import type { Deadlines } from './time-budget.ts'
import type { RecordOptions } from './types.ts'

/** What each record of an invocation came to, in record order. */
export type Results = PromiseSettledResult<undefined>[]

/** The records of one invocation on their way through the queue. */
export interface FanOut {
  /** Resolves, and never rejects, once every record has come to something. */
  readonly done: Promise<Results>
  /** Ends it now: what runs is aborted, what waits is not started. Returns whether it had not ended by itself. */
  end(): boolean
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
}

const FULFILLED: PromiseFulfilledResult<undefined> = Object.freeze({ status: 'fulfilled', value: undefined })
/** Stands in a record's slot while its handler runs; an empty slot is a record that has not started. Both are failures. */
const RUNNING = rejected(undefined)
/** Most milliseconds for which lanes keep the event loop from turning, beyond what one handler takes. */
const LONGEST_TURN = 10
/** The longest delay of a timer; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1

/**
 * Makes the one queue of a middleware instance. What it returns starts an invocation's fan-out on it.
 *
 * One `queue.add()` a record costs 4.4 µs (p-queue 10, Node 24), so a task of the queue is a lane: a loop that takes
 * one record after another from its invocation's cursor. p-queue decides how many lanes run (rule 1). A lane never takes a
 * record of another invocation, whose AsyncLocalStorage it would not have.
 */
export function createFanOuts(concurrency: number, recordTimeout = Infinity): (work: Work) => FanOut {
  const queue = new PQueue({ concurrency })
  const live = new Set<{ deaf: number; end(): boolean }>()
  let lastTurn = 0
  let turning: Promise<void> | undefined

  function turnOfEventLoop(): Promise<void> {
    turning ??= new Promise((resolve) => {
      setImmediate(() => {
        turning = undefined
        lastTurn = performance.now()
        resolve()
      })
    })
    return turning
  }

  /** Rule 8: where handlers that do not heed their signal hold every slot, the invocations that they belong to end. */
  function endWhatIsStuck(): void {
    let deaf = 0
    for (const fanOut of live) deaf += fanOut.deaf
    if (deaf < concurrency) return
    for (const fanOut of [...live]) if (fanOut.deaf > 0) fanOut.end()
  }

  return function startFanOut({ size, lanes, deadlines, receiveCounts, ...work }) {
    let { run } = work
    const results: (PromiseSettledResult<undefined> | undefined)[] = new Array(size)
    const slots = new Set<Slot>()
    const { promise: done, resolve } = Promise.withResolvers<Results>()
    let waiting = size // neither started nor blocked
    let running = 0 // without a result
    let ended = false
    let timer: NodeJS.Timeout | undefined
    const self = { deaf: 0, end }

    function settle(index: number, result: PromiseSettledResult<undefined>): void {
      if (ended || results[index] !== RUNNING) return // too late
      results[index] = result
      running--
      if (result.status === 'fulfilled') lanes.succeeded(index)
      else block(lanes.failed(index), result.reason)
      endIfAllIsDone()
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
      endIfAllIsDone()
    }

    function end(): boolean {
      if (ended) return false
      ended = true
      clearTimeout(timer)
      live.delete(self)
      run = undefined as never // a handler that hangs must not keep the whole batch in memory
      // An error costs as much as ten records, so these are made where a record needs them alone.
      const aborted = running > 0 ? new RecordAbortedError('The batch ended before the record was finished') : undefined
      resolve(aborted || results.includes(undefined) ? complete(results, aborted) : (results as Results))
      for (const slot of slots) {
        if (aborted && slot.options && results[slot.options.index] === RUNNING) abort(slot.options, aborted)
        slot.release()
      }
      return true
    }

    async function lane(slot: Slot): Promise<void> {
      while (!ended) {
        const now = performance.now()
        if (now >= deadlines.drainAt) return drain()
        if (now - lastTurn > LONGEST_TURN) {
          await turnOfEventLoop()
          continue
        }
        const index = waiting > 0 ? lanes.take() : undefined
        if (index === undefined) return
        waiting--
        running++
        results[index] = RUNNING
        slot.startedAt = now
        slot.options = new LazyRecordOptions(index, receiveCounts[index] as number)
        let result: PromiseSettledResult<undefined> = FULFILLED
        try {
          const value = run(index, slot.options)
          // Waiting for what is not thenable would cost a turn of the microtask queue for nothing.
          if (isObject(value)) await value
        } catch (error) {
          result = rejected(error) // whatever it is (rule 4)
        }
        slot.options = undefined
        if (slot.isDeaf) {
          slot.isDeaf = false
          self.deaf--
        }
        settle(index, result)
        // Lanes of other invocations wait for a slot: they get this one, and this lane gets in line (rule 9).
        if (queue.size > 0 && waiting > 0) return addLane()
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

    /** Does what is due by the clock, and comes back when the next thing can be due. */
    function watch(): void {
      const now = performance.now()
      if (now >= deadlines.abortAt) return void end()
      if (now >= deadlines.drainAt) drain()
      let next = Math.min(now + recordTimeout, now < deadlines.drainAt ? deadlines.drainAt : deadlines.abortAt)
      for (const slot of recordTimeout < Infinity ? slots : []) {
        if (!slot.options) continue
        const expiresAt = slot.startedAt + recordTimeout
        if (now < expiresAt) next = Math.min(next, expiresAt)
        else if (now < expiresAt + recordTimeout) {
          next = Math.min(next, expiresAt + recordTimeout)
          expire(slot.options)
        } else if (!slot.isDeaf) {
          expire(slot.options)
          slot.isDeaf = true
          self.deaf++
        }
      }
      endWhatIsStuck()
      if (ended || next === Infinity) return
      timer = setTimeout(watch, Math.min(Math.max(1, Math.ceil(next - now)), LONGEST_DELAY))
    }

    /** Reports a record as timed out. Its slot is freed by its handler only. */
    function expire(options: LazyRecordOptions): void {
      if (results[options.index] !== RUNNING) return
      const error = new RecordTimeoutError(recordTimeout)
      settle(options.index, rejected(error))
      abort(options, error)
    }

    if (live.size === 0) lastTurn = performance.now()
    live.add(self)
    endIfAllIsDone()
    if (!ended) watch()
    void addLanes(Math.min(concurrency, lanes.width))
    return { done, end }
  }
}

/** A place in the queue, and the record that runs in it. */
interface Slot {
  readonly release: () => void
  startedAt: number
  options: LazyRecordOptions | undefined
  isDeaf: boolean
}

function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason }
}

/** Rule 3: a slot without a result of its own is a failure. */
function complete(results: (PromiseSettledResult<undefined> | undefined)[], aborted: Error | undefined): Results {
  const neverRan = rejected(new RecordNotStartedError('The batch ended before the turn of the record came'))
  const wasRunning = rejected(aborted)
  return Array.from(results, (result) => (result === RUNNING ? wasRunning : (result ?? neverRan)))
}
