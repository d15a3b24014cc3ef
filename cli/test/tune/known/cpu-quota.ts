import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The period of the CPU quota on Lambda: https://github.com/pwrdrvr/lambda-dispatch/issues/246 */
export const QUOTA_PERIOD_MS = 20

/** Gives one process at a time priority over other programs, and limits its CPU. */
export interface Quota {
  readonly kind: string
  /** @param cores that the process may use, such as 0.5. `Infinity` for no limit */
  limit(pid: number, cores: number): void
  lift(): void
  remove(): void
}

/** A quota of cgroups v1 or v2. Undefined if this machine does not permit it. */
export function createCpuQuota(name: string, periodMs: number): Quota | undefined {
  return createV1(name, periodMs) ?? createV2(name, periodMs)
}

function createV1(name: string, periodMs: number): Quota | undefined {
  const group = createGroup(join('/sys/fs/cgroup/cpu', name), 'cpu.cfs_quota_us')
  if (!group) return undefined
  const period = periodMs * 1000
  return {
    kind: `cgroup v1, period ${periodMs} ms`,
    limit(pid, cores) {
      // Within its quota, the function has priority over other processes, such as environments that are still loading.
      write(group, 'cpu.shares', 262_144)
      write(group, 'cpu.cfs_period_us', period)
      write(group, 'cpu.cfs_quota_us', cores === Infinity ? -1 : Math.round(cores * period))
      write(group, 'cgroup.procs', pid)
    },
    lift: () => write(group, 'cpu.cfs_quota_us', -1),
    remove: () => rmdirSync(group),
  }
}

function createV2(name: string, periodMs: number): Quota | undefined {
  const group = createGroup(join('/sys/fs/cgroup', name), 'cpu.max')
  if (!group) return undefined
  const period = periodMs * 1000
  return {
    kind: `cgroup v2, period ${periodMs} ms`,
    limit(pid, cores) {
      write(group, 'cpu.weight', 10_000)
      write(group, 'cpu.max', `${cores === Infinity ? 'max' : Math.round(cores * period)} ${period}`)
      write(group, 'cgroup.procs', pid)
    },
    lift: () => write(group, 'cpu.max', `max ${period}`),
    remove: () => rmdirSync(group),
  }
}

/** Creates a cgroup. Returns undefined if this process may not create one, or if cgroups do not have this file. */
function createGroup(group: string, file: string): string | undefined {
  try {
    mkdirSync(group)
  } catch {
    return undefined
  }
  if (existsSync(join(group, file))) return group
  rmdirSync(group)
  return undefined
}

function write(group: string, file: string, value: unknown): void {
  writeFileSync(join(group, file), String(value))
}

/** Removes a quota whose processes were killed. The kernel refuses this until it has released the processes. */
export async function removeQuota(quota: Quota): Promise<void> {
  for (let attempts = 50; attempts > 0; attempts -= 1) {
    try {
      return quota.remove()
    } catch {
      await sleep(20)
    }
  }
}
