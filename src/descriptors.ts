/**
 * Rule 15: warns where the handlers could not have a file descriptor each. Lambda gives a process 1,024
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The limit is read from the process itself:
 * containers and test machines have others.
 */
export function warnOfDescriptorLimit(concurrency: number): void {
  let free: number
  try {
    // An import would make a module of all that node:fs exports: 3 ms of every start (Node 24).
    const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs')
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    free = Number(limit ?? Infinity) - readdirSync('/proc/self/fd').length
  } catch {
    return // no Linux, a sandbox without /proc, or Node before 22.3: nothing is known
  }
  if (concurrency <= free) return
  process.emitWarning(
    `A concurrency of ${concurrency} does not fit under this process's limit of file descriptors, of which ${free} are free: ` +
      'handlers that open a socket or a file each will fail with EMFILE. Lower the concurrency',
    { type: 'BoundedSqsBatchWarning', code: 'BOUNDED_SQS_BATCH_DESCRIPTORS' },
  )
}
