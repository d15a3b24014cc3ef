import type { Declaration } from '../model/declaration.ts'
import { mapIn } from '../model/partial-text.ts'
import { at, entriesOf, itemsOf, knownText, type Tree, textIn, textsOf } from '../model/tree.ts'
import { type Index, linkTo } from './references.ts'

/** Policies of AWS that allow nothing of what this library calls. */
const WITHOUT_SQS =
  /(AWSLambda(Basic|SQSQueue|VPCAccess)ExecutionRole|AWSX[Rr]ay\w+Access|CloudWatchLambdaInsights\w+)$/
/** Templates for policies of SAM. The others allow nothing of SQS. */
const OF_SAM: Readonly<Record<string, readonly string[]>> = {
  SQSSendMessagePolicy: ['sqs:SendMessage'],
  SQSPollerPolicy: ['sqs:ChangeMessageVisibility'],
}

/** Undefined if not all actions are known. */
type Actions = readonly string[] | undefined

export function allowedActionsOf(index: Index, declaration: Declaration): Actions {
  const { type, properties } = declaration
  const role = index.valueAt(declaration, 'role')
  if (role.state === 'absent') {
    return type === 'AWS::Serverless::Function' ? ofPolicies(index, at(properties, 'Policies')) : undefined
  }
  const { to } = linkTo(index, role, 'role')
  if (!to) return undefined
  return all([
    ofPolicies(index, index.valueAt(to, 'managedPolicies')),
    ofPolicies(index, index.valueAt(to, 'inlinePolicies')),
    ...index.ofKind('policy').map((policy) => forRole(index, policy, to)),
  ])
}

function all(parts: readonly Actions[]): Actions {
  return parts.includes(undefined) ? undefined : parts.flatMap((actions) => actions ?? [])
}

function forRole(index: Index, policy: Declaration, role: Declaration): Actions {
  const names = [index.valueAt(policy, 'roleOfPolicy'), ...itemsOf(index.valueAt(policy, 'roles'))]
  const roles = names.map((name) => linkTo(index, name, 'role').to)
  if (roles.includes(role)) return ofPolicy(index, policy.properties)
  // A name that is not known may be that of the role.
  return names.some(({ state }, at) => state === 'unknown' && !roles[at]) ? undefined : []
}

function ofPolicies(index: Index, tree: Tree): Actions {
  return all((tree.state === 'list' ? tree.items : [tree]).map((policy) => ofPolicy(index, policy)))
}

/** A policy is a name, an ARN, a reference, a document, what has one of these, or a template of SAM. */
function ofPolicy(index: Index, policy: Tree): Actions {
  if (policy.state === 'absent') return []
  const text = textIn(policy)
  if (WITHOUT_SQS.test(text)) return []
  const { to } = linkTo(index, policy, 'policy')
  if (to) return ofPolicy(index, to.properties)
  if (policy.state !== 'map') return undefined
  const document = mapIn(index.valueAt({ properties: policy }, 'policyDocument'))
  const attached = index.valueAt({ properties: policy }, 'attachedPolicy')
  if (document.state !== 'absent') return inDocument(document)
  if (attached.state !== 'absent') return ofPolicy(index, attached)
  if (at(policy, 'Statement').state !== 'absent') return inDocument(policy)
  const [[name] = ['']] = entriesOf(policy)
  return name.endsWith('Policy') ? (OF_SAM[name] ?? []) : undefined
}

function inDocument(document: Tree): Actions {
  const statements = at(document, 'Statement')
  if (statements.state === 'unknown') return undefined
  return all((statements.state === 'list' ? statements.items : [statements]).map(inStatement))
}

function inStatement(statement: Tree): Actions {
  const actions = at(statement, 'Action')
  if (knownText(at(statement, 'Effect')) === 'Deny') return []
  const isKnown = (actions.state === 'list' ? actions.items : [actions]).every(({ state }) => state === 'known')
  return isKnown ? textsOf(actions) : undefined
}
