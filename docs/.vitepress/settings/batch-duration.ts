/** How long a batch takes. The page "Which settings?" and the table of costs in docs/batch-size.md are computed with it. */
import { seededRandom } from '../../../cli/src/shared/random.ts'

/** The times of a record in milliseconds: log-normal, as the latencies of many services are. */
export interface Latency {
  readonly median: number
  /** The standard deviation of the logarithm. */
  readonly sigma: number
  /** The function ends a record that takes longer. */
  readonly longest: number
}

/** The standard normal quantile of 95 %. */
const Z95 = 1.645

export function latencyOf(median: number, p95: number, longest: number): Latency {
  return { median, sigma: Math.log(p95 / median) / Z95, longest }
}

/** The same random times in each call, so that the same input always gives the same result. */
export function randomTimes({ median, sigma, longest }: Latency): () => number {
  const random = seededRandom(1)
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.min(longest, median * Math.exp(sigma * normal))
  }
}

/** As the option `rateLimit`: at most `limit` records start within `interval` milliseconds. */
export interface RateLimit {
  readonly limit: number
  readonly interval: number
}

/** Milliseconds until the last record has ended, if each worker takes the next record as soon as it is free. */
export function batchDuration(
  records: number,
  concurrency: number,
  nextTime: () => number,
  rateLimit: RateLimit = { limit: Infinity, interval: 0 },
): number {
  const freeAt: number[] = []
  for (let record = 0; record < records; record++) {
    const worker = record < concurrency ? record : freeAt.indexOf(Math.min(...freeAt))
    const allowedAt = Math.floor(record / rateLimit.limit) * rateLimit.interval
    freeAt[worker] = Math.max(freeAt[worker] ?? 0, allowedAt) + nextTime()
  }
  return Math.max(...freeAt)
}

const SIMULATED_RECORDS = 10_000

/** The mean duration of many batches, in milliseconds. */
export function meanDuration(records: number, concurrency: number, latency: Latency, rateLimit?: RateLimit): number {
  const nextTime = randomTimes(latency)
  const batches = Math.ceil(SIMULATED_RECORDS / records)
  let milliseconds = 0
  for (let batch = 0; batch < batches; batch++) {
    milliseconds += batchDuration(records, concurrency, nextTime, rateLimit)
  }
  return milliseconds / batches
}
