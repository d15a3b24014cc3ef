import { styleText } from 'node:util'
import Table from 'cli-table3'
import { createLogUpdate } from 'log-update'
import { widthOf, wrapWords } from '../../shared/wrap.ts'
import type { Ledger, Progress } from '../simulator/ledger.ts'

export function formatNumber(value: number) {
  return value.toLocaleString('en-US')
}

function formatSeconds(ms: number) {
  return `${(ms / 1000).toFixed(1)} s`
}

const BAR_WIDTH = 24

/**
 * A progress bar: the share of messages that are finished, or whose record has a result in a running batch. `total` is the number of messages that the run will send.
 */
function progressBar({ sent, processed, deadLettered, lost, filtered, finished }: Progress, total = sent): string {
  if (total === 0) return ''
  const share = Math.min(1, (processed + deadLettered + lost + filtered + finished) / total)
  const full = Math.round(share * BAR_WIDTH)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${String(Math.floor(share * 100)).padStart(3)} %\n`
}

function counts(progress: Progress): string[] {
  return [
    `sent ${formatNumber(progress.sent)}`,
    `in the queue ${formatNumber(Math.max(0, progress.remaining - progress.inFlight))}`,
    `in flight ${formatNumber(progress.inFlight)}${progress.finished > 0 ? ` (${formatNumber(progress.finished)} done)` : ''}`,
    `processed ${formatNumber(progress.processed)}`,
    `failed ${formatNumber(progress.failed)}`,
    `dead-lettered ${formatNumber(progress.deadLettered)}`,
    `${formatNumber(progress.perSecond)} records/s`,
  ]
}

/** Joins the parts to lines of at most `width` characters. Lines break only between parts. */
export function wrap(parts: readonly string[], width: number): string {
  return parts.reduce((text, part) => {
    const last = text.slice(text.lastIndexOf('\n') + 1)
    return last.length + part.length + 3 > width ? `${text}\n${part}` : `${text} · ${part}`
  })
}

/** The minimum number of milliseconds between two plain lines. */
const PLAIN_LINE_INTERVAL = 2000

/**
 * Shows the progress: text that updates itself on a terminal, otherwise a plain line at most every two seconds, if it
 * has changed. Other text must be printed with `log` or `print`, so that it does not overwrite the progress.
 */
export function openDisplay(stream: NodeJS.WriteStream, total?: number) {
  const live = stream.isTTY ? createLogUpdate(stream) : undefined
  let shown = ''
  let printedAt = Number.NEGATIVE_INFINITY
  /** On a terminal, shows `text`. Elsewhere, prints `plain` as a line. */
  function show(text: () => string, plain: () => string) {
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
  }
  /** Prints text as it is. */
  function print(text: string, to: NodeJS.WriteStream) {
    live?.clear()
    to.write(`${text}\n`)
    if (shown) live?.(shown)
  }
  return {
    show,
    progress(progress: Progress) {
      if (progress.sent + progress.delivered === 0) return // another program may not send messages for a long time
      show(
        () => progressBar(progress, total) + wrap(counts(progress), stream.columns),
        () => counts(progress).join(' · '),
      )
    },
    print,
    /** Prints lines, wrapped at words. */
    log(text: string, to: NodeJS.WriteStream = stream) {
      print(wrapWords(text, widthOf(to)), to)
    },
    end() {
      shown = ''
      live?.clear()
      live?.done()
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

const MAX_SHOWN = 10
/** The indentation of a line that follows from a break in a list. */
const HANGING = 4

/** A title, then one line for each text: how often it occurred, and the text. */
function listCounts(title: string, counts: Record<string, number>): string[] {
  const lines = Object.entries(counts).map(([text, count]) => `  ${formatNumber(count)} × ${text}`)
  if (lines.length === 0) return []
  const rest = lines.length - MAX_SHOWN
  if (rest <= 1) return [title, ...lines] // a single line takes no more room than "and 1 more"
  return [title, ...lines.slice(0, MAX_SHOWN), `  and ${rest} more`]
}

/** The rows of the table. A row with a zero is left out, except for the processed messages. */
function rowsOf(ledger: Ledger) {
  const { sentDeadLetters } = ledger
  const rows: [label: string, count: number | string, isBad?: boolean][] = [
    ['sent', ledger.sent],
    ['sent by the function to its own queue', ledger.sentByFunction],
    ['deleted by a filter', ledger.filtered],
    ['processed', ledger.processed],
    ['  of these, dead-lettered by the handler', sentDeadLetters],
    ['  of these, failed and dropped by onFailure', ledger.dropped, true],
    ['  of these, before an earlier message\n  of their message group', ledger.outOfOrder, true],
    [sentDeadLetters > 0 ? 'dead-lettered by the queue' : 'dead-lettered', ledger.deadLettered],
    ['  of these, no handler had thrown', ledger.deadLetteredWithoutError, true],
    ['processed, but also dead-lettered\n(visibility timeout expired)', ledger.expiredDeadLetters, true],
    ['remaining in the queue', ledger.remaining, true],
    ['lost', ledger.lost, true],
    ['records delivered', ledger.delivered],
    ['  redelivered', ledger.redelivered],
    ['invocations', ledger.invocations],
    ['  failed as a whole', ledger.failedInvocations, true],
    ['  timed out', ledger.timeouts, true],
    ['  crashed', ledger.crashes, true],
    ['  responded before their work ended', ledger.respondedEarly, true],
    ['  too slow for the CPU of Lambda', ledger.wouldTimeOut, true],
    ['wall time', formatSeconds(ledger.wallMs)],
    ['processed per second\n  from the first delivery\n  to the last processed message', ledger.perSecond],
  ]
  return rows.filter(([label, count]) => count !== 0 || label === 'processed')
}

/** The table, then why invocations and records failed. On a terminal, what went wrong is red. */
export function renderLedger(ledger: Ledger, stream?: NodeJS.WriteStream): string {
  const red = (text: string) => (stream ? styleText('red', text, { stream }) : text)
  const table = renderTable(
    rowsOf(ledger).map(([label, count, isBad]) => {
      const text = typeof count === 'number' ? formatNumber(count) : count
      return [label, isBad && count !== 0 ? red(text) : text] as const
    }),
  )
  const reasons = listCounts('Why invocations failed or processes died:', ledger.reasons)
  const causes = listCounts(
    'Why records failed (deliveries × error; errors that differ only in numbers or UUIDs are counted together):',
    ledger.causes,
  )
  return [
    table,
    ...[...reasons, ...causes].map((line) =>
      wrapWords(line, stream && widthOf(stream), line.startsWith(' ') ? HANGING : 0),
    ),
  ].join('\n')
}

/** The last line of a run. */
export function renderVerdict(
  reason: string | undefined,
  { processed, firstUnprocessed }: Pick<Ledger, 'processed' | 'firstUnprocessed'>,
  stream: NodeJS.WriteStream,
): string {
  if (reason === undefined) return `${styleText('green', 'passed:', { stream })} ${formatNumber(processed)} processed`
  const first = firstUnprocessed === undefined ? '' : `; the first unprocessed message is ${firstUnprocessed}`
  return `${styleText('red', 'failed:', { stream })} ${reason}${first}`
}
