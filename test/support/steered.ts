import { applyLimiter } from '../../src/adaptive/apply-limiter.ts'
import type { Limiter, LimiterFactory } from '../../src/scheduler/limiting.ts'

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
  const concurrency: LimiterFactory = { max: 100, createLimiter: () => limiter, applyLimiter }
  return { concurrency, limiter, calls }
}
