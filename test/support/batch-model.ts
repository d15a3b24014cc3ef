import { costPerMillion } from '../../cli/src/tune/prices.ts'
import { batchDuration, type Latency, randomTimes } from '../../docs/.vitepress/settings/batch-duration.ts'
import { cpuTime, recordsThatFit } from '../../docs/.vitepress/settings/recommend.ts'

const CONCURRENCY = 100
const MEMORY = 512
const BODY_BYTES = 200
/** Milliseconds of a whole CPU for each record: the example of docs/tune.md, measured at a concurrency of 25. */
const CPU_OF_RECORD = 0.578

/** The records of this size that one event holds. */
export const MOST_RECORDS = recordsThatFit(BODY_BYTES)

/** The standard normal quantile of 99 %. */
const Z99 = 2.326

interface MeanLatency {
  readonly mean: number
  readonly p99: number
}

/** Log-normal times with this mean and this 99th percentile. */
function latencyOf({ mean, p99 }: MeanLatency): Latency {
  // mean = median × e^(σ² ÷ 2) and p99 = median × e^(Z99 × σ): a quadratic equation for σ.
  const sigma = Z99 - Math.sqrt(Z99 ** 2 - 2 * Math.log(p99 / mean))
  return { median: mean / Math.exp(sigma ** 2 / 2), sigma, longest: Infinity }
}

/** What batches of this size cost, with the prices of `tune`, and how many records one environment processes a second. */
export function batchesOf(batchSize: number, latency: MeanLatency, cpu = CPU_OF_RECORD) {
  const nextTime = randomTimes(latencyOf(latency))
  const batches = Math.ceil(100_000 / batchSize)
  let milliseconds = 0
  for (let batch = 0; batch < batches; batch++) {
    // A batch is not shorter than its CPU time.
    milliseconds += Math.max(batchDuration(batchSize, CONCURRENCY, nextTime), cpuTime(batchSize, cpu, MEMORY))
  }
  const perSecond = (1000 * batches * batchSize) / milliseconds
  const workload = { environments: 1, batchSize, bodyBytes: BODY_BYTES, fifo: false, timeout: 60 }
  return { perSecond, cost: costPerMillion(MEMORY, perSecond, 0, workload) as number }
}
