import Table from 'cli-table3'
import { createLogUpdate } from 'log-update'
import type { Ledger, Progress } from './ledger.ts'

export function number(value: number) {
  return value.toLocaleString('en-US')
}

function seconds(ms: number) {
  return `${(ms / 1000).toFixed(1)} s`
}

const BAR = 24

/** The share of the messages that are done; `total` if more are yet to be sent. */
function bar({ sent, processed, deadLettered, lost }: Progress, total = sent): string {
  if (total === 0) return ''
  const share = Math.min(1, (processed + deadLettered + lost) / total)
  const full = Math.round(share * BAR)
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${String(Math.floor(share * 100)).padStart(3)} %\n`
}

function counts(progress: Progress): string[] {
  return [
    `sent ${number(progress.sent)}`,
    `in the queue ${number(Math.max(0, progress.remaining - progress.inFlight))}`,
    `in flight ${number(progress.inFlight)}`,
    `processed ${number(progress.processed)}`,
    `failed ${number(progress.failed)}`,
    `dead-lettered ${number(progress.deadLettered)}`,
    `${number(progress.perSecond)} records/s`,
  ]
}

/** Parts joined into as many lines as the width asks for; none is broken in the middle. */
function wrap(parts: readonly string[], width: number): string {
  return parts.reduce((text, part) => {
    const last = text.slice(text.lastIndexOf('\n') + 1)
    return last.length + part.length + 3 > width ? `${text}\n${part}` : `${text} · ${part}`
  })
}

/** Milliseconds between plain lines. */
const PLAIN_EVERY = 2000

/** A live line on a terminal, a plain line every other second elsewhere. Text printed through `log` does not disturb it. */
export function openDisplay(stream: NodeJS.WriteStream, total?: number) {
  const live = stream.isTTY ? createLogUpdate(stream) : undefined
  let shown = ''
  let printed = Number.NEGATIVE_INFINITY
  return {
    progress(progress: Progress) {
      if (live) {
        shown = bar(progress, total) + wrap(counts(progress), stream.columns)
        live(shown)
      } else if (performance.now() - printed >= PLAIN_EVERY) {
        printed = performance.now()
        stream.write(`${counts(progress).join(' · ')}\n`)
      }
    },
    log(text: string, to: NodeJS.WritableStream = stream) {
      live?.clear()
      to.write(`${text}\n`)
      if (shown) live?.(shown)
    },
    end() {
      shown = ''
      live?.clear()
      live?.done()
    },
  }
}

export type Display = ReturnType<typeof openDisplay>

/** A two-column table: what was counted, and how many. */
export function renderTable(rows: readonly (readonly [string, string])[]): string {
  const table = new Table({
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  table.push(...rows.map((row) => [...row]))
  return table.toString()
}

const SHOWN = 10

/** Texts and how often each came, under a title. */
function listCounts(title: string, counts: Record<string, number>): string[] {
  const lines = Object.entries(counts).map(([text, count]) => `  ${number(count)} × ${text}`)
  const rest = lines.length - SHOWN
  const more = rest > 0 ? [`  and ${rest} more ${rest === 1 ? 'kind' : 'kinds'}`] : []
  return lines.length === 0 ? [] : [title, ...lines.slice(0, SHOWN), ...more]
}

export function renderLedger(ledger: Ledger): string {
  const table = renderTable([
    ['sent', number(ledger.sent)],
    ['processed', number(ledger.processed)],
    ...(ledger.sentDeadLetters > 0
      ? [['  dead-lettered by the handler', number(ledger.sentDeadLetters)] as const]
      : []),
    ['dead-lettered', number(ledger.deadLettered)],
    ['remaining in the queue', number(ledger.remaining)],
    ['lost', number(ledger.lost)],
    ['records delivered', number(ledger.delivered)],
    ['  again', number(ledger.redelivered)],
    ['invocations', number(ledger.invocations)],
    ['  failed as a whole', number(ledger.failedInvocations)],
    ['  timed out', number(ledger.timeouts)],
    ['  crashed', number(ledger.crashes)],
    ['wall time', seconds(ledger.wallMs)],
    ['processed a second', number(ledger.perSecond)],
  ])
  const reasons = listCounts('Why invocations failed or processes died:', ledger.reasons)
  const causes = listCounts('Why records failed, by deliveries:', ledger.causes)
  return [table, ...reasons, ...causes].join('\n')
}
