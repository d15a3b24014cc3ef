import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument as parseYaml,
  type Tags,
  type YAMLMap,
} from 'yaml'
import { absent, type Position, type Scalar } from '../model/setting.ts'
import { entriesOf, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'

/** The value at a path of a document as it is written. Absent if there is none. */
export function mapAt(root: Tree, ...path: readonly string[]): Tree {
  return path.reduce((node: Tree, name) => (node.state === 'map' && node.entries.get(name)) || absent, root)
}

/** All nodes of a tree in the order of the file. Each occurs once, although aliases of YAML can repeat it. */
export function nodesIn(root: Tree): Set<Tree> {
  const nodes = new Set<Tree>()
  function add(node: Tree): void {
    if (nodes.has(node)) return
    nodes.add(node)
    for (const child of node.state === 'list' ? node.items : entriesOf(node).map(([, value]) => value)) add(child)
  }
  add(root)
  return nodes
}

/** Deeper than any real template, and small enough for recursive functions. */
const MAX_DEPTH = 200
/** CloudFormation accepts 1 MB. A template that is not yet packaged can be larger, mostly by its comments. */
const MAX_LENGTH = 5_000_000

function refuse(file: string, { line, column }: Position, what: string): never {
  throw new UsageError(`${file}:${line}:${column}: ${what}`)
}

export function isJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/** Parses a template as YAML 1.1, which includes JSON. Positions in a linked stack name its file. */
export function parseDocument(file: string, text: string, isLinked = false): Tree {
  if (text.trim() === '') throw new UsageError(`${file}:1:1: the file is empty`)
  if (text.length > MAX_LENGTH) {
    throw new UsageError(`${file} is too large to be a template: CloudFormation accepts at most 1 MB`)
  }
  try {
    return toTree(file, text, isLinked)
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
/** PyYAML and CloudFormation read fewer words as booleans than this parser: \`y\` and \`n\` are texts. */
function withBooleansOfPyYaml(tags: Tags): Tags {
  const isBoolean = (tag: object): tag is { test: RegExp } =>
    'test' in tag && tag.test instanceof RegExp && 'tag' in tag && tag.tag === 'tag:yaml.org,2002:bool'
  const withoutLetters = ({ source }: RegExp) => new RegExp(source.replace(/(?<=\(\?:)[YN]\|[yn]\|/, ''))
  return tags.map((tag) => {
    return typeof tag === 'object' && isBoolean(tag) ? { ...tag, test: withoutLetters(tag.test) } : tag
  })
}

/** The error of JSON in the words of the JSON parser, because the parser of YAML expects something else. */
function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/ \(line \d+ column \d+\)$/, '')
  }
}

interface Source {
  file: string
  isLinked: boolean
  lines: LineCounter
  anchors: Map<string | undefined, Tree>
}

function positionOf({ file, isLinked, lines }: Source, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line, column: col, ...(isLinked ? { file } : {}) }
}

function toTree(file: string, text: string, isLinked: boolean): Tree {
  const source: Source = { file, isLinked, lines: new LineCounter(), anchors: new Map() }
  const { errors, contents } = parseYaml(text, {
    version: '1.1',
    lineCounter: source.lines,
    customTags: withBooleansOfPyYaml,
    // Of a key that occurs twice, CloudFormation and PyYAML use the last value. This parser would refuse it.
    uniqueKeys: false,
    prettyErrors: false,
  })
  const [error] = errors
  if (error) {
    const { code, message, pos } = error
    if (code === 'RESOURCE_EXHAUSTION') throw new RangeError(message)
    const what = code === 'MULTIPLE_DOCS' ? 'the file has more than one document' : message
    const said = isJson(text) ? `JSON: ${jsonError(text) ?? what}` : `YAML: ${what}`
    refuse(file, positionOf(source, pos[0]), `not valid ${said}`)
  }
  return convert(source, contents as ParsedNode | null, positionOf(source, 0), 0)
}

function convert(source: Source, node: ParsedNode | null, position: Position, depth: number): Tree {
  if (depth > MAX_DEPTH) refuse(source.file, position, `nested deeper than ${MAX_DEPTH} levels`)
  const value = convertUntagged(source, node, position, depth)
  const { tag, anchor } = (node ?? {}) as { tag?: string; anchor?: string }
  const result: Tree = tag?.startsWith('!')
    ? { state: 'map', entries: new Map([[LONG.get(tag) ?? tag, value]]), position }
    : value
  source.anchors.set(anchor, result)
  return result
}

function convertUntagged(source: Source, node: ParsedNode | null, position: Position, depth: number): Tree {
  if (isAlias(node)) {
    const anchored = source.anchors.get(node.source)
    if (!anchored) return refuse(source.file, position, `there is no anchor &${node.source} before this alias`)
    // Each alias of a scalar is a separate setting.
    return anchored.state === 'known' ? { ...anchored, position } : anchored
  }
  if (isSeq<ParsedNode>(node)) {
    const items = node.items.map((item) => convert(source, item, positionOf(source, item.range[0]), depth + 1))
    return { state: 'list', items, position }
  }
  if (isMap<ParsedNode, ParsedNode | null>(node)) return convertMap(source, node, position, depth)
  const { value = null, source: written } = node ?? {}
  if (value === null) return { state: 'absent', position }
  // Dates stay as they are written. A dot is a number for the parser, but CodeUri means a folder.
  const isText = !['string', 'number', 'boolean'].includes(typeof value) || Number.isNaN(value)
  return { state: 'known', value: isText ? String(written) : (value as Scalar), position }
}

function convertMap(
  source: Source,
  { items }: YAMLMap<ParsedNode, ParsedNode | null>,
  position: Position,
  depth: number,
): Tree {
  const entries = new Map<string, Tree>()
  const merged: Tree[] = []
  for (const { key, value } of items) {
    const name = String(isScalar(key) ? key.source : key)
    const child = convert(source, value, positionOf(source, key.range[0]), depth + 1)
    if (name === '<<') merged.push(...(child.state === 'list' ? child.items : [child]))
    else entries.set(name, child)
  }
  for (const map of merged) {
    if (map.state !== 'map') return refuse(source.file, position, 'a merge key (<<) needs a map')
    for (const [name, child] of entriesOf(map)) if (!entries.has(name)) entries.set(name, child)
  }
  return { state: 'map', entries, position }
}
