import { formatNumber } from '../local/display.ts'
import { isOverloaded } from './climb.ts'
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
 * Predicts a measurement for a function with this memory. The CPU limits the goodput. The same records are then in
 * flight for longer, so their durations grow by the same factor.
 */
export function predict(measurement: Measurement, memory: number, setting: Setting, all: readonly Measurement[]): Cell {
  const { goodput, cpuPerRecord } = measurement
  const possible = cpuPerRecord
    ? (setting.environments * cpuShareOf(memory) * 1000) / cpuPerRecord
    : Number.POSITIVE_INFINITY
  const limited = Math.min(goodput, possible)
  const slower = limited > 0 ? goodput / limited : 1
  const predicted = {
    ...measurement,
    goodput: limited,
    p50: measurement.p50 === null ? null : measurement.p50 * slower,
    p95: measurement.p95 === null ? null : measurement.p95 * slower,
  }
  const isMeasured = cpuShareOf(memory) === 1 && limited === goodput
  return toCell(predicted, memory, isMeasured ? 'measured' : 'predicted', setting, all)
}

/** Makes a cell of a measurement that is valid for this memory. `all` are measurements of other concurrencies. */
export function toCell(
  measurement: Measurement,
  memory: number,
  measuredBy: Cell['measuredBy'],
  setting: Setting,
  all: readonly Measurement[],
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
    problem: problemOf(measurement, memory, setting, all),
  }
}

/** A batch ends this many milliseconds before the timeout at the latest: the default of the library. */
function reserveOf(timeoutMs: number): number {
  return Math.min(1000, timeoutMs / 5)
}

function problemOf(
  measurement: Measurement,
  memory: number,
  { environments, batchSize, timeout }: Setting,
  all: readonly Measurement[],
): string | undefined {
  const { goodput, failedShare, peakMemory, causes } = measurement
  const [cause] = Object.keys(causes)
  const because = cause === undefined ? '' : `: ${cause}`
  if (!(goodput > 0)) return `no record succeeded${because}`
  if (peakMemory !== null && peakMemory > memory) {
    return `the process needs ${formatNumber(Math.ceil(peakMemory))} MB`
  }
  if (isOverloaded(measurement, [...all, measurement])) {
    return `${(failedShare * 100).toFixed(1)} % of the records failed${because}`
  }
  const batchMs = (1000 * batchSize * (1 - failedShare) * environments) / goodput
  if (batchMs > timeout * 1000 - reserveOf(timeout * 1000)) {
    const seconds = (batchMs / 1000).toFixed(1)
    return `a batch of ${formatNumber(batchSize)} records takes about ${seconds} s, but the timeout is ${timeout} s`
  }
  return undefined
}
