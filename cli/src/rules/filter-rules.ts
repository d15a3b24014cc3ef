import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { joinNames } from '../shared/format.ts'
import { LAMBDA_GUIDE, type Problem, patternsOf, problem, rulesOf, runningWith } from './rule.ts'

const FILTERING = `${LAMBDA_GUIDE}/with-sqs-filtering.html`

/** The filters as text, which is equal for equal filters. Undefined if they are not completely known. */
function filterText(mapping: Mapping): string | undefined {
  const patterns = patternsOf(mapping).map((pattern) => valueIn(pattern)?.json)
  const isUnknown = mapping.filters.state === 'unknown' || patterns.includes(undefined)
  return isUnknown ? undefined : [...new Set(patterns)].sort().join()
}

/** Whether the filters of two of these mappings are known to differ. */
export function haveDifferentFilters(mappings: readonly Mapping[]): boolean {
  const texts = new Set(mappings.map(filterText))
  const isOneWithout = texts.has('') && mappings.some((mapping) => patternsOf(mapping).length > 0)
  return isOneWithout || [...texts].filter((text) => text !== undefined).length > 1
}

export const FILTER_RULES = rulesOf({
  'filter-pattern': {
    severity: 'error',
    why: 'Lambda rejects such a filter, or deletes all messages that match no other filter of the mapping.',
    source: FILTERING,
    check: (mapping) =>
      patternsOf(mapping).flatMap((pattern, index): Problem[] => {
        const error = valueIn(pattern)?.error
        if (error === undefined) return []
        const fix = 'Write a pattern such as { "body": { "type": ["order"] } }, or remove the filter.'
        return [{ ...problem(mapping, undefined, `Filter ${index + 1} cannot match: ${error}`, fix), setting: pattern }]
      }),
  },
  'filter-criteria': {
    severity: 'info',
    why:
      'The function does not receive these messages, and they do not go to the dead-letter queue. ' +
      'If SNS wraps them, the filters must match the JSON of SNS. This is not checked.',
    source: FILTERING,
    check: (mapping) => {
      const patterns = patternsOf(mapping)
      if (patterns.every((pattern) => valueIn(pattern)?.error !== undefined)) return undefined
      const count = patterns.length === 1 ? 'the filter' : `any of the ${patterns.length} filters`
      const what = `Lambda deletes messages that do not match ${count}`
      const found = problem(mapping, 'filters', what, 'Make sure that you do not need these messages.')
      if (!mapping.queue.isDeadLetterQueue) return found
      const lost = `${what}, and the queue is a dead-letter queue`
      return { ...found, what: lost, fix: 'Remove FilterCriteria.', severity: 'warning' }
    },
  },
  'competing-filters': {
    severity: 'error',
    isOfQueue: true,
    why: 'Each message goes to only one of these mappings. If the filters of that one do not match, Lambda deletes it.',
    source: FILTERING,
    check: (mapping, { ofQueue }) => {
      const readers = runningWith(mapping, ofQueue)
      if (!haveDifferentFilters(readers)) return undefined
      const what = `Mappings with different filters read the queue: ${joinNames(readers.map(({ id }) => id))}`
      const fix =
        'Use a queue for each mapping, and send every message to all of them, for example through an SNS topic.'
      return problem(mapping.queue, undefined, what, fix)
    },
  },
})
