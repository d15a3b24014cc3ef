import { valueIn } from '../model/setting.ts'
import { MEMORY_OF_ONE_CPU, reserveOf } from '../shared/reserve.ts'
import { recordsThatFit } from './mapping-rules.ts'
import { formatNumber, formatSeconds, LAMBDA_GUIDE, numberIn, problem, type Rule } from './rule.ts'
import { DEPRECATION_DATES, RUNTIMES_SOURCE } from './runtimes.ts'

const SOON_DAYS = 180
const DAY_MS = 86_400_000

export const FUNCTION_RULES: readonly Rule[] = [
  {
    id: 'tenant-isolation',
    severity: 'error',
    why: 'SQS messages have no tenant, so SQS cannot invoke the function. Of all event sources, only API Gateway can.',
    source: `${LAMBDA_GUIDE}/tenant-isolation.html`,
    check: ({ function: lambdaFunction }) => {
      const mode = valueIn(lambdaFunction.tenantIsolation)
      if (mode === undefined) return undefined
      const fix = 'Remove TenancyConfig. Or let another function read the queue and invoke this one with a tenant id.'
      const what = `The function has tenant isolation (${mode}) and reads SQS`
      return problem(lambdaFunction, lambdaFunction.tenantIsolation, what, fix)
    },
  },
  {
    id: 'durable-execution-timeout',
    severity: 'warning',
    why: 'The mapping waits until the execution ends. If messages become visible before that, they are redelivered and start another execution.',
    source: `${LAMBDA_GUIDE}/durable-invoking-esm.html`,
    check: ({ queue, function: lambdaFunction }) => {
      const [execution, visible] = [numberIn(lambdaFunction.executionTimeout), numberIn(queue.visibilityTimeout)]
      if (!(execution > visible)) return undefined
      const what =
        `ExecutionTimeout is ${formatSeconds(lambdaFunction.executionTimeout)}, above the visibility timeout of ${queue.id} ` +
        `(${formatSeconds(queue.visibilityTimeout)})`
      const fix = `Set ExecutionTimeout to at most ${formatNumber(visible)} s, or raise VisibilityTimeout.`
      // If several queues are affected, the one with the shortest visibility timeout is shown.
      return { ...problem(lambdaFunction, lambdaFunction.executionTimeout, what, fix), strictness: -visible }
    },
  },
  {
    id: 'timeout-below-work',
    severity: 'warning',
    why: 'Records that do not start in time are redelivered. Each delivery counts as a receive, even if the record did not start.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: (
      { batchSize, queue, function: lambdaFunction },
      { recordMs = Number.NaN, recordConcurrency, bodyBytes },
    ) => {
      const timeout = numberIn(lambdaFunction.timeout) * 1000
      const most = bodyBytes === undefined ? 10_000 : recordsThatFit(bodyBytes)
      const records = Math.min(numberIn(batchSize), most, valueIn(queue.fifo) ? 10 : 10_000)
      // The default of the library without `onFailure`. With it, the library can reserve more. An unknown memory is
      // listed as not checked. The reserve is then that of a whole CPU, which is the shortest.
      const memory = valueIn(lambdaFunction.memory) ?? MEMORY_OF_ONE_CPU
      const reserve = Math.ceil(reserveOf(timeout, memory, records))
      const needed = Math.ceil(records / recordConcurrency) * recordMs + reserve
      if (!(needed > timeout)) return undefined
      const what =
        `The timeout is ${formatSeconds(lambdaFunction.timeout)}, but a batch needs ${formatNumber(needed)} ms: ` +
        `${formatNumber(records)} records of ${formatNumber(recordMs)} ms, ${formatNumber(recordConcurrency)} at once, ` +
        `plus the last ${formatNumber(reserve)} ms, in which no record starts`
      const fix = 'Raise Timeout and VisibilityTimeout, or lower BatchSize, or raise the concurrency of the handler.'
      return problem(lambdaFunction, lambdaFunction.timeout, what, fix)
    },
  },
  {
    id: 'runtime-deprecated',
    severity: 'warning',
    why: 'AWS no longer patches a deprecated runtime. Later, functions that use it cannot be updated.',
    source: RUNTIMES_SOURCE,
    check: ({ function: lambdaFunction }, { today }) => {
      const runtime = valueIn(lambdaFunction.runtime) ?? ''
      const date = DEPRECATION_DATES.get(runtime)
      const left = date === undefined ? Number.NaN : (Date.parse(date) - today.getTime()) / DAY_MS
      if (!(left <= SOON_DAYS)) return undefined
      const what = `The runtime ${runtime} ${left > 0 ? 'will be deprecated on' : 'has been deprecated since'} ${date}`
      const fix = 'Use a newer runtime, for example nodejs24.x for Node.js.'
      return problem(lambdaFunction, lambdaFunction.runtime, what, fix)
    },
  },
  {
    id: 'function-dead-letter-queue',
    severity: 'info',
    why: 'Lambda uses it only for asynchronous invocations. A mapping invokes the function synchronously, and failed messages stay in their queue.',
    source: `${LAMBDA_GUIDE}/invocation-async-retain-records.html`,
    check: ({ function: lambdaFunction }) => {
      if (valueIn(lambdaFunction.deadLetterTarget) === undefined) return undefined
      const what = "The function's own dead-letter queue has no effect on SQS messages"
      const fix = 'Set RedrivePolicy on the source queue.'
      return problem(lambdaFunction, lambdaFunction.deadLetterTarget, what, fix)
    },
  },
]
