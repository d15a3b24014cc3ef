// Tables of the results. The same Markdown is printed in the terminal and written to results/README.md.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownTable } from 'markdown-table'
import { type Cases, DESCRIPTORS, type HttpCase, type Part, partNames, type Size } from './parts.ts'
import { BARE_LOOP, BASELINE, MIDDY_IDIOM, OURS, P_MAP, POWERTOOLS, POWERTOOLS_ALONE } from './peers.ts'
import type { Results } from './results.ts'
import { median, quantile } from './rounds.ts'
import { isWithin, type Verdict, verdicts } from './targets.ts'

const PAGE = join(import.meta.dirname, 'results', 'README.md')
const CHART = '![Successful and failed records per second, with a limit and without one](http-over-concurrency.svg)'

const INTRODUCTION = `# Benchmark results

\`npm run bench\` measures all of this and writes this page. It compares this package with other ways to process a batch of SQS records. [results.json](results.json) has every sample.

## Why a limit

The batch size of a standard queue can be up to 10,000. A Lambda function has ${count(DESCRIPTORS)} file descriptors. Some libraries start all records at once. If each record opens a connection, most of them then fail with \`EMFILE\`. SQS redelivers the failed records, and they fail again.

This package limits the records in flight with [p-queue](https://github.com/sindresorhus/p-queue). It starts up to \`concurrency\` workers, and each worker processes one record after another. Starting a worker costs more than processing another record. So a record costs less in a large batch, in which each worker processes many.

## What is compared

| name | what it is | uses Middy | limits concurrency |
| :--- | :--- | :--- | :--- |
| ${OURS} | this package with \`eachRecord()\` | yes | yes |
| ${MIDDY_IDIOM} | @middy/sqs-partial-batch-failure with \`Promise.allSettled()\`, and a \`logger\` that does nothing | yes | no |
| ${POWERTOOLS} | \`BatchProcessor\` of @aws-lambda-powertools/batch, with \`throwOnFullBatchFailure: false\`, in a handler that is wrapped in \`middy()\` | yes | no |
| ${POWERTOOLS_ALONE} | the same without \`middy()\` | no | no |
| ${P_MAP} | p-map in a handler that is wrapped in \`middy()\` | yes | yes |
| ${BARE_LOOP} | loops that take one record after another, without a library, a check of the event or a time budget | no | yes |

This package is for functions that use Middy. So the targets compare it with ${POWERTOOLS}, and not with ${POWERTOOLS_ALONE}.

The benchmark passes \`throwOnFullBatchFailure: false\` because Powertools otherwise throws if every record failed.

## How it is measured

- Each sample comes from a new process, which loads only the library that it measures.
- In each round, the benchmark measures every library once, in random order. Other load on the machine then affects all libraries alike.
- The benchmark checks the result of each batch after the clock has stopped. Every record must have run once, and the response must report exactly the failed records.
- The logs of the libraries are discarded, because writing them takes longer than the rest.
- The tables show medians. Half of the samples are between the two quartiles.
- A ratio, such as "÷ ${POWERTOOLS}", divides two medians of the same run. Below 1, the first one is better.
- The ratios depend on the processor, and they vary from run to run.
- \`npm run test:small-functions\` measures separately whether the response of a small function is sent before the timeout.`

/** Writes the introduction and the tables of all parts. */
export async function writePage(results: Results): Promise<void> {
  await writeFile(PAGE, page(results))
}

export function page(results: Results): string {
  return `${INTRODUCTION}\n\n${report(results, partNames, false, CHART)}\n`
}

/** The tables of the measured parts, and the targets of the given parts. */
export function report(results: Results, parts: readonly Part[], isShort = false, chart = ''): string {
  const { waits, calls, http, overlap, bundle, noop } = results
  const sections: string[] = []
  if (waits) sections.push(waitsTable(waits.data, isShort))
  if (calls) sections.push(costTables('batches of HTTP calls', CALLS_INTRO, calls.data))
  if (http) sections.push(httpTable(http.data), chart)
  if (overlap) sections.push(costTables('overlapping batches', OVERLAP_INTRO, overlap.data))
  if (bundle) sections.push(bundleTable(bundle.data))
  if (noop) sections.push(noopTable(noop.data))
  sections.push(targetTable(results, parts, isShort), stamps(results))
  return sections.filter((text) => text !== '').join('\n\n')
}

/** When and on which machine each part was measured. */
function stamps(results: Results): string {
  const parts = Object.groupBy(Object.entries(results), ([, { measured }]) => measured)
  const lines = Object.entries(parts).map(
    ([stamp, entries = []]) => `- ${entries.map(([name]) => name).join(', ')}: ${stamp}`,
  )
  return ['Date and machine of each part:', '', ...lines].join('\n')
}

const LAMBDA_CASES =
  'The figures are microseconds per record, unless the column says milliseconds. The columns are batch sizes, and the concurrency ' +
  'is 100 unless the column says otherwise. "First twenty" means the first twenty batches of a process, and "later" means ' +
  'the other eighty.'

function waitsTable(cases: Cases, isShort: boolean): string {
  return table(
    'Batches as Lambda delivers them',
    `The handler waits for I/O once: it awaits one \`setImmediate\`. ${LAMBDA_CASES}`,
    ...casesTable(cases),
    'Each process imitates one execution environment. Each batch is a newly parsed event, after a pause of 4 ms. A new ' +
      'environment includes the import, the construction and the first batch of 10. The import includes @middy/core for ' +
      'those that use it. ' +
      (isShort
        ? 'The figures are medians of the fastest batch of each process, and of the CPU time of the first batch.'
        : 'In the first two columns, each process contributes the time of its first batch. In the others, it contributes the time of its median batch. The figures are the medians of these times.'),
  )
}

const CALLS_INTRO =
  'In milliseconds per batch. The columns are batch sizes and HTTP clients. Each record sends one HTTP request over ' +
  'a kept-alive connection, to a server that responds after 10 ms. The server runs in another process. The ' +
  'concurrency is 100.'

const OVERLAP_INTRO =
  'In milliseconds for all batches of a column. Lambda Managed Instances run several invocations of one process at ' +
  'the same time. Here they share a handler with a concurrency of 100, which waits for I/O once. The record that ' +
  'waits is alone in its batch, and ends after the batch of 5,000.'

function costTables(batches: string, intro: string, { cpu, time }: { cpu: Cases; time: Cases }): string {
  const note = 'It is the CPU time of all threads of the process.'
  return [
    table(`CPU time of ${batches}`, intro, ...casesTable(cpu), note),
    table(`Duration of ${batches}`, 'The same batches, in milliseconds.', ...casesTable(time)),
  ].join('\n\n')
}

function noopTable(cases: Cases): string {
  return table(
    'Batches whose handler does nothing',
    `No real handler is like this. It needs one worker in one slot, and a handler that waits needs one for each record. ${LAMBDA_CASES}`,
    ...casesTable(cases),
  )
}

function bundleTable(sizes: Record<string, Size>): string {
  return table(
    'Bundle size',
    'In kilobytes: a handler file with its libraries, bundled by esbuild. "Every export" means all entry points except ' +
      '`./testing`, without the AWS SDK.',
    ['', 'minified', 'gzipped', 'minified code of each package'],
    Object.entries(sizes).map(([name, { minified, gzipped, packages }]) => [
      name,
      figure(minified / 1_000),
      figure(gzipped / 1_000),
      Object.entries(packages)
        .toSorted(([, a], [, b]) => b - a)
        .map(([name, bytes]) => `${name} ${figure(bytes / 1_000)}`)
        .join(', '),
    ]),
  )
}

function table(title: string, intro: string, head: readonly string[], rows: readonly string[][], note = ''): string {
  const align = head.map((_, column) => (column === 0 ? 'l' : 'r'))
  return [`## ${title}`, intro, markdownTable([head, ...rows], { align }), note]
    .filter((text) => text !== '')
    .join('\n\n')
}

/** One row per peer and per ratio, one column per case. */
function casesTable(cases: Cases): [string[], string[][]] {
  const columns = Object.values(cases)
  const peers = Object.keys(columns[0] ?? {})
  const pairs = [OURS, BASELINE]
    .flatMap((mine) =>
      [POWERTOOLS, POWERTOOLS_ALONE, MIDDY_IDIOM, P_MAP, BASELINE].map((other) => [mine, other] as const),
    )
    .filter(([mine, other]) => mine !== other && peers.includes(mine) && peers.includes(other))
  const ratios = pairs.map(([mine, other]) => [
    `${mine} ÷ ${other}`,
    ...columns.map((samples) => figure(median(samples[mine]) / median(samples[other]))),
  ])
  const rows = peers.map((peer) => [peer, ...columns.map((samples) => figure(median(samples[peer])))])
  return [
    ['', ...Object.keys(cases)],
    [...rows, ...ratios],
  ]
}

function httpTable(cases: readonly HttpCase[]): string {
  const at100 = cases.filter(({ concurrency }) => concurrency === 100)
  const seconds = ({ outcomes }: HttpCase) => outcomes.map(({ ms }) => ms / 1_000)
  const bareLoop = at100.filter(({ peer }) => peer === BARE_LOOP).flatMap(seconds)
  return table(
    'Batches of 10,000 HTTP calls',
    `Each record sends one HTTP request with node:http, to a server that responds after 10 ms. The process has ` +
      `${count(DESCRIPTORS)} file descriptors. The concurrency is 100.`,
    ['', 'failed', 'by code', 'seconds', 'quartiles', 'CPU s', 'peak MB', 'peak sockets', '÷ bare loop'],
    at100.map((found) => {
      const typical = found.outcomes.toSorted((a, b) => a.failed - b.failed)[found.outcomes.length >> 1]
      const times = seconds(found)
      return [
        isUnbounded(found.peer) ? `${found.peer} (no limit)` : found.peer,
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
    'A run with failed records did less work, so it has no ratio.',
  )
}

function targetTable(results: Results, parts: readonly Part[], isShort: boolean): string {
  const found = verdicts(results, parts, isShort)
  if (found.length === 0) return ''
  const cell = (isShown: boolean, text: string) => (isShown ? [text] : [])
  const hasBaseline = found.some(({ baseline }) => Number.isFinite(baseline))
  return table(
    isShort ? 'Gates of a short run' : 'Targets',
    isShort
      ? 'The ratio of the medians or that of the fastest samples must be within the gate.'
      : '`npm run bench -- --gate` fails for a figure above its gate. Handlers that do nothing have no target: their gate only shows whether something became worse. ' +
          'The quartiles are those of the ratios of single rounds, so the measured value can lie outside of them. The FIFO batch has 10 ' +
          'records of 10 ms in 10 message groups. The heap is measured after a garbage collection. ' +
          'The batch with an asynchronous schema has 100 records, which Zod validates without I/O. The timeout is ' +
          '3 s, and the figure is that of the slowest response. The log entry is compared with `logger: false`.',
    ['', 'measured', ...cell(hasBaseline, BASELINE), 'quartiles', ...cell(isShort, 'fastest'), 'target', 'gate', ''],
    found.map((verdict) => [
      verdict.title,
      figure(verdict.ratio),
      ...cell(hasBaseline, figure(verdict.baseline)),
      range(...verdict.quartiles),
      ...cell(isShort, figure(verdict.ratioOfFastest)),
      figure(verdict.target ?? Number.NaN),
      figure(verdict.gate),
      judgement(verdict),
    ]),
  )
}

function judgement({ ratio, target, isWithinGate }: Verdict): string {
  if (Number.isNaN(ratio)) return 'not measured'
  if (!isWithinGate) return 'missed'
  return target === undefined || isWithin(target, ratio) ? 'met' : 'within the gate'
}

export function isUnbounded(peer: string): boolean {
  return peer === MIDDY_IDIOM || peer === POWERTOOLS || peer === POWERTOOLS_ALONE
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return ''
  return value >= 100 ? count(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2)
}

function range(low: number, high: number): string {
  return low === high || Number.isNaN(low) ? '' : `${figure(low)}–${figure(high)}`
}
