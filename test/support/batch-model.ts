import { seededRandom } from '../../cli/src/shared/random.ts'
import { costPerMillion } from '../../cli/src/tune/prices.ts'

const CONCURRENCY = 100
const MEMORY = 512
const BODY_BYTES = 200
/** Milliseconds of a whole CPU for each record: the example of docs/tune.md, measured at a concurrency of 25. */
const CPU_OF_RECORD = 0.578

/** The records of this size that one event holds: 6 MB, with 710 bytes for each record beside its body. */
export const MOST_RECORDS = Math.floor((6 * 1024 * 1024) / (710 + BODY_BYTES))

/** The times of a record in milliseconds: log-normal, as the latencies of many services are. */
export interface Latency {
  readonly mean: number
  readonly p99: number
}

/** The standard normal quantile of 99 %. */
const Z99 = 2.326

/** Random times with this mean and this 99th percentile. */
function latencies({ mean, p99 }: Latency): () => number {
  const random = seededRandom(1)
  // mean = median × e^(σ² ÷ 2) and p99 = median × e^(Z99 × σ): a quadratic equation for σ.
  const sigma = Z99 - Math.sqrt(Z99 ** 2 - 2 * Math.log(p99 / mean))
  const median = mean / Math.exp(sigma ** 2 / 2)
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return median * Math.exp(sigma * normal)
  }
}

/**
 * How long a batch takes if each worker takes the next record as soon as it is free. It is not shorter than its CPU time,
 * because a function gets memory ÷ 1,769 MB of a CPU.
 */
function durationOfBatch(records: number, latency: () => number, cpu: number): number {
  const freeAt = new Array<number>(Math.min(CONCURRENCY, records)).fill(0)
  for (let record = 0; record < records; record++) {
    const worker = freeAt.indexOf(Math.min(...freeAt))
    freeAt[worker] = (freeAt[worker] as number) + latency()
  }
  return Math.max(...freeAt, (records * cpu * 1769) / MEMORY)
}

/** What batches of this size cost, with the prices of `tune`, and how many records one environment processes a second. */
export function batchesOf(batchSize: number, latency: Latency, cpu = CPU_OF_RECORD) {
  const next = latencies(latency)
  const batches = Math.ceil(100_000 / batchSize)
  let milliseconds = 0
  for (let batch = 0; batch < batches; batch++) milliseconds += durationOfBatch(batchSize, next, cpu)
  const perSecond = (1000 * batches * batchSize) / milliseconds
  const workload = { environments: 1, batchSize, bodyBytes: BODY_BYTES, fifo: false, timeout: 60 }
  return { perSecond, cost: costPerMillion(MEMORY, perSecond, 0, workload) as number }
}
