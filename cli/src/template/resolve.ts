import type { Position } from '../model/setting.ts'
import { entriesOf, type Node, scalarText } from './document.ts'
import {
  hasKnownColons,
  PSEUDO_PARAMETERS,
  partsOf,
  placeholder,
  placeholdersIn,
  readable,
  resourceOf,
  whyUnknown,
} from './text.ts'

/**
 * The value of a node. Text may have placeholders for resources, their attributes and pseudo parameters, whose values
 * are known only after deployment.
 */
export type Resolved =
  | { kind: 'scalar'; value: string | number | boolean; position?: Position | undefined }
  | { kind: 'list'; items: readonly Node[]; position?: Position | undefined }
  | { kind: 'map'; entries: ReadonlyMap<string, Node>; position?: Position | undefined }
  | { kind: 'absent'; position?: Position | undefined }
  | { kind: 'unknown'; reason: string; position?: Position | undefined }

export interface Unknown {
  reason: string
}

type Verdict = boolean | Unknown

const ABSENT = { kind: 'absent' } as const

function unknown(reason: string): Resolved {
  return { kind: 'unknown', reason }
}

function placeholderFor(name: string): Resolved {
  return { kind: 'scalar', value: placeholder(name) }
}

const NOWHERE: Position = { line: 1, column: 1 }

function node(value: string): Node {
  return { kind: 'scalar', value, position: NOWHERE }
}

/** The items of a list. None for other values. */
export function itemsOf(resolved: Resolved): readonly Node[] {
  return resolved.kind === 'list' ? resolved.items : []
}

/** Nested functions over aliases of YAML can double the length of a text at every level, so the length is limited. */
const MAX_TEXT_LENGTH = 100_000
const MAX_DEPTH = 500

/** The text of a scalar, with its placeholders. Empty for other values. */
export function rawText(resolved: Resolved): string {
  return resolved.kind === 'scalar' ? String(resolved.value) : ''
}

/** Values from other stacks of the same CDK app. */
export interface Links {
  exports: ReadonlyMap<string, Node>
  /** The parameters that the stack around a nested stack sets. */
  parameters: ReadonlyMap<string, Node>
  /** `Nested.Outputs.QueueArn`. */
  outputs: ReadonlyMap<string, Node>
  /** The ids of the nested stacks whose templates were read. */
  nested: ReadonlySet<string>
}

/**
 * Resolves the intrinsic functions of a template as far as this is possible without deployment. `chosen` has the values of
 * parameters that are not given and have no default.
 */
export function createResolver(
  template: Node,
  given: ReadonlyMap<string, string>,
  links?: Links,
  chosen?: ReadonlyMap<string, { value: string }>,
) {
  const parameters = entriesOf(entriesOf(template).get('Parameters'))
  const conditions = entriesOf(entriesOf(template).get('Conditions'))
  const mappings = entriesOf(entriesOf(template).get('Mappings'))
  const resources = entriesOf(entriesOf(template).get('Resources'))
  /** The parameters whose defaults or chosen values were used. */
  const defaulted = new Set<string>()

  /**
   * Evaluates each node or condition once. A node that depends on itself reaches MAX_DEPTH, and gets the result of
   * `circularOf`.
   */
  function memoizeRecursive<Key, Result>(circularOf: (key: Key) => Result, evaluate: (key: Key) => Result) {
    const results = new Map<Key, Result>()
    let depth = 0
    return (key: Key): Result => {
      const known = results.get(key)
      if (known !== undefined) return known
      if (depth >= MAX_DEPTH) return circularOf(key)
      depth++
      const result = evaluate(key)
      depth--
      results.set(key, result)
      return result
    }
  }

  function parameter(name: string, declaration: Node): Resolved {
    const declared = entriesOf(declaration)
    const type = String(scalarText(declared.get('Type')))
    const value = given.get(name) ?? scalarText(declared.get('Default')) ?? chosen?.get(name)?.value
    if (type.startsWith('AWS::SSM::Parameter::') && !given.has(name)) {
      return unknown(`the parameter ${name} comes from ${type} (set it with --parameter ${name}=…)`)
    }
    if (!given.has(name) && value !== undefined) defaulted.add(name)
    if (value === undefined) return unknown(`the parameter ${name} has no default (set it with --parameter ${name}=…)`)
    if (!/List<|CommaDelimitedList/.test(type)) return { kind: 'scalar', value }
    return { kind: 'list', items: value.split(',').map((item) => node(item.trim())) }
  }

  function ref(name: string): Resolved {
    const declaration = parameters.get(name)
    const linked = links?.parameters.get(name)
    if (linked && !given.has(name)) return resolve(linked)
    if (declaration) return parameter(name, declaration)
    if (name === 'AWS::NoValue') return ABSENT
    const value = given.get(name)
    if (value !== undefined) return { kind: 'scalar', value }
    // SAM allows Ref Function.Alias.
    return PSEUDO_PARAMETERS.includes(name) ? placeholderFor(name) : attribute(name)
  }
  /** The value of a resource, or of its attribute. */
  function attribute(path: string): Resolved {
    const linked = links?.outputs.get(path)
    if (linked) return resolve(linked)
    const resource = resources.get(resourceOf(path))
    if (!resource) return unknown(`${readable(path)} is not defined in this template`)
    const condition = scalarText(entriesOf(resource).get('Condition'))
    return condition !== undefined && holds(condition) === false
      ? unknown(`${resourceOf(path)} does not exist: its condition ${condition} is false with these parameters`)
      : placeholderFor(path)
  }

  /** The text with its placeholders, or the reason why it is unknown. */
  function textOf(resolved: Resolved): string | Unknown {
    if (resolved.kind === 'scalar') return String(resolved.value)
    return {
      reason:
        resolved.kind === 'unknown'
          ? resolved.reason
          : `a text is needed, but there is ${resolved.kind === 'absent' ? 'none' : `a ${resolved.kind}`}`,
    }
  }
  function resolveOptional(child: Node | undefined): Resolved {
    return child ? resolve(child) : ABSENT
  }
  const text = (child: Node | undefined) => textOf(resolveOptional(child))
  /** The text of a key, a position or a delimiter, which must not have placeholders. */
  function wholeText(child: Node | undefined): string | Unknown {
    const value = text(child)
    const reason = typeof value === 'string' ? whyUnknown(value) : value.reason
    return reason === undefined ? value : { reason }
  }
  function joined(parts: readonly (string | Unknown)[], delimiter: string): Resolved {
    const unresolved = parts.find((part) => typeof part !== 'string')
    if (unresolved) return unknown(unresolved.reason)
    const value = parts.join(delimiter)
    return value.length > MAX_TEXT_LENGTH
      ? unknown(`the text is longer than ${MAX_TEXT_LENGTH} characters`)
      : { kind: 'scalar', value }
  }
  const listOf = (child: Node) => itemsOf(resolve(child))

  function substitute(argument: Node): Resolved {
    const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
    const own = entriesOf(variables)
    const format = scalarText(head)
    if (format === undefined) return unknown('Fn::Sub has no text')
    // Splits the text at its references: every second part is the name of one.
    const parts = format.split(/\$\{([^}]*)\}/)
    function fill(part: string, index: number) {
      if (index % 2 === 0) return part
      if (part.startsWith('!')) return `\${${part.slice(1)}}`
      const variable = own.get(part.trim())
      return textOf(variable ? resolve(variable) : ref(part.trim()))
    }
    return joined(parts.map(fill), '')
  }

  function findInMap(argument: Node): Resolved {
    const [map, first, second, options] = listOf(argument)
    const path = [map, first, second].map(wholeText)
    const unresolved = path.find((key) => typeof key !== 'string')
    if (unresolved) return unknown(unresolved.reason)
    const [mapName, firstKey, secondKey] = path as [string, string, string]
    const value = entriesOf(entriesOf(mappings.get(mapName)).get(firstKey)).get(secondKey)
    const found = value ?? entriesOf(options).get('DefaultValue')
    return found ? resolve(found) : unknown(`Mappings has no ${path.join('.')}`)
  }

  const functions: Record<string, (argument: Node) => Resolved> = {
    Ref: (argument) => {
      const name = text(argument)
      return typeof name === 'string' ? ref(name) : unknown(name.reason)
    },
    'Fn::GetAtt': (argument) => {
      const parts = argument.kind === 'list' ? argument.items : [argument]
      const path = joined(parts.map(text), '.')
      return path.kind === 'scalar' ? attribute(String(path.value)) : path
    },
    'Fn::Sub': substitute,
    'Fn::Join': (argument) => {
      const [delimiter, list] = listOf(argument)
      const between = text(delimiter)
      if (typeof between !== 'string') return unknown(between.reason)
      const resolved = resolveOptional(list)
      if (resolved.kind !== 'list') return resolved.kind === 'unknown' ? resolved : unknown('Fn::Join has no list')
      return joined(resolved.items.map(text), between)
    },
    'Fn::Split': (argument) => {
      const [delimiter, source] = listOf(argument)
      const at = wholeText(delimiter)
      if (typeof at !== 'string') return unknown(at.reason)
      const value = text(source)
      if (typeof value !== 'string') return unknown(value.reason)
      if (!whyUnknown(value)) return { kind: 'list', items: value.split(at).map(node) }
      if (at === ':' && hasKnownColons(value)) return { kind: 'list', items: partsOf(value).map(node) }
      return { kind: 'scalar', value } // its placeholders are unknown, so it cannot be split. Fn::Select handles it
    },
    'Fn::Select': (argument) => {
      const [index, list] = listOf(argument)
      const at = wholeText(index)
      if (typeof at !== 'string') return unknown(at.reason)
      const resolved = resolveOptional(list)
      if (resolved.kind === 'unknown') return resolved
      if (resolved.kind === 'scalar') {
        // The CDK selects the name of a function from its ARN in this way. The text is unknown, but its resource is
        // known.
        const ids = placeholdersIn(String(resolved.value)).map(resourceOf)
        const [id, ...more] = new Set(ids.filter((id) => resources.has(id)))
        return id !== undefined && more.length === 0
          ? placeholderFor(`${id}.Fn::Select ${at}`)
          : unknown(whyUnknown(String(resolved.value)) ?? 'Fn::Select has no list')
      }
      const item = resolved.kind === 'list' ? resolved.items[Number(at)] : undefined
      return item ? resolve(item) : unknown('Fn::Select selects nothing')
    },
    'Fn::FindInMap': findInMap,
    'Fn::If': (argument) => {
      const [condition, yes, no] = listOf(argument)
      const verdict = named(condition)
      if (typeof verdict !== 'boolean') return unknown(verdict.reason)
      const value = verdict ? yes : no
      return value ? resolve(value) : unknown(`Fn::If has no value for ${verdict}`)
    },
    'Fn::ImportValue': (argument) => {
      const name = text(argument)
      if (typeof name !== 'string') return unknown('Fn::ImportValue comes from another stack')
      const exported = links?.exports.get(name)
      return exported ? resolve(exported) : unknown(`Fn::ImportValue ${readable(name)} comes from another stack`)
    },
  }

  function evaluate(child: Node): Resolved {
    if (child.kind === 'list') return child
    if (child.kind === 'map') {
      const [entry, ...more] = child.entries
      if (!entry || more.length > 0) return child
      const [name, argument] = entry
      const intrinsic = Object.hasOwn(functions, name) ? functions[name] : undefined
      // The position is that of the intrinsic function, not of its parts.
      if (intrinsic) return { ...intrinsic(argument), position: child.position }
      return /^(Fn::|!)/.test(name)
        ? { ...unknown(`${name} is known only after deployment`), position: child.position }
        : child
    }
    const { value, position } = child
    return value === null ? { kind: 'absent', position } : { kind: 'scalar', value, position }
  }
  const resolve = memoizeRecursive<Node, Resolved>(
    () => unknown('it refers to itself, or is nested too deeply'),
    evaluate,
  )

  function evaluateCondition(child: Node): Verdict {
    const [entry, ...more] = entriesOf(child)
    if (!entry || more.length > 0) return { reason: 'the condition is not valid' }
    const [name, argument] = entry
    if (name === 'Condition') return named(argument)
    const parts = listOf(argument)
    if (name === 'Fn::Equals') {
      if (parts.length !== 2) return { reason: 'Fn::Equals does not have two values' }
      const sides = parts.map(text)
      const unresolved = sides.find((side) => typeof side !== 'string')
      if (unresolved) return unresolved
      const [left, right] = sides as [string, string]
      const reason = left === right ? undefined : (whyUnknown(left) ?? whyUnknown(right))
      return reason === undefined ? left === right : { reason }
    }
    if (!['Fn::And', 'Fn::Or', 'Fn::Not'].includes(name)) return { reason: `${name} is known only after deployment` }
    const results = parts.map(evaluateCondition)
    const [first] = results
    if (first === undefined) return { reason: `${name} has no conditions` }
    if (name === 'Fn::Not') return typeof first === 'boolean' ? !first : first
    const decisive = name === 'Fn::Or'
    if (results.includes(decisive)) return decisive
    return results.find((verdict) => typeof verdict !== 'boolean') ?? !decisive
  }
  /** Whether the condition that a part of the template names holds. */
  function named(child: Node | undefined): Verdict {
    const name = text(child)
    return typeof name === 'string' ? holds(name) : name
  }
  /** Whether a condition of the template holds. */
  const holds: (name: string) => Verdict = memoizeRecursive<string, Verdict>(
    (name) => ({ reason: `the condition ${name} refers to itself, or is nested too deeply` }),
    (name) => {
      const condition = conditions.get(name)
      if (!condition) return { reason: `there is no condition ${name}` }
      return evaluateCondition(condition)
    },
  )

  const account = given.get('AWS::AccountId') ?? placeholder('AWS::AccountId')
  return { root: template, resolve, holds, resources, defaulted, account }
}

export type Resolver = ReturnType<typeof createResolver>

/** Whether a resource belongs to another stack of the same CDK app. Logical ids have no slash. */
export function isOfOtherStack(id: string): boolean {
  return id.includes('/')
}
