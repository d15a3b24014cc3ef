import { type Environment, type LambdaFunction, otherVersion, unreadFunction } from '../model/model.ts'
import { absent, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { FUNCTION_SETTINGS, type Row } from '../model/settings.ts'
import { codeOfFunction } from './code.ts'
import { entriesOf } from './document.ts'
import {
  ALIAS,
  attributeOf,
  FUNCTION,
  onlyNamed,
  positionOf,
  propertiesOf,
  property,
  resourceIn,
  resourcesOf,
  settingOf,
  settingsIn,
  textOf,
  textsOf,
  typeOf,
  VERSION,
} from './reader.ts'
import { type Resolved, rawText, resolve, type Scope } from './resolve.ts'
import { partsOf, readable } from './text.ts'

/** The names from the properties to a value. There is at least one. */
type Path = readonly [string, ...string[]]

/** The section of SAM with the properties of all functions. A macro that may add it is listed for the whole template. */
function globalsOf(scope: Scope): Resolved {
  const declared = entriesOf(scope.root).get('Globals')
  return declared ? property(scope, resolve(scope, declared), 'Function') : { kind: 'absent' }
}

/** Whether SAM takes a property of the function from Globals if the function does not set it. */
function usesGlobals(scope: Scope, id: string, name: string): boolean {
  if (typeOf(scope, id) !== 'AWS::Serverless::Function') return false
  const ignored = textsOf(scope, attributeOf(scope, id, 'IgnoreGlobals'))
  return !ignored.includes('*') && !ignored.includes(name)
}

/**
 * Whether the function itself has an absent value, as AWS::NoValue. SAM merges a map of the function with that of
 * Globals, key by key.
 */
function isOwn(scope: Scope, parent: Resolved, [name, ...rest]: Path): boolean {
  if (parent.kind !== 'map' || !parent.entries.has(name)) return false
  const child = property(scope, parent, name)
  return child.kind !== 'map' || isOwn(scope, child, rest as unknown as Path)
}

/** A property of a function, or of Globals. */
function propertyOfFunction(scope: Scope, id: string, path: Path): { resolved: Resolved; isInherited: boolean } {
  const own = propertiesOf(scope, id)
  const resolved = property(scope, own, ...path)
  if (resolved.kind !== 'absent' || !usesGlobals(scope, id, path[0]) || isOwn(scope, own, path)) {
    return { resolved, isInherited: false }
  }
  const inherited = property(scope, globalsOf(scope), ...path)
  return inherited.kind === 'absent' ? { resolved, isInherited: false } : { resolved: inherited, isInherited: true }
}

/** The environment variables. SAM merges those of Globals with those of the function. */
function environmentOf(scope: Scope, id: string): Environment {
  const variables: Record<string, string> = {}
  const open = new Map<string | undefined, string>()
  const inherited = usesGlobals(scope, id, 'Environment') ? [globalsOf(scope)] : []
  for (const properties of [...inherited, propertiesOf(scope, id)]) {
    const declared = property(scope, properties, 'Environment', 'Variables')
    if (declared.kind === 'unknown') open.set(undefined, declared.reason)
    if (declared.kind !== 'map') continue
    for (const [name, node] of declared.entries) {
      const value = textOf(resolve(scope, node))
      delete variables[name]
      open.delete(name)
      if (value.state === 'known') variables[name] = value.value
      if (value.state === 'unknown') open.set(name, value.reason)
    }
  }
  const reasons = Array.from(open, ([name, reason]) => (name === undefined ? { reason } : { name, reason }))
  return { variables, unknown: reasons }
}

function nodeOptionsIn({ variables, unknown: open }: Environment): Setting<string> {
  const reason = open.find(({ name = 'NODE_OPTIONS' }) => name === 'NODE_OPTIONS')?.reason
  if (reason !== undefined) return unknown(reason)
  return variables.NODE_OPTIONS === undefined ? absent : known(variables.NODE_OPTIONS)
}

export function functionWithId(scope: Scope, id: string): LambdaFunction {
  const lambdaFunction = scope.functions.get(id) ?? readFunction(scope, id)
  scope.functions.set(id, lambdaFunction)
  return lambdaFunction
}

function readFunction(scope: Scope, id: string): LambdaFunction {
  function get({ path }: Row): Setting<unknown> {
    const { resolved, isInherited } = propertyOfFunction(scope, id, path.map(String) as unknown as Path)
    const setting = settingOf(scope, resolved)
    return isInherited ? { ...setting, section: 'Globals' } : setting
  }
  const environment = environmentOf(scope, id)
  return {
    id,
    position: positionOf(scope, id),
    ...settingsIn(scope, FUNCTION_SETTINGS, id, propertiesOf(scope, id), get),
    code: codeOfFunction(scope, id, (...path) => propertyOfFunction(scope, id, path).resolved),
    environment,
    nodeOptions: nodeOptionsIn(environment),
  }
}

/** Whether a version is `$LATEST`, or one that this template publishes. SAM allows Ref Function.Version. */
function hasOwnSettings(scope: Scope, version: Resolved, { id }: LambdaFunction): boolean {
  const publisher = resourceIn(scope, rawText(version), VERSION)
  const isPublished = VERSION.test(typeOf(scope, publisher)) || publisher === id
  return version.kind === 'absent' || rawText(version) === '$LATEST' || isPublished
}

/** The function of an alias or of a version. An alias can route to several versions. */
function atAlias(scope: Scope, id: string, aliasOf: LambdaFunction): LambdaFunction {
  const properties = propertiesOf(scope, id)
  const weights = property(scope, properties, 'RoutingConfig', 'AdditionalVersionWeights')
  const isWeighted = weights.kind === 'list' ? weights.items.length > 0 : weights.kind !== 'absent'
  const isOwn = !isWeighted && hasOwnSettings(scope, property(scope, properties, 'FunctionVersion'), aliasOf)
  return isOwn || aliasOf.unreadReason !== undefined ? aliasOf : otherVersion(id, aliasOf, positionOf(scope, id))
}

/** The function at the alias or the version after its name or its ARN. */
function atQualifier(scope: Scope, aliasOf: LambdaFunction, qualifier: string, position?: Position): LambdaFunction {
  if (aliasOf.unreadReason !== undefined) return aliasOf
  // SAM publishes a version with the settings of the template, and creates this alias for it.
  const published = propertyOfFunction(scope, aliasOf.id, ['AutoPublishAlias']).resolved
  const isOwn = hasOwnSettings(scope, { kind: 'scalar', value: qualifier }, aliasOf)
  if (isOwn || valueIn(textOf(published)) === qualifier) return aliasOf
  const referenced = resourceIn(scope, qualifier, ALIAS)
  const aliases = resourcesOf(scope, ALIAS).filter((alias) => functionOfAlias(scope, alias) === aliasOf)
  const lookup = aliases.includes(referenced) ? { id: referenced } : onlyNamed(scope, aliases, 'Name', qualifier)
  if ('id' in lookup) return atAlias(scope, lookup.id, aliasOf)
  return otherVersion(`${aliasOf.id}:${readable(qualifier)}`, aliasOf, position)
}

function functionOfAlias(scope: Scope, id: string): LambdaFunction {
  return functionNamed(scope, property(scope, propertiesOf(scope, id), 'FunctionName'))
}

/**
 * The name and the qualifier in FunctionName. In an ARN, or in its end `ACCOUNT:function:NAME`, the name follows
 * `function`. Otherwise the name is the first part. An alias or a version can follow the name.
 */
function namesIn(functionName: string): readonly (string | undefined)[] {
  const parts = partsOf(functionName)
  return parts.slice(parts.indexOf('function') + 1)
}

/** The function that FunctionName refers to: by name, ARN or reference, directly or through an alias or a version. */
export function functionAt(scope: Scope, resolved: Resolved): LambdaFunction {
  const id = resourceIn(scope, rawText(resolved), FUNCTION, ALIAS, VERSION)
  const type = typeOf(scope, id)
  if (ALIAS.test(type) || VERSION.test(type)) return atAlias(scope, id, functionOfAlias(scope, id))
  const lambdaFunction = functionNamed(scope, resolved)
  const [, qualifier] = namesIn(rawText(resolved))
  return qualifier === undefined ? lambdaFunction : atQualifier(scope, lambdaFunction, qualifier, resolved.position)
}

/** The function without regard to an alias or a version after its name or its ARN. */
function functionNamed(scope: Scope, resolved: Resolved): LambdaFunction {
  const { position } = resolved
  if (resolved.kind !== 'scalar') {
    const reason = resolved.kind === 'unknown' ? resolved.reason : 'no name is given'
    return unreadFunction('its function', reason, position)
  }
  const value = String(resolved.value)
  const id = resourceIn(scope, value, FUNCTION)
  const type = typeOf(scope, id)
  if (id !== '') {
    return FUNCTION.test(type)
      ? functionWithId(scope, id)
      : unreadFunction(id, `it is a resource of type ${type}`, position)
  }
  const [name] = namesIn(value)
  if (!name) return unreadFunction('its function', 'its name is empty', position)
  const lookup = onlyNamed(scope, resourcesOf(scope, FUNCTION), 'FunctionName', name)
  return 'id' in lookup ? functionWithId(scope, lookup.id) : unreadFunction(readable(value), lookup.reason, position)
}
