/** The longest delay of a timer, 24 days; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1

/** Like `setTimeout()`, for any number of milliseconds: what is longer than a timer can wait has to look again. */
export function startTimer(run: () => void, delay: number): NodeJS.Timeout {
  return setTimeout(run, Math.min(Math.max(1, Math.ceil(delay)), LONGEST_DELAY))
}
