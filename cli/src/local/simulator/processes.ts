import { readFileSync } from 'node:fs'

/** The CPU time of a process and its descendants in milliseconds, and the peak memory of the largest of them in MB. */
export interface ProcessUsage {
  cpu: number
  peakMemory: number
}

/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10

/**
 * Reads what a process and its descendants have used. For other runtime clients, which do not report it. Undefined if
 * this is not Linux, or if the process has ended.
 */
export function readProcesses(pid: number): ProcessUsage | undefined {
  try {
    const processes = [pid, ...descendantsOf(pid)].map(readProcess)
    return {
      cpu: processes.reduce((sum, { cpu }) => sum + cpu, 0),
      peakMemory: Math.max(...processes.map(({ peakMemory }) => peakMemory)),
    }
  } catch {
    return undefined
  }
}

function readProcess(pid: number): ProcessUsage {
  const [, fields = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number)
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { cpu: (user + system) * TICK_MS, peakMemory: Number(kilobytes ?? 0) / 1024 }
}

function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.flatMap((child) => [child, ...descendantsOf(child)])
}
