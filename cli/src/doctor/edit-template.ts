import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml'

/** A change of the text of a template. Lines and columns are counted from 1. The end is not included. */
export interface Edit {
  startLine: number
  startColumn: number
  endLine: number
  endColumn: number
  text: string
}

type Map = YAMLMap.Parsed<ParsedNode, ParsedNode | null>

/** Writes a value on one line: a flow map or list in YAML, or JSON. */
export function inline(value: unknown, isJson: boolean): string {
  const toText = isJson ? JSON.stringify : String
  if (Array.isArray(value)) return `[${value.map((item) => inline(item, isJson)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return toText(value)
  const entries = Object.entries(value)
  const [attribute, ...more] = entries.map(([key, child]) => (key === 'Fn::GetAtt' ? (child as string[]) : undefined))
  if (!isJson && attribute && more.length === 0) return `!GetAtt ${attribute.join('.')}`
  return `{ ${entries.map(([key, child]) => `${toText(key)}: ${inline(child, isJson)}`).join(', ')} }`
}

/** The text of a key. Undefined if the key is a map or a list. */
function nameOf({ key }: Pair<ParsedNode, ParsedNode | null>): string | undefined {
  return isScalar(key) ? key.source : undefined
}

/** The offset after the last character of a node. Block collections do not end where the parser says. */
function endOf(node: ParsedNode): number {
  if (isMap(node) && !node.flow) {
    const last = node.items.at(-1) as Pair<ParsedNode, ParsedNode | null>
    return endOf(last.value ?? last.key)
  }
  return isSeq(node) && !node.flow ? endOf(node.items.at(-1) as ParsedNode) : node.range[1]
}

/** Whether a map is a call of an intrinsic function, beside which nothing can be added. */
function isCall(map: Map): boolean {
  const [only, ...more] = map.items
  const isNamed = only && more.length === 0 && /^(Fn::|Ref$|Condition$)/.test(String(nameOf(only)))
  return map.tag?.startsWith('!') || isNamed === true
}

/** Makes edits of a template in YAML or JSON. */
export function createEditor(text: string) {
  const isJson = text.trimStart().startsWith('{')
  const lines = new LineCounter()
  const document = parseDocument(text, { version: '1.1', lineCounter: lines })

  function toEdit(start: number, end: number, inserted: string): Edit {
    const [from, to] = [lines.linePos(start), lines.linePos(end)]
    return { startLine: from.line, startColumn: from.col, endLine: to.line, endColumn: to.col, text: inserted }
  }

  function replace(pair: Pair<ParsedNode, ParsedNode | null>, value: unknown): Edit {
    const { key } = pair
    const end = text.slice(0, endOf(pair.value ?? key)).trimEnd().length
    return toEdit(key.range[0], end, `${text.slice(key.range[0], key.range[1])}: ${inline(value, isJson)}`)
  }

  function insert(map: Map, name: string, value: unknown): Edit {
    const entry = `${isJson ? JSON.stringify(name) : name}: ${inline(value, isJson)}`
    const [first] = map.items
    if (!first) return toEdit(map.range[0] + 1, map.range[0] + 1, map.flow ? ` ${entry} ` : entry)
    const offset = first.key.range[0]
    const before = text.slice(text.lastIndexOf('\n', offset) + 1, offset)
    const isOnOwnLine = before.trim() === '' || !map.flow
    const comma = map.flow ? ',' : ''
    const separator = isOnOwnLine ? `\n${' '.repeat(before.length)}` : ' '
    return toEdit(offset, offset, `${entry}${comma}${separator}`)
  }

  /** Sets the value at a path of keys. Undefined if that is not possible with one edit. */
  return function edit(path: readonly string[], value: unknown): Edit | undefined {
    let map = document.contents as ParsedNode | null
    for (const [index, name] of path.entries()) {
      if (!isMap(map) || isAlias(map) || isCall(map as Map)) return undefined
      const pair = (map as Map).items.find((each) => nameOf(each) === name)
      const rest = path.slice(index + 1)
      const nested = rest.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
      if (!pair) return insert(map as Map, name, nested)
      const isEmpty = pair.value === null || (isScalar(pair.value) && pair.value.value === null)
      if (rest.length === 0 || isEmpty) return replace(pair, nested)
      map = pair.value
    }
    return undefined
  }
}
