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

export async function drawChart(cases: readonly HttpCase[]): Promise<void> {
  const svg = await new View(parse(compile(spec(cases)).spec)).toSVG()
  await writeFile(join(import.meta.dirname, 'results', 'http-over-concurrency.svg'), `${svg}\n`)
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
  return {
    background: 'white', // the page may be dark
    padding: 16,
    height: 280,
    width: { step: 76 },
    title: {
      text: `10,000 records, one HTTP call of 10 ms each, ${count(DESCRIPTORS)} file descriptors`,
      subtitle: [
        `Records per second with ${OURS}, by concurrency, and without a limit.`,
        'Without a limit, most records find no free file descriptor.',
      ],
      anchor: 'start',
      fontSize: 15,
      subtitleFontSize: 13,
    },
    encoding: {
      x: {
        field: 'name',
        type: 'nominal',
        sort: bars.map(({ name }) => name),
        axis: {
          title: 'concurrency',
          titleFontSize: 12,
          labelAngle: 0,
          labelFontSize: 12,
          labelExpr: "split(datum.label, '|')",
        },
      },
      y: { field: 'rate', type: 'quantitative', axis: { title: null, format: ',d', tickCount: 6, labelFontSize: 12 } },
    },
    layer: [
      {
        data: { values },
        mark: { type: 'bar', width: 46 },
        encoding: {
          color: {
            field: 'outcome',
            type: 'nominal',
            scale: { domain: [SUCCESSFUL, FAILED], range: ['#2f6f9f', '#d1483f'] },
            legend: { title: null, orient: 'bottom', labelFontSize: 13, labelLimit: 0 },
          },
          order: { field: 'outcome', sort: 'descending' }, // the successful ones at the bottom
        },
      },
      {
        data: { values: labels },
        mark: { type: 'text', dy: -8, fontSize: 12 },
        encoding: { text: { field: 'label' } },
      },
    ],
  }
}
