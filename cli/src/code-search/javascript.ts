/** A slash after one of these begins a regular expression. After a value, it divides. */
const BEFORE_PATTERN = String.raw`(?<=[=(,:;!&|?{}[\n]\s*)`
/** Comments, regular expressions and texts. One without an end goes up to the end of the line or of the code. */
const PARTS = new RegExp(
  [
    String.raw`\/\*[\s\S]*?(?:\*\/|$)`,
    String.raw`\/\/[^\n]*`,
    String.raw`${BEFORE_PATTERN}\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/`,
    String.raw`(["'])(?:\\[\s\S]|(?!\1)[^\\\n])*(\1?)`,
    '`(?:\\\\[\\s\\S]|[^`\\\\])*(`?)',
  ].join('|'),
  'g',
)
/** The text after these names a module. */
const NAMES_MODULE = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*$/
/** The text before these is a key of an object. */
const AFTER_KEY = /\s*[:\]]/y

/** JavaScript or TypeScript without comments and texts. Keys of objects and names of modules stay. */
export function withoutCommentsAndTexts(text: string): string {
  return text.replace(PARTS, (part, _quote, end, endOfTemplate, at: number) => {
    if (part.startsWith('/')) return ' '
    const isClosed = Boolean(end || endOfTemplate)
    AFTER_KEY.lastIndex = at + part.length
    const isKey = AFTER_KEY.test(text)
    return !isClosed || isKey || NAMES_MODULE.test(text.slice(Math.max(0, at - 20), at)) ? part : ' '
  })
}
