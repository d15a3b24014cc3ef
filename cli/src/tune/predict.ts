import { formatNumber } from '../shared/format.ts'
import { MEMORY_OF_ONE_CPU, reserveOf } from '../shared/reserve.ts'
import { isOverloaded, kneeOf } from './figures/climb.ts'
import { formatNeeded, formatShare } from './figures/format.ts'
import type { Combination, Measurement, Origin } from './figures/result.ts'
import { costPerMillion, type Workload } from './prices.ts'

/**
 * Predicts the figures for this memory size. Its CPU share can limit the goodput.
 *
 * @param correction the goodput is multiplied by this. It is below 1 if a CPU quota has shown that the predictions for
 *   this memory size are too high
 */
export function predict(
  measurement: Measurement,
  memory: number,
  workload: Workload,
  all: readonly Measurement[],
  correction = 1,
): Combination {
  const { goodput } = measurement
  const predicted = slowDown(measurement, (goodput * correction) / slownessOf(measurement, memory, workload, all))
  const isMeasured = memory >= MEMORY_OF_ONE_CPU && predicted.goodput === goodput
  return toCombination(predicted, memory, isMeasured ? 'measured' : 'predicted', workload, all)
}

/**
 * How many cores an environment can use. A single thread uses at most one. Work in libuv's thread pool, such as `crypto`
 * and `zlib`, can use more, but not more than it used here.
 */
export function coresOf(
  { goodput, cpuPerRecord }: Measurement,
  { environments }: Pick<Workload, 'environments'>,
): number {
  return Math.max(1, ((cpuPerRecord ?? 0) * goodput) / (1000 * environments))
}

/**
 * The factor by which a batch takes longer with the CPU share of this memory size. Usually, some records use the CPU
 * while others wait for responses. A smaller share then makes the batch slower only if the CPU is always busy. But at
 * the start of a batch, no record waits yet, so the first records take longer by their additional CPU time. The number
 * of first records is the concurrency, but at most that of the knee. More records would only wait for the downstream.
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

/** If the goodput is lower with the same concurrency, the durations of the records are longer by the same factor. */
function slowDown(measurement: Measurement, goodput: number): Measurement {
  const slower = goodput > 0 ? measurement.goodput / goodput : 1
  const { p50, p95 } = measurement
  return { ...measurement, goodput, p50: p50 === null ? null : p50 * slower, p95: p95 === null ? null : p95 * slower }
}

/**
 * Makes a combination from a measurement that is valid for this memory size.
 *
 * @param all the measurements of all concurrencies
 * @param needed MB that the process needs. This varies from run to run, so it can come from another concurrency
 */
export function toCombination(
  measurement: Measurement,
  memory: number,
  origin: Origin,
  workload: Workload,
  all: readonly Measurement[],
  needed = measurement.peakMemory,
): Combination {
  const { concurrency, goodput, margin, failedShare, records, p50, p95, cpuPerRecord, peakMemory, peakDescriptors } =
    measurement
  return {
    memory,
    concurrency,
    goodput,
    margin,
    failedShare,
    records,
    p50,
    p95,
    cpuPerRecord,
    peakMemory,
    peakDescriptors,
    costPerMillion: costPerMillion(memory, goodput, failedShare, workload),
    origin,
    problem: problemOf({ ...measurement, peakMemory: needed }, memory, workload, all),
  }
}

/** How many milliseconds a full batch takes, and how many the timeout leaves for it. */
export function batchTimes(
  {
    memory,
    concurrency,
    goodput,
    failedShare,
  }: Pick<Combination, 'memory' | 'concurrency' | 'goodput' | 'failedShare'>,
  { environments, batchSize, timeout }: Pick<Workload, 'environments' | 'batchSize' | 'timeout'>,
): { needed: number; available: number } {
  return {
    needed: (1000 * batchSize * (1 - failedShare) * environments) / goodput,
    available: timeout * 1000 - reserveOf(timeout * 1000, memory, batchSize, concurrency),
  }
}

/**
 * A process may need at most this share of a memory size, because a small CPU share delays the garbage collector. With
 * the CPU share of 128 MB, one handler needed 123 to 134 MB. Without a CPU limit, it needed 110 to 119 MB.
 */
export const MAX_MEMORY_SHARE = 0.8

/** Whether the process leaves enough of this memory free. */
export function fitsInto(memory: number, { peakMemory }: Pick<Measurement, 'peakMemory'>): boolean {
  return (peakMemory ?? 0) <= MAX_MEMORY_SHARE * memory
}

function problemOf(
  measurement: Measurement,
  memory: number,
  workload: Workload,
  all: readonly Measurement[],
): string | undefined {
  const { batchSize, timeout } = workload
  const { concurrency, goodput, failedShare, peakMemory, causes, problem } = measurement
  const [cause] = Object.keys(causes)
  const because = cause === undefined ? '' : `: ${cause}`
  if (!(goodput > 0)) return `no record succeeded${because}`
  if (problem !== undefined) return problem
  if (!fitsInto(memory, measurement)) {
    return `the process needs ${formatNeeded(peakMemory)} MB, more than ${MAX_MEMORY_SHARE * 100} % of the memory`
  }
  if (isOverloaded(measurement, all)) {
    return `${formatShare(failedShare)} of the records failed${because}`
  }
  const { needed: batchMs, available } = batchTimes({ memory, concurrency, goodput, failedShare }, workload)
  if (batchMs > available) {
    const [needed, left] = [batchMs, available].map((ms) => (ms / 1000).toFixed(1))
    return `a batch of ${formatNumber(batchSize)} records takes about ${needed} s, but the timeout of ${timeout} s leaves ${left} s`
  }
  return undefined
}
