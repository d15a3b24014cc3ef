// Runs in the process of the handler.
import { subscribe } from 'node:diagnostics_channel'

/** A block can be measured as longer by this time, which is short beside any timeout. */
const TICK_MS = 10
/** The CPU time of the main thread. Before Node 22.19, of all threads: it is then limited by the time that passed. */
const cpuUsage = process.threadCpuUsage?.bind(process) ?? process.cpuUsage.bind(process)

let hasChildren = false

/**
 * Measures how much CPU time the thread used without returning to the event loop, and whether it started other processes.
 * Must be called before the handler is loaded, which may replace the timers.
 */
export function openLongestBlock() {
  const { setInterval, clearInterval } = globalThis
  let timer: NodeJS.Timeout | undefined
  let at = 0
  let cpu = cpuUsage()
  let longest = 0
  function tick() {
    const now = performance.now()
    const used = cpuUsage()
    longest = Math.max(longest, Math.min(now - at, (used.user - cpu.user + used.system - cpu.system) / 1000))
    at = now
    cpu = used
  }
  subscribe('child_process', () => {
    hasChildren = true
  })
  return {
    start() {
      at = performance.now()
      cpu = cpuUsage()
      longest = 0
      timer = setInterval(tick, TICK_MS).unref()
    },
    take() {
      clearInterval(timer)
      tick()
      return { longestBlock: longest, hasChildren }
    },
  }
}
