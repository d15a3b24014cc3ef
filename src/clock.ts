import type { LazyRecordOptions } from './record-options.ts'
import type { Deadlines } from './time-budget.ts'
import { startTimer } from './timers.ts'

/** A place in the queue, and the record that runs in it. */
export interface Slot {
  readonly release: () => void
  startedAt: number
  options: LazyRecordOptions | undefined
  /** Whether its record timed out so long ago that its handler does not seem to heed the signal. */
  isDeaf: boolean
}

/** What an invocation's clock looks after, and what it calls when the time has come. */
export interface Timed {
  readonly deadlines: Deadlines
  /** Milliseconds. */
  readonly recordTimeout: number
  readonly slots: Iterable<Slot>
  drain(): void
  end(): void
  /** A record has been open for its timeout or longer: said again each time. */
  expire(options: LazyRecordOptions, duration: number): void
  /** A record has been open for twice its timeout or longer: said again each time. */
  deafen(slot: Slot): void
  lookForStuck(): void
}

/** One timer an invocation, for its deadlines and all its records' timeouts. */
export function createClock(timed: Timed): { watch(): void; stop(): void } {
  const { deadlines, recordTimeout, slots, drain, end, expire, deafen, lookForStuck } = timed
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  /** Does what is due, and comes back when the next thing can be due. */
  function watch(): void {
    const now = performance.now()
    if (now >= deadlines.abortAt) return void end()
    if (now >= deadlines.drainAt) drain()
    let next = Math.min(now + recordTimeout, now < deadlines.drainAt ? deadlines.drainAt : deadlines.abortAt)
    for (const slot of recordTimeout < Infinity ? slots : []) {
      if (!slot.options) continue
      const expiresAt = slot.startedAt + recordTimeout
      const isDeafAt = expiresAt + recordTimeout
      if (now >= expiresAt) expire(slot.options, now - slot.startedAt)
      if (now >= isDeafAt) deafen(slot)
      else next = Math.min(next, now < expiresAt ? expiresAt : isDeafAt)
    }
    lookForStuck()
    if (isStopped || next === Infinity) return
    timer = startTimer(watch, next - now)
  }

  function stop(): void {
    isStopped = true
    clearTimeout(timer)
  }

  return { watch, stop }
}
