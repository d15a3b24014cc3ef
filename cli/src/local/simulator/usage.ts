import { peakMemory } from './metrics.ts'

/** What one invocation used, until its response. */
export interface Usage {
  /** CPU milliseconds of all threads. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
}

/** The header of a response with the usage, as JSON. */
export const USAGE_HEADER = 'bounded-sqs-batch-usage'

/** Measures invocations, one at a time. */
export function openUsage() {
  let cpuBefore = process.cpuUsage()
  return {
    start() {
      cpuBefore = process.cpuUsage()
    },
    take(): Usage {
      const { user, system } = process.cpuUsage(cpuBefore)
      return { cpu: (user + system) / 1000, peakMemory: peakMemory() }
    },
  }
}
