import {
  type Environment,
  type LambdaFunction,
  pinnedVersion,
  unreadFunction,
  unreadVersion,
  weightedAlias,
} from '../model/model.ts'
import { known, type Position, type Setting, valueIn } from '../model/setting.ts'
import { type AnyRow, FUNCTION_SETTINGS } from '../model/settings.ts'
import { memoize } from '../shared/memoize.ts'
import { codeOf } from './code.ts'
import { entriesOf } from './document.ts'
import { ALIAS, byName, FUNCTION, type Lookup, VERSION } from './lookup.ts'
import type { Reader } from './reader.ts'
import { type Resolved, rawText } from './resolve.ts'
import { partsOf, readable, whyUnknown } from './text.ts'

/**
 * The index of the name in the parts of FunctionName. In an ARN, or in its end `ACCOUNT:function:NAME`, the name
 * follows `function`. Otherwise the name is the first part. An alias or a version can follow the name.
 */
function nameIndexOf(parts: readonly string[]): number {
  return parts.indexOf('function') + 1
}

/** The names from the properties to a value. There is at least one. */
type Path = readonly string[]

/** Reads the functions that the properties of a mapping refer to. */
export function createFunctions(reader: Reader, { aliases, functionsByName, resourceIn }: Lookup) {
  const { property, propertiesOf, typeOf, nameOf, ignoresGlobals, text, rowValue, positionOf } = reader

  // Not read with `property()`, which would make each setting unknown if a macro may add Globals. Such a macro is
  // listed once for the whole template.
  const declared = entriesOf(reader.root).get('Globals')
  const globals = property(declared ? reader.resolve(declared) : { kind: 'absent' }, 'Function')

  /**
   * Whether the function itself has an absent value, as AWS::NoValue. SAM merges a map of the function with that of
   * Globals, key by key.
   */
  function isOwn(parent: Resolved, names: Path): boolean {
    const [name, ...rest] = names as [string, ...string[]]
    if (parent.kind !== 'map' || !parent.entries.has(name)) return false
    const child = property(parent, name)
    return child.kind !== 'map' || isOwn(child, rest)
  }
  /** A property of a function. SAM takes it from Globals if the function does not set it. */
  function propertyOf(id: string, names: Path): { resolved: Resolved; isInherited: boolean } {
    const own = propertiesOf(id)
    const resolved = names.reduce(property, own)
    const inherited = names.reduce(property, globals)
    const inherits =
      isSam(id) && resolved.kind === 'absent' && !isOwn(own, names) && !ignoresGlobals(id, names[0] as string)
    const isInherited = inherits && inherited.kind !== 'absent'
    return { resolved: isInherited ? inherited : resolved, isInherited }
  }
  function isSam(id: string) {
    return typeOf(id) === 'AWS::Serverless::Function'
  }

  /** SAM merges the variables of Globals with those of the function. */
  function environmentOf(id: string): Environment {
    const variables: Record<string, string> = {}
    const unknown = new Map<string | undefined, string>()
    const inherits = isSam(id) && !ignoresGlobals(id, 'Environment')
    for (const properties of [...(inherits ? [globals] : []), propertiesOf(id)]) {
      const declared = property(property(properties, 'Environment'), 'Variables')
      if (declared.kind === 'unknown') unknown.set(undefined, declared.reason)
      if (declared.kind !== 'map') continue
      for (const [name, node] of declared.entries) {
        const value = text(reader.resolve(node))
        delete variables[name]
        unknown.delete(name)
        if (value.state === 'known') variables[name] = value.value
        if (value.state === 'unknown') unknown.set(name, value.reason)
      }
    }
    const reasons = Array.from(unknown, ([name, reason]) => (name === undefined ? { reason } : { name, reason }))
    return { variables, unknown: reasons }
  }

  const functionOf = memoize((id: string): LambdaFunction => {
    function get(row: Pick<AnyRow, 'path' | 'sam'>): Setting<unknown> {
      const path = (isSam(id) && row.sam) || row.path
      const { resolved, isInherited } = propertyOf(id, path.map(String))
      return isInherited ? { ...rowValue(resolved), section: 'Globals' } : rowValue(resolved)
    }
    const config = propertyOf(id, ['CapacityProviderConfig']).resolved
    const managed = config.kind === 'scalar' ? known(true) : rowValue(config)
    const settings = reader.settings(FUNCTION_SETTINGS, id, propertiesOf(id), get, managed)
    const code = codeOf(reader, id, (...path) => propertyOf(id, path).resolved)
    return {
      id,
      position: positionOf(id),
      ...settings,
      code,
      environment: environmentOf(id),
      nodeOptions: valueIn(text(propertyOf(id, ['Environment', 'Variables', 'NODE_OPTIONS']).resolved)),
    }
  })

  /** The function of an alias or a version. If an alias routes to several versions, their settings are not known. */
  function ofAlias(id: string, aliasOf: LambdaFunction): LambdaFunction {
    const position = positionOf(id)
    const weights = property(property(propertiesOf(id), 'RoutingConfig'), 'AdditionalVersionWeights')
    if (weights.kind === 'absent' || (weights.kind === 'list' && weights.items.length === 0)) {
      return ofVersion(id, property(propertiesOf(id), 'FunctionVersion'), aliasOf, position)
    }
    return weights.kind === 'unknown'
      ? unreadVersion(id, weights.reason, aliasOf, position)
      : weightedAlias(id, aliasOf, position)
  }

  /**
   * The function at a version. Only `$LATEST`, and a version that this template publishes, have the settings of the
   * template.
   */
  function ofVersion(id: string, version: Resolved, lambdaFunction: LambdaFunction, position?: Position) {
    if (lambdaFunction.unreadReason !== undefined || version.kind === 'absent') return lambdaFunction
    const value = rawText(version)
    const publisher = resourceIn(value, VERSION)
    // SAM allows Ref Function.Version.
    const isPublished = VERSION.test(typeOf(publisher)) || publisher === lambdaFunction.id
    if (value === '$LATEST' || isPublished) return lambdaFunction
    const reason = version.kind === 'unknown' ? version.reason : whyUnknown(value)
    return reason === undefined
      ? pinnedVersion(id, value, lambdaFunction, position)
      : unreadVersion(id, reason, lambdaFunction, position)
  }

  /** The function at the alias or the version after its name or its ARN. */
  function atQualifier(lambdaFunction: LambdaFunction, qualifier: string, position?: Position): LambdaFunction {
    if (lambdaFunction.unreadReason !== undefined) return lambdaFunction
    const id = `${lambdaFunction.id}:${readable(qualifier)}`
    const referenced = resourceIn(qualifier, ALIAS)
    if (ALIAS.test(typeOf(referenced))) return ofAlias(referenced, lambdaFunction)
    if (referenced !== '' || /^(\d+|\$LATEST)$/.test(qualifier)) {
      return ofVersion(id, { kind: 'scalar', value: qualifier }, lambdaFunction, position)
    }
    // SAM publishes a version with the settings of the template, and creates this alias for it.
    if (valueIn(text(propertyOf(lambdaFunction.id, ['AutoPublishAlias']).resolved)) === qualifier) return lambdaFunction
    const own = aliases.filter((alias) => functionOfAlias(alias) === lambdaFunction)
    const ownByName = Map.groupBy(own, (alias) => nameOf(alias, 'Name'))
    const lookup = byName(ownByName, qualifier)
    if ('id' in lookup) return ofAlias(lookup.id, lambdaFunction)
    return unreadVersion(id, `the alias ${readable(qualifier)}: ${lookup.reason}`, lambdaFunction, position)
  }

  /** `via` are the aliases and versions that led here. */
  function functionOfAlias(id: string, ...via: readonly string[]): LambdaFunction {
    return findUnqualified(property(propertiesOf(id), 'FunctionName'), id, ...via)
  }

  /** The function that FunctionName refers to: by name, ARN or reference, directly or through an alias or a version. */
  function findFunction(resolved: Resolved): LambdaFunction {
    const lambdaFunction = findUnqualified(resolved)
    const parts = partsOf(rawText(resolved))
    const qualifier = parts[nameIndexOf(parts) + 1]
    return qualifier === undefined ? lambdaFunction : atQualifier(lambdaFunction, qualifier, resolved.position)
  }

  /** The function without regard to an alias or a version after its name or its ARN. */
  function findUnqualified(resolved: Resolved, ...via: readonly string[]): LambdaFunction {
    const { position } = resolved
    if (resolved.kind !== 'scalar') {
      const reason = resolved.kind === 'unknown' ? resolved.reason : 'no name is given'
      return unreadFunction('its function', reason, position)
    }
    const value = String(resolved.value)
    const id = resourceIn(value, FUNCTION, ALIAS, VERSION)
    if (id !== '') {
      const type = typeOf(id)
      if (FUNCTION.test(type)) return functionOf(id)
      if (!ALIAS.test(type) && !VERSION.test(type))
        return unreadFunction(id, `it is a resource of type ${type}`, position)
      if (via.includes(id)) return unreadFunction(id, 'it refers to itself', position)
      return ofAlias(id, functionOfAlias(id, ...via))
    }
    const parts = partsOf(value)
    const name = parts[nameIndexOf(parts)]
    if (!name) return unreadFunction('its function', 'its name is empty', position)
    const lookup = byName(functionsByName, name)
    return 'id' in lookup ? functionOf(lookup.id) : unreadFunction(readable(value), lookup.reason, position)
  }

  return { functionOf, findFunction }
}
