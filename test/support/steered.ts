import type { AdaptiveConcurrency } from '../../src/index.ts'
import { CREATE_LIMITER, type Limiter } from '../../src/scheduler/limiter.ts'

/** A value for `concurrency` whose limit the test sets. It takes effect when a record starts or ends. */
export function steered(limit: number) {
  const calls: unknown[][] = []
  const limiter: Limiter & { limit: number } = {
    limit,
    reason: 'initial',
    started(_now, waiting) {
      calls.push(['started', waiting])
      return limiter
    },
    failed(error) {
      calls.push(['failed', (error as Error).message])
      return false
    },
    timedOut(token, _startedAt, error) {
      calls.push(['timed out', (error as Error).message])
      return token
    },
    ended(_token, _startedAt, _now, succeeded) {
      calls.push(['ended', succeeded])
    },
  }
  const concurrency: AdaptiveConcurrency = { max: 100, [CREATE_LIMITER]: () => limiter }
  return { concurrency, limiter, calls }
}
