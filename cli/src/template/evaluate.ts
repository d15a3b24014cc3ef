import { isPseudoParameter, placeholder, readable, resourceOf, textTree, whyUnknown } from '../model/partial-text.ts'
import { absent, known, unknown } from '../model/setting.ts'
import { each, entriesOf, formOf, itemsOf, knownText, knownValue, type Tree, textIn } from '../model/tree.ts'
import { mapAt, namesIn, nodesIn } from './document.ts'
import { type Scope, scopeAround } from './scope.ts'

const MAX_DEPTH = 500

/** A value that is known only after deployment, or is not defined. The message is the reason. */
class Unresolved extends Error {
  /** The resource, if it does not exist. */
  missing?: string | undefined
}

function unresolved({ reason, missing }: { reason: string; missing?: string }): Unresolved {
  return Object.assign(new Unresolved(reason), { missing })
}

/** Evaluates the intrinsic function of a node, as far as this is possible without deployment. */
export function evaluate(scope: Scope, node: Tree): Tree {
  const { nodes } = scope
  const { position } = node
  const evaluated = nodes.get(node)
  if (evaluated) return evaluated
  // A node that depends on itself gets here.
  if (scope.depth >= MAX_DEPTH) return unknown('it refers to itself, or is nested too deeply', position)
  scope.depth++
  try {
    nodes.set(node, evaluateIn(scopeAround(scope, node), node))
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error
    const { message, missing } = error
    nodes.set(node, { ...unknown(message, position), ...(missing === undefined ? {} : { missing }) })
  } finally {
    scope.depth--
  }
  return nodes.get(node) as Tree
}

function evaluateIn(scope: Scope, node: Tree): Tree {
  const { position } = node
  if (node.state === 'known') return typeof node.value === 'string' ? textTree(node.value, position) : node
  if (node.state === 'list') return { ...node, items: node.items.map((item) => evaluate(scope, item)) }
  if (node.state !== 'map') return node
  const [entry, ...more] = entriesOf(node)
  const [name = '', argument = absent] = entry ?? []
  const isAlone = more.length === 0
  const intrinsic = isAlone && Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  // The position is that of the intrinsic function, not of its parts.
  if (intrinsic) return { ...intrinsic(scope, argument), position }
  if (isAlone && name.startsWith('Fn::')) throw new Unresolved(`${name} is not evaluated`)
  return evaluatedMap(scope, node)
}

/**
 * Keys of loops and macros. On deployment, CloudFormation can add entries next to such a key. The template does not
 * show them.
 */
export const isGenerator = (key: string) => key.startsWith('Fn::ForEach::') || key === 'Fn::Transform'

function evaluatedMap(scope: Scope, { entries, position }: Tree & { state: 'map' }): Tree {
  const generator = [...entries.keys()].find(isGenerator)
  const open = generator === undefined ? {} : { open: { reason: `${generator} may add it` } }
  const evaluated = Array.from(entries, ([key, child]) => [key, evaluate(scope, child)] as const)
  return { state: 'map', entries: new Map(evaluated), ...open, position }
}

function listIn(scope: Scope, node: Tree): readonly Tree[] {
  const evaluated = evaluate(scope, node)
  if (evaluated.state === 'unknown') throw unresolved(evaluated)
  return itemsOf(evaluated) // a condition or a value that is not chosen may be unknown
}

function textAt(scope: Scope, node: Tree | undefined): string {
  return textOf(node ? evaluate(scope, node) : absent)
}

function textOf(tree: Tree): string {
  if (tree.state === 'known' || textIn(tree) !== '') return textIn(tree)
  if (tree.state === 'unknown') throw unresolved(tree)
  throw new Unresolved(`a text is needed, but there is ${tree.state === 'absent' ? 'none' : `a ${formOf(tree)}`}`)
}

/** A text of which all parts must be known. */
function whole(text: string): string {
  const reason = whyUnknown(text)
  if (reason !== undefined) throw new Unresolved(reason)
  return text
}

function parameter({ given }: Scope, name: string, declared: Tree): Tree {
  const type = String(knownText(mapAt(declared, 'Type')))
  const hint = `(set it with --parameter ${name}=…)`
  if (type.startsWith('AWS::SSM::Parameter::') && !given.has(name)) {
    throw new Unresolved(`the parameter ${name} comes from ${type} ${hint}`)
  }
  const value = given.get(name) ?? knownText(mapAt(declared, 'Default'))
  if (value === undefined) throw new Unresolved(`the parameter ${name} has no default ${hint}`)
  if (!/List<|CommaDelimitedList/.test(type)) return textTree(value)
  return { state: 'list', items: value.split(',').map((item) => textTree(item.trim())) }
}

function valueOfName(scope: Scope, name: string): Tree {
  const { document, given } = scope
  const declared = mapAt(document, 'Parameters')
  if (declared.state === 'map' && declared.entries.has(name)) return parameter(scope, name, mapAt(declared, name))
  if (name === 'AWS::NoValue') return absent
  const value = given.get(name)
  if (value !== undefined) return textTree(value)
  // SAM allows Ref Function.Alias.
  return isPseudoParameter(name) ? textTree(placeholder(name)) : valueOfAttribute(scope, name)
}

function valueOfAttribute(scope: Scope, ownPath: string): Tree {
  const path = scope.prefix + ownPath
  const id = resourceOf(path)
  const resource = scope.resources.get(id)
  if (!resource) {
    const reason = `${readable(path)} is not defined in this template`
    throw unresolved(id.includes('\0') || mayExist(scope, id) ? { reason } : { reason, missing: id })
  }
  const condition = knownText(mapAt(resource, 'Condition'))
  if (condition === undefined || knownValue(conditionAt(scope, condition)) !== false) return textTree(placeholder(path))
  throw unresolved({ reason: `the condition ${condition} of ${id} is false with these parameters`, missing: id })
}

/** Whether a resource may exist that a file does not declare: SAM makes resources, and the file may be a part. */
function mayExist({ document, resources }: Scope, id: string): boolean {
  const ofSam = [...resources].filter(([, one]) => textIn(mapAt(one, 'Type')).startsWith('AWS::Serverless::'))
  const isOfSam = (name: string) => ofSam.some(([other]) => name.startsWith(other) || name.startsWith('Serverless'))
  const isDeclared = (name: string) =>
    [resources.has(name), isPseudoParameter(name), isOfSam(name)].includes(true) ||
    mapAt(document, 'Parameters', name).state !== 'absent'
  const named = nodesIn(document)
    .flatMap(entriesOf)
    .flatMap(([key, value]) => namesIn(key, value))
  // A part of a template lacks several resources.
  return isOfSam(id) || new Set(named.map(resourceOf).filter((name) => !isDeclared(name))).size > 1
}

function substitute(scope: Scope, argument: Tree): Tree {
  const [head, variables = absent] = argument.state === 'list' ? argument.items : [argument]
  const format = head && knownText(head)
  if (format === undefined) throw new Unresolved('Fn::Sub has no text')
  const filled = format.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (name.startsWith('!')) return `\${${name.slice(1)}}`
    const variable = variables.state === 'map' ? variables.entries.get(name.trim()) : undefined
    return textOf(variable ? evaluate(scope, variable) : valueOfName(scope, name.trim()))
  })
  return textTree(filled)
}

function join(scope: Scope, argument: Tree): Tree {
  const [delimiter, list = absent] = listIn(scope, argument)
  const texts = listIn(scope, list).map((item) => textAt(scope, item))
  return textTree(texts.join(textAt(scope, delimiter)))
}

function findInMap(scope: Scope, argument: Tree): Tree {
  const [map, first, second, options = absent] = listIn(scope, argument)
  const names = [map, first, second].map((node) => whole(textAt(scope, node)))
  const value = mapAt(scope.document, 'Mappings', ...names)
  const found = value.state === 'absent' ? mapAt(options, 'DefaultValue') : value
  if (found.state === 'absent') throw new Unresolved(`Mappings has no ${names.join('.')}`)
  return evaluate(scope, found)
}

function choose(scope: Scope, argument: Tree): Tree {
  const [condition, yes = absent, no = absent] = listIn(scope, argument)
  return evaluate(scope, decided(conditionAt(scope, textAt(scope, condition))) ? yes : no)
}

function importValue(scope: Scope, argument: Tree): Tree {
  const name = textIn(evaluate(scope, argument))
  const exported = scope.links?.exports.get(name)
  if (exported) return evaluate(scope, exported.value)
  throw new Unresolved(`Fn::ImportValue${name === '' ? '' : ` ${readable(name)}`} comes from another stack`)
}

/** Whether a condition of the template holds: true, false or unknown. */
export function conditionAt(scope: Scope, name: string): Tree {
  const condition = mapAt(scope.document, 'Conditions', name)
  return condition.state === 'absent' ? unknown(`there is no condition ${name}`) : evaluate(scope, condition)
}

function decided(tree: Tree): boolean {
  if (tree.state === 'unknown') throw new Unresolved(tree.reason)
  const value = knownValue(tree)
  if (typeof value !== 'boolean') throw new Unresolved('the condition is not valid')
  return value
}

/** Fn::Or with `true`, Fn::And with `false`: a part with this value decides, even if others are not known. */
function combine(scope: Scope, argument: Tree, decisive: boolean): Tree {
  const parts = listIn(scope, argument).map((part) => evaluate(scope, part))
  if (parts.some((part) => knownValue(part) === decisive)) return known(decisive)
  for (const part of parts) decided(part)
  return known(!decisive)
}

/** Of Fn::Contains, which only the rules of a template have, the first argument is a list. */
function isOneOf(scope: Scope, argument: Tree): Tree {
  const [first = absent, second] = listIn(scope, argument)
  const evaluated = evaluate(scope, first)
  const texts = each(evaluated).map(textOf)
  const wanted = textAt(scope, second)
  if (texts.includes(wanted)) return known(true)
  for (const text of [...texts, wanted]) whole(text) // a part that is not known may be equal
  return known(false)
}

const FUNCTIONS: Readonly<Record<string, (scope: Scope, argument: Tree) => Tree>> = {
  Ref: (scope, argument) => valueOfName(scope, textAt(scope, argument)),
  'Fn::GetAtt': (scope, argument) => {
    const parts = argument.state === 'list' ? argument.items : [argument]
    return valueOfAttribute(scope, parts.map((part) => textAt(scope, part)).join('.'))
  },
  'Fn::Sub': substitute,
  'Fn::Join': join,
  'Fn::FindInMap': findInMap,
  'Fn::If': choose,
  'Fn::ImportValue': importValue,
  Condition: (scope, argument) => conditionAt(scope, textAt(scope, argument)),
  'Fn::And': (scope, argument) => combine(scope, argument, false),
  'Fn::Or': (scope, argument) => combine(scope, argument, true),
  'Fn::Not': (scope, argument) => known(!decided(evaluate(scope, listIn(scope, argument)[0] ?? absent))),
  'Fn::Equals': isOneOf,
  'Fn::Contains': isOneOf,
}
