// Tables of the results. The same Markdown is printed in the terminal and written into the README.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownTable } from 'markdown-table'
import { type Cases, DESCRIPTORS, type HttpCase, type Part, partNames, type Size } from './parts.ts'
import { BARE_LOOP, MIDDY_IDIOM, OURS, POWERTOOLS } from './peers.ts'
import type { Results } from './results.ts'
import { median, quantile } from './rounds.ts'
import { verdicts } from './targets.ts'

const README = join(import.meta.dirname, '..', 'README.md')
const MARKED = /(?<=<!-- bench -->\n)[\s\S]*(?=<!-- \/bench -->)/
const CHART = '![Throughput and failures by concurrency](bench/results/http-over-concurrency.svg)'

export async function updateReadme(results: Results): Promise<void> {
  const text = await readFile(README, 'utf8')
  if (!MARKED.test(text)) throw new Error('Expected the markers <!-- bench --> and <!-- /bench --> in README.md')
  const section = `\n${report(results, partNames, false, CHART)}\n\nEvery sample is in [results.json](bench/results/results.json).\n\n`
  await writeFile(
    README,
    text.replace(MARKED, () => section),
  )
}

/** The tables of the measured parts, and the targets of the given parts. */
export function report(results: Results, parts: readonly Part[], isShort = false, chart = ''): string {
  const { http, lambda, 'hot-loop': hotLoop, bundle } = results
  const sections: string[] = []
  if (http) sections.push(httpTable(http.data), chart)
  if (lambda) sections.push(lambdaTable(lambda.data, isShort))
  if (hotLoop) sections.push(hotLoopTable(hotLoop.data))
  if (bundle) sections.push(bundleTable(bundle.data))
  const stamps = new Set(Object.values(results).map(({ measured }) => measured))
  sections.push(targetTable(results, parts, isShort), `Measured on ${[...stamps].join(' and ')} by \`npm run bench\`.`)
  return sections.filter((text) => text !== '').join('\n\n')
}

function lambdaTable(cases: Cases, isShort: boolean): string {
  return table(
    'Batches as Lambda delivers them, in microseconds per record that does nothing, by batch size',
    ...casesTable(cases),
    'Each sample is a fresh process. Each batch is a freshly parsed event after a pause of 4 ms. A new environment is the ' +
      'import, which includes @middy/core for all peers, the construction, and the first batch of 10. ' +
      (isShort
        ? 'Medians of the fastest batch of each process, and the CPU time of the first batch.'
        : 'Medians of the median batch of each process.'),
  )
}

function hotLoopTable(cases: Cases): string {
  return table(
    'The same in a hot loop, which no Lambda function sees',
    ...casesTable(cases),
    'One event over and over, without pauses, after V8 has optimized the code. The concurrency is 100 for peers that limit it.',
  )
}

function bundleTable(sizes: Record<string, Size>): string {
  return table(
    'A handler file with its libraries, bundled by esbuild, in kilobytes',
    ['', 'minified', 'gzipped'],
    Object.entries(sizes).map(([name, { minified, gzipped }]) => [
      name,
      figure(minified / 1_000),
      figure(gzipped / 1_000),
    ]),
  )
}

function table(title: string, head: readonly string[], rows: readonly string[][], note = ''): string {
  const align = head.map((_, column) => (column === 0 ? 'l' : 'r'))
  return [`${title}:`, markdownTable([head, ...rows], { align }), note].filter((text) => text !== '').join('\n\n')
}

/** One row per peer, one column per case. */
function casesTable(cases: Cases): [string[], string[][]] {
  const columns = Object.values(cases)
  const peers = Object.keys(columns[0] ?? {})
  const ratios = [POWERTOOLS, MIDDY_IDIOM].map((other) => [
    `${OURS} ÷ ${other}`,
    ...columns.map((samples) => figure(median(samples[OURS]) / median(samples[other]))),
  ])
  const rows = peers.map((peer) => [peer, ...columns.map((samples) => figure(median(samples[peer])))])
  return [
    ['', ...Object.keys(cases)],
    [...rows, ...ratios],
  ]
}

function httpTable(cases: readonly HttpCase[]): string {
  const at100 = cases.filter(({ client, concurrency }) => client === 'node:http' && concurrency === 100)
  const seconds = ({ outcomes }: HttpCase) => outcomes.map(({ ms }) => ms / 1_000)
  const bareLoop = at100.filter(({ peer }) => peer === BARE_LOOP).flatMap(seconds)
  return table(
    `10,000 records × 10 ms HTTP with node:http, ${count(DESCRIPTORS)} descriptors, concurrency 100`,
    ['', 'failed', 'by code', 'seconds', 'quartiles', 'CPU s', 'peak MB', 'peak sockets', '÷ bare loop'],
    at100.map((found) => {
      const typical = found.outcomes.toSorted((a, b) => a.failed - b.failed)[found.outcomes.length >> 1]
      const times = seconds(found)
      return [
        isUnbounded(found.peer) ? `${found.peer} (no bound)` : found.peer,
        count(typical?.failed ?? Number.NaN),
        Object.entries(typical?.codes ?? {})
          .map(([code, failed]) => `${code} ${count(failed)}`)
          .join(', '),
        figure(median(times)),
        range(quantile(times, 0.25), quantile(times, 0.75)),
        figure(median(found.outcomes.map(({ cpuSeconds }) => cpuSeconds))),
        count(Math.round(median(found.outcomes.map(({ peakRssMb }) => peakRssMb)))),
        count(median(found.outcomes.map(({ peakSockets }) => peakSockets))),
        typical?.failed ? '' : figure(median(times) / median(bareLoop)),
      ]
    }),
    'Medians of runs, each in its own process. A run with failed records did not do the same work, so it has no ratio.',
  )
}

function targetTable(results: Results, parts: readonly Part[], isShort: boolean): string {
  const found = verdicts(results, parts, isShort)
  if (found.length === 0) return ''
  return table(
    isShort ? 'Limits of a short run' : 'Targets',
    ['', 'measured', 'quartiles', ...(isShort ? ['fastest'] : []), 'at most', ''],
    found.map(({ title, ratio, quartiles, ratioOfFastest, limit, isMet }) => [
      title,
      figure(ratio),
      range(...quartiles),
      ...(isShort ? [figure(ratioOfFastest)] : []),
      String(limit),
      Number.isNaN(ratio) ? 'not measured' : isMet ? 'met' : 'missed',
    ]),
    isShort
      ? 'The ratio of the medians or that of the fastest samples must be within the limit.'
      : 'A ratio divides the medians of one run. The quartiles are those of the ratios of single rounds.',
  )
}

export function isUnbounded(peer: string): boolean {
  return peer === MIDDY_IDIOM || peer === POWERTOOLS
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return ''
  return value >= 100 ? count(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2)
}

function range(low: number, high: number): string {
  return low === high || Number.isNaN(low) ? '' : `${figure(low)} – ${figure(high)}`
}
