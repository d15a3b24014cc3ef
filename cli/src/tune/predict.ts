import { formatNumber } from '../local/display.ts'
import { isOverloaded, kneeOf } from './climb.ts'
import { costPerMillion, type Workload } from './prices.ts'
import type { Cell, Measurement } from './result.ts'

/** Lambda gives a function with this memory one full core. A single thread gains little from more. */
export const MEMORY_OF_A_CORE = 1769

/** The share of a core that a function with this memory has. */
export function cpuShareOf(memory: number): number {
  return Math.min(1, memory / MEMORY_OF_A_CORE)
}

export interface Setting extends Workload {
  /** Seconds. */
  readonly timeout: number
}

/**
 * Predicts the figures of a function with this memory, whose CPU share limits the goodput.
 *
 * @param correction the goodput is multiplied by this. It is below 1 if a CPU quota has shown that the predictions for
 *   this memory are too high
 */
export function predict(
  measurement: Measurement,
  memory: number,
  setting: Setting,
  all: readonly Measurement[],
  correction = 1,
): Cell {
  const { goodput } = measurement
  const predicted = slowDown(measurement, (goodput * correction) / slownessOf(measurement, memory, setting, all))
  const isMeasured = cpuShareOf(memory) === 1 && predicted.goodput === goodput
  return toCell(predicted, memory, isMeasured ? 'measured' : 'predicted', setting, all)
}

/**
 * By which factor a batch takes longer if the function has the CPU share of this memory. With a share of one half,
 * computing takes twice as long. Usually, records compute while others wait for responses, so the batch takes longer
 * only if the CPU is busy all the time. But while the first records start, none waits yet, so their delay is added. Above
 * the knee, some of the first records wait for the downstream anyway.
 */
function slownessOf(
  { concurrency, goodput, cpuPerRecord }: Measurement,
  memory: number,
  { environments, batchSize }: Setting,
  all: readonly Measurement[],
): number {
  if (!(goodput > 0)) return 1
  const share = cpuShareOf(memory)
  const cpu = cpuPerRecord ?? 0
  const knee = kneeOf(all)?.concurrency ?? concurrency
  const firstRecords = Math.min(1, Math.min(concurrency, knee) / batchSize)
  const measured = (1000 * environments) / goodput // milliseconds for each successful record of an environment
  return Math.max(measured + firstRecords * cpu * (1 / share - 1), cpu / share) / measured
}

/** If the goodput is lower with the same concurrency, the durations of the records are longer by the same factor. */
function slowDown(measurement: Measurement, goodput: number): Measurement {
  const slower = goodput > 0 ? measurement.goodput / goodput : 1
  const { p50, p95 } = measurement
  return { ...measurement, goodput, p50: p50 === null ? null : p50 * slower, p95: p95 === null ? null : p95 * slower }
}

/**
 * Makes a cell from a measurement that is valid for this memory.
 *
 * @param all the measurements of all concurrencies
 * @param needed MB that the process needs. This varies from run to run, so it can come from another concurrency
 */
export function toCell(
  measurement: Measurement,
  memory: number,
  measuredBy: Cell['measuredBy'],
  setting: Setting,
  all: readonly Measurement[],
  needed = measurement.peakMemory,
): Cell {
  const { concurrency, goodput, failedShare, p50, p95, cpuPerRecord, peakMemory, peakDescriptors } = measurement
  return {
    memory,
    concurrency,
    goodput,
    failedShare,
    p50,
    p95,
    cpuPerRecord,
    peakMemory,
    peakDescriptors,
    costPerMillion: costPerMillion(memory, goodput, failedShare, setting),
    measuredBy,
    problem: problemOf({ ...measurement, peakMemory: needed }, memory, setting, all),
  }
}

/**
 * In this many milliseconds before the timeout, the library starts no record by default. A function with less than a core
 * ends slowly, so it reserves more: see `extendReserve()` in the library's src/scheduler/deadlines.ts.
 */
function reserveOf(timeoutMs: number, memory: number, batchSize: number): number {
  const share = cpuShareOf(memory)
  const extended = share < 1 ? Math.min(timeoutMs / 2, (0.008 * batchSize + 10) / share) : 0
  return Math.max(Math.min(1000, timeoutMs / 5), extended)
}

function problemOf(
  measurement: Measurement,
  memory: number,
  { environments, batchSize, timeout }: Setting,
  all: readonly Measurement[],
): string | undefined {
  const { goodput, failedShare, peakMemory, causes, death } = measurement
  const [cause] = Object.keys(causes)
  const because = cause === undefined ? '' : `: ${cause}`
  if (!(goodput > 0)) return `no record succeeded${because}`
  if (death !== undefined) return death
  if (peakMemory !== null && peakMemory > memory) {
    return `the process needs ${formatNumber(Math.ceil(peakMemory))} MB`
  }
  if (isOverloaded(measurement, [...all, measurement])) {
    return `${(failedShare * 100).toFixed(1)} % of the records failed${because}`
  }
  const batchMs = (1000 * batchSize * (1 - failedShare) * environments) / goodput
  const available = timeout * 1000 - reserveOf(timeout * 1000, memory, batchSize)
  if (batchMs > available) {
    const [needed, left] = [batchMs, available].map((ms) => (ms / 1000).toFixed(1))
    return `a batch of ${formatNumber(batchSize)} records takes about ${needed} s, but the timeout of ${timeout} s leaves ${left} s`
  }
  return undefined
}
