import type { Declaration, Kind } from '../model/declaration.ts'
import { known } from '../model/setting.ts'
import { at, each, entriesOf, type Tree, textIn, toTree } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { type IsPrincipal, isAllowed, type Statements, statementsIn, type Verdict } from './documents.ts'
import { type Index, linkTo } from './references.ts'

/** What Lambda needs to read a queue. */
const READ = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']

/** The actions of SQS and KMS that policies of AWS allow. Other policies of AWS are not known. */
const OF_AWS: readonly [name: RegExp, actions: readonly string[]][] = [
  [/(^|\/)(AWSLambda(Basic|VPCAccess)ExecutionRole|AWSX[Rr]ay\w+Access|CloudWatchLambdaInsights\w+)$/, []],
  [/(^|\/)AWSLambdaSQSQueueExecutionRole$/, READ],
  [/(^|\/)AmazonSQSFullAccess$/, ['sqs:*']],
  [/(^|\/)AdministratorAccess$/, ['*']],
]
/** Templates for policies of SAM. The others allow nothing of SQS and KMS. */
const OF_SAM: Readonly<Record<string, readonly string[]>> = {
  SQSSendMessagePolicy: ['sqs:SendMessage*'],
  SQSPollerPolicy: [...READ, 'sqs:ChangeMessageVisibility*', 'sqs:DeleteMessageBatch'],
  KMSDecryptPolicy: ['kms:Decrypt'],
}
/** Resources whose content is not known. What they name may get more policies. */
const MAY_ALLOW = new RegExp(
  '^(AWS::CloudFormation::|AWS::Serverless::Application|Custom::(?!S3BucketNotifications)|' +
    'aws_cloudformation_|awscc_|aws_cloudcontrolapi_|aws_kms_grant$|aws_iam_role_.*_exclusive$)|::MODULE$',
)

function allow(actions: readonly string[]): Tree {
  return toTree({ Effect: 'Allow', Action: actions }, known)
}

/** Whether something that is not known may give a resource more policies. */
function mayHaveMore(index: Index, id: string): boolean {
  if (index.open !== undefined) return true
  index.opaque ??= index.declarations.filter(({ type }) => MAY_ALLOW.test(type))
  return index.opaque.some((one) => cached(index.mentions, one, () => one.mentions?.() ?? []).includes(id))
}

/** The declarations of a kind by the resource to which they belong. Those without one may belong to any. */
export function belonging(
  index: Index,
  kind: Kind,
  ownerKind: Kind,
  ownersOf: (one: Declaration) => readonly Tree[],
): ReadonlyMap<Declaration | undefined, readonly Declaration[]> {
  return cached(index.belonging, `${kind} ${ownerKind}`, () => {
    const found = new Map<Declaration | undefined, Declaration[]>()
    for (const one of index.ofKind(kind)) {
      const owners = ownersOf(one).flatMap((tree) => {
        const { to } = linkTo(index, tree, ownerKind)
        return to || tree.state === 'unknown' ? [to] : []
      })
      for (const owner of new Set(owners)) cached(found, owner, () => []).push(one)
    }
    return found
  })
}

/** Whether the role of a function may do something. Policies of queues and of keys also count. */
export function mayDo(index: Index, declaration: Declaration, action: string): Verdict {
  const statements = cached(index.statements, declaration, () => statementsOfFunction(index, declaration))
  const verdict = isAllowed(statements, action)
  if (verdict !== false) return verdict
  const role = linkTo(index, index.valueAt(declaration, 'role'), 'role').to
  const ofResources = cached(index.forRoles, action, () => {
    const kind = action.startsWith('kms:') ? 'key' : 'queue'
    const resources = [...index.ofKind(kind), ...index.ofKind('resourcePolicy')]
    const statements = resources.flatMap((one) => ownStatements(index, one))
    return statements.filter((one) => isAllowed([one], action, roleOf(index, undefined)) !== false)
  })
  return isAllowed(ofResources, action, roleOf(index, role))
}

/** The statements that a queue, a key, or a policy of one of them has. */
function ownStatements(index: Index, one: Declaration): Statements {
  const place = one.kind === 'queue' ? 'queuePolicy' : one.kind === 'key' ? 'keyPolicy' : 'policyDocument'
  return statementsIn(index.valueAt(one, place))
}

/** The statements of all policies of a queue or a key. */
export function statementsOfResource(index: Index, resource: Declaration): Statements {
  const places =
    resource.kind === 'key' ? (['keyOfPolicy'] as const) : (['queuesOfPolicy', 'queueOfInlinePolicy'] as const)
  const policies = belonging(index, 'resourcePolicy', resource.kind, (one) =>
    places.flatMap((place) => each(index.valueAt(one, place))),
  )
  const own = [resource, ...(policies.get(resource) ?? [])].flatMap((one) => ownStatements(index, one))
  return policies.has(undefined) || mayHaveMore(index, resource.id) ? [...own, undefined] : own
}

/** The account as principal leaves the decision to the policies of its roles. */
function roleOf(index: Index, role: Declaration | undefined): IsPrincipal {
  return (kind, value) => {
    const text = textIn(value)
    if (kind !== 'AWS' || /:root$|^(\d{12}|\0AWS::AccountId\0)$/.test(text)) return false
    const { to } = linkTo(index, value, 'role')
    return to && role ? to === role : undefined
  }
}

function statementsOfFunction(index: Index, declaration: Declaration): Statements {
  const { type, properties, id } = declaration
  const role = index.valueAt(declaration, 'role')
  if (role.state === 'absent') {
    if (type !== 'AWS::Serverless::Function' || mayHaveMore(index, `${id}Role`)) return [undefined]
    // Policies of the template can name the role that SAM makes.
    const isNamed = index.ofKind('policy').some((one) => one.mentions?.().includes(`${id}Role`))
    const readsQueue = index.ofKind('mapping').some((one) => one.type === 'part' && one.id.startsWith(`${id}/`))
    const isOpen = isNamed || at(properties, 'Events').state === 'unknown'
    const own = statementsOf(index, at(properties, 'Policies'))
    return [...own, ...(readsQueue ? [allow(READ)] : []), ...(isOpen ? [undefined] : [])]
  }
  const { to } = linkTo(index, role, 'role')
  if (!to || mayHaveMore(index, to.id)) return [undefined]
  const policies = belonging(index, 'policy', 'role', (one) => [
    index.valueAt(one, 'roleOfPolicy'),
    ...each(index.valueAt(one, 'roles')),
  ])
  // The policies without a known role may be those of this one.
  const attached = (policies.get(to) ?? []).flatMap((one) => statementsOf(index, one.properties))
  return [
    ...statementsOf(index, index.valueAt(to, 'managedPolicies')),
    ...statementsOf(index, index.valueAt(to, 'inlinePolicies')),
    ...attached,
    ...(policies.has(undefined) ? [undefined] : []),
  ]
}

function statementsOf(index: Index, tree: Tree): Statements {
  return each(tree).flatMap((policy) => statementsOfPolicy(index, policy))
}

/** A policy is a name, an ARN, a reference, a document, what has one of these, or a template of SAM. */
function statementsOfPolicy(index: Index, policy: Tree): Statements {
  if (policy.state === 'absent') return []
  const text = textIn(policy)
  const ofAws = OF_AWS.find(([name]) => name.test(text))
  if (ofAws) return [allow(ofAws[1])]
  const { to } = linkTo(index, policy, 'policy')
  if (to) return statementsOfPolicy(index, to.properties)
  if (policy.state !== 'map') return [undefined]
  const document = index.valueAt({ properties: policy }, 'policyDocument')
  const attached = index.valueAt({ properties: policy }, 'attachedPolicy')
  if (document.state !== 'absent') return statementsIn(document)
  if (attached.state !== 'absent') return statementsOfPolicy(index, attached)
  if (at(policy, 'Statement').state !== 'absent') return statementsIn(policy)
  const [[name] = ['']] = entriesOf(policy)
  return name.endsWith('Policy') ? [allow(OF_SAM[name] ?? [])] : [undefined]
}
