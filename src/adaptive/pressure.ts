/**
 * The usual share of overloads is learned: a measurement of this many jobs replaces the previous value, and a smaller
 * one counts in proportion.
 */
const LEARNED_AFTER = 500
/** The same, if a lower limit has shown that the limit is not the cause of the overloads. */
const LEARNED_AFTER_CUT = 50
/**
 * The highest share that is learned without a cut (`LEARNED_AFTER_CUT`). If the limit is too high and the client
 * retries, the share of failures grows slowly. If it were learned, the threshold would grow with it, and there would
 * never be pressure.
 */
const MAX_UNPROVEN = 0.01
/** The highest share that is learned with the proof, and that is tolerated while a lower limit is measured. */
const MAX_PROVEN = 0.2

/** Counts throttled and overloaded jobs, and decides whether there are too many. */
export function createPressure() {
  let ends = 0
  let successes = 0
  let throttles = 0
  let overloads = 0
  /** The share of the jobs that are overloaded by chance. */
  let usual = 0
  let tolerated = 0

  function learnUsual(jobs: number, max: number): void {
    // At most `max` is learned. But a higher share that was proven before can stay.
    const share = Math.min(Math.max(max, usual), overloads / Math.max(1, ends))
    usual += Math.min(1, ends / jobs) * (share - usual)
  }

  return {
    /** How many jobs have ended since the last `restart()`. */
    get ends() {
      return ends
    },
    /** The share of them that were overloaded. */
    get overloadShare() {
      return overloads / ends
    },
    /** How many of them have succeeded. */
    get successes() {
      return successes
    },
    ended(succeeded: boolean | undefined): void {
      ends++
      if (succeeded) successes++
    },
    /**
     * Counts a failure, and returns whether there are now too many of its kind. Throttled jobs are too many if there are
     * at least two, and at least 1 % of the ended jobs. For overloads, the expected number comes from the usual or the
     * tolerated share, whichever is higher. The threshold is one, plus twice that number, plus three standard deviations.
     */
    failed(failure: 'throttle' | 'overload'): boolean {
      if (failure === 'throttle') return ++throttles > 1 && throttles >= 0.01 * ends
      const expected = Math.max(usual, tolerated) * ends
      return ++overloads > 1 + 2 * expected + 3 * Math.sqrt(expected)
    },
    /** Learns from the counts how often jobs are overloaded by chance. */
    learn(): void {
      learnUsual(LEARNED_AFTER, MAX_UNPROVEN)
    },
    /**
     * Returns whether jobs are overloaded about as often as before the limit was lowered. If they are, the limit is not
     * the cause, so this also learns how often jobs are overloaded by chance. The difference can be chance if it is at
     * most two standard deviations. One overload is not enough to know.
     */
    learnIfUnchangedFrom(shareBefore: number): boolean {
      const expected = shareBefore * ends
      const isUnchanged = overloads > 1 && overloads >= expected - 2 * Math.sqrt(expected)
      if (isUnchanged) learnUsual(LEARNED_AFTER_CUT, MAX_PROVEN)
      return isUnchanged
    },
    /** Begins new counts. What was learned stays. Overloads up to `share` are not pressure, so it can be measured. */
    restart(share: number): void {
      ends = successes = throttles = overloads = 0
      tolerated = Math.min(MAX_PROVEN, share)
    },
  }
}
