import { setImmediate } from 'node:timers' // the true one, also where a test has put a clock of its own in its place

/** Most milliseconds for which lanes keep the event loop from turning, beyond what one handler takes. */
const LONGEST_TURN = 10

/** Lets the event loop turn now and then while handlers compute, so that timers and other invocations come to their turn. */
export interface EventLoop {
  /** Counts from now, since nothing has been running. */
  reset(): void
  isDueToTurn(now: number): boolean
  turn(): Promise<void>
}

export function createEventLoop(): EventLoop {
  let lastTurn = 0
  let isTurning = false
  return {
    reset() {
      lastTurn = performance.now()
    },
    isDueToTurn: (now) => now - lastTurn > LONGEST_TURN,
    // An immediate for each lane, between which Node runs what they start: all of them woken by one would start a record
    // each before any of these had a chance to compute, and the clock was looked at again.
    turn() {
      const isFirst = !isTurning
      isTurning = true
      return new Promise((resolve) => {
        setImmediate(() => {
          if (isFirst) {
            isTurning = false
            lastTurn = performance.now()
          }
          resolve()
        })
      })
    },
  }
}
