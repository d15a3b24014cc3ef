/** The texts of a recommendation: its settings with their reasons, its figures, and its problems. */
import { HEADROOM, POLLERS, type Recommendation, recordsThatFit } from './recommend.ts'
import type { Workload } from './workload.ts'

export const count = (value: number) => value.toLocaleString('en-US')

/** With two digits that count: the figures are not more exact. */
const rounded = (value: number) => count(Number(value.toPrecision(2)))

export const dollars = (value: number) => `$${value >= 10 ? rounded(value) : value.toFixed(2)}`

export function duration(seconds: number): string {
  if (seconds === Infinity) return 'never'
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 3600) return `${rounded(seconds / 60)} min`
  return seconds < 86_400 ? `${rounded(seconds / 3600)} h` : `${rounded(seconds / 86_400)} days`
}

interface Row {
  readonly name: string
  readonly value: string
  readonly reason: string
}

/** The settings, each with its reason. */
export function settingRows(workload: Workload, { settings, estimate }: Recommendation): Row[] {
  const { concurrency, rateLimit, batchSize, window, maximumConcurrency, timeout, visibilityTimeout, memory } = settings
  const limit = count(workload.limit)
  const rows = [
    {
      name: 'concurrency',
      value: count(concurrency),
      reason: {
        none: 'the default',
        'calls at once': `${limit} calls at once ÷ MaximumConcurrency`,
        'calls per second': 'so many records run at this rate, if each takes as long as p95',
      }[workload.limitKind],
    },
    {
      name: 'BatchSize',
      value: count(batchSize),
      reason: reasonForBatchSize(workload, concurrency, batchSize, rateLimit !== undefined),
    },
    {
      name: 'MaximumBatchingWindowInSeconds',
      value: `${window}`,
      reason:
        estimate.fillRate > workload.rate
          ? 'no message waits longer for its batch'
          : `in this time, ${POLLERS} pollers fill their batches`,
    },
    {
      name: 'MaximumConcurrency',
      value: count(maximumConcurrency),
      reason: {
        none: `${HEADROOM} × the ${rounded(estimate.invocations)} invocations that run on average, at least 2`,
        'calls at once': `at most ${count(concurrency * maximumConcurrency)} calls at once in total`,
        'calls per second': `with this rate limit, at most ${limit} calls per second in total`,
      }[workload.limitKind],
    },
    {
      name: 'Timeout',
      value: `${timeout}`,
      reason: timeout === workload.timeout ? 'as you entered' : '2 × p95, and a second for the end of the batch',
    },
    { name: 'VisibilityTimeout', value: `${visibilityTimeout}`, reason: `6 × ${timeout} + ${window}` },
    {
      name: 'MemorySize',
      value: `${memory}`,
      reason:
        memory === 512 ? 'the CPU is not the limit' : 'with less, the CPU would be the limit; the cost is the same',
    },
  ]
  if (rateLimit) {
    const value = `${count(rateLimit.limit)} in ${count(rateLimit.interval)} ms`
    rows.splice(1, 0, { name: 'rateLimit', value, reason: `${limit} per second ÷ MaximumConcurrency` })
  }
  return rows
}

function reasonForBatchSize(workload: Workload, concurrency: number, batchSize: number, isAtRate: boolean): string {
  if (batchSize === recordsThatFit(workload.body)) return 'more do not fit into an event of 6 MB'
  if (batchSize === concurrency) return 'the value of concurrency'
  if (isAtRate) return 'so that its last records take a small part of its time'
  return batchSize > concurrency ? 'the default of Lambda' : 'so that a batch of slow records ends in time'
}

/** What keeps the settings from working, and what helps. */
export function problems(workload: Workload, { settings, estimate }: Recommendation): string[] {
  const found: string[] = []
  if (estimate.backlog === Infinity) {
    const help =
      workload.limitKind === 'none'
        ? 'A mapping runs at most 1,000 invocations: use more than one queue.'
        : 'Raise the limit of the downstream, or send less.'
    found.push(
      `The queue grows: ${rounded(workload.rate)} messages arrive in a second, and at most about ` +
        `${rounded(estimate.capacity)} are processed. ${help}`,
    )
  }
  if ((2 * Math.max(workload.p95, workload.cpu)) / 1000 + 1 > settings.timeout) {
    found.push('A slow record may not end before the longest timeout of Lambda, which is 900 s.')
  }
  if (workload.limitKind === 'calls at once' && workload.limit < settings.maximumConcurrency * settings.concurrency) {
    found.push('MaximumConcurrency is at least 2, so two calls can run at once.')
  }
  return found
}

/** What fills batches that are too small, if a window can. */
export function fillHint({ rate }: Workload, { settings, estimate }: Recommendation): string {
  if (estimate.batch >= settings.batchSize) return 'Batches are full.'
  const window = Math.ceil((POLLERS * settings.batchSize) / rate)
  const full = `Batches are full from ${rounded(estimate.fillRate)} messages per second on`
  return window > 300 ? `${full}.` : `${full}, or with a window of ${window} s.`
}
