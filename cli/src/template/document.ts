import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseDocument as parseYaml } from 'yaml'
import { absent, type Position, type Scalar } from '../model/setting.ts'
import { entriesOf, itemsOf, knownText, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'

/** The value at a path of a document as it is written. Absent if there is none. */
export function mapAt(root: Tree, ...path: readonly string[]): Tree {
  return path.reduce((node: Tree, name) => (node.state === 'map' && node.entries.get(name)) || absent, root)
}

/** All nodes of a tree in the order of the file. */
export function nodesIn(root: Tree): Tree[] {
  const children = root.state === 'list' ? root.items : entriesOf(root).map(([, value]) => value)
  return [root, ...children.flatMap(nodesIn)]
}

/** The names in an entry of a map, if it is an intrinsic function that refers to something. */
export function namesIn(key: string, value: Tree): string[] {
  const [first = value] = itemsOf(value)
  const text = knownText(first) ?? ''
  if (key === 'Ref' || key === 'Fn::GetAtt') return [text]
  return key === 'Fn::Sub' ? Array.from(text.matchAll(/\$\{([^!}][^}]*)\}/g), ([, name]) => String(name)) : []
}

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

/** The error of JSON in the words of the JSON parser, because the parser of YAML expects something else. */
function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/ \(line \d+ column \d+\)/, '')
  }
}

interface Source {
  file: string
  isLinked: boolean
  lines: LineCounter
}

function positionOf({ file, isLinked, lines }: Source, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line, column: col, ...(isLinked ? { file } : {}) }
}

function toTree(file: string, text: string, isLinked: boolean): Tree {
  const source: Source = { file, isLinked, lines: new LineCounter() }
  const { errors, contents } = parseYaml(text, {
    version: '1.1',
    lineCounter: source.lines,
    // Of a key that occurs twice, CloudFormation and PyYAML use the last value. This parser would refuse it.
    uniqueKeys: false,
    prettyErrors: false,
  })
  // In a flow list, CloudFormation and PyYAML read a lone `-` as text: `!Join [-, [a, b]]`.
  const dash = errors.find(({ code, pos: [at] }) => code === 'BLOCK_IN_FLOW' && /^-[,\]}]/.test(text.slice(at, at + 2)))
  if (dash) return toTree(file, `${text.slice(0, dash.pos[0])}'-'${text.slice(dash.pos[0] + 1)}`, isLinked)
  const [error] = errors
  if (error) {
    const { code, message, pos } = error
    if (code === 'RESOURCE_EXHAUSTION') throw new RangeError(message)
    const what = code === 'MULTIPLE_DOCS' ? 'the file has more than one document' : message
    const said = isJson(text) ? `JSON: ${jsonError(text) ?? what}` : `YAML: ${what}`
    refuse(file, positionOf(source, pos[0]), `not valid ${said}`)
  }
  return convert(source, contents as ParsedNode | null, positionOf(source, 0))
}

function convert(source: Source, node: ParsedNode | null, position: Position): Tree {
  const value = convertUntagged(source, node, position)
  const { tag } = (node ?? {}) as { tag?: string }
  if (!tag?.startsWith('!')) return value
  // The short forms of CloudFormation. One that does not exist is a function that is not known.
  const name = ['!Ref', '!Condition'].includes(tag) ? tag.slice(1) : `Fn::${tag.slice(1)}`
  return { state: 'map', entries: new Map([[name, value]]), position }
}

function convertUntagged(source: Source, node: ParsedNode | null, position: Position): Tree {
  if (isAlias(node)) {
    const advice = 'write the value there, or check the output of "sam package" or "aws cloudformation package"'
    refuse(source.file, position, `CloudFormation does not accept aliases of YAML, such as *${node.source}: ${advice}`)
  }
  if (isSeq<ParsedNode>(node)) {
    const items = node.items.map((item) => convert(source, item, positionOf(source, item.range[0])))
    return { state: 'list', items, position }
  }
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const entries = node.items.map(({ key, value }): [string, Tree] => {
      const name = String(isScalar(key) ? key.source : key)
      return [name, convert(source, value, positionOf(source, key.range[0]))]
    })
    return { state: 'map', entries: new Map(entries), position }
  }
  const { value = null, source: written } = node ?? {}
  if (value === null) return { state: 'absent', position }
  // Dates stay as they are written. A dot is a number for the parser, but CodeUri means a folder. PyYAML and
  // CloudFormation read fewer words as booleans: `y` and `n` are texts.
  const isOther = !['number', 'boolean'].includes(typeof value) || Number.isNaN(value)
  const isText = isOther || /^[yn]$/i.test(String(written))
  return { state: 'known', value: isText ? String(written) : (value as Scalar), position }
}
