import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { isObject } from '../shared/json.ts'
import { joinNames, LAMBDA_GUIDE, type Problem, patternsOf, type Rule, set } from './rule.ts'

/** The keys of the JSON in which SNS wraps a message. `Message` is a text, even if the message is JSON. */
const ENVELOPE = new Set([
  ...['Type', 'MessageId', 'SequenceNumber', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'UnsubscribeURL'],
  ...['SignatureVersion', 'Signature', 'SigningCertURL', 'MessageAttributes'],
])

/** Whether a part of a pattern also matches if the key is missing. */
function allowsMissing(pattern: unknown): boolean {
  if (Array.isArray(pattern)) return pattern.some((test) => isObject(test) && test.exists === false)
  return isObject(pattern) && Object.values(pattern).every(allowsMissing)
}

/** Whether a pattern for the keys of a body can match the envelope of SNS. */
function canMatchEnvelope(fields: unknown): boolean {
  if (!isObject(fields)) return false
  return Object.entries(fields).every(([key, value]) => {
    if (key === '$or' && Array.isArray(value)) return value.some(canMatchEnvelope)
    if (!ENVELOPE.has(key)) return allowsMissing(value)
    return key === 'MessageAttributes' || Array.isArray(value) || allowsMissing(value)
  })
}

function matchesEnvelope(json: string): boolean {
  const pattern: unknown = JSON.parse(json)
  const alternatives = isObject(pattern) && Array.isArray(pattern.$or) ? pattern.$or : [pattern]
  return alternatives.some((one) => isObject(one) && (!('body' in one) || canMatchEnvelope(one.body)))
}

/** The patterns of a mapping as JSON. Undefined if one is not known, so that it may match. */
function jsonPatterns(mapping: Mapping): string[] | undefined {
  const values = patternsOf(mapping).map(valueIn)
  return values.includes(undefined) ? undefined : values.flatMap((pattern) => pattern?.json ?? [])
}

export const SNS_RULES: readonly Rule[] = [
  {
    id: 'sns-queue-policy',
    severity: 'error',
    finds: 'The queue is subscribed to an SNS topic, but no queue policy allows the topic to send messages.',
    why: 'SNS may not send messages to the queue, so no message of the topic arrives.',
    source: 'https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html',
    check: ({ queue }) =>
      (queue.subscriptions ?? []).flatMap(({ id, position, isAllowed }): Problem[] => {
        if (valueIn(isAllowed) !== false) return []
        const what = `${queue.id} is subscribed to a topic by ${id}, but no queue policy allows it`
        const fix =
          'Add a queue policy that allows the service sns.amazonaws.com to call sqs:SendMessage, if aws:SourceArn is the topic.'
        return [{ resource: queue, position, what, fix }]
      }),
  },
  {
    id: 'sns-envelope-filter',
    severity: 'error',
    finds:
      'The queue is subscribed to an SNS topic without `RawMessageDelivery`, and no filter matches the JSON in which SNS wraps a message.',
    why: 'The body of such a message is the JSON of SNS, with keys such as Message. No filter matches it, so Lambda deletes every message of the topic.',
    source: `${LAMBDA_GUIDE}/with-sqs-filtering.html`,
    check: (mapping) => {
      const wrapped = (mapping.queue.subscriptions ?? []).filter(({ isRaw }) => valueIn(isRaw) === false)
      const patterns = jsonPatterns(mapping)
      const [subscription] = wrapped
      if (!subscription || !patterns || patterns.length === 0 || patterns.some(matchesEnvelope)) return undefined
      const ids = joinNames(wrapped.map(({ id }) => id))
      const what = `The filters match the message itself, but ${ids} does not set RawMessageDelivery`
      const fix = `Set RawMessageDelivery of ${ids} to true, or filter with keys of the envelope of SNS.`
      const change = set(subscription, SUBSCRIPTION_SETTINGS.isRaw, true)
      const { position } = subscription
      return { resource: mapping, position: mapping.filters.position ?? position, what, fix, change }
    },
  },
]
