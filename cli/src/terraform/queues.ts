import {
  type DeadLetterQueue,
  deadLetterQueueOf,
  type Queue,
  type RedrivePolicy,
  type Subscription,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, type Setting, unknown, valueIn } from '../model/setting.ts'
import { QUEUE_SETTINGS, REDRIVE_SETTINGS, readTable, SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { parseObject } from '../shared/json.ts'
import type { Instance, Plan } from './plan.ts'
import { declares, findReferenced, type Lookup, referencesIn } from './references.ts'
import { AFTER_APPLY, identified, settingsAt, textAt } from './values.ts'

export const QUEUE = 'aws_sqs_queue'
export const ELSEWHERE = 'it is not in this plan or state'

/** Arguments and blocks of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(redrive_policy|dead_letter_(config|queue|arn)|on_failure)$/

function isManagedQueue({ mode, type }: Instance) {
  return mode === 'managed' && type === QUEUE
}

/** The queue that has this ARN, URL or name. */
function findKnown({ instances }: Plan, text: string): Lookup {
  const queues = instances.filter(isManagedQueue)
  const same = queues.find(({ values }) => [values.arn, values.id, values.name].includes(text))
  if (same) return { instance: same }
  // The ARN of a queue that is not yet created is known only after apply.
  const name = text.split(/[:/]/).at(-1)
  const [instance, ...more] = queues.filter(({ values }) => values.name === name && values.arn === undefined)
  return instance && more.length === 0 ? { instance } : { reason: ELSEWHERE, arn: text }
}

/** The queue whose ARN or URL an argument is. */
export function findQueue(plan: Plan, referrer: Instance, argument: string): Lookup {
  const text = textAt(referrer, argument)
  return text.state === 'known' ? findKnown(plan, text.value) : findReferenced(referrer, argument, [QUEUE])
}

function isFifoArn(arn: string): Setting<boolean> {
  return known(arn.endsWith('.fifo'))
}

/** A queue that is not managed here: in another plan, or a data source, which does not show the settings. */
function unmanagedQueue(found: Lookup, id: string): Queue {
  const { instance } = found
  const arn = found.arn ?? (instance && (valueIn(textAt(instance, 'arn')) ?? valueIn(textAt(instance, 'name'))))
  const reason = found.reason ?? 'a data source does not show the settings of a queue'
  const queue = unreadQueue(instance?.address ?? found.arn ?? id, reason)
  return arn === undefined ? queue : { ...queue, fifo: isFifoArn(arn) }
}

function settingsOfQueue(queue: Instance) {
  const settings = settingsAt(QUEUE_SETTINGS, queue)
  const isFifo = valueIn(textAt(queue, 'name'))?.endsWith('.fifo')
  return isFifo ? { ...settings, fifo: identified(queue, 'fifo', known(true)) } : settings
}

function deadLetterQueueAt(found: Lookup): DeadLetterQueue {
  const { instance } = found
  return deadLetterQueueOf(
    instance && isManagedQueue(instance)
      ? { id: instance.address, ...settingsOfQueue(instance), redrive: absent }
      : unmanagedQueue(found, 'its dead-letter queue'),
  )
}

/** Reads a redrive policy. Its expression is a call of `jsonencode`, of which a plan shows only the references. */
function policyOf(plan: Plan, queue: Instance, referrer: Instance): Setting<RedrivePolicy> {
  const text = textAt(referrer, 'redrive_policy')
  if (text.state === 'absent') return absent
  if (text.state === 'unknown') {
    const deadLetterQueue = deadLetterQueueAt(findReferenced(referrer, 'redrive_policy', [QUEUE]))
    const count = unknown('the redrive policy is known only after apply')
    const maxReceiveCount = identified<number>(queue, 'maxReceiveCount', count)
    return known({ arn: unknown(AFTER_APPLY), maxReceiveCount, deadLetterQueue })
  }
  const policy = parseObject(text.value)
  const fix = 'Set it to jsonencode({ deadLetterTargetArn = …, maxReceiveCount = 5 }).'
  if (!policy) return invalid('it is not a JSON object', fix)
  const settings = readTable(
    REDRIVE_SETTINGS,
    ({ name }) => ((policy[name] ?? '') === '' ? absent : known(policy[name])),
    (name) => `${queue.address} ${name}`,
  )
  return known({ ...settings, deadLetterQueue: deadLetterQueueAt(findKnown(plan, String(valueIn(settings.arn)))) })
}

function redriveOf(plan: Plan, queue: Instance): Setting<RedrivePolicy> {
  const separate = plan.instances.filter(({ type }) => type === 'aws_sqs_queue_redrive_policy')
  const policies = separate.map((policy) => ({ policy, found: findQueue(plan, policy, 'queue_url') }))
  const own = policies.find(({ found }) => found.instance === queue)
  if (own) return policyOf(plan, queue, own.policy)
  const text = textAt(queue, 'redrive_policy')
  // If the configuration does not declare a policy, the provider keeps the existing one, or sets none.
  const isUnset = text.state === 'absent' || (text.state === 'unknown' && !declares(queue, 'redrive_policy'))
  if (!isUnset) return policyOf(plan, queue, queue)
  const open = policies.find(({ found }) => !found.instance && found.arn === undefined)
  return open ? unknown(`${open.policy.address} may set it. Its queue is not certain: ${open.found.reason}`) : absent
}

/** What is below names of dead-letter queues and of destinations of failures, in values or in expressions. */
function deadLettersIn(parts: unknown): unknown[] {
  if (typeof parts !== 'object' || parts === null) return []
  return Object.entries(parts).flatMap(([name, part]) => (NAMES_DEAD_LETTERS.test(name) ? [part] : deadLettersIn(part)))
}

/** Whether a redrive policy, or a dead-letter setting of another resource, refers to the queue. */
function isDeadLetterQueue({ instances }: Plan, queue: Instance): boolean {
  const arn = JSON.stringify(queue.values.arn)?.slice(1, -1)
  return instances.some((referrer) => {
    if (referrer === queue) return false
    const arns = JSON.stringify(deadLettersIn(referrer.values)).match(/arn:[^"\\]+/g)
    const expressions = deadLettersIn(referrer.config?.expressions)
    return arns?.some((one) => one === arn) || referencesIn(referrer, expressions).instances.has(queue)
  })
}

/** The subscriptions of a queue to SNS topics, and those whose queue is not known. */
function subscriptionsOf(plan: Plan, queue: Instance): Subscription[] {
  const all = plan.instances.filter(
    (one) => one.type === 'aws_sns_topic_subscription' && valueIn(textAt(one, 'protocol')) === 'sqs',
  )
  return all.flatMap((one) => {
    const { instance, arn, reason } = findQueue(plan, one, 'endpoint')
    const { isRaw } = settingsAt(SUBSCRIPTION_SETTINGS, one)
    if (instance ? instance !== queue : arn !== undefined || valueIn(isRaw)) return []
    return [{ id: one.address, isRaw: instance ? isRaw : unknown(`its endpoint is not known: ${reason}`) }]
  })
}

/** Reads a managed queue. */
function readQueue(plan: Plan, instance: Instance): Queue {
  return {
    id: instance.address,
    ...settingsOfQueue(instance),
    redrive: identified(instance, 'redrive', redriveOf(plan, instance)),
    isDeadLetterQueue: isDeadLetterQueue(plan, instance),
    subscriptions: subscriptionsOf(plan, instance),
  }
}

/** The queue that a mapping reads. Each queue is read once. */
export function queueOfMapping(plan: Plan, mapping: Instance): Queue {
  const found = findQueue(plan, mapping, 'event_source_arn')
  if (!found.instance || !isManagedQueue(found.instance)) return unmanagedQueue(found, 'its queue')
  const queue = plan.queues.get(found.instance) ?? readQueue(plan, found.instance)
  plan.queues.set(found.instance, queue)
  return queue
}
