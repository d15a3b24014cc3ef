import type { Subscription } from '../model/model.ts'
import { allowsSns, toStatements } from '../model/queue-policy.ts'
import { known, type Setting, unknown, valueIn } from '../model/setting.ts'
import { SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { entriesOf, type Node } from './document.ts'
import { isFinal, type Reader } from './reader.ts'
import { itemsOf, type Resolved } from './resolve.ts'
import { readable } from './text.ts'

/** A text with references. Ref and the attribute TopicArn of a topic are the same ARN. */
function textOf(value: string | number | boolean): string {
  return readable(String(value)).replaceAll('.TopicArn}', '}')
}

/** Converts a resolved value to plain JSON. Undefined if a part of it is not known. */
function plainOf(resolved: Resolved, resolve: (node: Node) => Resolved): unknown {
  if (resolved.kind === 'scalar') return textOf(resolved.value)
  if (resolved.kind === 'unknown') return undefined
  if (resolved.kind === 'list') return resolved.items.map((item) => plainOf(resolve(item), resolve))
  if (resolved.kind !== 'map') return null
  return Object.fromEntries(Array.from(resolved.entries, ([key, node]) => [key, plainOf(resolve(node), resolve)]))
}

/** Reads the subscriptions of queues to SNS topics, and whether the policies of the queues allow them. */
export function createSubscriptions(reader: Reader, queueIdOf: (resolved: Resolved) => string | undefined) {
  const { resolve, resources, property, propertiesOf, typeOf, conditionOf, text } = reader
  const existing = [...resources].filter(([id]) => conditionOf(id)?.verdict !== false)
  const ofType = (type: RegExp) => existing.filter(([id]) => type.test(typeOf(id)))

  /** The policies of queues, each with its queues. `queues` is undefined if they are not known. */
  const policies = ofType(/^AWS::SQS::Queue(Inline)?Policy$/).map(([id]) => {
    const properties = propertiesOf(id)
    const named = property(properties, 'Queues')
    const values = named.kind === 'list' ? named.items.map(resolve) : [property(properties, 'Queue')]
    const ids = values.map(queueIdOf)
    return { id, queues: ids.includes(undefined) ? undefined : ids, document: property(properties, 'PolicyDocument') }
  })
  /** SAM writes policies for its connectors. */
  const hasConnectors = existing.some(
    ([id, declaration]) => typeOf(id) === 'AWS::Serverless::Connector' || entriesOf(declaration).has('Connectors'),
  )

  function isAllowed(queue: string | undefined, topic: Resolved): Setting<boolean> {
    const topicArn = topic.kind === 'scalar' ? textOf(topic.value) : undefined
    const own = policies.filter(({ queues }) => queues?.includes(queue))
    const results = own.map(({ document }) => allowsSns(toStatements(plainOf(document, resolve)), topicArn))
    if (results.includes(true)) return known(true)
    const open = policies.find(({ queues }) => queues === undefined)
    if (open) return unknown(`${open.id} may allow it, but its queues are not known`)
    if (results.includes(undefined)) return unknown('the policy of the queue is not known')
    if (hasConnectors) return unknown('a connector of SAM may allow it')
    return isFinal(reader) ? known(false) : unknown('a macro or a loop may add a policy')
  }

  function toSubscription(
    id: string,
    properties: Resolved,
    topic: Resolved,
    position: Node['position'],
  ): [string | undefined, Subscription][] {
    if (valueIn(text(property(properties, 'Protocol'))) !== 'sqs') return []
    const queue = queueIdOf(property(properties, 'Endpoint'))
    const { isRaw } = reader.settings(SUBSCRIPTION_SETTINGS, id, properties)
    return [[queue, { id, position, isRaw, isAllowed: isAllowed(queue, topic) }]]
  }

  const all = ofType(/^AWS::SNS::/).flatMap(([id, { position }]): ReturnType<typeof toSubscription> => {
    const properties = propertiesOf(id)
    if (typeOf(id) === 'AWS::SNS::Subscription') {
      return toSubscription(id, properties, property(properties, 'TopicArn'), position)
    }
    const topic = reader.refOf(id)
    return itemsOf(property(properties, 'Subscription')).flatMap((item) =>
      toSubscription(id, resolve(item), topic, item.position),
    )
  })
  const byQueue = Map.groupBy(all, ([queue]) => queue)
  return (queue: string): Subscription[] => (byQueue.get(queue) ?? []).map(([, subscription]) => subscription)
}
