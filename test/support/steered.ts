import type { AdaptiveConcurrency } from '../../src/adaptive/index.ts'
import type { Limiter } from '../../src/types.ts'

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
  const concurrency: AdaptiveConcurrency = { max: 100, createLimiter: () => limiter }
  return { concurrency, limiter, calls }
}
