import { type Run, toResult } from '../../src/tune/recommend.ts'
import type { TuneResult } from '../../src/tune/result.ts'
import { measurement } from './combinations.ts'

/** What was found for a service that accepts 80 calls of 40 ms at once, from two environments. */
export function tuneRun(changes: Partial<Run> = {}): Run {
  const causes = { 'Error: downstream returned 503': 1870 }
  return {
    handler: 'src/orders.handler',
    plan: {
      workload: { environments: 2, batchSize: 1000, bodyBytes: 100, fifo: false, timeout: 30 },
      memories: [128, 256, 512, 1024, 1769],
      canUseMore: true,
      optimize: 'balanced',
    },
    range: { least: 5, most: 200 },
    measurements: [
      measurement({ concurrency: 5, goodput: 246.3, peakMemory: 81 }),
      measurement({ concurrency: 20, goodput: 961.7, peakMemory: 92 }),
      measurement({ concurrency: 40, goodput: 1890, lowest: 1802.6, highest: 1911, rounds: 7, peakMemory: 102 }),
      measurement({ concurrency: 50, goodput: 1874, lowest: 1790, highest: 1907, rounds: 7, peakMemory: 110 }),
      measurement({ concurrency: 79, goodput: 1298, failedShare: 0.187, causes, peakMemory: 168 }),
    ],
    checks: new Map(),
    growth: null,
    usedBatchSize: 1000,
    window: 5,
    delivered: 41_200,
    isIncomplete: false,
    ...changes,
  }
}

export function tuneResult(changes: Partial<Run> = {}): TuneResult {
  return toResult(tuneRun(changes))
}
