import type { ChildProcess } from 'node:child_process'
import { createCpuQuota } from '../../cli/test/tune/known/cpu-quota.ts'

/** Limits one process at a time to a share of a core. */
export interface Quota {
  readonly kind: string
  limit(child: ChildProcess, share: number): void
  lift(): void
  remove(): void
}

/** The quota that this machine permits: cgroup v1, cgroup v2, or signals. */
export function createQuota(name: string, periodMs: number): Quota {
  const cgroup = createCpuQuota(name, periodMs)
  return cgroup ? { ...cgroup, limit: (child, share) => cgroup.limit(child.pid as number, share) } : createSignals()
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
