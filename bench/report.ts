// Tables of what was measured, made from the results alone.
import Table from 'cli-table3'
import { PRICES } from './features.ts'
import { DESCRIPTORS, type HttpCase } from './http.ts'
import { FLOOR, OURS, UNBOUNDED } from './peers.ts'
import type { Part, Results } from './results.ts'
import { median, type Ratio, ratio, type Samples, type Spread, spread } from './rounds.ts'
import { verdicts } from './targets.ts'

/** All cells but the first of a row stand on the right. */
export interface Sheet {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What the head does not say. */
  readonly note: string
}

export const count = (value: number) => value.toLocaleString('en')
export const figure = (value: number) => {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) < 0.005) return '0.00' // and not -0.00
  return Math.abs(value) >= 100 ? count(Math.round(value)) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
/** Quartiles where there are any. */
const range = ({ low, high }: Spread | Ratio) => (low === high ? '' : `${figure(low)} – ${figure(high)}`)
const typical = (values: readonly number[] | undefined) => figure(median(values))
const ratioTo = (samples: Samples, name: string, other: string) => figure(ratio(samples[name], samples[other]).value)

export function targetSheet(results: Results, isShort = false): Sheet {
  return {
    title: 'Targets',
    head: ['', 'ratio', 'quartiles', ...(isShort ? ['fastest rounds'] : []), 'at most', ''],
    rows: verdicts(results, isShort).map(({ title, ratio, ratioOfLeast, limit, isMet }) => [
      title,
      figure(ratio.value),
      range(ratio),
      ...(isShort ? [figure(ratioOfLeast)] : []),
      String(limit),
      isMet ? 'met' : 'missed',
    ]),
    note:
      'A ratio is that of the medians of one run; its quartiles are those of the ratios that the single rounds gave.' +
      (isShort ? ' In a short run, the ratio of the fastest rounds will do as well.' : ''),
  }
}

type SheetsOf = { [P in Part]: (result: NonNullable<Results[P]>) => Sheet[] }

const sheetsOf: SheetsOf = {
  overhead({ cases }) {
    const names = Object.keys(cases[0]?.samples ?? {})
    const title = ({ size, failEvery }: (typeof cases)[number]) =>
      `${count(size)}${failEvery > 0 ? `, ${100 / failEvery} % failing` : ''}`
    return [
      {
        title: 'Microseconds a record that does nothing, by batch size',
        head: ['', ...cases.map(title)],
        rows: [
          ...names.map((name) => [name, ...cases.map(({ samples }) => typical(samples[name]))]),
          ...['Powertools', 'Middy idiom', FLOOR].map((other) => [
            `${OURS} ÷ ${other}`,
            ...cases.map(({ samples }) => ratioTo(samples, OURS, other)),
          ]),
        ],
        note:
          'Medians of batches one after another, concurrency 100 where there is a bound; each peer has a process of its ' +
          'own. The last rows divide the medians above them.',
      },
    ]
  },

  features({ samples }) {
    const rows = PRICES.map((price) => {
      const { feature, with: name, without: other } = price
      const difference = median(samples[name]) - median(samples[other])
      return [feature, typical(samples[name]), other, typical(samples[other]), figure(difference)]
    })
    return [
      {
        title: 'What a feature costs: microseconds a record, batches of 10,000 records that do nothing',
        head: ['', 'with', 'compared with', 'that', 'difference'],
        rows,
        note: 'Medians. Each feature is compared with the same batch without it, in the same process.',
      },
    ]
  },

  http({ cases }) {
    const at100 = cases.filter(({ concurrency }) => concurrency === 100)
    const others = cases
      .filter(({ peer }) => peer === OURS)
      .toSorted((a, b) => b.client.localeCompare(a.client) || a.concurrency - b.concurrency)
    const sheets = Map.groupBy(at100, ({ client }) => client)
    return [
      ...Array.from(sheets, ([client, found]) => ({
        title: `10,000 records × 10 ms HTTP with ${client}, ${count(DESCRIPTORS)} descriptors, concurrency 100`,
        head: ['', ...HTTP_HEAD, '÷ bare loop'],
        rows: found.map((peer) => [
          UNBOUNDED.includes(peer.peer) ? `${peer.peer} (no bound)` : peer.peer,
          ...httpCells(peer),
          overFloor(peer, found),
        ]),
        note:
          'Medians of runs, each in a process of its own; what failed is that of the run in the middle. There is no ratio ' +
          'to work that was not done.',
      })),
      {
        title: `${OURS} over concurrency (500 records at 1)`,
        head: ['concurrency', 'client', 'records/s', ...HTTP_HEAD],
        rows: others.map((found) => [
          count(found.concurrency),
          found.client,
          count(Math.round(perSecond(found))),
          ...httpCells(found),
        ]),
        note: 'As above; records a second are those that succeeded.',
      },
    ]
  },

  fifo({ samples }) {
    return [
      {
        title: 'FIFO, 10 records of 10 ms over 10 message groups',
        head: ['', 'ms a batch', 'quartiles', '÷ Powertools'],
        rows: Object.entries(samples).map(([name, values]) => [
          name,
          typical(values),
          range(spread(values)),
          ratioTo(samples, name, 'Powertools'),
        ]),
        note: "Powertools' FIFO processor handles one record after another, of whatever group.",
      },
    ]
  },

  heap({ samples }) {
    return [
      {
        title: 'Heap in the middle of a batch of 10,000, after a collection, over the event',
        head: ['', 'MB', '÷ Powertools'],
        rows: Object.entries(samples).map(([name, bytes]) => [
          name,
          typical(bytes.map((value) => value / 1e6)),
          ratioTo(samples, name, 'Powertools'),
        ]),
        note: 'Medians; each peer in a process of its own, when half of the handlers have ended. The event is no part of it.',
      },
    ]
  },

  start({ imported, installed, bundled, sizes }) {
    return [
      {
        title: 'Start, in milliseconds, and size of a bundle by esbuild, in kilobytes',
        head: ['', 'import beyond core', 'process, node_modules', 'process, bundle', 'minified', 'gzipped'],
        rows: Object.entries(sizes).map(([name, { minified, gzipped }]) => [
          name,
          ...[imported, installed, bundled].map((samples) => typical(samples?.[name])),
          figure(minified / 1_000),
          figure(gzipped / 1_000),
        ]),
        note:
          'Medians. A file that makes a handler with it: imported from node_modules where @middy/core is loaded already, ' +
          'and run as a process of its own, which loads @middy/core too.',
      },
    ]
  },
}

const HTTP_HEAD = ['failed', 'by code', 'seconds', 'quartiles', 'CPU s', 'peak MB', 'peak sockets']

function httpCells({ outcomes }: HttpCase): string[] {
  const byFailed = outcomes.toSorted((a, b) => a.failed - b.failed)
  const round = byFailed[byFailed.length >> 1]
  const codes = Object.entries(round?.codes ?? {}).map(([code, times]) => `${code} ${count(times)}`)
  const seconds = outcomes.map(({ ms }) => ms / 1_000)
  return [
    count(round?.failed ?? Number.NaN),
    codes.join(', '),
    typical(seconds),
    range(spread(seconds)),
    typical(outcomes.map(({ cpuSeconds }) => cpuSeconds)),
    String(Math.round(median(outcomes.map(({ peakRssMb }) => peakRssMb)))),
    count(median(outcomes.map(({ peakSockets }) => peakSockets))),
  ]
}

function overFloor({ outcomes }: HttpCase, cases: readonly HttpCase[]): string {
  const floor = cases.find(({ peer }) => peer === FLOOR)?.outcomes ?? []
  const times = (found: HttpCase['outcomes']) => found.map(({ ms }) => ms)
  return outcomes.some(({ failed }) => failed > 0) ? '' : figure(ratio(times(outcomes), times(floor)).value)
}

/** Records that succeeded. */
export function perSecond({ records, outcomes }: HttpCase): number {
  return median(outcomes.map(({ failed, ms }) => (1_000 * (records - failed)) / ms))
}

export function sheets(results: Results, parts: readonly Part[]): Sheet[] {
  return parts.flatMap((part) => {
    const result = results[part]
    return result ? (sheetsOf[part] as (result: unknown) => Sheet[])(result) : []
  })
}

export function toTerminal({ title, head, rows, note }: Sheet): string {
  const colAligns = head.map((_, column) => (column === 0 ? 'left' : 'right') as 'left' | 'right')
  const noLines = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }
  const table = new Table({ head: [...head], colAligns, chars: noLines, style: { head: [], border: [] } })
  table.push(...rows.map((row) => [...row]))
  return `\n${title}\n${table}\n${note}`
}

export function toMarkdown({ title, head, rows, note }: Sheet): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ')
  const body = rows.map((row) => line(row[0] === OURS ? row.map((cell) => cell && `**${cell}**`) : row))
  return [
    `${title}:`,
    '',
    line(head),
    line(head.map((_, column) => (column ? '---:' : '---'))),
    ...body,
    '',
    note,
  ].join('\n')
}
