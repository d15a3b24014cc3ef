import { readFileSync } from 'node:fs'

/** What one invocation used, until its response. */
export interface Usage {
  /** CPU milliseconds of all threads. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
  /** MB in use after a collection of garbage, if the environment collects it. */
  memoryInUse?: number | undefined
  /** The most CPU milliseconds of the thread without a return to the event loop. */
  longestBlock: number
  /** BOUNDED_SQS_BATCH_CONCURRENCY after the invocation. The handler may have changed or removed it. */
  concurrencyVariable?: string | undefined
}

/** A block can be measured as longer by this time, which is short beside any timeout. */
const TICK_MS = 10
/** The CPU time of the main thread. Before Node 22.19, of all threads, limited by the time that passed. */
const threadCpuUsage = process.threadCpuUsage?.bind(process) ?? process.cpuUsage.bind(process)

const inMs = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000

/** Measures invocations, one at a time. Called before the handler is loaded, which may replace timers. */
export function openUsage() {
  const { setInterval, clearInterval } = globalThis
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
      const cpu = inMs(process.cpuUsage(before))
      const concurrencyVariable = process.env.BOUNDED_SQS_BATCH_CONCURRENCY
      const memory = { peakMemory: peakMemory(), memoryInUse: memoryInUse() }
      return { cpu, ...memory, longestBlock, concurrencyVariable }
    },
  }
}

function memoryInUse(): number | undefined {
  if (!process.execArgv.includes('--expose-gc')) return undefined
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1024 ** 2
}

let lastPeak = 0

/**
 * The highest memory use of this process in MB. On Linux, `maxRSS` also counts the memory of the process that
 * started this one, so it is not used there. If no descriptor is left for reading, this is the value of the
 * last call.
 */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    lastPeak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
  } catch {
    // EMFILE
  }
  return lastPeak
}
