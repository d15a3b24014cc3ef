// Pictures of what was measured, made from the results alone.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { GO } from './go.ts'
import { DESCRIPTORS, type HttpCase, records } from './http.ts'
import { FLOOR, OURS, UNBOUNDED } from './peers.ts'
import { count, figure, perSecond } from './report.ts'
import { directory, type Results } from './results.ts'
import { median } from './rounds.ts'

const FONT = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif'
const INK = '#24292f'
const FADED = '#57606a'
const FAINT = '#d0d7de'
const BLUE = '#0969da'
const ORANGE = '#bc4c00'

/** White behind everything: a page may be dark. */
const LOOK: Pick<TopLevelSpec, 'background' | 'padding' | 'config'> = {
  background: 'white',
  padding: 16,
  config: {
    font: FONT,
    axis: { labelFontSize: 12, titleFontSize: 12, labelColor: INK, titleColor: INK, titleFontWeight: 'normal' },
    axisX: { gridColor: '#eaeef2', domainColor: FAINT, tickColor: FAINT },
    axisY: { gridColor: '#eaeef2', domainColor: FAINT, tickColor: FAINT },
    title: { fontSize: 15, subtitleFontSize: 12, color: INK, subtitleColor: FADED, anchor: 'start', offset: 14 },
    header: { labelFontSize: 13, labelColor: INK, labelFontWeight: 'bold' },
    text: { fontSize: 12, color: INK },
    view: { stroke: null },
  },
}

export async function drawCharts({ overhead, http }: Results): Promise<void> {
  const specs = {
    ...(overhead && { 'cost-per-record': costPerRecord(overhead) }),
    ...(http && { 'http-over-concurrency': httpOverConcurrency(http) }),
  }
  await Promise.all(
    Object.entries(specs).map(async ([name, spec]) => {
      const svg = await new View(parse(compile({ ...LOOK, ...spec } as TopLevelSpec).spec)).toSVG()
      await writeFile(join(directory, `${name}.svg`), `${svg}\n`)
    }),
  )
}

function costPerRecord({ cases, node, machine, date }: NonNullable<Results['overhead']>): object {
  const shown = cases.filter(({ failEvery }) => failEvery === 0)
  const peers = Object.keys(shown[0]?.samples ?? {})
  const label = (peer: string) => (UNBOUNDED.includes(peer) ? `${peer} (no bound)` : peer)
  const kind = (peer: string) => (peer === OURS ? 'ours' : [FLOOR, GO].includes(peer) ? 'floor' : 'peer')
  const panels = shown.map(({ size, samples }) => ({
    title: { text: `${count(size)} records a batch`, fontSize: 13, offset: 6 },
    width: 250,
    height: { step: 24 },
    data: {
      values: peers.map((peer) => {
        const µs = median(samples[peer])
        return { peer: label(peer), kind: kind(peer), µs, text: figure(µs) }
      }),
    },
    encoding: {
      y: {
        field: 'peer',
        type: 'nominal',
        sort: null,
        axis: { title: null, domain: false, ticks: false, labelLimit: 0 },
      },
      x: {
        field: 'µs',
        type: 'quantitative',
        axis: { title: null, labels: false, ticks: false, grid: false, domain: false },
      },
    },
    layer: [
      {
        mark: { type: 'bar', height: 16 },
        encoding: {
          color: {
            field: 'kind',
            type: 'nominal',
            scale: { domain: ['ours', 'peer', 'floor'], range: [BLUE, '#a8b3bf', '#dde3e9'] },
            legend: null,
          },
        },
      },
      { mark: { type: 'text', align: 'left', dx: 5 }, encoding: { text: { field: 'text', type: 'nominal' } } },
    ],
  }))
  return {
    title: {
      text: 'Microseconds a record costs beyond its handler',
      subtitle: [
        'Handlers that do nothing, concurrency 100, medians; less is better. Each panel has its own scale.',
        `Node ${node}, ${machine}, ${date}`,
      ],
    },
    columns: 2,
    spacing: 28,
    concat: panels,
  }
}

function httpOverConcurrency({ cases, node, machine, date }: NonNullable<Results['http']>): object {
  const points = (found: HttpCase) => ({
    client: found.client,
    concurrency: UNBOUNDED.includes(found.peer) ? found.records : found.concurrency,
    perSecond: perSecond(found),
    failed: (100 * median(found.outcomes.map(({ failed }) => failed))) / found.records,
  })
  const ours = cases.filter(({ peer }) => peer === OURS).map(points)
  // As many fail with either client, so the point above must not hide the other.
  const unbounded = cases
    .filter(({ peer }) => peer === 'Middy idiom')
    .map((found) => ({ ...points(found), size: found.client === 'fetch' ? 50 : 160 }))
  const color = {
    field: 'client',
    type: 'nominal',
    scale: { domain: ['node:http', 'fetch'], range: [BLUE, ORANGE] },
    legend: { title: null, orient: 'top-left', labelFontSize: 12 },
  }
  const panel = (field: 'perSecond' | 'failed', title: string, height: number, domainMax?: number) => ({
    title: { text: title, fontSize: 13, offset: 8, frame: 'group' },
    width: 620,
    height,
    encoding: {
      x: {
        field: 'concurrency',
        type: 'quantitative',
        scale: { type: 'log', domain: [1, records], nice: false },
        axis: {
          values: [1, 10, 50, 100, 200, 500, 1_000, records],
          title: 'records at once',
          format: ',',
          labelOverlap: false,
          labelFlush: false,
        },
      },
      y: { field, type: 'quantitative', scale: { domainMax }, axis: { title: null, tickCount: 4, format: ',.0f' } },
    },
    layer: [
      {
        data: { values: [{ limit: DESCRIPTORS, text: `${count(DESCRIPTORS)} descriptors` }] },
        encoding: { x: { field: 'limit', type: 'quantitative' }, y: { value: 0 } },
        layer: [
          { mark: { type: 'rule', strokeDash: [5, 4], color: FADED }, encoding: { y2: { value: height } } },
          {
            mark: { type: 'text', align: 'left', dx: 6, dy: 8, color: FADED },
            encoding: { text: { field: 'text', type: 'nominal' } },
          },
        ],
      },
      {
        data: { values: ours },
        mark: { type: 'line', strokeWidth: 2, point: { size: 45, filled: true } },
        encoding: { color },
      },
      {
        data: { values: unbounded },
        mark: { type: 'point', shape: 'diamond', filled: true, opacity: 1, clip: false },
        encoding: { color, size: { field: 'size', type: 'quantitative', scale: null } },
      },
    ],
  })
  return {
    title: {
      text: 'Throughput and failures over concurrency',
      subtitle: [
        `10,000 records (500 at 1), an HTTP call of 10 ms each, ${count(DESCRIPTORS)} descriptors.`,
        `Lines: ${OURS}, which at ${count(records)} bounds nothing.`,
        'Diamonds: the Middy idiom, no bound. Medians.',
        `Node ${node}, ${machine}, ${date}`,
      ],
    },
    spacing: 24,
    vconcat: [
      panel('perSecond', 'Records a second that succeeded', 220),
      panel('failed', '% of the records that failed', 130, 100),
    ],
  }
}
