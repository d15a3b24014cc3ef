import { withoutStack } from '../errors.ts'
import { startTimer } from '../shared/timers.ts'

/** The time that callbacks have, in milliseconds. */
export interface CallbackTime {
  /** Until the function's timeout; `Infinity` if that is not known. */
  readonly left: number
  /** How long before the timeout they must be done, so that the response is sent in time. */
  readonly reserve: number
  /** They have at most this time, also without a timeout. No limit by default. */
  readonly max?: number
}

/**
 * The time limit of the callbacks that run after the records.
 *
 * A separate function, because a closure of the caller would keep the batch in memory while a callback hangs.
 *
 * @param callbacks names the callbacks in the error: 'the failure handlers' or 'onSummary'
 */
export function createDeadline({ left, reserve, max = Infinity }: CallbackTime, callbacks: string) {
  const controller = new AbortController()
  const signal: AbortSignal = controller.signal
  const time = Math.min(left - reserve, max)
  const limit =
    time === max
      ? `it has at most ${max} ms`
      : `the response needs the last ${Math.round(reserve)} ms before the timeout`
  const message = `The time for ${callbacks} is over: ${limit}`
  // Without a stack: an error whose stack was not read keeps its callers in memory, and so the batch.
  const expire = () => controller.abort(withoutStack(() => new Error(message)))
  const endsAt = performance.now() + time
  const timer = time > 0 && time < Infinity ? startTimer(expire, time) : undefined
  if (time <= 0) expire()
  return {
    signal,
    /** Throws if the time is over. A blocked event loop can have delayed the timer, so this reads the clock. */
    check(): void {
      if (performance.now() >= endsAt) expire()
      signal.throwIfAborted()
    },
    clear: () => clearTimeout(timer),
  }
}

/** Like `Promise.try()`, which Node 22 does not have: if the callback throws, the returned promise rejects. */
export async function promiseTry<TArgs extends unknown[]>(
  callback: (...args: TArgs) => unknown,
  ...args: TArgs
): Promise<unknown> {
  return callback(...args)
}

/**
 * Settles like `result`. If the signal aborts first, it rejects with the reason, and ignores a later result
 * or rejection.
 *
 * @param grace milliseconds that the callback has after its signal aborted, to return what it has done so far
 */
export function raceWithSignal(signal: AbortSignal, result: Promise<unknown>, grace = 0): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    function onAbort() {
      if (grace === 0) reject(signal.reason)
      else timer = setTimeout(() => reject(signal.reason), grace)
    }
    result.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    })
    // In a microtask, so that a result that is there already comes first.
    if (signal.aborted) queueMicrotask(onAbort)
    else signal.addEventListener('abort', onAbort)
  })
}

/**
 * Calls a callback and waits for its promise, until the time is over.
 *
 * @param name of the callback, for the error
 * @param log is called with the error if the callback fails, or if the time is over
 */
export async function callInTime(
  callback: () => unknown,
  time: CallbackTime,
  name: string,
  log: (error: unknown) => void,
): Promise<void> {
  const deadline = createDeadline(time, name)
  await raceWithSignal(deadline.signal, promiseTry(callback)).catch(log)
  deadline.clear()
}
