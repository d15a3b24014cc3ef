import { subscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'

/** What the runtime process measured during one invocation. */
export interface Figures {
  /** Whether the handler uses middy-bounded-sqs-batch, which publishes its batches and records. */
  isLibraryUsed: boolean
  /** Milliseconds of each record that ran. The records of a chunk have the duration of the chunk. */
  durations: number[]
  /** CPU milliseconds of all threads, from reading the event to sending the response. */
  cpu: number
  /** The most MB of memory that the process has ever had. */
  peakMemory: number
  /** The most open files and sockets that were seen. `null` if none was left to count them. */
  descriptors: number | null
}

/** How often open files are counted. Counting a thousand takes half a millisecond. */
const SAMPLE_MS = 50

/**
 * Measures invocations, one at a time. Channels are found by name, so the library is not imported here and may be
 * bundled with the handler.
 */
export function openFigures() {
  const startTimes = new WeakMap<object, number>()
  let isLibraryUsed = false
  let durations: number[] = []
  let descriptors: number | null = 0
  let cpuBefore = process.cpuUsage()
  let sampler: NodeJS.Timeout | undefined

  subscribe('tracing:middy-bounded-sqs-batch:batch:start', () => {
    isLibraryUsed = true
  })
  // The events of one run of a handler carry the same object.
  subscribe('tracing:middy-bounded-sqs-batch:record:start', (message) => {
    startTimes.set(message as object, performance.now())
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:asyncEnd', (message) => {
    const { records } = message as { records: unknown[] }
    const duration = Number((performance.now() - (startTimes.get(message as object) as number)).toFixed(3))
    for (const _ of records) durations.push(duration)
  })

  function countDescriptors() {
    if (descriptors !== null) descriptors = mostOf(descriptors, openDescriptors())
  }
  return {
    start() {
      durations = []
      descriptors = 0
      cpuBefore = process.cpuUsage()
      sampler = setInterval(countDescriptors, SAMPLE_MS).unref()
    },
    take(): Figures {
      const { user, system } = process.cpuUsage(cpuBefore)
      clearInterval(sampler)
      countDescriptors()
      return { isLibraryUsed, durations, cpu: (user + system) / 1000, peakMemory: peakMemory(), descriptors }
    },
  }
}

function mostOf(before: number, now: number | null): number | null {
  return now === null ? null : Math.max(before, now)
}

function openDescriptors(): number | null {
  try {
    return readdirSync('/dev/fd').length - 1 // without the descriptor of this folder
  } catch {
    return null
  }
}

/** On Linux, `maxRSS` also counts the memory of the process that started this one, so it is not used there. */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
