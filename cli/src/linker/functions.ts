import type { Declaration } from '../model/declaration.ts'
import { type Environment, type LambdaFunction, otherVersion, unreadFunction } from '../model/model.ts'
import { readable, textTree } from '../model/partial-text.ts'
import { known, type Position } from '../model/setting.ts'
import { FUNCTION_SETTINGS, settingsIn } from '../model/settings-table.ts'
import { entriesOf, itemsOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { mayDo } from './permissions.ts'
import { type Index, linkTo, namesIn } from './references.ts'

/** The function that a value names: by name, ARN or reference, directly or through an alias or a version. */
export function functionAt(index: Index, tree: Tree): LambdaFunction {
  const found = linkTo(index, tree, 'function', 'alias', 'version')
  const { to } = found
  if (!to) {
    const name = readable(found.text ?? '') || found.other?.id || 'its function'
    return unreadFunction(name, found.reason, tree.position)
  }
  if (to.kind !== 'function') return atAlias(index, to)
  const [, qualifier] = namesIn(textIn(tree))
  return qualifier === undefined ? functionOf(index, to) : atQualifier(index, to, qualifier, tree.position)
}

function ownerOf(index: Index, declaration: Declaration) {
  return linkTo(index, index.valueAt(declaration, 'function'), 'function')
}

function functionOf(index: Index, declaration: Declaration): LambdaFunction {
  return cached(index.functions, declaration, () => readFunction(index, declaration))
}

function readFunction(index: Index, declaration: Declaration): LambdaFunction {
  const { format } = index
  const { id, position, unreadReason, code, aliasOf } = declaration
  if (unreadReason !== undefined) return unreadFunction(id, unreadReason, position)
  const owner = aliasOf && functionOf(index, aliasOf)
  const invokeConfig = index.ofKind('invokeConfig').find((one) => ownerOf(index, one).to === declaration)
  return {
    id,
    position,
    ...settingsIn(FUNCTION_SETTINGS, declaration, format),
    ...(invokeConfig ? { invokeConfig: { ...known(true, invokeConfig.position), id: invokeConfig.id } } : {}),
    ...(code ? { code: code() } : {}),
    environment: environmentIn(index.valueAt(declaration, 'variables')),
    ...(format === 'api'
      ? {}
      : {
          isInvokedOtherwise: () => isInvokedOtherwise(index, declaration),
          mayDo: (action: string) => mayDo(index, declaration, action),
        }),
    ...(owner ? { aliasOf: owner, reservedConcurrency: owner.reservedConcurrency } : {}),
  }
}

/** Resources that name a function and do not invoke it, or only as its mappings do. */
const NO_INVOKER = new RegExp(
  '^(AWS::(CloudWatch|Logs|IAM|SSM|CodeDeploy|ApplicationAutoScaling)(::|$)|' +
    'AWS::Lambda::(Alias|Version|EventSourceMapping|EventInvokeConfig)(::|$)|' +
    'aws_(cloudwatch|iam|ssm|appautoscaling|codedeploy)|' +
    'aws_lambda_(alias|event_source_mapping|function_event_invoke_config|provisioned))',
)

/** Whether something other than mappings invokes a function. Any other resource that names it may do so. */
function isInvokedOtherwise({ declarations, mentions }: Index, declaration: Declaration): boolean {
  const { id, names, hasOtherEvents } = declaration
  const isOfFunction = (text: string) => text === id || (names.arn !== undefined && text.includes(names.arn))
  if (hasOtherEvents?.()) return true
  return declarations.some((other) => {
    if (other === declaration || NO_INVOKER.test(other.type)) return false
    return cached(mentions, other, () => other.mentions?.() ?? []).some(isOfFunction)
  })
}

function environmentIn(tree: Tree): Environment {
  const variables: Record<string, string> = {}
  const open: { name?: string; reason: string }[] = []
  if (tree.state === 'unknown') open.push({ reason: tree.reason })
  if (tree.state === 'map' && tree.open) open.push({ reason: tree.open.reason })
  for (const [name, value] of entriesOf(tree)) {
    const text = knownText(value)
    if (text !== undefined) variables[name] = text
    else if (value.state === 'unknown') open.push({ name, reason: value.reason })
    else if (value.state !== 'absent') open.push({ name, reason: `it is a ${value.state}` })
  }
  return { variables, unknown: open }
}

/** Whether a version is `$LATEST`, the newest one, or one that the input publishes. */
function hasOwnSettings(index: Index, version: Tree, owner: Declaration): boolean {
  const text = knownText(version)
  if (version.state === 'absent' || text === '$LATEST') return true
  if (text !== undefined) return text === owner.names.version
  const { to, doubt } = linkTo(index, version, 'version', 'function')
  return doubt === undefined && (to?.kind === 'version' || to === owner)
}

/** The function of an alias or of a version. An alias can route to several versions. */
function atAlias(index: Index, alias: Declaration): LambdaFunction {
  const { id, position } = alias
  const found = ownerOf(index, alias)
  if (!found.to) return unreadFunction(id, `its function: ${found.reason}`, position)
  const owner = functionOf(index, found.to)
  const weights = index.valueAt(alias, 'weights')
  const isWeighted = weights.state === 'unknown' || entriesOf(weights).length > 0 || itemsOf(weights).length > 0
  const isOwn = !isWeighted && hasOwnSettings(index, index.valueAt(alias, 'version'), found.to)
  return isOwn || owner.unreadReason !== undefined ? owner : otherVersion(id, owner, position)
}

/** The function at the alias or the version after its name or its ARN. */
function atQualifier(index: Index, owner: Declaration, qualifier: string, position?: Position): LambdaFunction {
  const lambdaFunction = functionOf(index, owner)
  const version = textTree(qualifier)
  const isOfSam = qualifier === knownText(index.valueAt(owner, 'publishedAlias'))
  const isOwn = isOfSam || hasOwnSettings(index, version, owner)
  if (isOwn || lambdaFunction.unreadReason !== undefined) return lambdaFunction
  const referred = linkTo(index, version, 'alias').to
  const aliases = index.ofKind('alias').filter((one) => {
    const isMeant = referred ? one === referred : one.names.name === qualifier
    return isMeant && ownerOf(index, one).to === owner
  })
  const [alias, ...more] = aliases
  if (alias && more.length === 0) return atAlias(index, alias)
  return otherVersion(`${owner.id}:${readable(qualifier)}`, lambdaFunction, position)
}
