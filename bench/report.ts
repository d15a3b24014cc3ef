// Tables of what was measured, made from the results alone.
import Table from 'cli-table3'
import { PRICES } from './features.ts'
import { DESCRIPTORS, type HttpCase } from './http.ts'
import { FLOOR, OURS, UNBOUNDED } from './peers.ts'
import type { Part, Results } from './results.ts'
import { ratio, type Samples, type Spread, spread, undisturbed } from './rounds.ts'
import { CORE } from './start.ts'
import { verdicts } from './targets.ts'

/** All cells but the first of a row stand on the right. */
export interface Sheet {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export const count = (value: number) => value.toLocaleString('en')
export const figure = (value: number) => {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100 ? count(Math.round(value)) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
/** Quartiles where there are any. */
const range = ({ low, high }: Spread) => (low === high ? '' : `${figure(low)} – ${figure(high)}`)
const median = (values: readonly number[] | undefined) => figure(spread(values ?? []).median)
const ratioTo = (samples: Samples, name: string, other: string) => figure(ratio(samples[name], samples[other]).median)

export function targetSheet(results: Results, isShort = false): Sheet {
  return {
    title: 'Targets',
    head: ['', 'median ratio', 'quartiles', 'undisturbed', 'at most', ''],
    rows: verdicts(results, isShort).map(({ title, ratios, undisturbed, limit, isMet }) => [
      title,
      figure(ratios.median),
      range(ratios),
      figure(undisturbed),
      String(limit),
      isMet ? 'met' : 'missed',
    ]),
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
          ...names.map((name) => [name, ...cases.map(({ samples }) => median(samples[name]))]),
          ...['Powertools', 'Middy idiom', FLOOR].map((other) => [
            `${OURS} ÷ ${other}`,
            ...cases.map(({ samples }) => ratioTo(samples, OURS, other)),
          ]),
        ],
      },
    ]
  },

  features({ samples }) {
    const rows = PRICES.map((price) => {
      const { feature, with: name, without: other } = price
      const difference = spread((samples[name] ?? []).map((value, round) => value - (samples[other]?.[round] ?? 0)))
      return [feature, median(samples[name]), other, median(samples[other]), figure(difference.median)]
    })
    return [
      {
        title: 'What a feature costs: microseconds a record, batches of 10,000 records that do nothing',
        head: ['', 'with', 'compared with', 'that', 'difference'],
        rows,
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
          median(values),
          range(spread(values)),
          ratioTo(samples, name, 'Powertools'),
        ]),
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
          median(bytes.map((value) => value / 1e6)),
          ratioTo(samples, name, 'Powertools'),
        ]),
      },
    ]
  },

  start({ installed, bundled, sizes }) {
    const cells = (samples: Samples, name: string) => {
      const ms = undisturbed(samples[name])
      return [figure(ms), figure(ms - undisturbed(samples[CORE]))]
    }
    return [
      {
        title: 'Start of a whole process that makes a handler: milliseconds, tenth percentile; bundles of esbuild, kB',
        head: ['', 'node_modules', 'beyond core', 'bundle', 'beyond core', 'minified', 'gzipped'],
        rows: Object.entries(sizes).map(([name, { minified, gzipped }]) => [
          name,
          ...cells(installed, name),
          ...cells(bundled, name),
          figure(minified / 1_000),
          figure(gzipped / 1_000),
        ]),
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
    median(seconds),
    range(spread(seconds)),
    median(outcomes.map(({ cpuSeconds }) => cpuSeconds)),
    String(Math.round(spread(outcomes.map(({ peakRssMb }) => peakRssMb)).median)),
    count(spread(outcomes.map(({ peakSockets }) => peakSockets)).median),
  ]
}

/** No ratio to work that was not done. */
function overFloor({ outcomes }: HttpCase, cases: readonly HttpCase[]): string {
  const floor = cases.find(({ peer }) => peer === FLOOR)?.outcomes ?? []
  const times = (found: HttpCase['outcomes']) => found.map(({ ms }) => ms)
  return outcomes.some(({ failed }) => failed > 0) ? '' : figure(ratio(times(outcomes), times(floor)).median)
}

/** Records that succeeded. */
export function perSecond({ records, outcomes }: HttpCase): number {
  return spread(outcomes.map(({ failed, ms }) => (1_000 * (records - failed)) / ms)).median
}

export function sheets(results: Results, parts: readonly Part[]): Sheet[] {
  return parts.flatMap((part) => {
    const result = results[part]
    return result ? (sheetsOf[part] as (result: unknown) => Sheet[])(result) : []
  })
}

export function toTerminal({ title, head, rows }: Sheet): string {
  const colAligns = head.map((_, column) => (column === 0 ? 'left' : 'right') as 'left' | 'right')
  const noLines = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }
  const table = new Table({ head: [...head], colAligns, chars: noLines, style: { head: [], border: [] } })
  table.push(...rows.map((row) => [...row]))
  return `\n${title}\n${table}`
}

export function toMarkdown({ title, head, rows }: Sheet): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ')
  const body = rows.map((row) => line(row[0] === OURS ? row.map((cell) => cell && `**${cell}**`) : row))
  return [`${title}:`, '', line(head), line(head.map((_, column) => (column ? '---:' : '---'))), ...body].join('\n')
}
