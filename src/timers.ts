/**
 * Milliseconds, about 24 days. `setTimeout()` fires at once if the delay is longer
 * (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args).
 */
const MAX_DELAY = 2 ** 31 - 1

/**
 * Like `setTimeout()`, for any number of milliseconds. A delay of more than 24 days ends after 24 days. If that is possible,
 * the callback must check the clock and start another timer.
 */
export function startTimer(run: () => void, delay: number): NodeJS.Timeout {
  return setTimeout(run, Math.min(Math.max(1, Math.ceil(delay)), MAX_DELAY))
}
