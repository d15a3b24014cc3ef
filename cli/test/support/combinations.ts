import type { Combination, Measurement } from '../../src/tune/figures/result.ts'

export function measurement(changes: Partial<Measurement> = {}): Measurement {
  return {
    concurrency: 40,
    goodput: 1000,
    margin: 0.02,
    isConfident: true,
    rounds: 3,
    batches: 3,
    records: 10_000,
    failedShare: 0,
    causes: {},
    p50: 10,
    p95: 20,
    cpuPerRecord: 0.1,
    peakMemory: 100,
    peakDescriptors: 70,
    cores: 0.1,
    ...changes,
  }
}

export function combination(changes: Partial<Combination> = {}): Combination {
  const { isConfident, rounds, batches, causes, cores, ...figures } = measurement()
  return { ...figures, memory: 1769, costPerMillion: 1, origin: 'measured', ...changes }
}
