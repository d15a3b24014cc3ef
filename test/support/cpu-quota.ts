import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Limits one process at a time to a share of a core. */
export interface Quota {
  readonly kind: string
  limit(child: ChildProcess, share: number): void
  lift(): void
  remove(): void
}

/** The quota that this machine permits: cgroup v1, cgroup v2, or signals. */
export function createQuota(name: string, periodMs: number): Quota {
  return createCgroupV1(name, periodMs) ?? createCgroupV2(name, periodMs) ?? createSignals()
}

function createCgroupV1(name: string, periodMs: number): Quota | undefined {
  const group = createGroup(join('/sys/fs/cgroup/cpu', name), 'cpu.cfs_quota_us')
  if (!group) return undefined
  const period = periodMs * 1000
  return {
    kind: `cgroup v1, period ${periodMs} ms`,
    limit(child, share) {
      // Within its quota, the function has priority over other processes, such as other runs that still import.
      write(group, 'cpu.shares', 262_144)
      write(group, 'cpu.cfs_period_us', period)
      write(group, 'cpu.cfs_quota_us', Math.round(share * period))
      write(group, 'cgroup.procs', child.pid)
    },
    lift: () => write(group, 'cpu.cfs_quota_us', -1),
    remove: () => rmdirSync(group),
  }
}

function createCgroupV2(name: string, periodMs: number): Quota | undefined {
  const group = createGroup(join('/sys/fs/cgroup', name), 'cpu.max')
  if (!group) return undefined
  const period = periodMs * 1000
  return {
    kind: `cgroup v2, period ${periodMs} ms`,
    limit(child, share) {
      write(group, 'cpu.weight', 10_000)
      write(group, 'cpu.max', `${Math.round(share * period)} ${period}`)
      write(group, 'cgroup.procs', child.pid)
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

/**
 * Lets the process run for 2 ms at a time, and stops it in between so that it keeps its share. This is stricter than a
 * cgroup, because time in which the process is idle counts as used.
 */
export function createSignals(): Quota {
  let lift = () => {}
  return {
    kind: 'SIGSTOP and SIGCONT, running 2 ms at a time',
    limit(child, share) {
      let timer: NodeJS.Timeout
      function run(): void {
        const startedAt = performance.now()
        child.kill('SIGCONT')
        timer = setTimeout(() => {
          child.kill('SIGSTOP')
          timer = setTimeout(run, (performance.now() - startedAt) * (1 / share - 1))
        }, 2)
      }
      run()
      lift = () => {
        clearTimeout(timer)
        child.kill('SIGCONT')
      }
    },
    lift: () => lift(),
    remove() {},
  }
}
