// Runs in the process of the handler.
import { subscribe } from 'node:diagnostics_channel'
import { peakMemory } from './metrics.ts'

/** What one invocation used, until its response. */
export interface Usage {
  /** CPU milliseconds of all threads. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
  /** The most CPU milliseconds of the thread without a return to the event loop. */
  longestBlock: number
  /** Whether the process has started other processes, whose memory is not counted. */
  hasChildren: boolean
}

/** The header of a response with the usage, as JSON. */
export const USAGE_HEADER = 'bounded-sqs-batch-usage'

/** A block can be measured as longer by this time, which is short beside any timeout. */
const TICK_MS = 10
/** The CPU time of the main thread. Before Node 22.19, of all threads: it is then limited by the time that passed. */
const threadCpuUsage = process.threadCpuUsage?.bind(process) ?? process.cpuUsage.bind(process)

const inMs = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000

/** Measures invocations, one at a time. Must be called before the handler is loaded, which may replace the timers. */
export function openUsage() {
  const { setInterval, clearInterval } = globalThis
  let hasChildren = false
  let before = process.cpuUsage()
  let timer: NodeJS.Timeout | undefined
  let at = 0
  let threadCpu = 0
  let longestBlock = 0
  function tick() {
    const now = performance.now()
    const used = inMs(threadCpuUsage())
    longestBlock = Math.max(longestBlock, Math.min(now - at, used - threadCpu))
    at = now
    threadCpu = used
  }
  subscribe('child_process', () => {
    hasChildren = true
  })
  return {
    start() {
      before = process.cpuUsage()
      tick()
      longestBlock = 0
      timer = setInterval(tick, TICK_MS).unref()
    },
    take(): Usage {
      clearInterval(timer)
      tick()
      return { cpu: inMs(process.cpuUsage(before)), peakMemory: peakMemory(), longestBlock, hasChildren }
    },
  }
}
