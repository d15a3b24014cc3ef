// The chart of results/README.md: successful and failed records per second, with a limit and without one.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { DESCRIPTORS, type HttpCase, RECORDS } from './parts.ts'
import { MIDDY_IDIOM, OURS, POWERTOOLS } from './peers.ts'
import { count } from './report.ts'
import { median } from './rounds.ts'

const SUCCESSFUL = 'successful'
const FAILED = 'failed with EMFILE'

const COLOURS = { background: 'white', text: '#222222', axis: '#888888', grid: '#dddddd', bar: '#2f6f9f' }
const DARK: typeof COLOURS = {
  background: '#1b1b1f',
  text: '#e0e0e0',
  axis: '#888889',
  grid: '#3c3f44',
  bar: '#5b9fd3',
}

export async function drawChart(cases: readonly HttpCase[]): Promise<void> {
  const svg = await new View(parse(compile(spec(cases)).spec)).toSVG()
  const themed = svg.replace('>', `><style>@media (prefers-color-scheme: dark) {${darkRules()}}</style>`)
  await writeFile(join(import.meta.dirname, 'results', 'http-over-concurrency.svg'), `${themed}\n`)
}

/** Vega writes colours as attributes, over which CSS takes precedence. */
function darkRules(): string {
  return Object.entries(COLOURS)
    .flatMap(([name, colour]) =>
      ['fill', 'stroke'].map((key) => `[${key}="${colour}"]{${key}:${DARK[name as keyof typeof DARK]}}`),
    )
    .join('')
}

/** This package from the lowest to the highest concurrency, then the libraries without a limit. */
function barsOf(cases: readonly HttpCase[]) {
  const ours = cases.filter(({ peer }) => peer === OURS).sort((a, b) => a.concurrency - b.concurrency)
  const others = cases.filter(({ peer }) => peer === MIDDY_IDIOM || peer === POWERTOOLS)
  return [...ours, ...others].map(({ peer, concurrency, outcomes }) => {
    const failed = median(outcomes.map(({ failed }) => failed))
    const perSecond = 1_000 / median(outcomes.map(({ ms }) => ms))
    return {
      // A | separates the lines of a label.
      name: peer === OURS ? count(concurrency) : `no limit:|${peer.replace(' in Middy', '')}`,
      successful: (RECORDS - failed) * perSecond,
      failed: failed * perSecond,
      label: failed > 0 ? `${Math.round((100 * failed) / RECORDS)} % failed` : count(Math.round(RECORDS * perSecond)),
    }
  })
}

function spec(cases: readonly HttpCase[]): TopLevelSpec {
  const bars = barsOf(cases)
  const values = bars.flatMap(({ name, successful, failed }) => [
    { name, outcome: SUCCESSFUL, rate: successful },
    { name, outcome: FAILED, rate: failed },
  ])
  const labels = bars.map(({ name, successful, failed, label }) => ({ name, rate: successful + failed, label }))
  const { background, text, axis, grid, bar } = COLOURS
  const fontSize = 14
  const titleFontSize = fontSize
  const axisX = { title: 'records per second', format: ',d', values: [0, 5_000, 10_000, 15_000] }
  return {
    background,
    padding: 16,
    width: 280, // narrow, since a phone shows the whole chart
    height: { step: 38 },
    config: {
      style: { cell: { stroke: null } },
      axis: { domainColor: axis, tickColor: axis, gridColor: grid, labelColor: text, titleColor: text },
    },
    title: {
      text: '10,000 HTTP calls of 10 ms each',
      subtitle: [
        `With ${OURS},`,
        'and without a limit. Without one,',
        'most calls find no free file',
        `descriptor (of ${count(DESCRIPTORS)}).`,
      ],
      anchor: 'start',
      color: text,
      subtitleColor: text,
      fontSize: 16,
      subtitleFontSize: fontSize,
      subtitleLineHeight: 18,
      subtitlePadding: 5,
    },
    encoding: {
      y: {
        field: 'name',
        type: 'nominal',
        sort: bars.map(({ name }) => name),
        axis: { title: 'concurrency', titleFontSize, labelFontSize: fontSize, labelExpr: "split(datum.label, '|')" },
      },
      x: {
        field: 'rate',
        type: 'quantitative',
        scale: { domainMax: 18_500 }, // with room for the label of the longest bar
        axis: { ...axisX, titleFontSize, labelFontSize: fontSize },
      },
    },
    layer: [
      {
        data: { values },
        mark: { type: 'bar', height: 24 },
        encoding: {
          color: {
            field: 'outcome',
            type: 'nominal',
            scale: { domain: [SUCCESSFUL, FAILED], range: [bar, '#d1483f'] },
            legend: { title: null, orient: 'bottom', labelFontSize: fontSize, labelLimit: 0, labelColor: text },
          },
          order: { field: 'outcome', sort: 'descending' }, // the successful ones first
        },
      },
      {
        data: { values: labels },
        mark: { type: 'text', dx: 6, align: 'left', fontSize, color: text },
        encoding: { text: { field: 'label' } },
      },
    ],
  }
}
