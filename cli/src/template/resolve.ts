import type { Node, Place } from './document.ts'
import { gapOf, hole, holesOf, PSEUDO_PARAMETERS, partsOf, readable, splitsAtColons } from './text.ts'

/**
 * What a node comes to. Text may have holes: the attributes of resources and the pseudo parameters, which only a
 * deployment fills.
 */
export type Resolved =
  | { kind: 'scalar'; value: string | number | boolean; place?: Place | undefined }
  | { kind: 'list'; items: readonly Node[]; place?: Place | undefined }
  | { kind: 'map'; entries: ReadonlyMap<string, Node>; place?: Place | undefined }
  | { kind: 'absent'; place?: Place | undefined }
  | { kind: 'unknown'; reason: string; place?: Place | undefined }

export interface Gap {
  reason: string
}

type Verdict = boolean | Gap

const ABSENT = { kind: 'absent' } as const

function unknown(reason: string): Resolved {
  return { kind: 'unknown', reason }
}

function open(name: string): Resolved {
  return { kind: 'scalar', value: hole(name) }
}

const NOWHERE: Place = { line: 1, column: 1 }

function node(value: string): Node {
  return { kind: 'scalar', value, place: NOWHERE }
}

/** Functions within functions, over YAML's aliases, can double a text at every level: it must end somewhere. */
const LONGEST = 100_000
const DEEPEST = 500

function mapOf(parent: Node | undefined, key: string): ReadonlyMap<string, Node> {
  const child = parent?.kind === 'map' ? parent.entries.get(key) : undefined
  return child?.kind === 'map' ? child.entries : new Map()
}

function plain(child: Node | undefined) {
  return child?.kind === 'scalar' && child.value !== null ? String(child.value) : ''
}

/** Resolves the intrinsic functions of a template as far as that can be done without deploying it. */
export function createResolver(template: Node, given: ReadonlyMap<string, string>) {
  const parameters = mapOf(template, 'Parameters')
  const conditions = mapOf(template, 'Conditions')
  const mappings = mapOf(template, 'Mappings')
  const resources = mapOf(template, 'Resources')

  /** Each node and each condition is evaluated once; one that needs itself ends at the depth that nothing real has. */
  const once = <Key, Result>(circularOf: (key: Key) => Result, evaluate: (key: Key) => Result) => {
    const results = new Map<Key, Result>()
    let depth = 0
    return (key: Key): Result => {
      const known = results.get(key)
      if (known !== undefined) return known
      if (depth >= DEEPEST) return circularOf(key)
      depth++
      const result = evaluate(key)
      depth--
      results.set(key, result)
      return result
    }
  }

  const parameter = (name: string, declaration: Node): Resolved => {
    const declared = declaration.kind === 'map' ? declaration.entries : new Map<string, Node>()
    const type = plain(declared.get('Type'))
    const value = given.get(name) ?? (declared.has('Default') ? plain(declared.get('Default')) : undefined)
    if (type.startsWith('AWS::SSM::Parameter::') && !given.has(name)) {
      return unknown(`the parameter ${name} comes from ${type} (--parameter ${name}=… gives its value)`)
    }
    if (value === undefined) return unknown(`the parameter ${name} has no default (--parameter ${name}=… gives it)`)
    if (!/List</.test(type) && type !== 'CommaDelimitedList') return { kind: 'scalar', value }
    return { kind: 'list', items: value.split(',').map((item) => node(item.trim())) }
  }

  const ref = (name: string): Resolved => {
    const declaration = parameters.get(name)
    if (declaration) return parameter(name, declaration)
    if (name === 'AWS::NoValue') return ABSENT
    const value = given.get(name)
    if (value !== undefined) return { kind: 'scalar', value }
    return PSEUDO_PARAMETERS.includes(name) || resources.has(name) ? open(name) : attribute(name) // SAM has Ref Function.Alias
  }
  const attribute = (path: string): Resolved => {
    const [resource = ''] = path.split('.')
    return resources.has(resource) ? open(path) : unknown(`${readable(path)} is nothing in this template`)
  }

  /** Text with holes, or the reason why it is none. */
  const textOf = (resolved: Resolved): string | Gap => {
    if (resolved.kind === 'scalar') return String(resolved.value)
    return { reason: resolved.kind === 'unknown' ? resolved.reason : `there is ${resolved.kind} where text belongs` }
  }
  const text = (child: Node | undefined) => textOf(child ? resolve(child) : ABSENT)
  const joined = (parts: readonly (string | Gap)[], delimiter: string): Resolved => {
    const gap = parts.find((part) => typeof part !== 'string')
    if (gap) return unknown(gap.reason)
    const value = parts.join(delimiter)
    return value.length > LONGEST ? unknown(`a text longer than ${LONGEST} characters`) : { kind: 'scalar', value }
  }
  const listOf = (child: Node | undefined): readonly Node[] => {
    const resolved = child ? resolve(child) : ABSENT
    return resolved.kind === 'list' ? resolved.items : []
  }

  const substitute = (argument: Node): Resolved => {
    const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
    const own = variables?.kind === 'map' ? variables.entries : new Map<string, Node>()
    // Split at the references: every second part is one.
    const parts = plain(head).split(/\$\{([^}]*)\}/)
    const fill = (part: string, index: number) => {
      if (index % 2 === 0) return part
      if (part.startsWith('!')) return `\${${part.slice(1)}}`
      const variable = own.get(part.trim())
      return textOf(variable ? resolve(variable) : ref(part.trim()))
    }
    return joined(parts.map(fill), '')
  }

  const findInMap = (argument: Node): Resolved => {
    const [map, first, second, options] = listOf(argument)
    const path = [map, first, second].map(text)
    const gap = path.map((key) => (typeof key === 'string' ? gapOf(key) : key.reason)).find(Boolean)
    if (gap) return unknown(gap)
    const [mapName = '', firstKey = '', secondKey = ''] = path as string[]
    const table = mappings.get(mapName)
    const value = mapOf(table, firstKey).get(secondKey)
    const fallback = options?.kind === 'map' ? options.entries.get('DefaultValue') : undefined
    const found = value ?? fallback
    return found ? resolve(found) : unknown(`Mappings has no ${path.join('.')}`)
  }

  const functions: Record<string, (argument: Node) => Resolved> = {
    Ref: (argument) => {
      const name = text(argument)
      return typeof name === 'string' ? ref(name) : unknown(name.reason)
    },
    'Fn::GetAtt': (argument) => {
      const parts = argument.kind === 'list' ? argument.items.map(text) : [plain(argument)]
      const path = joined(parts, '.')
      return path.kind === 'scalar' ? attribute(String(path.value)) : path
    },
    'Fn::Sub': substitute,
    'Fn::Join': (argument) => {
      const [delimiter, list] = listOf(argument)
      const resolved = list ? resolve(list) : ABSENT
      if (resolved.kind !== 'list') return resolved.kind === 'unknown' ? resolved : unknown('Fn::Join has no list')
      return joined(resolved.items.map(text), plain(delimiter))
    },
    'Fn::Split': (argument) => {
      const [delimiter, source] = listOf(argument)
      const value = text(source)
      if (typeof value !== 'string') return unknown(value.reason)
      const at = plain(delimiter)
      if (!gapOf(value)) return { kind: 'list', items: value.split(at).map(node) }
      if (at === ':' && splitsAtColons(value)) return { kind: 'list', items: partsOf(value).map(node) }
      return { kind: 'scalar', value } // what is in the holes is not known: see Fn::Select
    },
    'Fn::Select': (argument) => {
      const [index, list] = listOf(argument)
      const at = text(index)
      const resolved = list ? resolve(list) : ABSENT
      if (resolved.kind === 'unknown') return resolved
      if (resolved.kind === 'scalar') {
        // A part of a resource's ARN, as the CDK takes names of functions from them: which resource is still known.
        const ids = holesOf(String(resolved.value)).map((name) => name.split('.')[0] ?? '')
        const [id, ...more] = new Set(ids.filter((id) => resources.has(id)))
        return id !== undefined && more.length === 0
          ? open(`${id}.Fn::Select ${at}`)
          : unknown(gapOf(String(resolved.value)) ?? 'Fn::Select has no list')
      }
      const item = resolved.kind === 'list' && typeof at === 'string' ? resolved.items[Number(at)] : undefined
      return item ? resolve(item) : unknown('Fn::Select selects nothing')
    },
    'Fn::FindInMap': findInMap,
    'Fn::If': (argument) => {
      const [condition, yes, no] = listOf(argument)
      const verdict = holds(plain(condition))
      if (typeof verdict !== 'boolean') return unknown(verdict.reason)
      const branch = verdict ? yes : no
      return branch ? resolve(branch) : ABSENT
    },
    'Fn::ImportValue': (argument) => {
      const name = text(argument)
      return unknown(`Fn::ImportValue ${typeof name === 'string' ? readable(name) : ''} comes from another stack`)
    },
  }

  const evaluate = (child: Node): Resolved => {
    if (child.kind === 'list') return child
    if (child.kind === 'map') {
      const [entry, ...more] = child.entries
      const [name = '', argument] = more.length === 0 && entry ? entry : []
      const known = Object.hasOwn(functions, name) ? functions[name] : undefined
      if (known && argument) return { ...known(argument), place: child.place } // whatever it is made of
      return /^(Fn::|!)/.test(name)
        ? { ...unknown(`${name} is known only to a deployment`), place: child.place }
        : child
    }
    const { value, place } = child
    return value === null ? { kind: 'absent', place } : { kind: 'scalar', value, place }
  }
  const resolve = once<Node, Resolved>(() => unknown('it refers to itself, or is nested too deeply'), evaluate)

  const judge = (child: Node): Verdict => {
    const [[name = '', argument] = []] = child.kind === 'map' ? child.entries : []
    if (!argument) return { reason: 'a condition that is none' }
    if (name === 'Condition') return holds(plain(argument))
    const parts = listOf(argument)
    if (name === 'Fn::Equals') {
      const sides = parts.slice(0, 2).map(text)
      const gap = sides.find((side) => typeof side !== 'string')
      if (gap) return gap
      const [left = '', right = ''] = sides as string[]
      const reason = left === right ? undefined : (gapOf(left) ?? gapOf(right))
      return reason ? { reason } : left === right
    }
    if (!['Fn::And', 'Fn::Or', 'Fn::Not'].includes(name)) return { reason: `${name} is known only to a deployment` }
    const verdicts = parts.map(judge)
    const [first = { reason: `${name} of nothing` }] = verdicts
    if (name === 'Fn::Not') return typeof first === 'boolean' ? !first : first
    const decisive = name === 'Fn::Or'
    if (verdicts.includes(decisive)) return decisive
    return verdicts.find((verdict) => typeof verdict !== 'boolean') ?? !decisive
  }
  /** Whether a condition of the template holds. */
  const holds: (name: string) => Verdict = once<string, Verdict>(
    (name) => ({ reason: `the condition ${name} refers to itself, or is nested too deeply` }),
    (name) => {
      const condition = conditions.get(name)
      if (!condition) return { reason: `there is no condition ${name}` }
      return judge(condition)
    },
  )

  const account = given.get('AWS::AccountId') ?? hole('AWS::AccountId')
  return { root: template, resolve, holds, resources, parameters, account }
}

export type Resolver = ReturnType<typeof createResolver>
