import type { LambdaFunction, Queue } from '../model/model.ts'
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

export type Verdict = boolean | { reason: string }

/** Stacks of a CDK app that are read together, and the values that they use of each other. */
export interface Links {
  /** The stack itself comes first. `file` is that in the positions of its nodes. */
  stacks: readonly { file: string | undefined; document: Node; prefix: string }[]
  exports: ReadonlyMap<string, Node>
  /** The parameters that the stack around a nested stack sets. As in `outputs`, the prefix is before each name. */
  parameters: ReadonlyMap<string, Node>
  /** `Nested.Outputs.QueueArn`. */
  outputs: ReadonlyMap<string, Node>
  /** The ids of the nested stacks whose templates were read. */
  nested: ReadonlySet<string>
}

/** A template with the values of its parameters, and what was read of it so far. */
export interface Scope {
  root: Node
  /** The name of the stack and a slash, before the ids of its resources. Empty for the stack that is read. */
  prefix: string
  parameters: ReadonlyMap<string, Node>
  mappings: ReadonlyMap<string, Node>
  conditions: ReadonlyMap<string, Node>
  /** Also those of linked stacks. */
  resources: ReadonlyMap<string, Node>
  given: ReadonlyMap<string, string>
  /** The values of parameters that are not given and have no default. */
  chosen?: ReadonlyMap<string, { value: string }> | undefined
  links?: Links | undefined
  /** The folder of the template, to which the paths in it are relative. */
  folder: string
  /** The account of the stack, or a placeholder. */
  account: string
  /** The parameters whose defaults or chosen values were used. */
  defaulted: Set<string>
  /** Each node, condition, function and queue is read once. */
  nodes: Map<Node, Resolved>
  verdicts: Map<string, Verdict>
  functions: Map<string, LambdaFunction>
  queues: Map<string, Queue>
  /** How many nodes and conditions are being evaluated. */
  depth: number
  /** A scope for each stack, by the file in its positions: a name in a stack means a resource of this stack. */
  stacks: ReadonlyMap<string | undefined, Scope>
}

export function scopeOf(
  root: Node,
  given: ReadonlyMap<string, string> = new Map(),
  { links, ...more }: Pick<Scope, 'chosen' | 'links'> & { folder?: string } = {},
): Scope {
  const resources = new Map<string, Node>()
  const stacks = new Map<string | undefined, Scope>()
  const shared = {
    folder: process.cwd(),
    ...more,
    links,
    account: given.get('AWS::AccountId') ?? placeholder('AWS::AccountId'),
    resources,
    stacks,
    defaulted: new Set<string>(),
    nodes: new Map(),
    functions: new Map(),
    queues: new Map(),
    depth: 0,
  }
  for (const { file, document, prefix } of links?.stacks ?? [{ file: undefined, document: root, prefix: '' }]) {
    const section = (name: string) => entriesOf(entriesOf(document).get(name))
    for (const [id, declaration] of section('Resources')) resources.set(prefix + id, declaration)
    stacks.set(file, {
      ...shared,
      root: document,
      prefix,
      parameters: section('Parameters'),
      mappings: section('Mappings'),
      conditions: section('Conditions'),
      verdicts: new Map(),
      given,
    })
  }
  const [own] = stacks.values()
  return own as Scope
}

const ABSENT = { kind: 'absent' } as const
/** Nested functions over aliases of YAML can double the length of a text at every level, so the length is limited. */
const MAX_TEXT_LENGTH = 100_000
const MAX_DEPTH = 500

/** A value that is known only after deployment, or that the template does not define. The message is the reason. */
class Unresolved extends Error {}

function placeholderFor(name: string): Resolved {
  return { kind: 'scalar', value: placeholder(name) }
}

function listOfTexts(values: readonly string[]): Resolved {
  const position = { line: 1, column: 1 }
  return { kind: 'list', items: values.map((value) => ({ kind: 'scalar', value, position })) }
}

/** The items of a list. None for other values. */
export function itemsOf(resolved: Resolved): readonly Node[] {
  return resolved.kind === 'list' ? resolved.items : []
}

/** The text of a scalar, with its placeholders. Empty for other values. */
export function rawText(resolved: Resolved): string {
  return resolved.kind === 'scalar' ? String(resolved.value) : ''
}

/** Whether a resource belongs to another stack of the same CDK app. Logical ids have no slash. */
export function isOfOtherStack(id: string): boolean {
  return id.includes('/')
}

/** Evaluates a key once. A key that depends on itself reaches MAX_DEPTH. */
function once<Key, Result>(
  scope: Scope,
  results: Map<Key, Result | { reason: string }>,
  key: Key,
  evaluate: () => Result,
): Result | { reason: string } {
  const result = results.get(key)
  if (result !== undefined) return result
  if (scope.depth >= MAX_DEPTH) return { reason: 'it refers to itself, or is nested too deeply' }
  scope.depth++
  try {
    results.set(key, evaluate())
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error
    results.set(key, { reason: error.message })
  } finally {
    scope.depth--
  }
  return results.get(key) as Result
}

/** The scope of the stack that has a node. */
export function scopeAround(scope: Scope, { position: { file } }: Node): Scope {
  return scope.stacks.get(file) ?? scope
}

/** Resolves the intrinsic function of a node, as far as this is possible without deployment. */
export function resolve(scope: Scope, node: Node): Resolved {
  const result = once<Node, Resolved>(scope, scope.nodes, node, () => evaluate(scopeAround(scope, node), node))
  return 'kind' in result ? result : { kind: 'unknown', reason: result.reason, position: node.position }
}

function evaluate(scope: Scope, node: Node): Resolved {
  const { position } = node
  if (node.kind === 'scalar') {
    return node.value === null ? { kind: 'absent', position } : { kind: 'scalar', value: node.value, position }
  }
  if (node.kind === 'list') return node
  const [entry, ...more] = node.entries
  if (!entry || more.length > 0) return node
  const [name, argument] = entry
  const intrinsic = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  // The position is that of the intrinsic function, not of its parts.
  if (intrinsic) return { ...intrinsic(scope, argument), position }
  if (/^(Fn::|!)/.test(name)) throw new Unresolved(`${name} is known only after deployment`)
  return node
}

function resolveOptional(scope: Scope, node: Node | undefined): Resolved {
  return node ? resolve(scope, node) : ABSENT
}

/** The items of a list. None for other values. */
function listIn(scope: Scope, node: Node): readonly Node[] {
  const resolved = resolve(scope, node)
  if (resolved.kind === 'unknown') throw new Unresolved(resolved.reason)
  return itemsOf(resolved)
}

/** The text of a node, with its placeholders. */
function textIn(scope: Scope, node: Node | undefined): string {
  return textOf(resolveOptional(scope, node))
}

function textOf(resolved: Resolved): string {
  if (resolved.kind === 'scalar') return String(resolved.value)
  if (resolved.kind === 'unknown') throw new Unresolved(resolved.reason)
  throw new Unresolved(`a text is needed, but there is ${resolved.kind === 'absent' ? 'none' : `a ${resolved.kind}`}`)
}

/** The text of a key, a position or a delimiter, which must not have placeholders. */
function wholeText(scope: Scope, node: Node | undefined): string {
  const text = textIn(scope, node)
  const reason = whyUnknown(text)
  if (reason !== undefined) throw new Unresolved(reason)
  return text
}

function joined(parts: readonly string[], delimiter: string): Resolved {
  const value = parts.join(delimiter)
  if (value.length > MAX_TEXT_LENGTH) throw new Unresolved(`the text is longer than ${MAX_TEXT_LENGTH} characters`)
  return { kind: 'scalar', value }
}

function parameter({ given, chosen, defaulted }: Scope, name: string, declaration: Node): Resolved {
  const declared = entriesOf(declaration)
  const type = String(scalarText(declared.get('Type')))
  const isGiven = given.has(name)
  const hint = `(set it with --parameter ${name}=…)`
  if (type.startsWith('AWS::SSM::Parameter::') && !isGiven) {
    throw new Unresolved(`the parameter ${name} comes from ${type} ${hint}`)
  }
  const value = given.get(name) ?? scalarText(declared.get('Default')) ?? chosen?.get(name)?.value
  if (value === undefined) throw new Unresolved(`the parameter ${name} has no default ${hint}`)
  if (!isGiven) defaulted.add(name)
  if (!/List<|CommaDelimitedList/.test(type)) return { kind: 'scalar', value }
  return listOfTexts(value.split(',').map((item) => item.trim()))
}

function valueOfName(scope: Scope, name: string): Resolved {
  const { given, parameters, links, prefix } = scope
  const declaration = parameters.get(name)
  const linked = links?.parameters.get(prefix + name)
  if (linked && !given.has(name)) return resolve(scope, linked)
  if (declaration) return parameter(scope, name, declaration)
  if (name === 'AWS::NoValue') return ABSENT
  const value = given.get(name)
  if (value !== undefined) return { kind: 'scalar', value }
  // SAM allows Ref Function.Alias.
  return PSEUDO_PARAMETERS.includes(name) ? placeholderFor(name) : valueOfAttribute(scope, name)
}

/** The value of a resource, or of its attribute. */
function valueOfAttribute(scope: Scope, ownPath: string): Resolved {
  const path = scope.prefix + ownPath
  const linked = scope.links?.outputs.get(path)
  if (linked) return resolve(scope, linked)
  const resource = scope.resources.get(resourceOf(path))
  if (!resource) throw new Unresolved(`${readable(path)} is not defined in this template`)
  const condition = scalarText(entriesOf(resource).get('Condition'))
  if (condition === undefined || holds(scope, condition) !== false) return placeholderFor(path)
  throw new Unresolved(`${resourceOf(path)} does not exist: its condition ${condition} is false with these parameters`)
}

function substitute(scope: Scope, argument: Node): Resolved {
  const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
  const own = entriesOf(variables)
  const format = scalarText(head)
  if (format === undefined) throw new Unresolved('Fn::Sub has no text')
  function fill(part: string, index: number): string {
    if (index % 2 === 0) return part
    if (part.startsWith('!')) return `\${${part.slice(1)}}`
    const variable = own.get(part.trim())
    return textOf(variable ? resolve(scope, variable) : valueOfName(scope, part.trim()))
  }
  // Splits the text at its references: every second part is the name of one.
  return joined(format.split(/\$\{([^}]*)\}/).map(fill), '')
}

function split(scope: Scope, argument: Node): Resolved {
  const [delimiter, source] = listIn(scope, argument)
  const at = wholeText(scope, delimiter)
  const value = textIn(scope, source)
  if (!whyUnknown(value)) return listOfTexts(value.split(at))
  if (at === ':' && hasKnownColons(value)) return listOfTexts(partsOf(value))
  return { kind: 'scalar', value } // its placeholders are unknown, so it cannot be split. Fn::Select handles it
}

function select(scope: Scope, argument: Node): Resolved {
  const [index, list] = listIn(scope, argument)
  const at = wholeText(scope, index)
  const resolved = resolveOptional(scope, list)
  if (resolved.kind === 'unknown') return resolved
  if (resolved.kind === 'scalar') {
    // The CDK selects the name of a function from its ARN in this way. The text is unknown, but its resource is known.
    const ids = placeholdersIn(String(resolved.value)).map(resourceOf)
    const [id, ...more] = new Set(ids.filter((one) => scope.resources.has(one)))
    if (id !== undefined && more.length === 0) return placeholderFor(`${id}.Fn::Select ${at}`)
    throw new Unresolved(whyUnknown(String(resolved.value)) ?? 'Fn::Select has no list')
  }
  const item = itemsOf(resolved)[Number(at)]
  if (!item) throw new Unresolved('Fn::Select selects nothing')
  return resolve(scope, item)
}

function join(scope: Scope, argument: Node): Resolved {
  const [delimiter, list] = listIn(scope, argument)
  const between = textIn(scope, delimiter)
  const resolved = resolveOptional(scope, list)
  if (resolved.kind === 'unknown') return resolved
  if (resolved.kind !== 'list') throw new Unresolved('Fn::Join has no list')
  const parts = resolved.items.map((item) => textIn(scope, item))
  return joined(parts, between)
}

function findInMap(scope: Scope, argument: Node): Resolved {
  const [map, first, second, options] = listIn(scope, argument)
  const [mapName, ...keys] = [map, first, second].map((node) => wholeText(scope, node)) as [string, string, string]
  const value = keys.reduce<Node | undefined>((node, key) => entriesOf(node).get(key), scope.mappings.get(mapName))
  const found = value ?? entriesOf(options).get('DefaultValue')
  if (!found) throw new Unresolved(`Mappings has no ${[mapName, ...keys].join('.')}`)
  return resolve(scope, found)
}

function choose(scope: Scope, argument: Node): Resolved {
  const [condition, yes, no] = listIn(scope, argument)
  const verdict = decided(holds(scope, textIn(scope, condition)))
  const value = verdict ? yes : no
  if (!value) throw new Unresolved(`Fn::If has no value for ${verdict}`)
  return resolve(scope, value)
}

function importValue(scope: Scope, argument: Node): Resolved {
  const name = resolve(scope, argument)
  const exported = scope.links?.exports.get(rawText(name))
  if (exported) return resolve(scope, exported)
  const named = name.kind === 'scalar' ? ` ${readable(rawText(name))}` : ''
  throw new Unresolved(`Fn::ImportValue${named} comes from another stack`)
}

const FUNCTIONS: Readonly<Record<string, (scope: Scope, argument: Node) => Resolved>> = {
  Ref: (scope, argument) => valueOfName(scope, textIn(scope, argument)),
  'Fn::GetAtt': (scope, argument) => {
    const parts = argument.kind === 'list' ? argument.items : [argument]
    return valueOfAttribute(scope, parts.map((part) => textIn(scope, part)).join('.'))
  },
  'Fn::Sub': substitute,
  'Fn::Join': join,
  'Fn::Split': split,
  'Fn::Select': select,
  'Fn::FindInMap': findInMap,
  'Fn::If': choose,
  'Fn::ImportValue': importValue,
}

function decided(verdict: Verdict): boolean {
  if (typeof verdict !== 'boolean') throw new Unresolved(verdict.reason)
  return verdict
}

/** Whether a condition of the template holds. */
export function holds(scope: Scope, name: string): Verdict {
  return once<string, Verdict>(scope, scope.verdicts, name, () => {
    const condition = scope.conditions.get(name)
    if (!condition) throw new Unresolved(`there is no condition ${name}`)
    return decideCondition(scope, condition)
  })
}

function decideCondition(scope: Scope, node: Node): boolean {
  const [entry, ...more] = entriesOf(node)
  if (!entry || more.length > 0) throw new Unresolved('the condition is not valid')
  const [name, argument] = entry
  if (name === 'Condition') return decided(holds(scope, textIn(scope, argument)))
  const parts = listIn(scope, argument)
  if (name === 'Fn::Equals') return areEqual(scope, parts)
  if (!['Fn::And', 'Fn::Or', 'Fn::Not'].includes(name)) throw new Unresolved(`${name} is known only after deployment`)
  const [first, ...others] = parts.map((part) => verdictOf(scope, part))
  if (first === undefined) throw new Unresolved(`${name} has no conditions`)
  if (name === 'Fn::Not') return !decided(first)
  const decisive = name === 'Fn::Or'
  const verdicts = [first, ...others]
  if (verdicts.includes(decisive)) return decisive
  for (const verdict of verdicts) decided(verdict)
  return !decisive
}

/** The verdict on a part of a condition. Another part can decide even if this one is not known. */
function verdictOf(scope: Scope, node: Node): Verdict {
  try {
    return decideCondition(scope, node)
  } catch (error) {
    if (error instanceof Unresolved) return { reason: error.message }
    throw error
  }
}

function areEqual(scope: Scope, parts: readonly Node[]): boolean {
  if (parts.length !== 2) throw new Unresolved('Fn::Equals does not have two values')
  const [left, right] = parts.map((part) => textIn(scope, part)) as [string, string]
  if (left === right) return true
  const reason = whyUnknown(left) ?? whyUnknown(right)
  if (reason !== undefined) throw new Unresolved(reason)
  return false
}
