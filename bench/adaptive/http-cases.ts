import { about, bucket, logNormal, open, queueing, refusing, thrashing } from './downstreams.ts'
import type { Downstream } from './simulator.ts'

export interface HttpCase {
  readonly downstream: Downstream
  /**
   * The fixed numbers to compare with, in descending order. They are near the best number, which the capacity of the
   * downstream determines.
   */
  readonly sweep: readonly number[]
  /** How often the client itself retries a refused call. */
  readonly retries?: number
  /** The share of the records that need no call. */
  readonly instant?: number
  /** Milliseconds for which each handler computes. */
  readonly compute?: number
  /**
   * The capacity changes after some seconds, so only batches of at least this many records take long enough. The sweep
   * then has as many batches as the comparison.
   */
  readonly minRecords?: number
  /** How many environments call the downstream at once. */
  readonly environments?: number
}

/** The capacity falls after 6 seconds and rises again after 12. */
function stepping(now: number): number {
  return now > 6000 && now < 12_000 ? 30 : 120
}

export const HTTP_CASES: Readonly<Record<string, HttpCase>> = {
  'queue 37 × 23 ms': { sweep: [100, 64, 50, 40, 37, 32, 24], downstream: queueing(37, about(23)) },
  'refuse above 53, 17 ms': { sweep: [100, 64, 53, 50, 45, 32], downstream: refusing(53, about(17)) },
  'bucket 500/s, 20 ms': { sweep: [50, 24, 16, 12, 10, 8], downstream: bucket(500, 50, about(20)) },
  'thrash above 64, 40 ms': { sweep: [100, 80, 64, 50, 40], downstream: thrashing(64, about(40), 2) },
  'queue 400 × 200 ms': { sweep: [500, 400, 300, 200, 50], downstream: queueing(400, about(200)) },
  'queue 120, log-normal': { sweep: [200, 150, 120, 90, 50], downstream: queueing(120, logNormal(10, 2000, 200, 1)) },
  'refuse above 120, then 30, then 120, 60 ms': {
    sweep: [120, 100, 64, 50, 30],
    downstream: refusing(stepping, about(60)),
    minRecords: 7000,
  },
  'refuse above 53, client retries': {
    sweep: [100, 64, 53, 50, 40, 32],
    downstream: refusing(53, about(17)),
    retries: 2,
  },
  'refuse above 53, half instant': {
    sweep: [150, 120, 106, 90, 50],
    downstream: refusing(53, about(17)),
    instant: 0.5,
  },
  'compute 2 ms, wait 20 ms': { sweep: [100, 50, 24, 12, 8], downstream: open(about(20)), compute: 2 },
  'refuse above 200, 60 ms, eight environments': {
    sweep: [50, 32, 25, 20, 12],
    downstream: refusing(200, about(60)),
    environments: 8,
  },
}
