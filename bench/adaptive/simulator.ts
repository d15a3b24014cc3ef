/** The result of a call. */
export type Outcome = 'ok' | 'throttle' | 'overload' | 'failure'

/** Calls a downstream once. `settle` is called once, at a later time. */
export type Call = (settle: (outcome: Outcome) => void) => void

/** Makes a downstream. All its times are milliseconds of the simulation. */
export type Downstream = (clock: Clock, random: () => number) => Call

/** The part of a limit search that the simulation uses. A fixed limit has no methods. */
export interface SimulatedLimiter {
  readonly limit: number
  started?(now: number, waiting: number): object
  failed?(error: unknown, now: number): boolean
  ended?(cohort: object, startedAt: number, now: number, succeeded: boolean | undefined): void
}

export interface BatchResult {
  readonly records: number
  readonly succeeded: number
  readonly duration: number
  /** The limit after the batch. */
  readonly limit: number
}

/** Successful records per second. */
export function goodput(batches: readonly BatchResult[]): number {
  return (1000 * sum(batches, 'succeeded')) / sum(batches, 'duration')
}

/** The share of the records that failed, from 0 to 1. */
export function failedShare(batches: readonly BatchResult[]): number {
  return 1 - sum(batches, 'succeeded') / sum(batches, 'records')
}

function sum(batches: readonly BatchResult[], key: 'records' | 'succeeded' | 'duration'): number {
  return batches.reduce((total, batch) => total + batch[key], 0)
}

/** Simulated time. Functions run in the order of their times. With equal times, they run in the order of `after()`. */
export interface Clock {
  readonly now: number
  after(delay: number, run: () => void): void
  /** Runs everything, until nothing is left. */
  runAll(): void
}

export function createClock(): Clock {
  const heap: { readonly at: number; readonly order: number; run(): void }[] = []
  let now = 0
  let order = 0

  function isBefore(a: number, b: number): boolean {
    const [first, second] = [heap[a], heap[b]] as [(typeof heap)[0], (typeof heap)[0]]
    return first.at < second.at || (first.at === second.at && first.order < second.order)
  }

  function swap(a: number, b: number): void {
    const item = heap[a] as (typeof heap)[0]
    heap[a] = heap[b] as (typeof heap)[0]
    heap[b] = item
  }

  function after(delay: number, run: () => void): void {
    let place = heap.push({ at: now + delay, order: order++, run }) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isBefore(place, parent)) break
      swap(place, parent)
      place = parent
    }
  }

  function removeFirst(): (typeof heap)[0] {
    swap(0, heap.length - 1)
    const first = heap.pop() as (typeof heap)[0]
    let place = 0
    while (true) {
      let child = 2 * place + 1
      if (child >= heap.length) return first
      if (child + 1 < heap.length && isBefore(child + 1, child)) child++
      if (!isBefore(child, place)) return first
      swap(child, place)
      place = child
    }
  }

  return {
    get now() {
      return now
    },
    after,
    runAll() {
      while (heap.length > 0) {
        const { at, run } = removeFirst()
        now = at
        run()
      }
    },
  }
}

/** Random numbers from 0 to 1 that depend on the seed only (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Runs batches one after another, as one Lambda environment does, and calls `done` after the last one. */
export function runEnvironment(
  clock: Clock,
  call: Call,
  limiter: SimulatedLimiter,
  batches: readonly number[],
  done: (results: readonly BatchResult[]) => void,
  pause = 20,
): void {
  const results: BatchResult[] = []
  function next(): void {
    const records = batches[results.length]
    if (records === undefined) done(results)
    else {
      runBatch(clock, call, limiter, records, (result) => {
        results.push(result)
        clock.after(pause, next)
      })
    }
  }
  next()
}

function runBatch(
  clock: Clock,
  call: Call,
  limiter: SimulatedLimiter,
  records: number,
  done: (result: BatchResult) => void,
): void {
  const batchStart = clock.now
  let waiting = records
  let inFlight = 0
  let succeeded = 0

  function startJobs(): void {
    while (waiting > 0 && inFlight < limiter.limit) startJob()
  }

  function startJob(): void {
    waiting--
    inFlight++
    const startedAt = clock.now
    const cohort = limiter.started?.(startedAt, waiting)
    call((outcome) => {
      inFlight--
      if (outcome === 'ok') succeeded++
      const isByLoad = outcome !== 'ok' && limiter.failed?.(outcome, clock.now) === true
      const counted = outcome === 'ok' || (isByLoad ? false : undefined)
      if (cohort) limiter.ended?.(cohort, startedAt, clock.now, counted)
      if (waiting > 0) startJobs()
      else if (inFlight === 0) done({ records, succeeded, duration: clock.now - batchStart, limit: limiter.limit })
    })
  }

  startJobs()
}

/** Runs one environment on a downstream of its own. */
export function simulate(
  downstream: Downstream,
  limiter: SimulatedLimiter,
  batches: readonly number[],
  seed: number,
  pause?: number,
): readonly BatchResult[] {
  const clock = createClock()
  let results: readonly BatchResult[] = []
  runEnvironment(
    clock,
    downstream(clock, seededRandom(seed)),
    limiter,
    batches,
    (all) => {
      results = all
    },
    pause,
  )
  clock.runAll()
  return results
}
