import type { Evidence } from '../code-search/search.ts'
import { DEFAULT_FILTERS } from '../filters/filters.ts'
import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { formatNumber } from '../shared/format.ts'
import { MAX_CONCURRENCY } from './concurrency-rules.ts'
import { formatSeconds, isFifo, LAMBDA_API, LAMBDA_GUIDE, numberIn, type Problem, problem, rulesOf } from './rule.ts'

const PARAMETERS = `${LAMBDA_GUIDE}/services-sqs-parameters.html`

function offWith(mapping: Mapping, evidence: Evidence, off: string, fix: string): Partial<Problem> {
  const { reports, missing, searched } = evidence
  if (reports !== undefined) return { what: `${off}, but the function can report failures: ${reports}` }
  const isSingle = numberIn(mapping.batchSize) === 1
  const severity = isSingle ? 'info' : 'warning'
  if (missing !== undefined) {
    const what = `${off}, and it is not known whether the function reports failures: ${missing}`
    const why = 'If the function reports failures, Lambda ignores them, and deletes those messages.'
    return { what, why, severity }
  }
  const what = `${off}, and the code does not report failures. Searched: ${searched}`
  const why = isSingle
    ? 'If the function throws, Lambda redelivers the only message of the batch.'
    : 'If the function throws, Lambda redelivers the whole batch, with the messages that were processed.'
  return { what, why, fix: `Let the code report the messages that failed. ${fix}`, severity }
}

export const MAPPING_RULES = rulesOf({
  'report-batch-item-failures': {
    severity: 'error',
    why: 'Lambda ignores the failures that the function reports, and deletes those messages.',
    source: `${LAMBDA_GUIDE}/services-sqs-errorhandling.html`,
    check: (mapping, { evidenceOf }) => {
      const { reportBatchItemFailures: setting } = mapping
      const fix = 'Set FunctionResponseTypes to [ReportBatchItemFailures].'
      if (setting.state === 'unknown') {
        const what = `It is not known whether ReportBatchItemFailures is on: ${setting.reason}`
        const why = 'If it is off, Lambda ignores the failures that the function reports, and deletes those messages.'
        return { ...problem(mapping, 'reportBatchItemFailures', what, fix), severity: 'warning', why }
      }
      if (valueIn(setting) !== false) return undefined
      const off = 'ReportBatchItemFailures is off'
      const found = problem(mapping, 'reportBatchItemFailures', off, fix, ['ReportBatchItemFailures'])
      return { ...found, ...offWith(mapping, evidenceOf(mapping.function), off, fix) }
    },
  },
  'stream-setting': {
    severity: 'error',
    why: 'Lambda rejects the mapping: only streams have this setting.',
    source: `${LAMBDA_API}/API_CreateEventSourceMapping.html`,
    check: (mapping) =>
      (mapping.streamSettings ?? []).map(({ name, setting }) => {
        return { ...problem(mapping, undefined, `The mapping of a queue sets ${name}`, `Remove ${name}.`), setting }
      }),
  },
  'fifo-batch-size': {
    severity: 'error',
    why: 'Lambda rejects the mapping: a batch from a FIFO queue has at most 10 records.',
    source: PARAMETERS,
    check: (mapping) => {
      const { batchSize } = mapping
      if (!isFifo(mapping) || !(numberIn(batchSize) > 10)) return undefined
      const what = `The batch size is ${formatNumber(numberIn(batchSize))}, but the queue is a FIFO queue`
      return problem(mapping, 'batchSize', what, 'Set BatchSize to at most 10.', 10)
    },
  },
  'batch-needs-window': {
    severity: 'error',
    why: 'Lambda rejects a batch size above 10 without a batching window.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: (mapping) => {
      const { batchSize, window } = mapping
      if (isFifo(mapping) || !(numberIn(batchSize) > 10 && numberIn(window) < 1)) return undefined
      const fix = 'Set MaximumBatchingWindowInSeconds to 1 or more, or set BatchSize to at most 10.'
      const what = `The batch size is ${formatNumber(numberIn(batchSize))}, but there is no batching window`
      return problem(mapping, 'window', what, fix, 1)
    },
  },
  'fifo-window': {
    severity: 'error',
    why: 'Lambda rejects the mapping: a FIFO queue cannot have a batching window.',
    source: PARAMETERS,
    check: (mapping) => {
      const { window } = mapping
      if (!isFifo(mapping) || !(numberIn(window) > 0)) return undefined
      const what = `The batching window is ${formatSeconds(window)}, but the queue is a FIFO queue`
      return problem(mapping, 'window', what, 'Remove MaximumBatchingWindowInSeconds.', 0)
    },
  },
  'disabled-mapping': {
    severity: 'info',
    why: 'Lambda does not receive the messages. They wait in the queue until they expire.',
    source: PARAMETERS,
    check: (mapping) => {
      if (valueIn(mapping.runs) !== false) return undefined
      return problem(mapping, 'runs', 'The mapping is disabled', 'Make sure that this is intended.')
    },
  },
  quota: {
    severity: 'info',
    why: 'Without a higher quota, Lambda rejects the mapping.',
    source: `${LAMBDA_GUIDE}/services-sqs-scaling.html`,
    check: (mapping) => {
      const { filters, maximumConcurrency } = mapping
      const [count, most] = [valueIn(filters)?.length ?? 0, numberIn(maximumConcurrency)]
      const fix = 'Make sure that your account has a higher quota.'
      if (most > MAX_CONCURRENCY) {
        const what = `The maximum concurrency is ${formatNumber(most)}, above the default quota of 1,000`
        return problem(mapping, 'maximumConcurrency', what, fix)
      }
      if (count <= DEFAULT_FILTERS) return undefined
      const what = `The mapping has ${count} filters, above the default quota of ${DEFAULT_FILTERS}`
      const source = `${LAMBDA_GUIDE}/invocation-eventfiltering.html`
      return { ...problem(mapping, undefined, what, fix), position: filters.position, source }
    },
  },
})
