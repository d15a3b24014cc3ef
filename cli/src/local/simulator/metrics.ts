import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'

/** What the runtime process measured during one invocation. */
export interface InvocationMetrics {
  /** Whether the event reached middy-bounded-sqs-batch, which publishes its batches and records. */
  isLibraryUsed: boolean
  /** The value of BOUNDED_SQS_BATCH_CONCURRENCY after the invocation. The handler may have changed or removed it. */
  concurrencyVariable?: string | undefined
  /** The maximum number of records or chunks that were in flight at the same time, as the library counted them. */
  peakInFlight: number
  /** The records that ran in a record or chunk handler and succeeded. */
  succeeded: number
  /** The records that had not started or finished when the library ended the batch. */
  unfinished: number
  /** CPU milliseconds of all threads, from reading the event to sending the response. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
  /** MB in use after a collection of garbage. Only if Node has the flag --expose-gc. */
  memoryInUse?: number | undefined
}

interface EndedRecords {
  records: unknown[]
  /** 1.0.0-rc.1 does not have it: then all records of a chunk count as failed. */
  failures?: unknown[]
}

function newCounts() {
  return { isLibraryUsed: false, peakInFlight: 0, succeeded: 0, unfinished: 0 }
}

/**
 * Measures invocations, one at a time. Channels are found by name, so the library is not imported here and may be
 * bundled with the handler.
 */
export function openMetrics() {
  let counts = newCounts()
  let cpuBefore = process.cpuUsage()

  subscribe('tracing:middy-bounded-sqs-batch:batch:start', () => {
    counts.isLibraryUsed = true
  })
  subscribe('tracing:middy-bounded-sqs-batch:batch:asyncEnd', (message) => {
    const { summary } = message as { summary?: { peakInFlight: number; aborted: number; notStarted: number } }
    if (!summary) return
    counts.peakInFlight = Math.max(counts.peakInFlight, summary.peakInFlight)
    counts.unfinished += summary.aborted + summary.notStarted
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:asyncEnd', (message) => {
    const { records, failures = 'error' in (message as object) ? records : [] } = message as EndedRecords
    counts.succeeded += records.length - failures.length
  })

  return {
    start() {
      counts = newCounts()
      cpuBefore = process.cpuUsage()
    },
    take(): InvocationMetrics {
      const { user, system } = process.cpuUsage(cpuBefore)
      return {
        ...counts,
        concurrencyVariable: process.env.BOUNDED_SQS_BATCH_CONCURRENCY,
        cpu: (user + system) / 1000,
        peakMemory: peakMemory(),
        memoryInUse: memoryInUse(),
      }
    },
  }
}

function memoryInUse(): number | undefined {
  if (!globalThis.gc) return undefined
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1024 ** 2
}

let lastPeak = 0

/**
 * The highest memory use of this process in MB. On Linux, `maxRSS` also counts the memory of the process that started
 * this one, so it is not used there. If no descriptor is left for reading, this is the value of the last call.
 */
export function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    lastPeak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
  } catch {
    // EMFILE
  }
  return lastPeak
}
