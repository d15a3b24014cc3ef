// The chart of results/README.md: throughput and failures by concurrency.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { DESCRIPTORS, type HttpCase } from './parts.ts'
import { MIDDY_IDIOM, OURS } from './peers.ts'
import { count, isUnbounded } from './report.ts'
import { median } from './rounds.ts'

const THROUGHPUT = 'successful records per second'
const FAILURES = '% of the records failed'

export async function drawChart(cases: readonly HttpCase[]): Promise<void> {
  const svg = await new View(parse(compile(spec(cases)).spec)).toSVG()
  await writeFile(join(import.meta.dirname, 'results', 'http-over-concurrency.svg'), `${svg}\n`)
}

function spec(cases: readonly HttpCase[]): TopLevelSpec {
  const values = cases
    .filter(({ peer }) => peer === OURS || peer === MIDDY_IDIOM)
    .map(({ peer, client, records, concurrency, outcomes }) => ({
      series: isUnbounded(peer) ? `${peer} (no limit), ${client}` : `${peer}, ${client}`,
      concurrency: isUnbounded(peer) ? records : concurrency,
      [THROUGHPUT]: median(outcomes.map(({ failed, ms }) => (1_000 * (records - failed)) / ms)),
      [FAILURES]: (100 * median(outcomes.map(({ failed }) => failed))) / records,
    }))
  return {
    background: 'white', // the page may be dark
    padding: 16,
    title: {
      text: 'One HTTP call of 10 ms per record, batches of 10,000',
      // Two lines, because vega overestimates the width of a text.
      subtitle: [
        `The dashed line is the limit of ${count(DESCRIPTORS)} file descriptors.`,
        'Medians. Batches of 500 at concurrency 1.',
      ],
    },
    data: { values },
    repeat: { row: [THROUGHPUT, FAILURES] },
    spec: {
      width: 560,
      height: 180,
      layer: [
        {
          mark: { type: 'line', point: true },
          encoding: {
            x: {
              field: 'concurrency',
              type: 'quantitative',
              scale: { type: 'log', nice: false },
              axis: { values: [1, 10, 50, 100, 200, 500, 1_000, 10_000], title: 'concurrency', format: ',' },
            },
            y: { field: { repeat: 'row' }, type: 'quantitative' },
            color: {
              field: 'series',
              type: 'nominal',
              legend: { title: null, orient: 'bottom', columns: 2, labelLimit: 0 },
            },
          },
        },
        { mark: { type: 'rule', strokeDash: [5, 4] }, encoding: { x: { datum: DESCRIPTORS, type: 'quantitative' } } },
      ],
    },
  }
}
