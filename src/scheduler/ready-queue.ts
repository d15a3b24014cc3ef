import type { JobNumber } from './job.ts'

/**
 * Which job of a FIFO queue may start next. The jobs of a message group run one at a time, in order. After a
 * failure, no further job of the group (or of the batch) starts. `take()` returns the first job that may
 * start.
 */
export interface ReadyQueue {
  /** The job that `take()` would return. */
  peek(): JobNumber | undefined
  /** Removes and returns the next job that may start; `undefined` if none may start now. */
  take(): JobNumber | undefined
  /** Call it when a job that was taken has succeeded: the next job of its group may start. */
  advanceGroup(job: JobNumber): void
  /** Call it when a job has failed: removes and returns the jobs that must not start. */
  removeBlockedBy(job: JobNumber): readonly JobNumber[]
}

/**
 * @param groups the message group of each job; a job without a group does not wait for other jobs
 * @param fifoFailure what a failure blocks: the rest of its group, or everything that has not started
 */
export function createReadyQueue(
  groups: readonly (string | undefined)[],
  fifoFailure: 'group' | 'batch',
): ReadyQueue {
  // The waiting jobs of each group. A job without a group gets a group of its own. The loop below reverses
  // each list, so `pop()` returns the next job.
  const jobs = groups.keys() as Iterable<JobNumber>
  const waiting = [...Map.groupBy(jobs, (job) => groups[job] ?? job).values()]
  // For each job, the list of its group in `waiting`.
  const groupOf: JobNumber[][] = new Array(groups.length)
  // Invariant: `ready` holds the first waiting job of each group without a running job, in descending order.
  const ready: JobNumber[] = []
  for (const group of waiting) {
    for (const job of group) groupOf[job] = group
    group.reverse()
    ready.push(group.pop() as JobNumber)
  }
  ready.reverse()

  return {
    peek: () => ready.at(-1),
    take: () => ready.pop(),
    advanceGroup(job) {
      const next = (groupOf[job] as JobNumber[]).pop()
      if (next === undefined) return
      const place = ready.findIndex((other) => other < next) // mostly the first place: later jobs have higher numbers
      ready.splice(place < 0 ? ready.length : place, 0, next)
    },
    removeBlockedBy(job) {
      if (fifoFailure === 'group') return (groupOf[job] as JobNumber[]).splice(0)
      return [...ready.splice(0), ...waiting.flatMap((group) => group.splice(0))]
    },
  }
}
