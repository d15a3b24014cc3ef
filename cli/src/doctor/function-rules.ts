import { valueIn } from '../model.ts'
import { recordsThatFit } from './mapping-rules.ts'
import { broken, formatNumber, formatSeconds, LAMBDA_GUIDE, numberIn, type Rule } from './rule.ts'
import { DEPRECATED, RUNTIMES_SOURCE } from './runtimes.ts'

const SOON_DAYS = 180
const DAY = 86_400_000

export const FUNCTION_RULES: readonly Rule[] = [
  {
    id: 'tenant-isolation',
    severity: 'error',
    why: 'Of all event sources, only API Gateway can invoke such a function: SQS messages have no tenant.',
    source: `${LAMBDA_GUIDE}/tenant-isolation.html`,
    check: ({ function: target }) => {
      const mode = valueIn(target.tenantIsolation)
      if (mode === undefined) return undefined
      const fix = 'Remove TenancyConfig, or read the queue with another function that invokes this one with a tenant.'
      return broken(target, target.tenantIsolation, `Tenant isolation (${mode}) on a function that reads SQS`, fix)
    },
  },
  {
    id: 'durable-execution-timeout',
    severity: 'warning',
    why: 'The mapping waits for the whole execution. If its messages are redelivered meanwhile, they start another execution.',
    source: `${LAMBDA_GUIDE}/durable-invoking-esm.html`,
    check: ({ queue, function: target }) => {
      const [execution, visible] = [numberIn(target.executionTimeout), numberIn(queue.visibilityTimeout)]
      if (!(execution > visible)) return undefined
      const what =
        `An ExecutionTimeout of ${formatSeconds(target.executionTimeout)}, above the visibility timeout of ${queue.id} ` +
        `(${formatSeconds(queue.visibilityTimeout)})`
      const fix = `Lower ExecutionTimeout to ${formatNumber(visible)} s at most, or raise VisibilityTimeout.`
      // If several queues are affected, the one with the shortest visibility timeout is shown.
      return { ...broken(target, target.executionTimeout, what, fix), need: -visible }
    },
  },
  {
    id: 'timeout-below-work',
    severity: 'warning',
    why: 'Records that do not start in time are redelivered, with one more receive.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: ({ batchSize, queue, function: target }, { recordMs = Number.NaN, recordConcurrency, bodyBytes }) => {
      const timeout = numberIn(target.timeout) * 1000
      const most = bodyBytes === undefined ? 10_000 : recordsThatFit(bodyBytes)
      const records = Math.min(numberIn(batchSize), most, valueIn(queue.fifo) ? 10 : 10_000)
      const drain = Math.min(1000, timeout / 5) // the library's default
      const needed = Math.ceil(records / recordConcurrency) * recordMs + drain
      if (!(needed > timeout)) return undefined
      const what =
        `A timeout of ${formatSeconds(target.timeout)}, but ${formatNumber(records)} records of ${formatNumber(recordMs)} ms, ` +
        `${formatNumber(recordConcurrency)} at once, and the drain of ${formatNumber(drain)} ms take ${formatNumber(needed)} ms`
      const fix = 'Raise Timeout, and VisibilityTimeout with it; or lower BatchSize; or raise the concurrency.'
      return broken(target, target.timeout, what, fix)
    },
  },
  {
    id: 'runtime-deprecated',
    severity: 'warning',
    why: 'A deprecated runtime gets no security patches. Later, its functions can no longer be updated.',
    source: RUNTIMES_SOURCE,
    check: ({ function: target }, { today }) => {
      const runtime = valueIn(target.runtime) ?? ''
      const date = DEPRECATED.get(runtime)
      const left = date === undefined ? Number.NaN : (Date.parse(date) - today.getTime()) / DAY
      if (!(left <= SOON_DAYS)) return undefined
      const what =
        left > 0
          ? `The runtime ${runtime} will be deprecated on ${date}`
          : `The runtime ${runtime} is deprecated since ${date}`
      return broken(target, target.runtime, what, 'Move to a newer runtime; for Node.js that is nodejs24.x.')
    },
  },
  {
    id: 'function-dead-letter-queue',
    severity: 'info',
    why: 'Lambda uses it only for asynchronous invocations. A mapping invokes synchronously, and failed messages stay in the queue.',
    source: `${LAMBDA_GUIDE}/invocation-async-retain-records.html`,
    check: ({ function: target }) => {
      if (valueIn(target.deadLetterTarget) === undefined) return undefined
      const what = "The function's own dead-letter queue has no effect on SQS messages"
      const fix = 'For SQS messages, set RedrivePolicy on the source queue.'
      return broken(target, target.deadLetterTarget, what, fix)
    },
  },
]
