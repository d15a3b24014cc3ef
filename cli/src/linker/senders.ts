import type { Declaration } from '../model/declaration.ts'
import type { Sender } from '../model/model.ts'
import { at, each, knownText, type Path, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { isAllowed, type Statements, serviceNamed, type Verdict } from './documents.ts'
import { statementsOfResource } from './permissions.ts'
import { type Index, linkTo } from './references.ts'

/** A service that sends to queues, and where a resource names a queue. */
interface Service {
  /** Its principal without the suffix. */
  principal: string
  type: string
  /** The list of what can name a queue. Without it, the resource does. */
  list?: Path
  target: string
  /** The key that says what the target is. It must be `sqs`. */
  protocol?: string
  /** With a role, the policies of this role count. */
  role?: string
}

const IN_BUCKET = ['NotificationConfiguration', 'QueueConfigurations']
/** EventBridge Scheduler and Pipes are missing: they send with a role. */
const SERVICES: readonly Service[] = [
  { principal: 'sns', type: 'AWS::SNS::Subscription', target: 'Endpoint', protocol: 'Protocol' },
  { principal: 'sns', type: 'AWS::SNS::Topic', list: ['Subscription'], target: 'Endpoint', protocol: 'Protocol' },
  { principal: 'sns', type: 'aws_sns_topic_subscription', target: 'endpoint', protocol: 'protocol' },
  { principal: 'events', type: 'AWS::Events::Rule', list: ['Targets'], target: 'Arn', role: 'RoleArn' },
  { principal: 'events', type: 'aws_cloudwatch_event_target', target: 'arn', role: 'role_arn' },
  { principal: 's3', type: 'AWS::S3::Bucket', list: IN_BUCKET, target: 'Queue' },
  { principal: 's3', type: 'Custom::S3BucketNotifications', list: IN_BUCKET, target: 'QueueArn' },
  { principal: 's3', type: 'aws_s3_bucket_notification', list: ['queue'], target: 'queue_arn' },
]

/** What a service needs to send to a queue with a key of KMS. */
const FOR_KEY = ['kms:GenerateDataKey', 'kms:Decrypt']

/** What sends to a queue, and where it names the queue. */
type Sending = { from: Declaration; principal: string; tree: Tree }

function sendingsOf(from: Declaration): Sending[] {
  return SERVICES.filter(({ type }) => type === from.type).flatMap(({ principal, list = [], target, protocol, role }) =>
    each(at(from.properties, ...list)).flatMap((item) => {
      const isMeant = protocol === undefined || knownText(at(item, protocol)) === 'sqs'
      const hasRole = role !== undefined && at(item, role).state !== 'absent'
      return isMeant && !hasRole && item.state === 'map' ? [{ from, principal, tree: at(item, target) }] : []
    }),
  )
}

function sendingsIn(index: Index): Map<Declaration, Sending[]> {
  const found = new Map<Declaration, Sending[]>()
  for (const from of index.declarations.filter(({ condition }) => condition?.holds !== false)) {
    for (const sending of sendingsOf(from)) {
      const { to, doubt } = linkTo(index, sending.tree, 'queue')
      if (to && doubt === undefined) cached(found, to, () => []).push(sending)
    }
  }
  return found
}

export function sendersTo(index: Index, queue: Declaration): readonly Sender[] {
  index.sendings ??= sendingsIn(index)
  return (index.sendings.get(queue) ?? []).map(({ from, principal, tree }): Sender => {
    // Whether a resource exists whose condition is not known is not certain.
    const isCertain = from.condition === undefined || from.condition.name === queue.condition?.name
    const areAllowed = (statements: Statements, actions: readonly string[]): Verdict => {
      const verdicts = actions.map((action) => isAllowed(statements, action, serviceNamed(principal)))
      if (verdicts.every((verdict) => verdict)) return true
      return isCertain && verdicts.includes(false) ? false : undefined
    }
    const key = keyOf(index, queue)
    return {
      id: from.id,
      position: tree.position ?? from.position,
      service: `${principal}.amazonaws.com`,
      maySend: areAllowed(statementsOfResource(index, queue), ['sqs:SendMessage']),
      usesKey: key ? areAllowed(key.statements, FOR_KEY) : true,
    }
  })
}

/** The key of a queue: that of AWS, which allows no service, or one of the input. Undefined if there is none. */
export function keyOf(index: Index, queue: Declaration): { isOwn: Verdict; statements: Statements } | undefined {
  const tree = index.valueAt(queue, 'key')
  if (tree.state === 'absent') return undefined
  if (/(^|:)alias\/aws\/sqs$/.test(textIn(tree))) return { isOwn: false, statements: [] }
  const named = linkTo(index, tree, 'key', 'keyAlias').to
  const key = named?.kind === 'keyAlias' ? linkTo(index, index.valueAt(named, 'keyOfAlias'), 'key').to : named
  return key
    ? { isOwn: true, statements: statementsOfResource(index, key) }
    : { isOwn: undefined, statements: [undefined] }
}
