import type { Backoff } from '../code/source.ts'

/**
 * The seconds of an outage that a message survives with `retryBackoff()`: at least, and with full jitter for 99 % of the
 * messages. docs/outages.md has the formula.
 */
export function outageSeconds({ base, factor, max, jitter }: Backoff, receives: number): number {
  const delays = Array.from({ length: receives - 1 }, (_, index) => Math.min(max, base * factor ** index))
  const sum = delays.reduce((total, delay) => total + delay, 0)
  if (jitter === 'none') return sum
  if (jitter === 'equal') return sum / 2
  const squares = delays.reduce((total, delay) => total + delay ** 2, 0)
  return Math.max(0, sum / 2 - 2.33 * Math.sqrt(squares / 12))
}
