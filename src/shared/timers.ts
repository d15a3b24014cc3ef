/**
 * Milliseconds. A longer `setTimeout()` fires immediately
 * (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args).
 */
const MAX_DELAY = 2 ** 31 - 1

/** Like `setTimeout()`, for at most `MAX_DELAY`: the callback must check the clock and start another timer. */
export function startTimer(run: () => void, delay: number): NodeJS.Timeout {
  return setTimeout(run, Math.min(Math.max(1, Math.ceil(delay)), MAX_DELAY))
}
