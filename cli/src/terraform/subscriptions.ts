import type { Subscription } from '../model/model.ts'
import { allowsSns, toStatements } from '../model/queue-policy.ts'
import { known, type Setting, unknown, valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { parseObject } from '../shared/json.ts'
import type { Instance } from './plan.ts'
import { declares, type ReferenceLookup } from './references.ts'
import { AFTER_APPLY, settingsAt, textAt } from './values.ts'

interface Finders {
  /** The queue whose ARN an argument is. */
  byArn: (referrer: Instance, argument: string) => ReferenceLookup
  /** The queue whose URL the argument `queue_url` is. */
  byUrl: (referrer: Instance) => ReferenceLookup
}

/** Reads the subscriptions of queues to SNS topics, and whether the policies of the queues allow them. */
export function createSubscriptions(instances: readonly Instance[], { byArn, byUrl }: Finders) {
  const ofType = (type: string) => instances.filter((one) => one.type === type && one.mode === 'managed')
  const policies = ofType('aws_sqs_queue_policy').map((policy) => ({ policy, found: byUrl(policy) }))

  function isAllowed(queue: Instance, topic: string | undefined): Setting<boolean> {
    const separate = policies.filter(({ found }) => found.instance === queue).map(({ policy }) => policy)
    const own = textAt(queue, 'policy')
    const isDeclared = own.state === 'known' || declares(queue, 'policy')
    const results = [...separate, ...(isDeclared ? [queue] : [])].map((one) => {
      const text = valueIn(textAt(one, 'policy'))
      return text === undefined ? undefined : allowsSns(toStatements(parseObject(text)), topic)
    })
    if (results.includes(true)) return known(true)
    if (results.includes(undefined)) return unknown(AFTER_APPLY)
    const open = policies.find(
      ({ found }) => !found.instance && (found.candidates.length === 0 || found.candidates.includes(queue)),
    )
    return open ? unknown(`${open.policy.address} may allow it, but its queue is not known`) : known(false)
  }

  const all = ofType('aws_sns_topic_subscription').flatMap((subscription): [Instance, Subscription][] => {
    if (valueIn(textAt(subscription, 'protocol')) !== 'sqs') return []
    const queue = byArn(subscription, 'endpoint').instance
    if (!queue) return []
    const { isRaw } = settingsAt(SUBSCRIPTION_SETTINGS, subscription)
    const topic = valueIn(textAt(subscription, 'topic_arn'))
    return [[queue, { id: subscription.address, isRaw, isAllowed: isAllowed(queue, topic) }]]
  })
  const byQueue = Map.groupBy(all, ([queue]) => queue)
  return (queue: Instance): Subscription[] => (byQueue.get(queue) ?? []).map(([, subscription]) => subscription)
}
