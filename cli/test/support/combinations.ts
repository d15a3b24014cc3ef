import type { Measurement } from '../../src/tune/result.ts'

export function measurement(changes: Partial<Measurement> = {}): Measurement {
  const { goodput = 1000 } = changes
  return {
    concurrency: 40,
    goodput,
    lowest: goodput,
    highest: goodput,
    rounds: 3,
    records: 10_000,
    failedShare: 0,
    causes: {},
    cpuPerRecord: 0.1,
    peakMemory: 100,
    problem: undefined,
    ...changes,
  }
}
