import { MEMORY_OF_ONE_CPU } from '../shared/reserve.ts'
import { choose, withNeighbours } from './choose.ts'
import { kneeOf, search } from './figures/climb.ts'
import type { Precision } from './figures/confidence.ts'
import type { Combination, Measurement, Optimize } from './figures/result.ts'
import { coresOf, fitsInto, predict, toCombination } from './predict.ts'
import type { Workload } from './prices.ts'

/** What has been measured so far. If the run is interrupted, this is its result. */
export interface Results {
  /** Without a CPU limit. */
  measurements: Measurement[]
  /** By memory size: at the best concurrency, without a CPU limit, but with the heap limits of this memory size. */
  checks: Map<number, Measurement>
  /** With the CPU share of this memory size. */
  confirmed: { memory: number; measurement: Measurement; predicted: number }[]
  /** Whether the search for the concurrency ended because it took too long. */
  endedEarly: boolean
}

/** The results before anything is measured. */
export function noResults(): Results {
  return { measurements: [], checks: new Map(), confirmed: [], endedEarly: false }
}

export interface Plan {
  /** The lowest and the highest concurrency of one environment. */
  least: number
  most: number
  /** MB, ascending. */
  memories: readonly number[]
  /** MB, ascending. They are also considered if an environment uses more than one core. */
  moreMemories: readonly number[]
  precision: Precision
  workload: Workload
  optimize: Optimize
}

export interface Measure {
  /**
   * Measures this concurrency once more without a CPU limit, and returns the result of all its rounds.
   *
   * @param inTurn the concurrencies that are measured in turn
   */
  round: (concurrency: number, inTurn: readonly number[]) => Promise<Measurement>
  /** Measures without a CPU limit until the goodput is exact enough. */
  atFullCpu: (concurrency: number, memory: number) => Promise<Measurement>
  /** `undefined` if predictions are not confirmed. */
  withQuota?: ((concurrency: number, memory: number) => Promise<Measurement>) | undefined
}

/** A single-threaded handler uses a little more than one core, because Node collects garbage in other threads. */
const MIN_CORES_FOR_MORE_MEMORY = 1.2

/** If a confirmation changes the recommendation, the new one and its neighbours are confirmed too, but only once. */
export const MAX_CONFIRMATION_ROUNDS = 2

/**
 * Fills the results: finds the best concurrency, then checks the memory sizes, then confirms the recommendation.
 *
 * @param isLate whether the search for the concurrency has taken too long, and must end
 */
export async function explore(plan: Plan, measure: Measure, results: Results, isLate?: () => boolean): Promise<void> {
  const { measurements } = results
  async function measureInTurn(inTurn: readonly number[]) {
    for (const concurrency of inTurn) {
      const measurement = await measure.round(concurrency, inTurn)
      const at = measurements.findIndex((each) => each.concurrency === concurrency)
      measurements.splice(at === -1 ? measurements.length : at, 1, measurement)
    }
    return measurements
  }
  results.endedEarly = await search(plan.least, plan.most, plan.precision, measureInTurn, isLate)
  await checkMemory(plan, measure, results)
  if (measure.withQuota) await confirm(plan, measure.withQuota, results)
}

/** The search runs the handler with the heap limits of this memory size. */
export function fullMemory(memories: readonly number[]): number {
  return Math.max(MEMORY_OF_ONE_CPU, ...memories)
}

/** The memory sizes to compare. More than that of one core are useful only if the handler uses more than one core. */
function memoriesOf({ memories, moreMemories, workload }: Plan, measurements: readonly Measurement[]): number[] {
  const knee = kneeOf(measurements)
  const cores = knee ? coresOf(knee, workload) : 1
  const isMoreUsed = cores > MIN_CORES_FOR_MORE_MEMORY
  // Up to the first size that has all cores that were used.
  const last = moreMemories.findIndex((memory) => memory / MEMORY_OF_ONE_CPU >= cores)
  const used = last === -1 ? moreMemories : moreMemories.slice(0, last + 1)
  return [...new Set([...memories, ...(isMoreUsed ? used : [])])].sort((x, y) => x - y)
}

/**
 * With lower heap limits, Node collects garbage earlier and needs less memory. So if a memory size seems to be too
 * small, the process runs again with the heap limits of this memory size.
 */
async function checkMemory(plan: Plan, { atFullCpu }: Measure, { measurements, checks }: Results) {
  const knee = kneeOf(measurements)
  if (!knee) return
  for (const memory of memoriesOf(plan, measurements).toReversed()) {
    if (measurements.every((each) => fitsInto(memory, each))) continue
    const check = await atFullCpu(knee.concurrency, memory)
    checks.set(memory, check)
    const fits = check.goodput > 0 && check.problem === undefined && fitsInto(memory, check)
    if (!fits) return // a smaller memory size does not suffice either
  }
}

async function confirm(plan: Plan, withQuota: NonNullable<Measure['withQuota']>, results: Results) {
  for (let count = 0; count < MAX_CONFIRMATION_ROUNDS; count += 1) {
    const combinations = combinationsOf(results, plan)
    const best = choose(combinations, plan.optimize, results.measurements)
    if (!best || best.origin === 'confirmed') return
    for (const { memory, concurrency, origin, problem, goodput: predicted } of withNeighbours(best, combinations)) {
      if (origin === 'confirmed' || problem !== undefined) continue
      results.confirmed.push({ memory, measurement: await withQuota(concurrency, memory), predicted })
    }
  }
}

/** All combinations of a memory size and a concurrency that has been measured. */
export function combinationsOf({ measurements, checks, confirmed }: Results, plan: Plan): Combination[] {
  const { workload } = plan
  const sorted = measurements.toSorted((a, b) => a.concurrency - b.concurrency)
  return memoriesOf(plan, measurements).flatMap((memory) => {
    const check = checks.get(memory)
    const checked = sorted.map((each) => (check ? withCheck(each, check, measurements) : each))
    const quota = confirmed.filter((each) => each.memory === memory).map(({ measurement }) => measurement)
    const needed = quota.length === 0 ? undefined : Math.max(...quota.map(({ peakMemory }) => peakMemory ?? 0))
    const corrections = quota.map(({ concurrency, goodput }) => {
      const same = checked.find((each) => each.concurrency === concurrency) as Measurement
      return goodput / predict(same, memory, workload, measurements).goodput
    })
    // If a combination is slower than predicted or needs more memory, this is probably true for the whole memory size.
    const correction = Math.min(1, ...corrections)
    return checked.map((each) => {
      const own = quota.find(({ concurrency }) => concurrency === each.concurrency)
      if (own) return toCombination(own, memory, 'confirmed', workload, measurements, needed)
      return predict({ ...each, peakMemory: needed ?? each.peakMemory }, memory, workload, measurements, correction)
    })
  })
}

/** Applies the result of a check, which ran at one concurrency, to the measurement of any concurrency. */
function withCheck(measurement: Measurement, check: Measurement, measurements: readonly Measurement[]): Measurement {
  const same = measurements.find(({ concurrency }) => concurrency === check.concurrency) as Measurement
  const moreCpu = Math.max(1, (check.cpuPerRecord ?? 0) / (same.cpuPerRecord ?? Number.POSITIVE_INFINITY))
  const { cpuPerRecord } = measurement
  return {
    ...measurement,
    peakMemory: check.peakMemory,
    problem: measurement.problem ?? check.problem,
    cpuPerRecord: cpuPerRecord === null ? null : cpuPerRecord * moreCpu,
    ...(check.failedShare > measurement.failedShare
      ? { goodput: Math.min(measurement.goodput, check.goodput), failedShare: check.failedShare, causes: check.causes }
      : {}),
  }
}
