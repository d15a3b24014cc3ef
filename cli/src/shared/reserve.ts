/** Lambda gives a function with this memory (MB) one full core. A single thread gains little from more. */
export const MEMORY_OF_ONE_CPU = 1769

/**
 * The share of a core that one thread of a function with this memory size can use. The function itself has
 * more with larger sizes.
 */
export function cpuShareOf(memory: number): number {
  return Math.min(1, memory / MEMORY_OF_ONE_CPU)
}

/**
 * Milliseconds before the timeout in which the library starts no record, without `onFailure` and with the
 * default `timeBudget`. They are more if the batch ends slowly, mostly with less than one core. With
 * `onFailure`, the library can reserve still more: see `abortReserve()` in its src/scheduler/deadlines.ts.
 */
export function reserveOf(timeoutMs: number, memory: number, batchSize: number, concurrency: number): number {
  const end = (0.008 * batchSize + 0.25 * Math.min(concurrency, batchSize) + 50) / cpuShareOf(memory)
  return Math.max(Math.min(1000, timeoutMs / 5), Math.min(timeoutMs / 2, end))
}
