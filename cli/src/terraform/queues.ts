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
import { declares, findReferenced, mentionedBy, type ReferenceLookup, resolveArgument } from './references.ts'
import { createSubscriptions } from './subscriptions.ts'
import { AFTER_APPLY, identified, settingsAt, textAt, valueAt } from './values.ts'

const QUEUE = 'aws_sqs_queue'
export const ELSEWHERE = 'it is not in this plan or state'

/** Arguments and blocks of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(redrive_policy|dead_letter_(config|queue|arn)|destination_config|target|on_failure)$/

function isManagedQueue({ mode, type }: Instance) {
  return mode === 'managed' && type === QUEUE
}

/** Reads the queues of a plan or a state, with their redrive policies. */
export function createQueues({ instances, deleted }: Plan) {
  const queues = instances.filter(isManagedQueue)
  const policies = instances
    .filter(({ type }) => type === 'aws_sqs_queue_redrive_policy')
    .map((policy) => ({ policy, found: findByUrl(policy) }))

  const allowPolicies = instances
    .filter(({ type }) => type === 'aws_sqs_queue_redrive_allow_policy')
    .map((policy) => ({ policy, found: findByUrl(policy) }))

  function findByUrl(policy: Instance): ReferenceLookup {
    const url = textAt(policy, 'queue_url')
    if (url.state !== 'known') return findReferenced(resolveArgument(policy, 'queue_url'), [QUEUE])
    const instance = queues.find(({ values }) => values.id === url.value || values.url === url.value)
    return instance ? { instance } : { reason: ELSEWHERE, candidates: [] }
  }

  /** A URL or a name instead of the ARN is an error, but it still identifies the queue. */
  function findByArn(arn: string): ReferenceLookup {
    const same = queues.find(({ values }) => [values.arn, values.url, values.name].includes(arn))
    if (same) return { instance: same }
    const name = arn.split(':').at(-1)
    const named = queues.filter(({ values }) => values.name === name && values.arn === undefined)
    const [instance, ...more] = named
    return instance && more.length === 0
      ? { instance, doubt: `only its name matches ${arn}: its ARN is known only after apply` }
      : { reason: ELSEWHERE, arn, candidates: named }
  }

  /** The queue whose ARN this argument is. */
  function find(referrer: Instance, argument: string): ReferenceLookup {
    const arn = textAt(referrer, argument)
    return arn.state === 'known' ? findByArn(arn.value) : findReferenced(resolveArgument(referrer, argument), [QUEUE])
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
    const isInvalid = checked.state === 'unknown' && checked.fix !== undefined
    // If the ARN is wrong, the retention is unknown for the same reason. Both have one id, so doctor makes one finding.
    const retention = isInvalid && deadLetterQueue.unreadReason !== undefined ? checked : deadLetterQueue.retention
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
      findByArn(String(arn)),
      arnSetting(String(arn)),
      numberSetting(REDRIVE_SETTINGS.maxReceiveCount, count),
    )
  }

  function redriveOf(queue: Instance): Setting<RedrivePolicy> {
    const separate = policies.find(({ found }) => found.instance === queue)
    if (separate) return parsePolicy(queue, separate.policy)
    const own = textAt(queue, 'redrive_policy')
    const isDeclared = queue.config === undefined || declares(queue, 'redrive_policy')
    const isDeleted = deleted.some(
      ({ type, values }) => type === 'aws_sqs_queue_redrive_policy' && values.queue_url === queue.values.id,
    )
    // If the configuration does not declare a policy, the provider keeps the existing one, or sets none.
    const isUnset = own.state === 'absent' || (!isDeclared && (own.state === 'unknown' || isDeleted))
    if (!isUnset) return parsePolicy(queue, queue)
    const possible = policies.find(
      ({ found }) => !found.instance && (found.candidates.length === 0 || found.candidates.includes(queue)),
    )
    return possible && !possible.found.instance && possible.found.reason !== ELSEWHERE
      ? unknown(`${possible.policy.address} may set it. Its queue is not certain: ${possible.found.reason}`)
      : absent
  }

  /** All queues that a redrive policy, or a dead-letter setting of any resource, may refer to. */
  const deadLetterQueues = new Set(
    instances.flatMap((referrer) => {
      const names = Object.keys({ ...referrer.values, ...referrer.config?.expressions })
      return names.filter((name) => NAMES_DEAD_LETTERS.test(name)).flatMap((name) => deadLettersOf(referrer, name))
    }),
  )
  function deadLettersOf(referrer: Instance, argument: string): readonly Instance[] {
    const texts: readonly string[] = JSON.stringify(referrer.values[argument] ?? '').match(/arn:[^"\\]+/g) ?? []
    const known = queues.filter(({ values }) => texts.includes(String(values.arn)))
    return [...known, ...mentionedBy(referrer, argument).filter(isManagedQueue)]
  }
  const subscriptionsOf = createSubscriptions(instances, { byArn: find, byUrl: findByUrl })

  /** The policy that says which queues may use a queue as their dead-letter queue. */
  function denialOf(queue: Instance, deadLetterQueue: Instance | undefined) {
    const separate = allowPolicies.find(({ found }) => found.instance === deadLetterQueue)?.policy
    const owner = separate ?? deadLetterQueue
    const text = owner && valueIn(textAt(owner, 'redrive_allow_policy'))
    const policy: Record<string, unknown> = parseObject(text ?? '') ?? {}
    const { redrivePermission, sourceQueueArns } = policy
    const { arn } = queue.values
    const isListed = Array.isArray(sourceQueueArns) && arn !== undefined ? sourceQueueArns.includes(arn) : undefined
    return redriveDenied(
      queue.address,
      deadLetterQueue?.address ?? '',
      redrivePermission as string | undefined,
      isListed,
    )
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
