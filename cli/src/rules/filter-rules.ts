import { isAlternatives, type Pattern } from '../filters/filters.ts'
import type { Mapping } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { joinNames } from '../shared/format.ts'
import { isObject } from '../shared/json.ts'
import { LAMBDA_GUIDE, type Problem, patternsOf, problem, rulesOf, runningWith } from './rule.ts'

const FILTERING = `${LAMBDA_GUIDE}/with-sqs-filtering.html`
/**
 * If all filters match only JSON bodies, Lambda also deletes every message whose body is not JSON. If all
 * match only text, it also deletes every message whose body is JSON. This is from the AWS page
 * `invocation-eventfiltering`.
 */
const DROPPED: Readonly<Record<string, string>> = { json: 'is not JSON', text: 'is JSON' }
/** The keys of the JSON in which SNS wraps a message. `Message` is a text, even if the message is JSON. */
const ENVELOPE: readonly string[] = [
  ...['Type', 'MessageId', 'SequenceNumber', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'UnsubscribeURL'],
  ...['Signature', 'SignatureVersion', 'SigningCertURL'],
]

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

type Field = [key: string, value: unknown]

function allFields(pattern: unknown, fits: (field: Field) => boolean): boolean {
  return Object.entries(pattern as object).every(([key, value]) =>
    isAlternatives(key, value) ? value.some((one) => allFields(one, fits)) : fits([key, value]),
  )
}

/** Whether a key can be in the envelope, or may be missing. MessageAttributes can have any content. */
function fitsEnvelope([key, value]: Field): boolean {
  if (key === 'MessageAttributes' || JSON.stringify(value).includes('{"exists":false}')) return true
  return Array.isArray(value) && ENVELOPE.includes(key)
}

/** Whether a pattern can match a message whose body is the envelope of SNS. One that is not known can. */
function mayMatchEnvelope(pattern: Setting<Pattern>): boolean {
  const json = valueIn(pattern)?.json
  return (
    json === undefined || allFields(JSON.parse(json), ([, body]) => isObject(body) && allFields(body, fitsEnvelope))
  )
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
    why: 'The function does not receive these messages, and they do not go to the dead-letter queue.',
    source: FILTERING,
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
        return { ...problem(mapping, 'filters', lost, 'Remove FilterCriteria.'), severity: 'warning' }
      }
      return problem(mapping, 'filters', what, 'Make sure that you do not need these messages.')
    },
  },
  'competing-filters': {
    severity: 'error',
    isOfQueue: true,
    why: 'Each message goes to only one of these mappings. If it does not match the filters of that mapping, Lambda deletes it, even if it matches those of another mapping.',
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
  'sns-envelope-filter': {
    severity: 'error',
    why: 'The body of such a message is the JSON of SNS, with keys such as Message. No filter matches it, so Lambda deletes every message of the topic.',
    source: FILTERING,
    check: (mapping) => {
      const { subscriptions = [] } = mapping.queue
      const patterns = patternsOf(mapping).filter((pattern) => valueIn(pattern)?.error === undefined)
      if (patterns.length === 0 || patterns.some(mayMatchEnvelope)) return undefined
      const { position } = mapping.filters
      const wrapped = subscriptions.filter(({ isRaw }) => valueIn(isRaw) === false)
      const what = 'The filters match the message itself'
      const keys = 'or filter with keys of the envelope of SNS.'
      if (wrapped.length > 0) {
        const ids = joinNames(wrapped.map(({ id }) => id))
        const fix = `Set RawMessageDelivery of ${ids} to true, ${keys}`
        const found = problem(mapping, 'isRaw', `${what}, but ${ids} does not set RawMessageDelivery`, fix, true)
        return { ...found, position }
      }
      return subscriptions.flatMap(({ id, isRaw }): Problem[] => {
        if (isRaw.state !== 'unknown') return []
        const open = `${what}, and it is not known whether SNS wraps the messages of ${id}: ${isRaw.reason}`
        const fix = `Make sure that ${id} sets RawMessageDelivery to true, ${keys}`
        const why = 'If SNS wraps them, no filter matches them, and Lambda deletes every message of the topic.'
        return [{ ...problem(mapping, undefined, open, fix), position, severity: 'info', why }]
      })
    },
  },
})
