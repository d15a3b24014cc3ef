import { Help } from 'commander'

/** The narrowest width that is used, and the widest, which lines of text do not exceed on wide terminals. */
const MIN_WIDTH = 60
const MAX_WIDTH = 120

/** The width for text on a terminal. Undefined elsewhere: programs that read lines expect whole ones. */
export function widthOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? Math.max(MIN_WIDTH, Math.min(stream.columns, MAX_WIDTH)) : undefined
}

const help = new Help()

/**
 * Breaks the lines of a text between words. Lines that follow from a break get the indentation of their
 * line and `hanging` more. Words that are longer than a line stay whole, so that a terminal can open links.
 */
export function wrapWords(text: string, width: number | undefined, hanging = 0): string {
  if (width === undefined) return text
  const lines = text.split('\n').map((line) => {
    const indentation = ' '.repeat(line.length - line.trimStart().length + hanging)
    return help.boxWrap(line, width - indentation.length).replaceAll('\n', `\n${indentation}`)
  })
  return lines.join('\n')
}
