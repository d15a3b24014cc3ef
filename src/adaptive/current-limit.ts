import type { LimitReason } from '../types.ts'

/** The limit of the search, and why it last changed. */
export interface CurrentLimit {
  readonly value: number
  readonly min: number
  reason: LimitReason
  /** Rounds the value down and keeps it from `min` to `max`. The reason stays if the limit does not change. */
  set(value: number, reason: LimitReason): void
}

export interface LimitRange {
  readonly min: number
  /** The maximum limit. It can be less than `min` or `initial`, if few file descriptors are free. */
  readonly max: number
  readonly initial: number
}

export function createCurrentLimit({ min, max, initial }: LimitRange): CurrentLimit {
  let limit = Math.min(initial, max)
  return {
    get value() {
      return limit
    },
    min,
    reason: 'initial',
    set(value, reason) {
      const next = Math.min(max, Math.max(min, Math.floor(value)))
      if (next === limit) return
      limit = next
      this.reason = reason
    },
  }
}
