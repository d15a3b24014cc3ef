import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS, MAPPING_SETTINGS } from '../model/settings.ts'
import { formatNumber } from '../shared/format.ts'
import { allowedConcurrency, concurrencyOf, INVOCATIONS_PER_POLLER, isOpen, isProvisioned } from './concurrency.ts'
import {
  formatSeconds,
  LAMBDA_GUIDE,
  numberIn,
  type Problem,
  patternsOf,
  problem,
  type Rule,
  type Siblings,
  sourceOf,
} from './rule.ts'

const PARAMETERS = `${LAMBDA_GUIDE}/services-sqs-parameters.html`
const SCALING = `${LAMBDA_GUIDE}/services-sqs-scaling.html`

const POLLERS = 'https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html'

/** The default of MaximumPollers, from the page at `POLLERS`. */
const DEFAULT_POLLERS = 200

/** How many invocations a mapping without a maximum concurrency runs at most at once, from the page at `SCALING`. */
const MAX_INVOCATIONS = 1250

/**
 * If all filters match only JSON bodies, Lambda also deletes every message whose body is not JSON. If all match only
 * text, it also deletes every message whose body is JSON. This is from the AWS page `invocation-eventfiltering`.
 */
const DROPPED: Readonly<Record<string, string>> = { json: 'is not JSON', text: 'is JSON' }

type MappingKey = keyof typeof MAPPING_SETTINGS
/** A problem whose fix sets its setting to a value. */
function setTo(mapping: Mapping, key: MappingKey, value: number, what: string, fix: string): Problem {
  return problem(mapping, mapping[key], what, fix, { row: MAPPING_SETTINGS[key], value })
}

function lower(mapping: Mapping, key: MappingKey, what: string, most: number): Problem {
  return setTo(mapping, key, most, what, `Set ${MAPPING_SETTINGS[key].name} to at most ${formatNumber(most)}.`)
}

const THROTTLED =
  'Lambda throttles invocations above the reserved concurrency, and retries a throttled batch until its visibility ' +
  'timeout ends. Each such delivery counts as a receive, so valid messages can be dead-lettered.'

/** What it means that ReportBatchItemFailures is off, which depends on whether the code can report failures. */
function offWith({ function: lambdaFunction, batchSize }: Mapping, off: string, fix: string): Partial<Problem> {
  const source = sourceOf(lambdaFunction)
  if (source.reports !== undefined) return { what: `${off}, but the function can report failures: ${source.reports}` }
  if (source.missing !== undefined) {
    return {
      what: `${off}, and it is not known whether the function reports failures: ${source.missing}`,
      why: 'If it does, Lambda ignores them, and deletes those messages. --strict makes this an error.',
      severity: 'warning',
    }
  }
  const code = {
    what: `${off}, and the code does not report failures. Searched: ${source.searched}`,
    fix: `Let the code report the messages that failed. ${fix}`,
  }
  if (numberIn(batchSize) === 1) {
    return {
      ...code,
      why: 'If the function throws, Lambda redelivers the only message of the batch.',
      severity: 'info',
    }
  }
  const why = 'If the function throws, Lambda redelivers the whole batch, with the messages that were processed.'
  return { ...code, why, severity: 'warning' }
}

function isFifo({ queue }: Mapping) {
  return valueIn(queue.fifo) === true
}

/** The most invocations that a mapping without a limit makes at once. */
function mostOf(mapping: Mapping): number {
  return isProvisioned(mapping) ? DEFAULT_POLLERS * INVOCATIONS_PER_POLLER : MAX_INVOCATIONS
}

/** The reserved concurrency that is enough for the limits of all mappings. */
function raiseReserved({ function: lambdaFunction }: Mapping, what: string, needed: number): Problem {
  const owner = lambdaFunction.aliasOf ?? lambdaFunction
  const fix = `Set ReservedConcurrentExecutions to ${formatNumber(needed)} or more.`
  const assignment = { row: FUNCTION_SETTINGS.reservedConcurrency, value: needed }
  return { ...problem(owner, owner.reservedConcurrency, what, fix, assignment), strictness: needed }
}

/** Limits a mapping, so that all mappings of the function fit into its reserved concurrency, which may have to be higher. */
function limit(mapping: Mapping, reserved: number, { ofFunction }: Siblings): Problem {
  const { needed, lowerBound, limitFor } = concurrencyOf(ofFunction, reserved)
  const key = isProvisioned(mapping) ? 'maximumPollers' : 'maximumConcurrency'
  const value = Math.floor(limitFor(mapping) / (isProvisioned(mapping) ? INVOCATIONS_PER_POLLER : 1))
  const most = isProvisioned(mapping)
    ? `uses the default of ${DEFAULT_POLLERS} pollers, which make up to ${formatNumber(mostOf(mapping))} invocations at once`
    : 'has no maximum concurrency'
  const what = `The reserved concurrency is ${formatNumber(reserved)}, but the mapping ${most}`
  const isEnough = needed === reserved || lowerBound > reserved // if it is below the sum of the limits, another rule raises it
  const also = isEnough ? '' : `, and ReservedConcurrentExecutions to ${formatNumber(needed)} or more`
  return setTo(mapping, key, value, what, `Set ${MAPPING_SETTINGS[key].name} to at most ${formatNumber(value)}${also}.`)
}

export const MAPPING_RULES: readonly Rule[] = [
  {
    id: 'report-batch-item-failures',
    severity: 'error',
    why: 'Lambda ignores the failures that the function reports, and deletes those messages.',
    source: `${LAMBDA_GUIDE}/services-sqs-errorhandling.html`,
    check: (mapping) => {
      const { reportBatchItemFailures: setting } = mapping
      const fix = 'Set FunctionResponseTypes to [ReportBatchItemFailures].'
      if (setting.state === 'unknown') {
        const what = `It is not known whether ReportBatchItemFailures is on: ${setting.reason}`
        const why = 'If it is off, Lambda ignores the failures that the function reports, and deletes those messages.'
        return { ...problem(mapping, setting, what, fix), severity: 'warning', why }
      }
      if (valueIn(setting) !== false) return undefined
      const off = 'ReportBatchItemFailures is off'
      const assignment = { row: MAPPING_SETTINGS.reportBatchItemFailures, value: ['ReportBatchItemFailures'] }
      return { ...problem(mapping, setting, off, fix, assignment), ...offWith(mapping, off, fix) }
    },
  },
  {
    id: 'filter-pattern',
    severity: 'error',
    why: 'Lambda rejects such a filter, or deletes all messages that match no other filter of the mapping.',
    source: `${LAMBDA_GUIDE}/with-sqs-filtering.html`,
    check: (mapping) =>
      patternsOf(mapping).flatMap((pattern, index): Problem[] => {
        const error = valueIn(pattern)?.error
        if (error === undefined) return []
        const fix = 'Write a pattern such as { "body": { "type": ["order"] } }, or remove the filter.'
        return [problem(mapping, pattern, `Filter ${index + 1} cannot match: ${error}`, fix)]
      }),
  },
  {
    id: 'fifo-batch-size',
    severity: 'error',
    why: 'Lambda rejects the mapping: a batch from a FIFO queue has at most 10 records.',
    source: PARAMETERS,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (!isFifo(mapping) || !(size > 10)) return undefined
      const what = `The batch size is ${formatNumber(size)}, but the queue is a FIFO queue`
      return lower(mapping, 'batchSize', what, 10)
    },
  },
  {
    id: 'batch-size',
    severity: 'error',
    why: 'Lambda rejects the mapping: a batch has at most 10,000 records.',
    source: PARAMETERS,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (!(size > 10_000)) return undefined
      const what = `The batch size is ${formatNumber(size)}`
      return lower(mapping, 'batchSize', what, 10_000)
    },
  },
  {
    id: 'batch-needs-window',
    severity: 'error',
    why: 'Lambda rejects a batch size above 10 without a batching window.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (isFifo(mapping) || !(size > 10 && numberIn(mapping.window) < 1)) return undefined
      const fix = 'Set MaximumBatchingWindowInSeconds to 1 or more, or set BatchSize to at most 10.'
      const what = `The batch size is ${formatNumber(size)}, but there is no batching window`
      return setTo(mapping, 'window', 1, what, fix)
    },
  },
  {
    id: 'fifo-window',
    severity: 'error',
    why: 'Lambda rejects the mapping: a FIFO queue cannot have a batching window.',
    source: PARAMETERS,
    check: (mapping) => {
      if (!isFifo(mapping) || !(numberIn(mapping.window) > 0)) return undefined
      const what = `The batching window is ${formatSeconds(mapping.window)}, but the queue is a FIFO queue`
      return setTo(mapping, 'window', 0, what, 'Remove MaximumBatchingWindowInSeconds.')
    },
  },
  {
    id: 'concurrency-and-provisioned',
    severity: 'error',
    why: 'Lambda rejects the mapping: in provisioned mode, the number of pollers limits the concurrency.',
    source: SCALING,
    check: (mapping) => {
      if (!isProvisioned(mapping) || mapping.maximumConcurrency.state !== 'known') return undefined
      const what = 'The mapping has both a maximum concurrency and provisioned mode'
      return problem(mapping, mapping.maximumConcurrency, what, 'Remove ScalingConfig.')
    },
  },
  {
    id: 'poller-range',
    severity: 'error',
    why: 'Lambda rejects the mapping.',
    source: POLLERS,
    check: (mapping) => {
      const [least, most] = [numberIn(mapping.minimumPollers), numberIn(mapping.maximumPollers)]
      if (!(least > most)) return undefined
      const what = `MinimumPollers (${formatNumber(least)}) is above MaximumPollers (${formatNumber(most)})`
      return lower(mapping, 'minimumPollers', what, most)
    },
  },
  {
    id: 'concurrency-range',
    severity: 'error',
    why: 'Lambda rejects the mapping: the value must be from 2 to 1,000.',
    source: SCALING,
    check: (mapping) => {
      const most = numberIn(mapping.maximumConcurrency)
      if (!(most < 2 || most > 1000)) return undefined
      const fix = 'Set MaximumConcurrency to a value from 2 to 1,000, or remove it.'
      const what = `The maximum concurrency is ${formatNumber(most)}`
      return setTo(mapping, 'maximumConcurrency', allowedConcurrency(mapping), what, fix)
    },
  },
  {
    id: 'concurrency-above-reserved',
    severity: 'error',
    why: THROTTLED,
    source: SCALING,
    check: (mapping, { ofFunction }) => {
      const reserved = numberIn(mapping.function.reservedConcurrency)
      const { counted, lowerBound, needed } = concurrencyOf(ofFunction, reserved)
      if (!(lowerBound > reserved && reserved > 0)) return undefined
      const of = counted.length > 1 ? ` of its ${counted.length} mappings together` : ''
      const pollers = counted.some(isProvisioned) ? ', with 10 invocations for each poller,' : ''
      const what = `The maximum concurrency${of}${pollers} is ${formatNumber(lowerBound)}, above the reserved concurrency of ${formatNumber(reserved)}`
      return raiseReserved(mapping, what, needed)
    },
  },
  {
    id: 'reserved-concurrency',
    severity: 'warning',
    why: THROTTLED,
    source: SCALING,
    check: (mapping, siblings) => {
      const reserved = numberIn(mapping.function.reservedConcurrency)
      const most = siblings.ofFunction.length * mostOf(mapping)
      const limited = isOpen(mapping) && reserved < most ? [limit(mapping, reserved, siblings)] : []
      if (reserved !== 0) return limited
      const { needed } = concurrencyOf(siblings.ofFunction, reserved)
      const what = 'The reserved concurrency is 0, so the function never runs'
      const why = 'The messages wait in the queue until they are dead-lettered or expire.'
      return [{ ...raiseReserved(mapping, what, needed), severity: 'error', why }, ...limited]
    },
  },
  {
    id: 'disabled-mapping',
    severity: 'info',
    why: 'Lambda does not receive the messages. They wait in the queue until they expire.',
    source: PARAMETERS,
    check: (mapping) => {
      if (valueIn(mapping.runs) !== false) return undefined
      return problem(mapping, mapping.runs, 'The mapping is disabled', 'Make sure that this is intended.')
    },
  },
  {
    id: 'filter-criteria',
    severity: 'info',
    why: 'The function does not receive these messages, and they do not go to the dead-letter queue.',
    source: `${LAMBDA_GUIDE}/with-sqs-filtering.html`,
    check: (mapping) => {
      const patterns = patternsOf(mapping)
      if (patterns.every((pattern) => valueIn(pattern)?.error !== undefined)) return undefined
      const forms = new Set(patterns.flatMap((pattern) => valueIn(pattern)?.forms))
      const dropped = DROPPED[[...forms].join()]
      const count = patterns.length === 1 ? 'the filter' : `any of the ${patterns.length} filters`
      const also = dropped === undefined ? '' : `, and all messages whose body ${dropped}`
      const what = `Lambda deletes messages that do not match ${count}${also}`
      if (mapping.queue.isDeadLetterQueue) {
        const lost = `${what}, and the queue is a dead-letter queue`
        return { ...problem(mapping, mapping.filters, lost, 'Remove FilterCriteria.'), severity: 'warning' }
      }
      return problem(mapping, mapping.filters, what, 'Make sure that you do not need these messages.')
    },
  },
]
