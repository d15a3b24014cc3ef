import type { Declaration } from '../model/declaration.ts'
import { type Environment, type LambdaFunction, otherVersion, unreadFunction } from '../model/model.ts'
import { absent, known, type Position, type Setting, unknown } from '../model/setting.ts'
import { FUNCTION_SETTINGS, PLACES, settingsIn, valueAt } from '../model/settings.ts'
import { readable, textTree } from '../model/text.ts'
import { entriesOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { type Index, linkTo, namesIn } from './references.ts'

/** The functions that were linked so far. Each of them is made once. */
export interface FunctionLinker {
  index: Index
  functions: Map<Declaration, LambdaFunction>
}

/** The function that a value names: by name, ARN or reference, directly or through an alias or a version. */
export function functionAt(linker: FunctionLinker, tree: Tree): LambdaFunction {
  const { index } = linker
  const found = linkTo(index, tree, 'function', 'alias', 'version')
  const { to } = found
  const text = textIn(tree)
  if (!to)
    return unreadFunction(readable(found.text ?? '') || found.other?.id || 'its function', found.reason, tree.position)
  if (to.kind !== 'function') return atAlias(linker, to)
  const [, qualifier] = namesIn(text)
  const lambdaFunction = functionOf(linker, to)
  return qualifier === undefined ? lambdaFunction : atQualifier(linker, to, lambdaFunction, qualifier, tree.position)
}

function functionOf(linker: FunctionLinker, declaration: Declaration): LambdaFunction {
  return cached(linker.functions, declaration, () => readFunction(linker, declaration))
}

function readFunction(linker: FunctionLinker, declaration: Declaration): LambdaFunction {
  const { index } = linker
  const { id, position, unreadReason, properties, code, aliasOf } = declaration
  if (unreadReason !== undefined) return unreadFunction(id, unreadReason, position)
  const settings = settingsIn(FUNCTION_SETTINGS, declaration, index.format)
  const environment = environmentIn(valueAt(PLACES.variables, properties, index.format))
  const owner = aliasOf && functionOf(linker, aliasOf)
  const invokeConfig = index
    .ofKind('invokeConfig')
    .find((one) => linkTo(index, valueAt(PLACES.function, one.properties, index.format), 'function').to === declaration)
  return {
    id,
    ...(position ? { position } : {}),
    ...settings,
    ...(invokeConfig ? { invokeConfig: { ...known(true, invokeConfig.position), id: invokeConfig.id } } : {}),
    ...(code ? { code } : {}),
    environment,
    nodeOptions: nodeOptionsIn(environment),
    facts: declaration.facts,
    ...(owner ? { aliasOf: owner, reservedConcurrency: owner.reservedConcurrency } : {}),
  }
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
  const { format } = linker.index
  const { id, position, properties } = alias
  const name = valueAt(PLACES.function, properties, format)
  const found = linkTo(linker.index, name, 'function')
  if (!found.to) return unreadFunction(id, `its function: ${found.reason}`, position)
  const owner = functionOf(linker, found.to)
  const weights = valueAt(PLACES.weights, properties, format)
  const isWeighted = weights.state === 'list' ? weights.items.length > 0 : isNotEmpty(weights)
  const isOwn = !isWeighted && hasOwnSettings(linker, valueAt(PLACES.version, properties, format), found.to)
  return isOwn || owner.unreadReason !== undefined ? owner : otherVersion(id, owner, position)
}

function isNotEmpty(tree: Tree): boolean {
  return tree.state === 'map' ? [...tree.entries.keys()].length > 0 : tree.state !== 'absent'
}

/** The function at the alias or the version after its name or its ARN. */
function atQualifier(
  linker: FunctionLinker,
  owner: Declaration,
  lambdaFunction: LambdaFunction,
  qualifier: string,
  position?: Position,
): LambdaFunction {
  const { index } = linker
  const version = textTree(qualifier)
  const isOwn = qualifier === owner.publishedAlias || hasOwnSettings(linker, version, owner)
  if (isOwn || lambdaFunction.unreadReason !== undefined) return lambdaFunction
  const referred = linkTo(index, version, 'alias').to
  const aliases = index.ofKind('alias').filter((one) => {
    const isMeant = referred ? one === referred : one.names.name === qualifier
    return isMeant && linkTo(index, valueAt(PLACES.function, one.properties, index.format), 'function').to === owner
  })
  const [alias, ...more] = aliases
  if (alias && more.length === 0) return atAlias(linker, alias)
  return otherVersion(`${owner.id}:${readable(qualifier)}`, lambdaFunction, position)
}
