import { about, bucket, logNormal, open, queueing, refusing, thrashing } from './downstreams.ts'
import type { Downstream } from './simulator.ts'

export interface HttpCase {
  readonly downstream: Downstream
  /** How often the client retries a refused call itself. */
  readonly retries?: number
  /** The share of the records that need no call. */
  readonly instant?: number
  /** Milliseconds for which each handler computes. */
  readonly compute?: number
  /** How many environments call the downstream at once. */
  readonly environments?: number
}

/** The capacity falls after 6 seconds and rises again after 12. */
function stepping(now: number): number {
  return now > 6000 && now < 12_000 ? 30 : 120
}

export const HTTP_CASES: Readonly<Record<string, HttpCase>> = {
  'queue 37 × 23 ms': { downstream: queueing(37, about(23)) },
  'refuse above 53, 17 ms': { downstream: refusing(53, about(17)) },
  'bucket 500/s, 20 ms': { downstream: bucket(500, 50, about(20)) },
  'thrash above 64, 40 ms': { downstream: thrashing(64, about(40), 2) },
  'queue 400 × 200 ms': { downstream: queueing(400, about(200)) },
  'queue 120, log-normal': { downstream: queueing(120, logNormal(10, 2000, 200, 1)) },
  'refuse above 120, then 30, then 120, 60 ms': { downstream: refusing(stepping, about(60)) },
  'refuse above 53, client retries': { downstream: refusing(53, about(17)), retries: 2 },
  'refuse above 53, half instant': { downstream: refusing(53, about(17)), instant: 0.5 },
  'compute 2 ms, wait 20 ms': { downstream: open(about(20)), compute: 2 },
  'refuse above 200, 60 ms, eight environments': { downstream: refusing(200, about(60)), environments: 8 },
}
