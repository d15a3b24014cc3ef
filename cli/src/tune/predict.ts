import { cpuShareOf, MEMORY_OF_ONE_CPU } from '../shared/cpu.ts'
import { formatFigure, formatShare } from './format.ts'
import { costPerMillion, type Workload } from './prices.ts'
import type { Combination, Measurement, Optimize } from './result.ts'
import { isOverloaded, kneeOf, NOISE, type Range } from './search.ts'

export const CONCURRENCY: Range = { least: 10, most: 400 }
export const DEFAULT_BATCH_SIZE = 1000
/** MB. */
export const MEMORIES = [128, 256, 512, 1024, 1769]
/** MB. They have 2 to 6 cores, which a handler can use if it works in several threads. 10,240 MB is the maximum. */
const MORE_MEMORIES = [3538, 5307, 7076, 8845, 10_240]
/** A single-threaded handler uses a little more than one core, because Node collects garbage in other threads. */
const MIN_CORES_FOR_MORE_MEMORY = 1.2
/** A small CPU share delays the garbage collector: a handler needed 110 to 119 MB, and 123 to 134 with that of 128 MB. */
const MAX_MEMORY_SHARE = 0.8

/** What the search for the concurrency has found, and what is known about smaller heaps. */
export interface Findings {
  readonly measurements: readonly Measurement[]
  /** The best concurrency with the heap of a memory size (MB). */
  readonly checks: ReadonlyMap<number, Measurement>
}

/** What is compared, and for what. */
export interface Plan {
  readonly workload: Workload
  /** MB. */
  readonly memories: readonly number[]
  /** Whether sizes with several cores are also compared, if an environment uses more than one core. */
  readonly canUseMore: boolean
  readonly optimize: Optimize
}

/** How many cores an environment can use. Work in libuv's thread pool, such as `zlib`, can use more than one. */
function coresOf({ goodput, cpuPerRecord }: Measurement, { environments }: Workload): number {
  return Math.max(1, ((cpuPerRecord ?? 0) * goodput) / (1000 * environments))
}

/** The memory sizes to compare. More than that of one core are useful only if the handler uses more than one core. */
export function memoriesOf({ memories, canUseMore, workload }: Plan, measurements: readonly Measurement[]): number[] {
  const knee = kneeOf(measurements)
  const cores = knee ? coresOf(knee, workload) : 1
  const isMoreUsed = canUseMore && cores > MIN_CORES_FOR_MORE_MEMORY
  // Up to the first size that has all cores that were used.
  const last = MORE_MEMORIES.find((memory) => memory / MEMORY_OF_ONE_CPU >= cores) ?? Number.POSITIVE_INFINITY
  const more = MORE_MEMORIES.filter((memory) => isMoreUsed && memory <= last)
  return [...new Set([...memories, ...more])].sort((x, y) => x - y)
}

/** Whether the process leaves enough of this memory free. */
export function fitsInto(memory: number, { peakMemory }: Pick<Measurement, 'peakMemory'>): boolean {
  return (peakMemory ?? 0) <= MAX_MEMORY_SHARE * memory
}

/** MB that this concurrency and all lower ones need. A check has measured them with a smaller heap, up to its own one. */
export function peakUpTo(most: number, measurements: readonly Measurement[], check?: Measurement): number {
  const isChecked = (concurrency: number) => check !== undefined && concurrency <= check.concurrency
  const upTo = measurements.filter(({ concurrency }) => concurrency <= most)
  return Math.max(0, ...upTo.map((each) => (isChecked(each.concurrency) ? check : each)?.peakMemory ?? 0))
}

/** All combinations of a memory size and a concurrency that has been measured. */
export function combinationsOf({ measurements, checks }: Findings, plan: Plan): Combination[] {
  const sorted = measurements.toSorted((a, b) => a.concurrency - b.concurrency)
  return memoriesOf(plan, measurements).flatMap((memory) => {
    const check = checks.get(memory)
    return sorted.map((each) => {
      const peakMemory = peakUpTo(each.concurrency, measurements, check)
      const checked = { ...each, peakMemory, problem: each.problem ?? check?.problem }
      return predict(checked, memory, plan.workload, measurements)
    })
  })
}

/** The plan with smaller batches, in steps of a fifth, if full ones do not end in time with any memory size. */
export function withFittingBatches(findings: Findings, plan: Plan): Plan {
  for (let { batchSize } = plan.workload; batchSize >= 1; batchSize = Math.floor(0.8 * batchSize)) {
    const tried = { ...plan, workload: { ...plan.workload, batchSize } }
    if (choose(combinationsOf(findings, tried), findings.measurements, plan.optimize)) return tried
  }
  return plan
}

/** Predicts the figures for this memory size. Its CPU share can limit the goodput. */
export function predict(
  measurement: Measurement,
  memory: number,
  workload: Workload,
  all: readonly Measurement[],
): Combination {
  const { concurrency, failedShare } = measurement
  const slowness = slownessOf(measurement, memory, workload, all)
  const goodput = measurement.goodput / slowness
  return {
    memory,
    concurrency,
    goodput,
    costPerMillion: costPerMillion(memory, goodput, failedShare, workload),
    origin: memory >= MEMORY_OF_ONE_CPU && slowness === 1 ? 'measured' : 'predicted',
    peakMemory: measurement.peakMemory,
    problem: problemOf({ ...measurement, goodput }, memory, workload, all),
  }
}

/**
 * The factor by which a batch takes longer with the CPU share of this memory size. Usually, some records use the CPU
 * while others wait, so a smaller share matters only if the CPU is always busy. But at the start of a batch, none waits
 * yet: as many as are in flight, but at most those at the knee, take longer by their additional CPU time.
 */
function slownessOf(
  measurement: Measurement,
  memory: number,
  { environments, batchSize }: Workload,
  all: readonly Measurement[],
): number {
  const { concurrency, goodput, cpuPerRecord } = measurement
  const share = memory / MEMORY_OF_ONE_CPU
  const cpu = cpuPerRecord ?? 0
  const knee = kneeOf(all)?.concurrency ?? concurrency
  const firstRecords = Math.min(1, Math.min(concurrency, knee) / batchSize)
  const msPerRecord = (1000 * environments) / goodput // for each successful record of one environment
  const msLater = firstRecords * cpu * (1 / share - 1)
  return Math.max(1, 1 + msLater / msPerRecord, cpu / share / msPerRecord)
}

/** Why this combination cannot be used. `undefined` if it can. */
function problemOf(
  measurement: Measurement,
  memory: number,
  workload: Workload,
  all: readonly Measurement[],
): string | undefined {
  const { goodput, failedShare, peakMemory, causes, problem } = measurement
  const [cause] = Object.keys(causes)
  const because = cause === undefined ? '' : `: ${cause}`
  if (problem !== undefined) return problem
  if (!(goodput > 0)) return `no record succeeded${because}`
  if (!fitsInto(memory, measurement)) {
    return `the process needs ${formatFigure(Math.ceil(peakMemory ?? 0))} MB, more than ${MAX_MEMORY_SHARE * 100} % of the memory`
  }
  if (isOverloaded(measurement, all)) return `${formatShare(failedShare)} of the records failed${because}`
  return tooSlow(measurement, memory, workload)
}

/**
 * Milliseconds before the timeout in which the library starts no record, without `onFailure` and with the
 * default `timeBudget`. They are more if the batch ends slowly, mostly with less than one core. With
 * `onFailure`, the library can reserve still more: see `abortReserve()` in its src/scheduler/deadlines.ts.
 */
function reserveOf(timeoutMs: number, memory: number, batchSize: number, concurrency: number): number {
  const end = (0.008 * batchSize + 0.25 * Math.min(concurrency, batchSize) + 50) / cpuShareOf(memory)
  return Math.max(Math.min(1000, timeoutMs / 5), Math.min(timeoutMs / 2, end))
}

/** Whether the timeout leaves less time for a full batch than it takes. */
function tooSlow(
  { concurrency, goodput, failedShare }: Measurement,
  memory: number,
  { environments, batchSize, timeout }: Workload,
): string | undefined {
  const batchMs = (1000 * batchSize * (1 - failedShare) * environments) / goodput
  const available = timeout * 1000 - reserveOf(timeout * 1000, memory, batchSize, concurrency)
  if (batchMs <= available) return undefined
  const [needed, left] = [batchMs, available].map((ms) => (ms / 1000).toFixed(1))
  return `a batch of ${formatFigure(batchSize)} records takes about ${needed} s, but the timeout of ${timeout} s leaves ${left} s`
}

const costOf = ({ costPerMillion }: Combination) => costPerMillion ?? Number.POSITIVE_INFINITY

const SCORES: Readonly<Record<Optimize, (combination: Combination) => number>> = {
  speed: costOf, // only the fastest combinations are compared
  cost: costOf,
  balanced: (combination) => costOf(combination) / combination.goodput,
}

/**
 * Chooses the smallest of the memory sizes that are best, apart from `NOISE`. All get the concurrency that was best
 * without a CPU limit: predictions depend on the CPU time of a record, which varies by 15 % from round to round.
 */
export function choose(
  combinations: readonly Combination[],
  measurements: readonly Measurement[],
  optimize: Optimize,
): Combination | undefined {
  const knee = kneeOf(measurements)?.concurrency
  const usable = combinations.filter(({ concurrency, problem }) => concurrency === knee && problem === undefined)
  const candidates = optimize === 'speed' ? lowest(usable, ({ goodput }) => 1 / goodput) : usable
  return lowest(candidates, SCORES[optimize])[0]
}

/** The combinations with the lowest score, apart from noise, in the order in which they are given. */
function lowest(combinations: readonly Combination[], score: (combination: Combination) => number): Combination[] {
  const enough = Math.min(...combinations.map(score)) * (1 + NOISE)
  return combinations.filter((combination) => score(combination) <= enough)
}
