/**
 * The usual share of overloads is learned: a measurement of this many jobs replaces the previous value, and a smaller
 * one counts in proportion.
 */
const LEARNED_AFTER = 500
/** The same, if a lower limit has shown that the limit is not the cause of the overloads. */
const LEARNED_AFTER_CUT = 50
/** Not more than this share of the calls counts as overloaded by chance. */
const MAX_USUAL_OVERLOADS = 0.2
/**
 * The limit is not the cause of the overloads if two things are true after the limit was lowered. The share of overloads
 * is still at least `REMAINING_OVERLOADS` of the share before, and the share of the other calls has grown by less than
 * `MORE_OTHERS`. If the limit were the cause, half of the limit would double the share of the other calls.
 */
const REMAINING_OVERLOADS = 0.3
const MORE_OTHERS = 1.6

/** Counts throttled and overloaded calls, and tells whether they are more than chance. */
export interface Pressure {
  /** How many jobs have ended since the last `restart()`. */
  readonly ends: number
  /** The share of them that were overloaded. */
  readonly overloadShare: number
  ended(): void
  /** Counts a failure, and returns whether there are now more than by chance. */
  failed(failure: 'throttle' | 'overload'): boolean
  /** Learns from the counts how often calls are overloaded by chance. */
  learn(): void
  /**
   * Returns whether calls are overloaded about as often as before the limit was lowered. If they are, the limit is not the
   * cause, so this also learns from them.
   */
  isUnchangedFrom(shareBefore: number): boolean
  /** Begins new counts. What was learned stays. */
  restart(): void
}

export function createPressure(): Pressure {
  let ends = 0
  let throttles = 0
  let overloads = 0
  /** The share of the jobs that are overloaded by chance. */
  let usual = 0

  function learn(jobs: number): void {
    const share = Math.min(MAX_USUAL_OVERLOADS, overloads / Math.max(1, ends))
    usual += Math.min(1, ends / jobs) * (share - usual)
  }

  return {
    get ends() {
      return ends
    },
    get overloadShare() {
      return overloads / ends
    },
    ended() {
      ends++
    },
    // One throttled job can be chance. For overloads, the threshold is one, plus twice their usual number, plus three
    // standard deviations.
    failed(failure) {
      if (failure === 'throttle') return ++throttles > 1 && throttles >= 0.01 * ends
      const expected = usual * ends
      return ++overloads > 1 + 2 * expected + 3 * Math.sqrt(expected)
    },
    learn() {
      learn(LEARNED_AFTER)
    },
    isUnchangedFrom(shareBefore) {
      const share = overloads / ends
      const isUnchanged =
        overloads > 1 && // one is not enough to know
        share >= REMAINING_OVERLOADS * shareBefore &&
        1 - share < MORE_OTHERS * (1 - shareBefore)
      if (isUnchanged) learn(LEARNED_AFTER_CUT)
      return isUnchanged
    },
    restart() {
      ends = throttles = overloads = 0
    },
  }
}
