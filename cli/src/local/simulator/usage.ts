import { openLongestBlock } from './longest-block.ts'
import { peakMemory } from './metrics.ts'

/** What one invocation used, until its response. */
export interface Usage {
  /** CPU milliseconds of all threads. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
  /** The most CPU milliseconds of the thread without a return to the event loop. Absent with another runtime client. */
  longestBlock?: number
  /** Whether the process has started other processes, whose memory is not counted. */
  hasChildren?: boolean
  /** Whether this package ran the batch. Absent if not known. */
  isOfLibrary?: boolean
}

/** The header of a response with the usage, as JSON. */
export const USAGE_HEADER = 'bounded-sqs-batch-usage'

/** Measures invocations, one at a time. */
export function openUsage() {
  const block = openLongestBlock()
  let cpuBefore = process.cpuUsage()
  return {
    start() {
      cpuBefore = process.cpuUsage()
      block.start()
    },
    take(): Usage {
      const { user, system } = process.cpuUsage(cpuBefore)
      return { cpu: (user + system) / 1000, peakMemory: peakMemory(), ...block.take() }
    },
  }
}
