import { resourceOf } from '../model/text.ts'
import { at, entriesOf, itemsOf, knownText, type Tree, textIn, textsOf } from '../model/tree.ts'
import type { Written } from './declarations.ts'
import { evaluate } from './evaluate.ts'
import type { Scope } from './scope.ts'

/** Policies of AWS that allow nothing of what this library calls, and some that allow it. */
const WITHOUT_SQS =
  /(AWSLambda(Basic|SQSQueue|VPCAccess)ExecutionRole|AWSX[Rr]ay(DaemonWriteAccess|WriteOnlyAccess)|CloudWatchLambdaInsightsExecutionRolePolicy)$/
const WITH_SQS = /(AmazonSQSFullAccess|AdministratorAccess|PowerUserAccess)$/
/** Templates for policies of SAM. The others allow nothing of SQS. */
const OF_SAM: Readonly<Record<string, readonly string[]>> = {
  SQSSendMessagePolicy: ['sqs:SendMessage'],
  SQSPollerPolicy: ['sqs:ChangeMessageVisibility'],
}
const POLICY_OF_ROLE = /^AWS::IAM::(Policy|RolePolicy|ManagedPolicy)$/

/** The actions that the role of a function allows. Undefined if a part of it is not in the template. */
export function allowedActionsOf(scope: Scope, { type, properties }: Written): readonly string[] | undefined {
  const role = at(properties, 'Role')
  if (role.state === 'absent') {
    return type === 'AWS::Serverless::Function' ? policiesOf(at(properties, 'Policies')) : undefined
  }
  const id = roleIn(scope, role)
  const node = id === undefined ? undefined : scope.resources.get(id)
  if (id === undefined || !node) return undefined
  const own = at(evaluate(scope, node), 'Properties')
  return all([
    policiesOf(at(own, 'ManagedPolicyArns')),
    policiesOf(at(own, 'Policies')),
    ...Array.from(scope.resources.values(), (other) => actionsOfPolicy(scope, evaluate(scope, other), id)),
  ])
}

type Actions = readonly string[] | undefined

function all(parts: readonly Actions[]): Actions {
  return parts.includes(undefined) ? undefined : parts.flatMap((actions) => actions ?? [])
}

/** The logical id of a role in this template. */
function roleIn(scope: Scope, tree: Tree): string | undefined {
  const name = /^\0([^\0]*)\0$/.exec(textIn(tree))?.[1]
  const id = name === undefined ? undefined : resourceOf(name)
  return id !== undefined && scope.resources.has(id) ? id : undefined
}

/** What a policy allows that is a resource of its own, if it belongs to this role. */
function actionsOfPolicy(scope: Scope, resource: Tree, role: string): Actions {
  if (!POLICY_OF_ROLE.test(textIn(at(resource, 'Type')))) return []
  const properties = at(resource, 'Properties')
  const roles = at(properties, 'Roles')
  const names = roles.state === 'list' ? itemsOf(roles) : [at(properties, 'RoleName')]
  return names.some((name) => roleIn(scope, name) === role) ? actionsIn(at(properties, 'PolicyDocument')) : []
}

function policiesOf(tree: Tree): Actions {
  if (tree.state === 'absent') return []
  return all((tree.state === 'list' ? tree.items : [tree]).map(actionsOfItem))
}

/** A policy is a name, an ARN, a document, or a template of SAM. */
function actionsOfItem(item: Tree): Actions {
  const text = textIn(item)
  if (WITHOUT_SQS.test(text)) return []
  if (WITH_SQS.test(text)) return ['*']
  if (item.state !== 'map') return item.state === 'absent' ? [] : undefined
  const document = at(item, 'PolicyDocument')
  if (at(item, 'Statement').state !== 'absent') return actionsIn(item)
  if (document.state !== 'absent') return actionsIn(document)
  const [[name] = ['']] = entriesOf(item)
  return name.endsWith('Policy') ? (OF_SAM[name] ?? []) : undefined
}

function actionsIn(document: Tree): Actions {
  const statements = at(document, 'Statement')
  if (statements.state === 'unknown') return undefined
  return all((statements.state === 'list' ? statements.items : [statements]).map(actionsOfStatement))
}

function actionsOfStatement(statement: Tree): Actions {
  const actions = at(statement, 'Action')
  if (knownText(at(statement, 'Effect')) === 'Deny') return []
  const isKnown =
    actions.state === 'known' || (actions.state === 'list' && actions.items.every(({ state }) => state === 'known'))
  return isKnown ? textsOf(actions) : undefined
}
