import { safely } from '../shared/safely.ts'
import { warn } from '../shared/warn.ts'

/**
 * Warns if the handlers cannot have one file descriptor each. Lambda gives a process 1,024
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The limit is read from the
 * process itself, because it is different in containers and on test machines. The threads of a process share
 * its descriptors, but each thread only checks its own concurrency.
 */
export function checkDescriptors(concurrency: number): void {
  const free = safely(freeDescriptors) ?? Infinity // no limit, not Linux, no /proc, or Node before 22.3
  if (concurrency <= free) return
  warn(
    'BOUNDED_SQS_BATCH_DESCRIPTORS',
    `The concurrency is ${concurrency}, but this process can open only ${free} more files and sockets. If each handler ` +
      'opens one, some will fail with EMFILE. Lower the concurrency',
  )
}

/** Throws if the limit is not known, or if there is none. */
function freeDescriptors(): number {
  // An import of node:fs would add 3 ms to every start, because Node would wrap its exports (Node 24).
  const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs')
  const [, limit] = /^Max open files\s+(\d+)/m.exec(
    readFileSync('/proc/self/limits', 'utf8'),
  ) as RegExpExecArray
  return Number(limit) - readdirSync('/proc/self/fd').length
}
