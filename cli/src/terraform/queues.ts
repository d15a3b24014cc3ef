import {
  incompletePolicy,
  kindMismatch,
  type Queue,
  type RedrivePolicy,
  redriveDenied,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, mapSetting, type Setting, unknown, valueIn } from '../model/setting.ts'
import { numberSetting, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings.ts'
import { parseObject } from '../shared/json.ts'
import { memoize } from '../shared/memoize.ts'
import type { Instance, Plan } from './plan.ts'
import {
  declares,
  findReferenced,
  isPossible,
  mentionedBy,
  type ReferenceLookup,
  resolveArgument,
} from './references.ts'
import { createSubscriptions } from './subscriptions.ts'
import { AFTER_APPLY, identified, settingsAt, textAt, valueAt } from './values.ts'

const QUEUE = 'aws_sqs_queue'
export const ELSEWHERE = 'it is not in this plan or state'

/** Arguments and blocks of subscriptions, functions, targets of rules, schedules and pipes. */
const DEAD_LETTER_ARGUMENTS = [
  'redrive_policy',
  'dead_letter_config',
  'dead_letter_queue',
  'dead_letter_arn',
  'destination_config',
  'target',
  'on_failure',
]

function isManagedQueue({ mode, type }: Instance) {
  return mode === 'managed' && type === QUEUE
}

/** Reads the queues of a plan or a state, with their redrive policies. */
export function createQueues({ instances, deleted }: Plan) {
  const queues = instances.filter(isManagedQueue)
  const policies = policiesOf('aws_sqs_queue_redrive_policy')
  const allowPolicies = policiesOf('aws_sqs_queue_redrive_allow_policy')

  /** The resources of this type that set a policy of a queue, each with its queue. */
  function policiesOf(type: string) {
    const ofType = instances.filter((one) => one.type === type)
    return ofType.map((policy) => ({ policy, found: find(policy, 'queue_url') }))
  }

  /** The queue that has this ARN or URL. If a URL or a name is used as the ARN, that is an error, but the queue is known. */
  function findKnown(text: string): ReferenceLookup {
    const same = queues.find(({ values }) => [values.arn, values.id, values.name].includes(text))
    if (same) return { instance: same }
    const name = text.split(/[:/]/).at(-1)
    const candidates = queues.filter(({ values }) => values.name === name)
    const [instance, ...more] = candidates.filter(({ values }) => values.arn === undefined)
    return instance && more.length === 0
      ? { instance, doubt: `only its name matches ${text}: its ARN is known only after apply` }
      : { reason: ELSEWHERE, arn: text, candidates }
  }

  /** The queue whose ARN or URL this argument is. */
  function find(referrer: Instance, argument: string): ReferenceLookup {
    const text = textAt(referrer, argument)
    return text.state === 'known' ? findKnown(text.value) : findReferenced(resolveArgument(referrer, argument), [QUEUE])
  }

  const fifoOf = memoize((queue: Instance): Setting<boolean> => {
    const name = valueIn(textAt(queue, 'name'))
    const flag = mapSetting(valueAt(queue, 'fifo_queue'), (value) => known(value === true))
    return identified(queue, 'fifo', name?.endsWith('.fifo') ? known(true) : flag)
  })

  const settingsOf = memoize((queue: Instance) => settingsAt(QUEUE_SETTINGS, queue))

  /** Whether a data source is a FIFO queue. Undefined if its name is not known either. */
  function fifoOfData(data: Instance): Setting<boolean> | undefined {
    const arn = valueIn(textAt(data, 'arn')) ?? valueIn(textAt(data, 'name'))
    return arn === undefined ? undefined : known(arn.endsWith('.fifo'))
  }

  function deadLetterQueueOf(found: ReferenceLookup): RedrivePolicy['deadLetterQueue'] {
    const { instance } = found
    if (!instance) {
      const { arn, reason: unreadReason } = found
      const retention = unknown(unreadReason)
      const isArn = arn !== undefined && arnSetting(arn).state === 'known'
      const fifo = isArn ? known(arn.endsWith('.fifo')) : retention
      return { id: arn ?? 'its dead-letter queue', unreadReason, fifo, retention }
    }
    const { address: id } = instance
    if (isManagedQueue(instance)) {
      return { id, fifo: fifoOf(instance), retention: settingsOf(instance).retention }
    }
    const unreadReason = `${id} does not show its settings`
    const retention = unknown(unreadReason)
    return { id, unreadReason, fifo: fifoOfData(instance) ?? retention, retention }
  }

  function toRedrive(
    queue: Instance,
    found: ReferenceLookup,
    arn: Setting<string>,
    count: Setting<number>,
  ): Setting<RedrivePolicy> {
    const deadLetterQueue = deadLetterQueueOf(found)
    const checked = identified(
      queue,
      'arn',
      kindMismatch({ id: queue.address, fifo: fifoOf(queue) }, deadLetterQueue) ??
        denialOf(queue, found.instance) ??
        arn,
    )
    // If the ARN is wrong, the retention is unknown for the same reason. Both have one id, so doctor makes one finding.
    const isUnread = deadLetterQueue.unreadReason !== undefined
    const retention = checked.fix !== undefined && isUnread ? checked : deadLetterQueue.retention
    const maxReceiveCount = identified(queue, 'maxReceiveCount', count)
    return known({ arn: checked, maxReceiveCount, deadLetterQueue: { ...deadLetterQueue, retention } })
  }

  /** Parses a redrive policy. Its expression is a call of `jsonencode`, of which a plan shows only the references. */
  function parsePolicy(queue: Instance, referrer: Instance): Setting<RedrivePolicy> {
    const text = textAt(referrer, 'redrive_policy')
    if (text.state === 'absent') return absent
    if (text.state === 'unknown') {
      const found = findReferenced(resolveArgument(referrer, 'redrive_policy'), [QUEUE])
      return toRedrive(queue, found, unknown(AFTER_APPLY), unknown('the redrive policy is known only after apply'))
    }
    const policy = parseObject(text.value)
    if (!policy)
      return invalid(
        'it is not a JSON object',
        'Set it to jsonencode({ deadLetterTargetArn = …, maxReceiveCount = 5 }).',
      )
    const { deadLetterTargetArn: arn, maxReceiveCount: count } = policy
    const incomplete = incompletePolicy(Boolean(arn), (count ?? '') !== '')
    if (incomplete) return incomplete
    return toRedrive(
      queue,
      findKnown(String(arn)),
      arnSetting(String(arn)),
      numberSetting(REDRIVE_SETTINGS.maxReceiveCount, count),
    )
  }

  function redriveOf(queue: Instance): Setting<RedrivePolicy> {
    const separate = policies.find(({ found }) => found.instance === queue)
    if (separate) return parsePolicy(queue, separate.policy)
    const own = textAt(queue, 'redrive_policy')
    const isDeclared = declares(queue, 'redrive_policy')
    const isDeleted = deleted.some(
      ({ type, values }) => type === 'aws_sqs_queue_redrive_policy' && values.queue_url === queue.values.id,
    )
    // If the configuration does not declare a policy, the provider keeps the existing one, or sets none.
    const isUnset = own.state === 'absent' || (!isDeclared && (own.state === 'unknown' || isDeleted))
    if (!isUnset) return parsePolicy(queue, queue)
    const [reason] = policies.flatMap(({ policy, found }) =>
      isPossible(found, queue) ? `${policy.address} may set it. Its queue is not certain: ${found.reason}` : [],
    )
    return reason === undefined ? absent : unknown(reason)
  }

  /** All queues that a redrive policy, or a dead-letter setting of any resource, may refer to. */
  const deadLetterQueues = new Set(
    instances.flatMap((referrer) => {
      const names = Object.keys({ ...referrer.values, ...referrer.config?.expressions })
      return names
        .filter((name) => DEAD_LETTER_ARGUMENTS.includes(name))
        .flatMap((name) => deadLettersOf(referrer, name))
    }),
  )
  function deadLettersOf(referrer: Instance, argument: string): readonly Instance[] {
    const text = JSON.stringify([referrer.values[argument]])
    const arns = Array.from(text.matchAll(/arn:[^"\\]+/g), ([arn]) => arn)
    const known = queues.filter(({ values }) => arns.includes(String(values.arn)))
    return [...known, ...mentionedBy(referrer, argument)]
  }
  const subscriptionsOf = createSubscriptions(instances, find)

  /** The error if the dead-letter queue has a policy that does not let the queue use it. */
  function denialOf(queue: Instance, deadLetterQueue: Instance | undefined) {
    if (!deadLetterQueue) return undefined
    const separate = allowPolicies.find(({ found }) => found.instance === deadLetterQueue)?.policy
    const text = valueIn(textAt(separate ?? deadLetterQueue, 'redrive_allow_policy'))
    const { redrivePermission, sourceQueueArns } = parseObject(String(text)) ?? {}
    const { arn } = queue.values
    const isListed = Array.isArray(sourceQueueArns) && arn !== undefined ? sourceQueueArns.includes(arn) : undefined
    return redriveDenied(queue.address, deadLetterQueue.address, redrivePermission as string | undefined, isListed)
  }

  const toQueue = memoize((instance: Instance): Queue => {
    if (!isManagedQueue(instance)) {
      const queue = unreadQueue(instance.address, 'a data source does not show the settings of a queue')
      return { ...queue, fifo: fifoOfData(instance) ?? queue.fifo }
    }
    return {
      id: instance.address,
      ...settingsOf(instance),
      fifo: fifoOf(instance),
      redrive: identified(instance, 'redrive', redriveOf(instance)),
      isDeadLetterQueue: deadLetterQueues.has(instance),
      subscriptions: subscriptionsOf(instance),
    }
  })

  return { find, toQueue }
}

/** Checks an ARN of a queue. Its URL, the `id` of a queue, is a common mistake. */
export function arnSetting(value: string): Setting<string> {
  const fix = 'Use the ARN of a queue: the attribute arn, not id, url or name.'
  const [arn, , service] = value.split(':')
  if (arn !== 'arn') return invalid(`"${value}" is not an ARN`, fix)
  return service === 'sqs' ? known(value) : invalid(`"${value}" is not a queue's ARN`, fix)
}
