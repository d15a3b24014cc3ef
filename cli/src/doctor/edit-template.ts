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
  if (isJson)
    return JSON.stringify(value)
      .replaceAll(/([:,])(?=["[{\d])/g, '$1 ')
      .replaceAll(/([{])(?=")/g, '$1 ')
      .replaceAll(/(?<=[\]}"\d])}/g, ' }')
  if (Array.isArray(value)) return `[${value.map((item) => inline(item, false)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const [[key = '', first] = [], ...more] = Object.entries(value)
  if (key === 'Fn::GetAtt' && more.length === 0) return `!GetAtt ${(first as string[]).join('.')}`
  return `{ ${Object.entries(value)
    .map(([name, child]) => `${name}: ${inline(child, false)}`)
    .join(', ')} }`
}

function nameOf({ key }: Pair<ParsedNode, ParsedNode | null>): string {
  return isScalar(key) ? (key.source ?? String(key.value)) : ''
}

/** The offset after the last character of a node. Block collections do not end where the parser says. */
function endOf(node: ParsedNode | null, fallback: number): number {
  if (node === null) return fallback
  if (isMap(node) && !node.flow) {
    const last = node.items.at(-1) as Pair<ParsedNode, ParsedNode | null> | undefined
    return last ? endOf(last.value, last.key.range[1]) : fallback
  }
  if (isSeq(node) && !node.flow) return endOf((node.items.at(-1) as ParsedNode | undefined) ?? null, fallback)
  return node.range[1]
}

/** Whether a map is a call of an intrinsic function, beside which nothing can be added. */
function isCall(map: Map): boolean {
  return (
    map.tag?.startsWith('!') ||
    map.items.some((pair) => /^(Fn::|Ref$|Condition$)/.test(nameOf(pair)) && map.items.length === 1)
  )
}

/** Makes edits of a template in YAML or JSON. */
export function createEditor(text: string) {
  const isJson = text.trimStart().startsWith('{')
  const lines = new LineCounter()
  const document = parseDocument(text, { version: '1.1', lineCounter: lines, uniqueKeys: false, logLevel: 'silent' })

  function toEdit(start: number, end: number, inserted: string): Edit {
    const [from, to] = [lines.linePos(start), lines.linePos(end)]
    return { startLine: from.line, startColumn: from.col, endLine: to.line, endColumn: to.col, text: inserted }
  }

  function replace(pair: Pair<ParsedNode, ParsedNode | null>, value: unknown): Edit {
    const { key } = pair
    const end = endOf(pair.value, key.range[1] + (isJson ? 0 : 1))
    const trimmed = end - (/\s*$/.exec(text.slice(0, end))?.[0].length ?? 0)
    return toEdit(key.range[0], trimmed, `${text.slice(key.range[0], key.range[1])}: ${inline(value, isJson)}`)
  }

  function insert(map: Map, name: string, value: unknown): Edit {
    const entry = `${isJson ? JSON.stringify(name) : name}: ${inline(value, isJson)}`
    const [first] = map.items
    if (!first) return toEdit(map.range[0] + 1, map.range[0] + 1, map.flow ? ` ${entry} ` : entry)
    const offset = first.key.range[0]
    const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
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
