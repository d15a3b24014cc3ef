import { formatShare } from '../../src/tune/figures/format.ts'
import type { Combination, Measurement, TuneResult } from '../../src/tune/figures/result.ts'

const ENVIRONMENTS = 4
const FAILURE = 'Error: downstream returned 503'
const MEMORIES = [128, 256, 512, 1024, 1769]
/** The measurements without a CPU limit, for a downstream that accepts 80 calls of 40 ms at once. */
const MEASUREMENTS: readonly Measurement[] = [
  { concurrency: 10, goodput: 246.3, failedShare: 0, p50: 40.2, p95: 43.1, cpuPerRecord: 0.412, peakMemory: 81 },
  { concurrency: 20, goodput: 489.1, failedShare: 0, p50: 40.5, p95: 43.9, cpuPerRecord: 0.388, peakMemory: 84 },
  { concurrency: 40, goodput: 961.7, failedShare: 0, p50: 41.1, p95: 45.6, cpuPerRecord: 0.371, peakMemory: 92 },
  { concurrency: 60, goodput: 1402.5, failedShare: 0, p50: 42, p95: 48.8, cpuPerRecord: 0.366, peakMemory: 101 },
  { concurrency: 80, goodput: 1811.9, failedShare: 0.0008, p50: 43.4, p95: 55.2, cpuPerRecord: 0.363, peakMemory: 102 },
  { concurrency: 120, goodput: 1705.4, failedShare: 0.0094, p50: 66.9, p95: 104, cpuPerRecord: 0.377, peakMemory: 131 },
  { concurrency: 200, goodput: 1298.2, failedShare: 0.187, p50: 118, p95: 391, cpuPerRecord: 0.402, peakMemory: 168 },
  { concurrency: 400, goodput: 702.6, failedShare: 0.5603, p50: 260, p95: 1240, cpuPerRecord: 0.455, peakMemory: 263 },
].map((figures) => ({
  ...figures,
  margin: figures.concurrency === 400 ? null : figures.concurrency === 200 ? 0.07 : 0.04,
  isConfident: figures.concurrency < 200,
  rounds: figures.concurrency < 200 ? 3 : 10,
  batches: figures.concurrency < 200 ? 12 : 40,
  records: figures.concurrency < 200 ? 12_000 : 40_000,
  causes: figures.failedShare === 0 ? {} : { [FAILURE]: 14 },
  peakDescriptors: figures.concurrency * 4 + 28,
  cores: 0.7,
}))
/** What a CPU quota measured at 512 MB. */
const CONFIRMED: Record<number, { goodput: number; p50: number; p95: number }> = {
  40: { goodput: 712.4, p50: 55.8, p95: 70.2 },
  60: { goodput: 760.2, p50: 77.4, p95: 99.8 },
  80: { goodput: 748.8, p50: 104, p95: 151 },
}

function combinationOf(memory: number, measurement: Measurement): Combination {
  const { concurrency, margin, failedShare, records, cpuPerRecord, peakMemory, peakDescriptors } = measurement
  const possible = (1000 * Math.min(1, memory / 1769)) / (cpuPerRecord ?? 0)
  const slower = Math.max(1, measurement.goodput / possible)
  const confirmed = memory === 512 ? CONFIRMED[concurrency] : undefined
  const rates = confirmed ?? {
    goodput: Math.min(measurement.goodput, possible),
    p50: (measurement.p50 ?? 0) * slower,
    p95: (measurement.p95 ?? 0) * slower,
  }
  const gigabyteSeconds = (ENVIRONMENTS * (memory / 1024) * 1e6) / rates.goodput
  return {
    ...rates,
    ...{ memory, concurrency, margin, failedShare, records, cpuPerRecord, peakMemory, peakDescriptors },
    costPerMillion: gigabyteSeconds * 0.0000166667 + 0.08,
    origin: memory === 1769 ? 'measured' : confirmed ? 'confirmed' : 'predicted',
    problem:
      (peakMemory ?? 0) > 0.8 * memory
        ? `the process needs ${peakMemory} MB, more than 80 % of the memory`
        : failedShare > 0.01
          ? `${formatShare(failedShare)} of the records failed: ${FAILURE}`
          : undefined,
  }
}

/** A realistic result: 8 combinations were measured, 3 confirmed and 29 predicted. */
export function tuneResult(changes: Partial<TuneResult> = {}): TuneResult {
  const combinations = MEMORIES.flatMap((memory) =>
    MEASUREMENTS.map((measurement) => combinationOf(memory, measurement)),
  )
  return {
    handler: 'src/orders.handler',
    environments: ENVIRONMENTS,
    batchSize: 1000,
    measurements: MEASUREMENTS,
    combinations,
    confirmations: combinations
      .filter(({ origin }) => origin === 'confirmed')
      .map(({ memory, concurrency, goodput }) => ({ memory, concurrency, predicted: goodput, confirmed: goodput })),
    best: combinations.find(({ memory, concurrency }) => memory === 512 && concurrency === 60) ?? null,
    equal: null,
    uncertainty: null,
    incomplete: null,
    optimize: 'balanced',
    recommendation:
      'Use 512 MB and a concurrency of 60 in each of 4 environments: twice the memory is 1.8 times as fast, but costs 1.1 times as much.',
    patch: `OrdersFunction:
  Type: AWS::Serverless::Function
  Properties:
    MemorySize: 512
    Timeout: 60
    Environment:
      Variables:
        BOUNDED_SQS_BATCH_CONCURRENCY: '60'
    Events:
      Orders:
        Type: SQS
        Properties:
          BatchSize: 1000
          MaximumBatchingWindowInSeconds: 5
          FunctionResponseTypes: [ReportBatchItemFailures]
          ScalingConfig:
            MaximumConcurrency: 4
OrdersQueue:
  Type: AWS::SQS::Queue
  Properties:
    VisibilityTimeout: 365 # 6 × the timeout + the batching window
`,
    unknowns: [
      'The processor on AWS: its cores can be faster or slower than those of this machine.',
      'The network between the function and its downstream: its latency on AWS is different.',
      'The real downstream: its capacity can differ from that of the downstream that this run used.',
    ],
    ...changes,
  }
}
