import { createLimiter } from '../../src/adaptive/limiter.ts'
import type { AdaptiveSettings, LimitSearch } from '../../src/scheduler/limiter.ts'

/** A value for `concurrency` whose limit the test sets. It takes effect when a record starts or ends. */
export function steered(limit: number) {
  const calls: unknown[][] = []
  const search: LimitSearch & { limit: number } = {
    limit,
    reason: 'initial',
    started(_now, waiting) {
      calls.push(['started', waiting])
      return search
    },
    failed(error) {
      calls.push(['failed', (error as Error).message])
      return true
    },
    timedOut(token, _startedAt, error) {
      calls.push(['timed out', (error as Error).message])
      return token
    },
    ended(_token, _startedAt, _now, succeeded) {
      calls.push(['ended', succeeded])
    },
  }
  const concurrency: AdaptiveSettings = { max: 100, createSearch: () => search, createLimiter }
  return { concurrency, search, calls }
}
