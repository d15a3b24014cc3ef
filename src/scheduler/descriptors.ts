import { warn } from '../shared/warn.ts'

/**
 * Warns if the handlers cannot have one file descriptor each. Lambda gives a process 1,024
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The limit is read from the process itself,
 * because it is different in containers and on test machines.
 *
 * @param isFixed whether the caller keeps the concurrency even if it does not fit
 * @returns the concurrency that fits, at most the given one
 */
export function fitDescriptors(concurrency: number, isFixed: boolean): number {
  let free: number
  let threads: number
  try {
    // An import of node:fs would add 3 ms to every start, because Node would wrap each of its exports (Node 24).
    const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs')
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    free = Number(limit ?? Infinity) - readdirSync('/proc/self/fd').length
    threads = workerThreads(readFileSync)
  } catch {
    return concurrency // the limit is not known: not Linux, no /proc, or Node before 22.3
  }
  if (concurrency * threads <= free) return concurrency
  const handlers = threads > 1 ? `${concurrency} in each of ${threads} worker threads` : `${concurrency}`
  const fitting = Math.max(1, Math.floor(free / threads))
  const consequence = isFixed
    ? 'If each handler opens one, some will fail with EMFILE. Lower the concurrency'
    : `adaptiveConcurrency() uses at most ${fitting}`
  warn(
    'BOUNDED_SQS_BATCH_DESCRIPTORS',
    `The concurrency is ${isFixed ? '' : 'at most '}${handlers}, but this process can open only ${free} more files and ` +
      `sockets. ${consequence}`,
  )
  return fitting
}

/**
 * How many threads share the process's descriptors. On Lambda Managed Instances, AWS's runtime client (aws-lambda-ric
 * 4) starts 8 worker threads per CPU of the cgroup, or the number in `AWS_LAMBDA_NODEJS_WORKER_COUNT`.
 */
function workerThreads(readFileSync: (path: string, encoding: 'utf8') => string): number {
  const { AWS_LAMBDA_MAX_CONCURRENCY, AWS_LAMBDA_NODEJS_WORKER_COUNT } = process.env
  if (AWS_LAMBDA_MAX_CONCURRENCY === undefined) return 1
  const given = Number.parseInt(AWS_LAMBDA_NODEJS_WORKER_COUNT ?? '', 10)
  return given > 0 ? given : 8 * cpus(readFileSync)
}

function cpus(readFileSync: (path: string, encoding: 'utf8') => string): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').trim().split(/\s+/)
    if (quota === 'max') return process.getBuiltinModule('node:os').cpus().length
    return Math.max(1, Math.ceil(Number(quota) / Number(period)) || 1)
  } catch {
    return 1 // the runtime client also assumes one CPU
  }
}
