import type { LambdaFunction } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS } from '../model/settings.ts'
import { MEMORY_OF_ONE_CPU, reserveOf } from '../shared/reserve.ts'
import { recordsThatFit } from './mapping-rules.ts'
import { formatNumber, formatSeconds, LAMBDA_GUIDE, numberIn, problem, type Rule, set, sourceOf } from './rule.ts'
import { DEPRECATION_DATES, RUNTIMES_SOURCE } from './runtimes.ts'

const SOON_DAYS = 180
const NEWEST_NODE = 'nodejs24.x'
/** The memory (MB) from which the failure handlers of the library have enough time, from docs/dead-letters.md. */
const DEAD_LETTER_MEMORY = 512
const DAY_MS = 86_400_000
/** The values of ApplicationLogLevel that drop lines of the level INFO. */
const ABOVE_INFO: ReadonlySet<string | undefined> = new Set(['WARN', 'ERROR', 'FATAL'])

/** Whether the runtime is Node.js, or may be. */
function mayBeNode({ runtime }: LambdaFunction): boolean {
  return (valueIn(runtime) ?? 'nodejs').startsWith('nodejs')
}

/** Whether `require()` of an ES module fails in the function. */
export function refusesRequire(lambdaFunction: LambdaFunction): boolean {
  // Node separates the options by spaces.
  const options = lambdaFunction.nodeOptions?.split(' ')
  return mayBeNode(lambdaFunction) && !options?.includes('--experimental-require-module')
}

export const FUNCTION_RULES: readonly Rule[] = [
  {
    id: 'tenant-isolation',
    severity: 'error',
    finds: 'The function has tenant isolation.',
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
    finds: 'The `ExecutionTimeout` of a durable function is above the visibility timeout.',
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
      const change = set(lambdaFunction, FUNCTION_SETTINGS.executionTimeout, visible)
      return { ...problem(lambdaFunction, lambdaFunction.executionTimeout, what, fix), strictness: -visible, change }
    },
  },
  {
    id: 'timeout-below-work',
    severity: 'warning',
    finds:
      'With `--record-ms`: the timeout of the function is too short for a full batch. It must be at least ⌈batch size ÷ `--record-concurrency`⌉ × `--record-ms`, plus the time at the end in which no record starts.',
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
      const reserve = Math.ceil(reserveOf(timeout, memory, records, recordConcurrency))
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
    finds: 'The runtime is deprecated, or will be within 180 days.',
    why: 'AWS no longer patches a deprecated runtime. Later, functions that use it cannot be updated.',
    source: RUNTIMES_SOURCE,
    check: ({ function: lambdaFunction }, { today }) => {
      const runtime = valueIn(lambdaFunction.runtime)
      const date = DEPRECATION_DATES.get(runtime)
      if (date === undefined) return undefined
      const left = (Date.parse(date) - today.getTime()) / DAY_MS
      if (left > SOON_DAYS) return undefined
      const what = `The runtime ${runtime} ${left > 0 ? 'will be deprecated on' : 'has been deprecated since'} ${date}`
      const isNode = mayBeNode(lambdaFunction)
      const fix = isNode
        ? `Use ${NEWEST_NODE}. It does not accept handlers with a callback.`
        : 'Use a newer runtime of the same language.'
      const change = set(lambdaFunction, FUNCTION_SETTINGS.runtime, NEWEST_NODE)
      return problem(lambdaFunction, lambdaFunction.runtime, what, fix, isNode ? change : undefined)
    },
  },
  {
    id: 'function-dead-letter-queue',
    severity: 'info',
    finds: 'The function itself has a dead-letter queue.',
    why: 'Lambda uses it only for asynchronous invocations. A mapping invokes the function synchronously, and failed messages stay in their queue.',
    source: `${LAMBDA_GUIDE}/invocation-async-retain-records.html`,
    check: ({ function: lambdaFunction }) => {
      if (valueIn(lambdaFunction.deadLetterTarget) === undefined) return undefined
      const what = "The function's own dead-letter queue has no effect on SQS messages"
      const fix = 'Set RedrivePolicy on the source queue.'
      return problem(lambdaFunction, lambdaFunction.deadLetterTarget, what, fix)
    },
  },
  {
    id: 'event-invoke-config',
    severity: 'info',
    finds: 'The function has an `EventInvokeConfig`, and nothing but SQS invokes it.',
    why: 'Lambda uses it only for asynchronous invocations. A mapping invokes the function synchronously, and nothing else in this input invokes it.',
    source: `${LAMBDA_GUIDE}/invocation-async-configuring.html`,
    check: ({ function: lambdaFunction }) => {
      const { eventInvokeConfig, hasOtherInvokers } = lambdaFunction
      if (valueIn(eventInvokeConfig) === undefined || hasOtherInvokers !== false) return undefined
      const what = 'The EventInvokeConfig of the function has no effect on SQS messages'
      const fix = 'Remove it. Set RedrivePolicy and maxReceiveCount on the source queue instead.'
      return problem(lambdaFunction, eventInvokeConfig, what, fix)
    },
  },
  {
    id: 'metrics-log-level',
    severity: 'warning',
    finds: '`ApplicationLogLevel` is above INFO, and the code writes metrics to the log in the embedded metric format.',
    why: 'Lambda drops log lines below this level. Metrics in the embedded metric format are lines of the level INFO, so they are lost.',
    source: `${LAMBDA_GUIDE}/monitoring-cloudwatchlogs-log-level.html`,
    check: ({ function: lambdaFunction }) => {
      const { logLevel } = lambdaFunction
      const level = valueIn(logLevel)
      if (!ABOVE_INFO.has(level)) return undefined
      const { logsMetrics } = sourceOf(lambdaFunction)
      if (logsMetrics === undefined) return undefined
      const what = `ApplicationLogLevel is ${level}, but the code writes metrics to the log: ${logsMetrics}`
      const change = set(lambdaFunction, FUNCTION_SETTINGS.logLevel, 'INFO')
      return problem(lambdaFunction, logLevel, what, 'Set ApplicationLogLevel to INFO.', change)
    },
  },
  {
    id: 'recursive-loop',
    severity: 'info',
    finds: '`RecursiveLoop` is `Allow`.',
    why: 'If the function sends messages back to its own queue, the loop does not end. By default, Lambda stops it after about 16 rounds.',
    source: `${LAMBDA_GUIDE}/invocation-recursion.html`,
    check: ({ function: lambdaFunction }) => {
      if (valueIn(lambdaFunction.recursiveLoop) !== 'Allow') return undefined
      const what = 'The detection of recursive loops is off: RecursiveLoop is Allow'
      const fix = 'Set RecursiveLoop to Terminate, unless the function needs such a loop and ends it itself.'
      const change = set(lambdaFunction, FUNCTION_SETTINGS.recursiveLoop, 'Terminate')
      return problem(lambdaFunction, lambdaFunction.recursiveLoop, what, fix, change)
    },
  },
  {
    id: 'commonjs-handler',
    severity: 'error',
    finds: 'A CommonJS file that is not bundled loads this package with `require()`.',
    why: 'Lambda starts Node.js with --no-experimental-require-module, so require() of this package fails. The function does not start, and every message goes to the dead-letter queue or expires.',
    source: `${LAMBDA_GUIDE}/lambda-nodejs.html`,
    check: ({ function: lambdaFunction }) => {
      if (!refusesRequire(lambdaFunction)) return undefined
      const { requiresPackage: file } = sourceOf(lambdaFunction)
      if (file === undefined) return undefined
      const isSource = /\.[cm]?tsx?$/.test(file)
      const how = isSource ? 'is compiled to CommonJS, so it loads' : 'loads'
      const what = `${file} ${how} this package with require()`
      const fix = isSource
        ? 'Compile the function to an ES module, or bundle it, for example with esbuild.'
        : 'Use import in an ES module, or bundle the function, for example with esbuild.'
      return { resource: lambdaFunction, position: lambdaFunction.position, what, fix }
    },
  },
  {
    id: 'dead-letter-memory',
    severity: 'info',
    finds: 'The code uses `deadLetter()` of this package, and the function has less than 512 MB.',
    why: 'The function loads an SQS client for it, which takes about 150 ms on a whole CPU. With less memory, it takes longer, so records that fail late may be redelivered instead.',
    source: `${LAMBDA_GUIDE}/configuration-memory.html`,
    check: ({ function: lambdaFunction }) => {
      const { memory } = lambdaFunction
      if (!(numberIn(memory) < DEAD_LETTER_MEMORY)) return undefined
      const { usesDeadLetter } = sourceOf(lambdaFunction)
      if (usesDeadLetter === undefined) return undefined
      const what = `The function has ${formatNumber(numberIn(memory))} MB, and uses ${usesDeadLetter}`
      const change = set(lambdaFunction, FUNCTION_SETTINGS.memory, DEAD_LETTER_MEMORY)
      return problem(lambdaFunction, memory, what, `Set MemorySize to ${DEAD_LETTER_MEMORY} or more.`, change)
    },
  },
]
