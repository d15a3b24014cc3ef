/** A comment, a text or a regular expression begins at one of these characters. */
const BEGINNINGS = /["'`/]/g
/** A slash after one of these begins a regular expression. After a value, it divides. */
const REGULAR_EXPRESSION = /(?<=[=(,:;!&|?{}[\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//y
const ENDINGS = {
  '"': /(?:\\[\s\S]|[^"\\\n])*"/y,
  "'": /(?:\\[\s\S]|[^'\\\n])*'/y,
  '`': /(?:\\[\s\S]|[^`\\])*`/y,
}
type Quote = keyof typeof ENDINGS
/** The text after these names a module. */
const NAMES_MODULE = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*$/
/** The text before these is a key of an object. */
const AFTER_KEY = /\s*[:\]]/y

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : -1
}

/** The end of the comment, text or regular expression at a position. -1 if there is none. */
function endAt(text: string, at: number, unclosed: Map<string, number>): number {
  const first = text[at] as Quote | '/'
  if (first === '/') {
    const isBlock = text[at + 1] === '*'
    if (!isBlock && text[at + 1] !== '/') return endOf(REGULAR_EXPRESSION, text, at)
    const end = isBlock ? text.indexOf('*/', at + 2) + 2 : text.indexOf('\n', at)
    return end < (isBlock ? 2 : 0) ? text.length : end
  }
  if (at < (unclosed.get(first) ?? 0)) return -1
  const end = endOf(ENDINGS[first], text, at + 1)
  // Up to the end of the line, no quote of this kind closes a text. Searching from each of them would take
  // too long.
  if (end === -1) unclosed.set(first, first === '`' ? text.length : (text.indexOf('\n', at) + 1 || text.length + 1) - 1)
  return end
}

/** JavaScript or TypeScript without comments and texts. Keys of objects and names of modules stay. */
export function withoutCommentsAndTexts(text: string): string {
  const unclosed = new Map<string, number>()
  let code = ''
  let copied = 0
  BEGINNINGS.lastIndex = 0
  for (let found = BEGINNINGS.exec(text); found; found = BEGINNINGS.exec(text)) {
    const { index } = found
    const end = endAt(text, index, unclosed)
    if (end === -1) continue
    BEGINNINGS.lastIndex = end
    const isName = found[0] !== '/' && NAMES_MODULE.test(text.slice(Math.max(0, index - 20), index))
    if (isName || (found[0] !== '/' && endOf(AFTER_KEY, text, end) !== -1)) continue
    code += `${text.slice(copied, index)} `
    copied = end
  }
  return code + text.slice(copied)
}
