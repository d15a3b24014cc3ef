import { stripVTControlCharacters } from 'node:util'

/** The narrowest width that is used, and the widest, which lines of text do not exceed on wide terminals. */
const MIN_WIDTH = 60
const MAX_WIDTH = 120

/** The width for text on a terminal. Undefined elsewhere: programs that read lines expect whole ones. */
export function widthOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? Math.max(MIN_WIDTH, Math.min(stream.columns, MAX_WIDTH)) : undefined
}

/**
 * Breaks the lines of a text between words. Lines that follow from a break get the indentation of their
 * line and `hanging` more. Words that are longer than a line stay whole, so that a terminal can open links.
 */
export function wrapWords(text: string, width: number | undefined, hanging = 0): string {
  if (width === undefined) return text
  return text
    .split('\n')
    .map((line) => wrapLine(line, width, hanging))
    .join('\n')
}

function wrapLine(line: string, width: number, hanging: number): string {
  const length = (part: string) => stripVTControlCharacters(part).length
  const indentation = /^ */.exec(line)?.[0] ?? ''
  const [first = '', ...words] = line.slice(indentation.length).split(' ')
  const lines = [indentation + first]
  for (const word of words) {
    const last = lines.at(-1) ?? ''
    if (length(last) + 1 + length(word) <= width) lines[lines.length - 1] = `${last} ${word}`
    else if (word !== '') lines.push(indentation + ' '.repeat(hanging) + word)
  }
  return lines.map((one) => one.trimEnd()).join('\n')
}
