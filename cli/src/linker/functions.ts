import type { Declaration } from '../model/declaration.ts'
import { type Environment, type LambdaFunction, otherVersion, unreadFunction } from '../model/model.ts'
import { absent, known, type Position, type Setting, unknown } from '../model/setting.ts'
import { FUNCTION_SETTINGS, PLACES, settingsIn, valueAt } from '../model/settings.ts'
import { readable, textTree } from '../model/text.ts'
import { entriesOf, itemsOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { allowedActionsOf } from './permissions.ts'
import { type Index, linkTo, namesIn } from './references.ts'

/** The functions that were linked so far. Each of them is made once. */
export interface FunctionLinker {
  index: Index
  functions: Map<Declaration, LambdaFunction>
}

/** The function that a value names: by name, ARN or reference, directly or through an alias or a version. */
export function functionAt(linker: FunctionLinker, tree: Tree): LambdaFunction {
  const found = linkTo(linker.index, tree, 'function', 'alias', 'version')
  const { to } = found
  if (!to) {
    const name = readable(found.text ?? '') || found.other?.id || 'its function'
    return unreadFunction(name, found.reason, tree.position)
  }
  if (to.kind !== 'function') return atAlias(linker, to)
  const [, qualifier] = namesIn(textIn(tree))
  return qualifier === undefined ? functionOf(linker, to) : atQualifier(linker, to, qualifier, tree.position)
}

/** The function that an alias, a version or an EventInvokeConfig names. */
function ownerOf(index: Index, { properties }: Declaration) {
  return linkTo(index, valueAt(PLACES.function, properties, index.format), 'function')
}

function functionOf(linker: FunctionLinker, declaration: Declaration): LambdaFunction {
  return cached(linker.functions, declaration, () => readFunction(linker, declaration))
}

function readFunction(linker: FunctionLinker, declaration: Declaration): LambdaFunction {
  const { index } = linker
  const { format } = index
  const { id, position, unreadReason, properties, code, aliasOf } = declaration
  if (unreadReason !== undefined) return unreadFunction(id, unreadReason, position)
  const environment = environmentIn(valueAt(PLACES.variables, properties, format))
  const owner = aliasOf && functionOf(linker, aliasOf)
  const invokeConfig = index.ofKind('invokeConfig').find((one) => ownerOf(index, one).to === declaration)
  const facts = {
    isInvokedOtherwise: () => isInvokedOtherwise(index, declaration),
    allowedActions: () => allowedActionsOf(index, declaration),
  }
  return {
    id,
    ...(position ? { position } : {}),
    ...settingsIn(FUNCTION_SETTINGS, declaration, format),
    ...(invokeConfig ? { invokeConfig: { ...known(true, invokeConfig.position), id: invokeConfig.id } } : {}),
    ...(code ? { code: code() } : {}),
    environment,
    nodeOptions: nodeOptionsIn(environment),
    ...(format === 'api' ? {} : { facts }),
    ...(owner ? { aliasOf: owner, reservedConcurrency: owner.reservedConcurrency } : {}),
  }
}

/** Resources that name a function and do not invoke it, or only as its mappings do. */
const NO_INVOKER =
  /^(AWS::(CloudWatch|Logs|IAM|SSM|CodeDeploy|ApplicationAutoScaling|Lambda::(Alias|Version|EventSourceMapping|EventInvokeConfig))(::|$)|aws_(cloudwatch|iam|ssm|appautoscaling|codedeploy|lambda_(alias|event_source_mapping|function_event_invoke_config|provisioned)))/

/** Whether something other than mappings invokes a function: any other resource that refers to it may do so. */
function isInvokedOtherwise({ declarations, mentions }: Index, declaration: Declaration): boolean {
  const { id, names, hasOtherEvents } = declaration
  const isOfFunction = (text: string) => text === id || (names.arn !== undefined && text.includes(names.arn))
  if (hasOtherEvents?.()) return true
  return declarations.some((other) => {
    return other !== declaration && !NO_INVOKER.test(other.type) && mentions(other).some(isOfFunction)
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

function nodeOptionsIn({ variables, unknown: open }: Environment): Setting<string> {
  const reason = open.find(({ name = 'NODE_OPTIONS' }) => name === 'NODE_OPTIONS')?.reason
  if (variables.NODE_OPTIONS !== undefined) return known(variables.NODE_OPTIONS)
  return reason === undefined ? absent : unknown(reason)
}

/** Whether a version is `$LATEST`, the newest one, or one that the input publishes. */
function hasOwnSettings({ index }: FunctionLinker, version: Tree, owner: Declaration): boolean {
  const text = knownText(version)
  if (version.state === 'absent' || text === '$LATEST') return true
  if (text !== undefined) return text === owner.names.version
  const { to, doubt } = linkTo(index, version, 'version', 'function')
  return doubt === undefined && (to?.kind === 'version' || to === owner)
}

/** The function of an alias or of a version. An alias can route to several versions. */
function atAlias(linker: FunctionLinker, alias: Declaration): LambdaFunction {
  const { index } = linker
  const { id, position, properties } = alias
  const found = ownerOf(index, alias)
  if (!found.to) return unreadFunction(id, `its function: ${found.reason}`, position)
  const owner = functionOf(linker, found.to)
  const weights = valueAt(PLACES.weights, properties, index.format)
  const isWeighted = weights.state === 'unknown' || entriesOf(weights).length > 0 || itemsOf(weights).length > 0
  const isOwn = !isWeighted && hasOwnSettings(linker, valueAt(PLACES.version, properties, index.format), found.to)
  return isOwn || owner.unreadReason !== undefined ? owner : otherVersion(id, owner, position)
}

/** The function at the alias or the version after its name or its ARN. */
function atQualifier(
  linker: FunctionLinker,
  owner: Declaration,
  qualifier: string,
  position?: Position,
): LambdaFunction {
  const { index } = linker
  const lambdaFunction = functionOf(linker, owner)
  const version = textTree(qualifier)
  const isOfSam = qualifier === knownText(valueAt(PLACES.publishedAlias, owner.properties, index.format))
  const isOwn = isOfSam || hasOwnSettings(linker, version, owner)
  if (isOwn || lambdaFunction.unreadReason !== undefined) return lambdaFunction
  const referred = linkTo(index, version, 'alias').to
  const aliases = index.ofKind('alias').filter((one) => {
    const isMeant = referred ? one === referred : one.names.name === qualifier
    return isMeant && ownerOf(index, one).to === owner
  })
  const [alias, ...more] = aliases
  if (alias && more.length === 0) return atAlias(linker, alias)
  return otherVersion(`${owner.id}:${readable(qualifier)}`, lambdaFunction, position)
}
