import type { Subscription } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import type { Node } from './document.ts'
import type { Reader } from './reader.ts'
import { itemsOf, type Resolved } from './resolve.ts'

/** Reads the subscriptions of queues to SNS topics. Returns those of a queue. */
export function createSubscriptions(reader: Reader, queueIdOf: (resolved: Resolved) => string | undefined) {
  const { resolve, resources, property, propertiesOf, typeOf, conditionOf, text } = reader
  const byQueue = new Map<string | undefined, Subscription[]>()

  function add(id: string, properties: Resolved, position: Node['position']): void {
    if (valueIn(text(property(properties, 'Protocol'))) !== 'sqs') return
    const queue = queueIdOf(property(properties, 'Endpoint'))
    const { isRaw } = reader.settings(SUBSCRIPTION_SETTINGS, id, properties)
    byQueue.set(queue, [...(byQueue.get(queue) ?? []), { id, position, isRaw }])
  }

  for (const [id, { position }] of resources) {
    if (conditionOf(id)?.verdict === false) continue
    if (typeOf(id) === 'AWS::SNS::Subscription') add(id, propertiesOf(id), position)
    if (typeOf(id) !== 'AWS::SNS::Topic') continue
    for (const item of itemsOf(property(propertiesOf(id), 'Subscription'))) add(id, resolve(item), item.position)
  }
  return (queue: string): readonly Subscription[] => byQueue.get(queue) ?? []
}
