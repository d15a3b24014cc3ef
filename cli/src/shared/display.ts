import Table from 'cli-table3'
import { widthOf, wrapWords } from './wrap.ts'

/** Writes lines in place of those that it wrote before. */
function rewriter(stream: NodeJS.WriteStream) {
  let lines = 0
  return (text: string) => {
    const up = lines > 0 ? `\x1b[${lines}A\x1b[J` : ''
    lines = text === '' ? 0 : text.split('\n').length
    stream.write(up + (lines > 0 ? `${text}\n` : ''))
  }
}

const PLAIN_LINE_INTERVAL = 2000

/**
 * Shows the progress: text that updates itself on a terminal, else a changed line at most every two seconds.
 * Other text must be printed with `log` or `print`, so that it does not overwrite the progress.
 */
export function openDisplay(stream: NodeJS.WriteStream) {
  const live = stream.isTTY ? rewriter(stream) : undefined
  let shown = ''
  let printedAt = Number.NEGATIVE_INFINITY
  function print(text: string, to: NodeJS.WriteStream) {
    live?.('')
    to.write(`${text}\n`)
    if (shown) live?.(shown)
  }
  return {
    /** On a terminal, shows `text`. Elsewhere, prints `plain` as a line. */
    show(text: () => string, plain: () => string) {
      if (live) {
        shown = text()
        live(shown)
      } else if (performance.now() - printedAt >= PLAIN_LINE_INTERVAL) {
        const line = plain()
        if (line === shown) return
        shown = line
        printedAt = performance.now()
        stream.write(`${line}\n`)
      }
    },
    print,
    /** Prints lines, wrapped at words. */
    log(text: string, to: NodeJS.WriteStream = stream) {
      print(wrapWords(text, widthOf(to)), to)
    },
    end() {
      shown = ''
      live?.('')
    },
  }
}

export type Display = ReturnType<typeof openDisplay>

/** A table: a column of labels, then columns of counts. */
export function renderTable(rows: readonly (readonly [label: string, ...counts: string[]])[]): string {
  const table = new Table({
    colAligns: ['left', ...Array(Math.max(...rows.map((row) => row.length)) - 1).fill('right')],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  table.push(...rows.map((row) => [...row]))
  return table.toString()
}
