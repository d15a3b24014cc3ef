import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument as parseYaml,
  type Tags,
} from 'yaml'
import { absent, type Position } from '../model/setting.ts'
import { entriesOf, type Scalar, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'

/** The value at a path of a document as it is written. Absent if there is none. */
export function mapAt(root: Tree, ...path: readonly string[]): Tree {
  return path.reduce((node: Tree, name) => (node.state === 'map' && node.entries.get(name)) || absent, root)
}

/** All nodes of a tree in the order of the file. Each node occurs only once, because YAML aliases can repeat it. */
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
/** CloudFormation accepts 1 MB. A template that SAM has not yet packaged can be larger, mostly by its comments. */
const MAX_LENGTH = 5_000_000

function refuse(file: string, { line, column }: Position, what: string): never {
  throw new UsageError(`${file}:${line}:${column}: ${what}`)
}

export function isJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/** Parses a template as YAML 1.1, which includes JSON. The positions of a stack that is linked with others name its file. */
export function parseDocument(file: string, text: string, isLinked = false): Tree {
  if (text.trim() === '') throw new UsageError(`${file}:1:1: the file is empty`)
  if (text.length > MAX_LENGTH) {
    throw new UsageError(`${file} is too large to be a template: CloudFormation accepts at most 1 MB`)
  }
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

function toNode(file: string, text: string, isLinked: boolean): Tree {
  const lines = new LineCounter()
  const document = parseYaml(text, {
    version: '1.1',
    lineCounter: lines,
    customTags: withBooleansOfPyYaml,
    // Of a key that occurs twice, CloudFormation and PyYAML use the last value. To this parser it would be an error.
    uniqueKeys: false,
    prettyErrors: false,
  })
  function positionOf(offset: number): Position {
    const { line, col } = lines.linePos(offset)
    return { line, column: col, ...(isLinked ? { file } : {}) }
  }
  const [error] = document.errors
  if (error) {
    const { code, message } = error
    if (code === 'RESOURCE_EXHAUSTION') throw new RangeError(message)
    const what = code === 'MULTIPLE_DOCS' ? 'the file has more than one document' : message
    const said = isJson(text) ? `JSON: ${jsonError(text) ?? what}` : `YAML: ${what}`
    refuse(file, positionOf(error.pos[0]), `not valid ${said}`)
  }

  const anchors = new Map<string | undefined, Tree>()
  function convertUntagged(node: ParsedNode | null, position: Position, depth: number): Tree {
    if (node === null) return { state: 'absent', position }
    if (isAlias(node)) {
      const anchored =
        anchors.get(node.source) ?? refuse(file, position, `there is no anchor &${node.source} before this alias`)
      // Each alias of a scalar is a separate setting.
      return anchored.state === 'known' ? { ...anchored, position } : anchored
    }
    if (isSeq(node)) {
      const items = (node.items as ParsedNode[]).map((item) => convert(item, positionOf(item.range[0]), depth + 1))
      return { state: 'list', items, position }
    }
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      const entries = new Map<string, Tree>()
      const merged: Tree[] = []
      for (const { key, value } of node.items) {
        const name = String(isScalar(key) ? key.source : key)
        const at = positionOf(key.range[0])
        const child = convert(value, at, depth + 1)
        if (name === '<<') merged.push(...(child.state === 'list' ? child.items : [child]))
        else entries.set(name, child)
      }
      for (const map of merged) {
        if (map.state !== 'map') return refuse(file, position, 'a merge key (<<) needs a map')
        for (const [name, child] of entriesOf(map)) if (!entries.has(name)) entries.set(name, child)
      }
      return { state: 'map', entries, position }
    }
    const { value, source } = node
    // Dates stay as they are written. In YAML 1.1, a dot is a number for the parser, but CodeUri means a folder.
    if (value === null) return { state: 'absent', position }
    const isText = !['string', 'number', 'boolean'].includes(typeof value) || Number.isNaN(value)
    return { state: 'known', value: isText ? String(source) : (value as Scalar), position }
  }
  function convert(node: ParsedNode | null, position: Position, depth: number): Tree {
    if (depth > MAX_DEPTH) refuse(file, position, `nested deeper than ${MAX_DEPTH} levels`)
    const value = convertUntagged(node, position, depth)
    const { tag, anchor } = (node ?? {}) as { tag?: string; anchor?: string }
    const result: Tree = tag?.startsWith('!')
      ? { state: 'map', entries: new Map([[LONG.get(tag) ?? tag, value]]), position }
      : value
    anchors.set(anchor, result)
    return result
  }
  return convert(document.contents as ParsedNode | null, positionOf(0), 0)
}
