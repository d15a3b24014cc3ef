import { isAlternatives, type Pattern } from '../filters/filters.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { joinNames } from '../shared/format.ts'
import { isObject } from '../shared/json.ts'
import { LAMBDA_GUIDE, type Problem, patternsOf, type Rule } from './rule.ts'

/** The keys of the JSON in which SNS wraps a message. `Message` is a text, even if the message is JSON. */
const ENVELOPE: ReadonlySet<string> = new Set([
  ...['Type', 'MessageId', 'SequenceNumber', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'UnsubscribeURL'],
  ...['SignatureVersion', 'Signature', 'SigningCertURL'],
])

/**
 * Whether a valid pattern can match the envelope, which has these keys, or an object inside of it. MessageAttributes can
 * have any content. Nothing is known about the keys of other objects, and each of them may be missing.
 */
function canMatch(pattern: object, keys?: ReadonlySet<string>): boolean {
  return Object.entries(pattern).every(([key, value]) => {
    if (isAlternatives(key, value)) return value.some((one) => canMatch(one as object, keys))
    if (keys && key === 'MessageAttributes') return true
    if (!Array.isArray(value)) return canMatch(value)
    return keys?.has(key) || value.some((test) => isObject(test) && test.exists === false)
  })
}

/** Whether a valid pattern can match a message whose body is the envelope of SNS. */
function matchesEnvelope(pattern: object): boolean {
  return Object.entries(pattern).every(([key, value]) => {
    if (isAlternatives(key, value)) return value.some((one) => matchesEnvelope(one as object))
    return isObject(value) && canMatch(value, ENVELOPE)
  })
}

/** A pattern that is not known may match. */
function mayMatchEnvelope(pattern: Setting<Pattern>): boolean {
  const json = valueIn(pattern)?.json
  return json === undefined || matchesEnvelope(JSON.parse(json))
}

const WRAPPED = 'If it does, no filter matches them, and Lambda deletes every message of the topic.'

export const SNS_RULES: readonly Rule[] = [
  {
    id: 'sns-envelope-filter',
    severity: 'error',
    why: 'The body of such a message is the JSON of SNS, with keys such as Message. No filter matches it, so Lambda deletes every message of the topic.',
    source: `${LAMBDA_GUIDE}/with-sqs-filtering.html`,
    check: (mapping) => {
      const { subscriptions = [] } = mapping.queue
      const patterns = patternsOf(mapping).filter((pattern) => valueIn(pattern)?.error === undefined)
      if (patterns.length === 0 || patterns.some(mayMatchEnvelope)) return undefined
      const { position } = mapping.filters
      const wrapped = subscriptions.filter(({ isRaw }) => valueIn(isRaw) === false)
      if (wrapped.length === 0) {
        return subscriptions.flatMap(({ id, isRaw }): Problem[] => {
          if (isRaw.state !== 'unknown') return []
          const what = `The filters match the message itself, and it is not known whether SNS wraps the messages of ${id}: ${isRaw.reason}`
          const fix = `Make sure that ${id} sets RawMessageDelivery to true, or filter with keys of the envelope of SNS.`
          return [{ resource: mapping, position, what, fix, severity: 'info', why: WRAPPED }]
        })
      }
      const ids = joinNames(wrapped.map(({ id }) => id))
      const what = `The filters match the message itself, but ${ids} does not set RawMessageDelivery`
      const fix = `Set RawMessageDelivery of ${ids} to true, or filter with keys of the envelope of SNS.`
      const assignment = { row: SUBSCRIPTION_SETTINGS.isRaw, value: true }
      return { resource: mapping, position, what, fix, assignment }
    },
  },
]
