import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseDocument as parseYaml } from 'yaml'
import type { Position } from '../model/setting.ts'
import { UsageError } from '../shared/errors.ts'

export type Node =
  | { kind: 'scalar'; value: string | number | boolean | null; position: Position }
  | { kind: 'list'; items: readonly Node[]; position: Position }
  | { kind: 'map'; entries: ReadonlyMap<string, Node>; position: Position }

/** The entries of a map. None for other nodes. */
export function entriesOf(node: Node | undefined): ReadonlyMap<string, Node> {
  return node?.kind === 'map' ? node.entries : new Map()
}

/** The text of a scalar. Undefined for null and for other nodes. */
export function scalarText(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && node.value !== null ? String(node.value) : undefined
}

/**
 * All nodes of a tree in the order of the file, each with the nodes around it. The outermost one comes first. Each node
 * occurs only once, because YAML aliases can repeat it many times.
 */
export function nodesIn(root: Node): Map<Node, readonly Node[]> {
  const nodes = new Map<Node, readonly Node[]>()
  function add(node: Node, around: readonly Node[]): void {
    if (nodes.has(node)) return
    nodes.set(node, around)
    const children = node.kind === 'list' ? node.items : node.kind === 'map' ? node.entries.values() : []
    for (const child of children) add(child, [...around, node])
  }
  add(root, [])
  return nodes
}

/** Deeper than any real template, and small enough for recursive functions. */
const MAX_DEPTH = 200

function refuse(file: string, { line, column }: Position, what: string): never {
  throw new UsageError(`${file}:${line}:${column}: ${what}`)
}

export function isJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/** Parses a template as YAML 1.1, which includes JSON. The positions of a stack that is linked with others name its file. */
export function parseDocument(file: string, text: string, isLinked = false): Node {
  if (text.trim() === '') throw new UsageError(`${file}:1:1: the file is empty`)
  try {
    return toNode(file, text, isLinked)
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${file}: the file is nested too deeply to be a template`)
    throw error
  }
}

/** The short forms of CloudFormation, such as !Ref. The resolver reports other tags as unknown. */
const SHORT = (
  'And Base64 Cidr Condition Equals FindInMap ForEach GetAtt GetAZs If ImportValue Join Length Not Or Ref Select ' +
  'Split Sub ToJsonString Transform'
).split(' ')
const LONG = new Map(SHORT.map((name) => [`!${name}`, ['Ref', 'Condition'].includes(name) ? name : `Fn::${name}`]))
function toNode(file: string, text: string, isLinked: boolean): Node {
  const lines = new LineCounter()
  // Of a key that occurs twice, CloudFormation and PyYAML use the last value. To this parser it would be an error.
  const document = parseYaml(text, { version: '1.1', lineCounter: lines, uniqueKeys: false, prettyErrors: false })
  function positionOf(offset: number): Position {
    const { line, col } = lines.linePos(offset)
    return { line, column: col, ...(isLinked ? { file } : {}) }
  }
  const [error] = document.errors
  if (error) {
    const { code, message } = error
    if (code === 'RESOURCE_EXHAUSTION') throw new RangeError(message)
    const what = code === 'MULTIPLE_DOCS' ? 'the file has more than one document' : message
    refuse(file, positionOf(error.pos[0]), `not valid ${isJson(text) ? 'JSON' : 'YAML'}: ${what}`)
  }

  const anchors = new Map<string | undefined, Node>()
  function convertUntagged(node: ParsedNode | null, position: Position, depth: number): Node {
    if (node === null) return { kind: 'scalar', value: null, position }
    if (isAlias(node)) {
      const anchored =
        anchors.get(node.source) ?? refuse(file, position, `there is no anchor &${node.source} before this alias`)
      // Each alias of a scalar is a separate setting.
      return anchored.kind === 'scalar' ? { ...anchored, position } : anchored
    }
    if (isSeq(node)) {
      const items = (node.items as ParsedNode[]).map((item) => convert(item, positionOf(item.range[0]), depth + 1))
      return { kind: 'list', items, position }
    }
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      const entries = new Map<string, Node>()
      const merged: Node[] = []
      for (const { key, value } of node.items) {
        const name = String(isScalar(key) ? key.source : key)
        const at = positionOf(key.range[0])
        const child = convert(value, at, depth + 1)
        if (name === '<<') merged.push(...(child.kind === 'list' ? child.items : [child]))
        else entries.set(name, child)
      }
      for (const map of merged) {
        if (map.kind !== 'map') return refuse(file, position, 'a merge key (<<) needs a map')
        for (const [name, child] of map.entries) if (!entries.has(name)) entries.set(name, child)
      }
      return { kind: 'map', entries, position }
    }
    const { value, source } = node
    // Dates stay as they are written. In YAML 1.1, a dot is a number for the parser, but CodeUri means a folder.
    const isText = !isPlain(value) || Number.isNaN(value)
    return { kind: 'scalar', value: isText ? String(source) : value, position }
  }
  function convert(node: ParsedNode | null, position: Position, depth: number): Node {
    if (depth > MAX_DEPTH) refuse(file, position, `nested deeper than ${MAX_DEPTH} levels`)
    const value = convertUntagged(node, position, depth)
    const { tag, anchor } = (node ?? {}) as { tag?: string; anchor?: string }
    const result: Node = tag?.startsWith('!')
      ? { kind: 'map', entries: new Map([[LONG.get(tag) ?? tag, value]]), position }
      : value
    anchors.set(anchor, result)
    return result
  }
  return convert(document.contents as ParsedNode | null, positionOf(0), 0)
}

export function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}
