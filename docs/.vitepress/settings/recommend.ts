/** The arithmetic of the page "Which settings?". The pages on batch sizes and on rate limits explain its rules. */
import { costPerMillion } from '../../../cli/src/tune/prices.ts'
import { deadlines } from '../../../src/scheduler/deadlines.ts'
import { latencyOf, meanDuration, type RateLimit } from './batch-duration.ts'
import type { Workload } from './workload.ts'

/** The default of the option, and the most handlers that are recommended for one environment. */
const CONCURRENCY = 100
/** The default of Lambda. A call that receives messages takes as many. */
const LEAST_BATCH = 10
/** In seconds: no message waits longer for its batch. */
const LONGEST_WINDOW = 5
/** With a maximum concurrency, Lambda reads at least so many batches at the same time. Each has its own window. */
export const POLLERS = 5
const EVENT_BYTES = 6 * 1024 * 1024
/** Of a record in the event, beside its body. */
const RECORD_BYTES = 710
/** Of MaximumConcurrency, on AWS. */
const LEAST_INVOCATIONS = 2
const MOST_INVOCATIONS = 1_000
/** Twice the invocations that run on average. So a backlog shrinks about as fast as it grew. */
export const HEADROOM = 2
const LONGEST_TIMEOUT = 900
const LEAST_MEMORY = 512
/** The memory size that has one vCPU. */
const WHOLE_CPU = 1_769
const MEMORY_SIZES = [LEAST_MEMORY, 1_024, WHOLE_CPU]

/** Times are in seconds, as in a template, except that of the rate limit. */
export interface Settings {
  readonly concurrency: number
  readonly rateLimit: RateLimit | undefined
  readonly batchSize: number
  readonly window: number
  readonly maximumConcurrency: number
  readonly timeout: number
  readonly visibilityTimeout: number
  readonly memory: number
}

export interface Estimate {
  /** How many records a batch really has. */
  readonly batch: number
  /** The messages per second with which batches become full. */
  readonly fillRate: number
  /** Dollars for a million messages. */
  readonly cost: number
  /** Invocations that run at the same time, on average. */
  readonly invocations: number
  /** Records per second of all environments, in full batches. */
  readonly capacity: number
  /** Seconds until the waiting messages are processed, while others arrive. `Infinity` if the queue grows. */
  readonly backlog: number
}

export interface Recommendation {
  readonly settings: Settings
  readonly estimate: Estimate
}

export const recordsThatFit = (bodyBytes: number) => Math.floor(EVENT_BYTES / (RECORD_BYTES + bodyBytes))

export const visibilityTimeout = (timeout: number, window: number) => 6 * timeout + window

export function recommend(workload: Workload): Recommendation {
  const { rate, p50, p95, body, cpu, limitKind } = workload
  const timeout = timeoutFor(workload)
  const { environments, concurrency, rateLimit } = limitsFor(workload)
  const perSecond = rateLimit ? (1000 * rateLimit.limit) / rateLimit.interval : Infinity
  const batchSize = batchSizeFor({ concurrency, perSecond, timeout, p95, cpu, body })
  const window = Math.min(LONGEST_WINDOW, Math.max(1, Math.ceil((POLLERS * batchSize) / rate)))

  const latency = latencyOf(p50, p95, 1000 * timeout)
  const waitingTime = (records: number) => meanDuration(records, concurrency, latency, rateLimit)
  // The least with which the records of a full batch wait longer for their calls than for the CPU.
  const waitingTimeOfBatch = waitingTime(batchSize)
  const memory = MEMORY_SIZES.find((size) => cpuTime(batchSize, cpu, size) <= waitingTimeOfBatch) ?? WHOLE_CPU
  /** Records per second of one environment, with batches of this size. */
  const throughput = (records: number) =>
    Math.min((1000 * records) / Math.max(waitingTime(records), cpuTime(records, cpu, memory)), perSecond)

  let batch = Math.max(1, Math.round(Math.min(batchSize, (rate * window) / POLLERS)))
  // If the environments are too slow with such batches, messages wait, and the next batches are larger.
  while (batch < batchSize && environments * throughput(batch) < rate) {
    batch = Math.min(batchSize, Math.ceil(1.1 * batch))
  }
  const invocations = rate / throughput(batch)
  const needed = Math.max(LEAST_INVOCATIONS, Math.ceil(HEADROOM * invocations))
  const maximumConcurrency = limitKind === 'calls per second' ? environments : Math.min(environments, needed)
  const capacity = maximumConcurrency * throughput(batchSize)
  return {
    settings: {
      concurrency,
      rateLimit,
      batchSize,
      window,
      maximumConcurrency,
      timeout,
      visibilityTimeout: visibilityTimeout(timeout, window),
      memory,
    },
    estimate: {
      batch,
      fillRate: (POLLERS * batchSize) / window,
      cost: costOf(memory, throughput(batch), batch, workload),
      invocations,
      capacity,
      backlog: capacity > rate ? workload.backlog / (capacity - rate) : Infinity,
    },
  }
}

/** A slow record fits twice, and about a second is left for the end of the batch. */
function timeoutFor({ timeout, p95, cpu }: Workload): number {
  return Math.min(LONGEST_TIMEOUT, Math.max(timeout, Math.ceil((2 * Math.max(p95, cpu)) / 1000 + 1)))
}

/** The most environments, and what each of them may do, so that all together respect the limit of the downstream. */
function limitsFor({ limitKind, limit, p95 }: Workload) {
  if (limitKind === 'none') return { environments: MOST_INVOCATIONS, concurrency: CONCURRENCY, rateLimit: undefined }
  if (limitKind === 'calls at once') {
    const concurrency = Math.min(CONCURRENCY, Math.max(1, Math.floor(limit / LEAST_INVOCATIONS)))
    const environments = Math.max(LEAST_INVOCATIONS, Math.floor(limit / concurrency))
    return { environments: Math.min(MOST_INVOCATIONS, environments), concurrency, rateLimit: undefined }
  }
  // As few environments as possible, because a rate that one does not use is lost.
  const needed = Math.ceil((limit * p95) / 1000 / CONCURRENCY)
  const environments = Math.min(MOST_INVOCATIONS, Math.max(LEAST_INVOCATIONS, needed))
  const perSecond = limit / environments
  const whole = Math.max(1, Math.floor(perSecond))
  const rateLimit = { limit: whole, interval: Math.ceil((1000 * whole) / perSecond) }
  const concurrency = Math.min(CONCURRENCY, Math.max(1, Math.ceil((perSecond * p95) / 1000)))
  return { environments, concurrency, rateLimit }
}

interface BatchLimits {
  readonly concurrency: number
  /** Records that one environment may start in a second. */
  readonly perSecond: number
  readonly timeout: number
  readonly p95: number
  readonly cpu: number
}

/** As many as run at the same time. With a rate limit, as many as start in ten times the duration of a slow record. */
function batchSizeFor(limits: BatchLimits & { readonly body: number }): number {
  const { concurrency, perSecond, p95, body } = limits
  const startTime = Math.max(LONGEST_WINDOW, (10 * p95) / 1000)
  const atRate = perSecond < Infinity ? Math.ceil(startTime * perSecond) : 0
  const wanted = Math.min(Math.max(concurrency, LEAST_BATCH, atRate), recordsThatFit(body))
  return Math.max(1, Math.min(wanted, Math.floor(recordsInTime(wanted, limits) / 2)))
}

/** The largest batch of slow records that the time budget does not end, on a whole CPU. With a rate limit, all of them end. */
export function recordsInTime(records: number, { concurrency, perSecond, timeout, p95, cpu }: BatchLimits): number {
  const settings = { concurrency, cpuShare: LEAST_MEMORY / WHOLE_CPU, failureHandlers: [] }
  const { drainAt, abortAt } = deadlines(settings, records, records, 1000 * timeout, 0)
  const atRate = perSecond < Infinity ? (Math.min(drainAt, abortAt - p95) * perSecond) / 1000 : Infinity
  return Math.max(0, Math.floor(Math.min(atRate, drainAt * Math.min(concurrency / p95, 1 / cpu))))
}

/** Milliseconds that so many records need, because a function has memory ÷ 1,769 MB of a CPU. */
export const cpuTime = (records: number, cpu: number, memory: number) => (records * cpu * WHOLE_CPU) / memory

function costOf(memory: number, goodput: number, batchSize: number, { body, timeout }: Workload): number {
  const workload = { environments: 1, batchSize, bodyBytes: body, fifo: false, timeout }
  return costPerMillion(memory, goodput, 0, workload) as number
}
