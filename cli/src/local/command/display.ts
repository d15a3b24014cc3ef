import { styleText } from 'node:util'
import { type Display, renderTable } from '../../shared/display.ts'
import { countOf, formatNumber } from '../../shared/format.ts'
import { widthOf, wrapWords } from '../../shared/wrap.ts'
import type { Ledger, Progress } from '../account/ledger.ts'

/** Shows the counts of a run, once something was sent or delivered. Until then, there may be nothing for long. */
export function showProgress(display: Display, progress: Progress, stream: NodeJS.WriteStream) {
  if (progress.sent + progress.delivered === 0) return
  const line = [
    `sent ${formatNumber(progress.sent)}`,
    `in the queue ${formatNumber(Math.max(0, progress.remaining - progress.inFlight))}`,
    `in flight ${formatNumber(progress.inFlight)}`,
    `processed ${formatNumber(progress.processed)}`,
    `failed ${formatNumber(progress.failed)}`,
    `dead-lettered ${formatNumber(progress.deadLettered)}`,
    `${formatNumber(progress.perSecond)} records/s`,
  ].join(' · ')
  display.show(
    () => wrapWords(line, stream.columns),
    () => line,
  )
}

/** A title, then one line for each text: how often it occurred, and the text. */
function listCounts(title: string, counts: Record<string, number>): string[] {
  const lines = Object.entries(counts).map(([text, count]) => `  ${formatNumber(count)} × ${text}`)
  return lines.length === 0 ? [] : [title, ...lines]
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
    ['  of these, failed with their whole batch\n  or did not start', ledger.deadLetteredWithoutError, true],
    ['  of these, came back from the function\n  16 times', ledger.stoppedLoops, true],
    ['processed, but also dead-lettered\n(visibility timeout expired)', ledger.expiredDeadLetters, true],
    ['remaining in the queue', ledger.remaining, true],
    ['lost', ledger.lost, true],
    ['records delivered', ledger.delivered],
    ['  redelivered', ledger.redelivered],
    ['invocations', ledger.invocations],
    ['  failed as a whole', ledger.failedInvocations, true],
    ['  timed out', ledger.timeouts, true],
    ['  crashed', ledger.crashes, true],
    ['  returned a list of failures that\n  Lambda does not read', ledger.ignoredLists, true],
    ['  responded before their work ended', ledger.respondedEarly, true],
    ['  too slow for the CPU of Lambda', ledger.wouldTimeOut, true],
    ['processes', ledger.processes],
    ['wall time', `${(ledger.wallMs / 1000).toFixed(1)} s`],
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
  const causes = listCounts('Why records failed (deliveries × error):', ledger.causes)
  return [
    table,
    ...[...reasons, ...causes].map((line) => wrapWords(line, stream && widthOf(stream), line.startsWith(' ') ? 4 : 0)),
  ].join('\n')
}

export function renderVerdict(
  reason: string | undefined,
  { processed, firstUnprocessed: first, invocations, processes }: Ledger,
  stream: NodeJS.WriteStream,
): string {
  const where = `in ${countOf(invocations, 'invocation')} of ${formatNumber(processes)} process${processes === 1 ? '' : 'es'}`
  if (reason === undefined)
    return `${styleText('green', 'passed:', { stream })} ${formatNumber(processed)} processed ${where}`
  const message = first ? `; the first unprocessed message is ${first}` : ''
  return `${styleText('red', 'failed:', { stream })} ${reason}${message}`
}
