import type { Subscription } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import type { Instance } from './plan.ts'
import type { ReferenceLookup } from './references.ts'
import { settingsAt, textAt } from './values.ts'

/** Reads the subscriptions of queues to SNS topics. `find` returns the queue whose ARN or URL an argument is. */
export function createSubscriptions(
  instances: readonly Instance[],
  find: (referrer: Instance, argument: string) => ReferenceLookup,
) {
  const all = instances
    .filter((one) => one.type === 'aws_sns_topic_subscription' && valueIn(textAt(one, 'protocol')) === 'sqs')
    .map((subscription) => ({ subscription, queue: find(subscription, 'endpoint').instance }))
  return (queue: Instance): Subscription[] =>
    all
      .filter((one) => one.queue === queue)
      .map(({ subscription }) => ({
        id: subscription.address,
        isRaw: settingsAt(SUBSCRIPTION_SETTINGS, subscription).isRaw,
      }))
}
