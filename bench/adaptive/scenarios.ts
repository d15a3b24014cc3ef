import {
  about,
  boundedQueue,
  bucket,
  computing,
  contended,
  either,
  fixedWindow,
  flaky,
  instantBlocks,
  instantShare,
  logNormal,
  open,
  pareto,
  pausing,
  pool,
  queueing,
  refusing,
  retrying,
  slowing,
  thrashing,
  withDescriptors,
} from './downstreams.ts'
import type { Downstream } from './simulator.ts'

/** Downstreams of different kinds, on which the parameters of the limiter were chosen. */
export const DOWNSTREAMS: Readonly<Record<string, Downstream>> = {
  'queue 37 × 23 ms': queueing(37, about(23)),
  'refuse above 53, 17 ms': refusing(53, about(17)),
  'queue 400 × 60 ms': queueing(400, about(60)),
  'queue 120, log-normal': queueing(120, logNormal(10, 2000, 200, 1)),
  'refuse above 120, log-normal': refusing(120, logNormal(10, 2000, 200, 1)),
  'queue 80, 10 or 2,000 ms': queueing(80, either(10, 2000, 0.1)),
  'thrash above 64, 40 ms': thrashing(64, about(40), 2),
  'bucket 500/s, 20 ms': bucket(500, 50, about(20)),
  'compute 2 ms, wait 50 ms': computing(2, open(about(50))),
  'EMFILE above 300, 60 ms': withDescriptors(300, open(about(60))),
  'no limit, log-normal': open(logNormal(10, 2000, 200, 1)),
}

/** Cases that mislead a search: hidden retries, records that end at once, and calls that fail by chance. */
export const HARD_CASES: Readonly<Record<string, Downstream>> = {
  'queue 400 × 60 ms': queueing(400, about(60)),
  'queue 400, blocks of 500 instant': instantBlocks(500, queueing(400, about(60))),
  'queue 400, blocks of 2,000 instant': instantBlocks(2000, queueing(400, about(60))),
  'queue 400, half instant': instantShare(0.5, queueing(400, about(60))),
  'refuse above 53, 17 ms': refusing(53, about(17)),
  'refuse above 53, half instant': instantShare(0.5, refusing(53, about(17))),
  'refuse above 53, blocks of 500 instant': instantBlocks(500, refusing(53, about(17))),
  'refuse above 53, client retries': retrying(refusing(53, about(17))),
  'bucket 500/s, 20 ms': bucket(500, 50, about(20)),
  'bucket 500/s, client retries': retrying(bucket(500, 50, about(20))),
  'queue 600 × 200 ms': queueing(600, about(200)),
  'queue 50 × 20 ms, 10 % get a 503': flaky(0.1, queueing(50, about(20))),
  'queue 50 × 20 ms, 20 % get a 503': flaky(0.2, queueing(50, about(20))),
}

/**
 * Downstreams that were added after the parameters had been chosen. The search was changed again later, for outages and
 * for calls that fail by chance, when the results of these downstreams were known.
 */
export const EARLIER_UNSEEN: Readonly<Record<string, Downstream>> = {
  'queue 40 × 30 ms, 60 places': boundedQueue(40, 60, about(30)),
  'queue 90, Pareto tail': queueing(90, pareto(30, 3000, 1.3)),
  'contention, 25 ms × (1 + n ÷ 60)': contended(60, about(25)),
  'queue 150 × 40 ms, pauses of 400 ms': pausing(3000, 400, queueing(150, about(40))),
}

/**
 * Downstreams that were added last. Since then, the search has changed twice. Throttled calls now lower a limit that was
 * not reached by half at most, which changed none of these results. The minimum limit is now 10 instead of 1, which
 * changed the result of "first 200 of each second".
 */
export const UNSEEN: Readonly<Record<string, Downstream>> = {
  'pool of 20 × 300 ms, 1 s to wait': pool(20, 1000, about(300)),
  'first 200 of each second, 30 ms': fixedWindow(200, about(30)),
  'refuse above 150, 25 or 50 ms': slowing(3000, 300, about(25), (latency) => refusing(150, latency)),
  'queue 64, 5 or 300 ms': queueing(64, either(5, 300, 0.2)),
}
