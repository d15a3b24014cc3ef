import { createLimitSearch } from '../../src/adaptive/limit-search.ts'
import type { FailureClass } from '../../src/types.ts'
import { median } from '../rounds.ts'
import {
  type BatchResult,
  createClock,
  type Downstream,
  failedShare,
  goodput,
  runEnvironment,
  type SimulatedLimiter,
  seededRandom,
  simulate,
} from './simulator.ts'

// The defaults of adaptiveConcurrency().
export const MIN = 10
const MAX = 500
export const INITIAL = 50

const SWEEP = [4, 5, 6, 8, 10, 12, 16, 20, 24, 28, 32, 37, 45, 50, 53, 64, 80, 100, 120, 150, 200, 250, 300, 400, 500]
const SEEDS = Array.from({ length: 15 }, (_, index) => 11 + index)
/** A fixed number cannot be the best one if its share of failed records exceeds the lowest share by more than this. */
const MORE_FAILED = 0.01

/** A limiter for the simulation. The simulation passes failure classes to it instead of errors. */
export function adaptiveLimiter(min = MIN): SimulatedLimiter {
  const classify = (error: unknown) => error as FailureClass
  return createLimitSearch({ min, max: MAX, initial: INITIAL, classify, utilization: () => 0 })
}

export interface FixedResult {
  readonly limit: number
  readonly goodput: number
  readonly failed: number
}

/** Medians over the seeds, except `worst`. Goodput is divided by that of the best fixed number. */
export interface Comparison {
  readonly name: string
  readonly records: number
  readonly best: FixedResult
  /** The result of the fixed number that the search starts with. */
  readonly initial: FixedResult
  /** Goodput of the first batch, of the second half of the batches, and of all batches. */
  readonly cold: number
  readonly warm: number
  readonly all: number
  /** Goodput of the worst batch of the second half, of all seeds. */
  readonly worst: number
  /** Shares of the records, from 0 to 1. */
  readonly coldFailed: number
  readonly warmFailed: number
  readonly finalLimit: number
}

/** Compares the adaptive limit with a sweep of fixed numbers, on the same batches. */
export function compare(name: string, downstream: Downstream, batches: readonly number[]): Comparison {
  const fixed = SWEEP.map((limit) => fixedResult(downstream, limit, batches))
  const maxFailed = MORE_FAILED + Math.min(...fixed.map(({ failed }) => failed))
  const best = fixed.filter(({ failed }) => failed <= maxFailed).reduce((a, b) => (b.goodput > a.goodput ? b : a))
  const runs = SEEDS.map((seed) => simulate(downstream, adaptiveLimiter(), batches, seed))
  const half = Math.floor(batches.length / 2)
  const relative = (results: readonly BatchResult[]) => goodput(results) / best.goodput
  const overRuns = (of: (run: readonly BatchResult[]) => number) => median(runs.map(of))
  return {
    name,
    records: batches[0] as number,
    best,
    initial: fixed.find(({ limit }) => limit === INITIAL) as FixedResult,
    cold: overRuns((run) => relative(run.slice(0, 1))),
    warm: overRuns((run) => relative(run.slice(half))),
    all: overRuns(relative),
    worst: Math.min(...runs.flatMap((run) => run.slice(half).map((batch) => relative([batch])))),
    coldFailed: overRuns((run) => failedShare(run.slice(0, 1))),
    warmFailed: overRuns((run) => failedShare(run.slice(half))),
    finalLimit: overRuns((run) => run.at(-1)?.limit as number),
  }
}

function fixedResult(downstream: Downstream, limit: number, batches: readonly number[]): FixedResult {
  const runs = [1, 2, 3].map((seed) => simulate(downstream, { limit }, batches, seed))
  return { limit, goodput: median(runs.map(goodput)), failed: median(runs.map(failedShare)) }
}

export interface SharedResult {
  /** Goodput of all environments together, per second. */
  readonly goodput: number
  readonly failed: number
  /** Jain's index: 1 if all environments have the same goodput, 1 ÷ their number if one has all of it. */
  readonly fairness: number
}

/** Runs several environments on one downstream. They start one after another. */
export function shareDownstream(
  downstream: Downstream,
  limiters: readonly SimulatedLimiter[],
  batches: readonly number[],
  seed: number,
): SharedResult {
  const clock = createClock()
  const call = downstream(clock, seededRandom(seed))
  const all: (readonly BatchResult[])[] = []
  for (const [index, limiter] of limiters.entries()) {
    clock.after(7 * index, () => runEnvironment(clock, call, limiter, batches, (results) => all.push(results)))
  }
  clock.runAll()
  const each = all.map(goodput)
  const sum = each.reduce((total, value) => total + value, 0)
  const squares = each.reduce((total, value) => total + value ** 2, 0)
  const succeeded = all.flat().reduce((total, batch) => total + batch.succeeded, 0)
  return {
    goodput: (1000 * succeeded) / clock.now,
    failed: failedShare(all.flat()),
    fairness: sum ** 2 / (each.length * squares),
  }
}
