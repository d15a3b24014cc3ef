import type { Subscription } from '../model/model.ts'
import { allowsSns, toStatements } from '../model/queue-policy.ts'
import { known, type Setting, unknown, valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { parseObject } from '../shared/json.ts'
import type { Instance } from './plan.ts'
import { declares, isPossible, type ReferenceLookup } from './references.ts'
import { AFTER_APPLY, settingsAt, textAt } from './values.ts'

/**
 * Reads the subscriptions of queues to SNS topics, and whether the policies of the queues allow them. `find` returns the
 * queue whose ARN or URL an argument is.
 */
export function createSubscriptions(
  instances: readonly Instance[],
  find: (referrer: Instance, argument: string) => ReferenceLookup,
) {
  const ofType = (type: string) => instances.filter((one) => one.type === type)
  const policies = ofType('aws_sqs_queue_policy').map((policy) => ({ policy, found: find(policy, 'queue_url') }))

  function isAllowed(queue: Instance, topic: string | undefined): Setting<boolean> {
    const separate = policies.filter(({ found }) => found.instance === queue).map(({ policy }) => policy)
    const own = textAt(queue, 'policy')
    const isDeclared = own.state === 'known' || declares(queue, 'policy')
    const results = [...separate, ...(isDeclared ? [queue] : [])].map((one) => {
      const policy = parseObject(String(valueIn(textAt(one, 'policy'))))
      return allowsSns(toStatements(policy), topic)
    })
    if (results.includes(true)) return known(true)
    if (results.includes(undefined)) return unknown(AFTER_APPLY)
    const possible = policies.find(({ found }) => isPossible(found, queue))?.policy
    return possible ? unknown(`${possible.address} may allow it, but its queue is not known`) : known(false)
  }

  const all = ofType('aws_sns_topic_subscription')
    .filter((one) => valueIn(textAt(one, 'protocol')) === 'sqs')
    .map((subscription) => ({ subscription, queue: find(subscription, 'endpoint').instance }))
  return (queue: Instance): Subscription[] =>
    all
      .filter((one) => one.queue === queue)
      .map(({ subscription }) => {
        const { isRaw } = settingsAt(SUBSCRIPTION_SETTINGS, subscription)
        const topic = valueIn(textAt(subscription, 'topic_arn'))
        return { id: subscription.address, isRaw, isAllowed: isAllowed(queue, topic) }
      })
}
