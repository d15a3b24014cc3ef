import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { median } from '../rounds.ts'
import { type FixedResult, INITIAL } from './evaluate.ts'
import { HTTP_CASES, type HttpCase } from './http-cases.ts'
import type { Environment, EnvironmentResult, Sample } from './http-environment.ts'
import { failedShare } from './simulator.ts'

export interface HttpOptions {
  /** The number of batches for each batch size: for each number of the sweep, and for the comparison. */
  readonly batches: Readonly<Record<number, Counts>>
  readonly runs: number
  readonly folder: string
}

interface Counts {
  readonly sweep: number
  readonly comparison: number
}

export const FULL: Omit<HttpOptions, 'folder'> = {
  batches: {
    7000: { sweep: 1, comparison: 3 },
    1000: { sweep: 3, comparison: 10 },
    100: { sweep: 10, comparison: 40 },
  },
  runs: 3,
}

export const QUICK: Omit<HttpOptions, 'folder'> = {
  batches: { 1000: { sweep: 1, comparison: 4 } },
  runs: 1,
}

const MAX_FAILED = 0.01

interface Row {
  readonly name: string
  readonly records: number
  readonly bestLimit: number
  /** Successful records per second with the best fixed number. */
  readonly best: number
  /** Goodput ÷ that of the best fixed number: of the fixed number 50, of the first batch, and of the second half. */
  readonly initial: number
  readonly cold: number
  readonly warm: number
  /** Shares of the records. */
  readonly coldFailed: number
  readonly warmFailed: number
  readonly finalLimit: number
  readonly samples: readonly Sample[]
}

/**
 * Compares the adaptive limit with fixed numbers on real HTTP servers. Writes the results to `folder` after each case
 * and batch size, and the chart at the end. Skips results that are already there.
 */
export async function compareOverHttp({ batches, runs, folder }: HttpOptions): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'adaptive-http.json')
  const rows: Row[] = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : []
  for (const name of Object.keys(HTTP_CASES)) {
    for (const [records, counts] of Object.entries(batches)) {
      if (rows.some((row) => row.name === name && row.records === Number(records))) continue
      if (Number(records) < (caseOf(name).minRecords ?? 0)) continue
      const row = await compareCase(name, Number(records), counts, runs)
      rows.push(row)
      console.log(describe(row))
      await writeFile(file, `${JSON.stringify(rows, null, 1)}\n`)
    }
  }
  const drawn = rows.toSorted((a, b) => order(a) - order(b))
  await writeFile(join(folder, 'adaptive-http.svg'), `${await new View(parse(compile(chart(drawn)).spec)).toSVG()}\n`)
  console.log(`\n${table(drawn)}\n\nWritten to ${folder}: adaptive-http.json, adaptive-http.svg`)
}

function order({ name, records }: Row): number {
  return Object.keys(HTTP_CASES).indexOf(name) * 1e6 - records
}

/**
 * Looks for the best fixed number, then compares the search with it. The first batches of a process are slower, so both
 * process the same number of batches, and the same part of them is compared.
 */
async function compareCase(name: string, records: number, counts: Counts, runs: number): Promise<Row> {
  const measured: FixedResult[] = []
  const { sweep, minRecords } = caseOf(name)
  for (const limit of sweep) {
    const batches = Array(minRecords ? counts.comparison : counts.sweep).fill(records)
    const all = await repeat(runs, () => runCase(name, limit, batches))
    measured.push({ limit, goodput: median(all.map(totalGoodput)), failed: median(all.map(totalFailed)) })
  }
  const best = bestOf(measured)
  const initial = measured.find(({ limit }) => limit === INITIAL)
  const batches = Array(counts.comparison).fill(records)
  const pairs = await repeat(runs, async () => ({
    fixed: await runCase(name, best.limit, batches),
    adaptive: await runCase(name, 'adaptive', batches),
  }))
  const adaptive = pairs.map((pair) => pair.adaptive)
  const ratioOf = (part: (run: readonly EnvironmentResult[]) => EnvironmentResult[]) =>
    median(pairs.map((pair) => totalGoodput(part(pair.adaptive)) / totalGoodput(part(pair.fixed))))
  return {
    name,
    records,
    bestLimit: best.limit,
    best: best.goodput,
    initial: (initial?.goodput ?? Number.NaN) / best.goodput,
    cold: ratioOf(coldPart),
    warm: ratioOf(warmPart),
    coldFailed: median(adaptive.map((run) => totalFailed(coldPart(run)))),
    warmFailed: median(adaptive.map((run) => totalFailed(warmPart(run)))),
    finalLimit: median(adaptive.map((run) => run[0]?.batches.at(-1)?.limit as number)),
    samples: adaptive[0]?.[0]?.samples ?? [],
  }
}

function caseOf(name: string): HttpCase {
  return HTTP_CASES[name] as HttpCase
}

/** The fixed number with the highest goodput. Numbers with many failed records are used only if there are no others. */
function bestOf(measured: readonly FixedResult[]): FixedResult {
  const usable = measured.filter(({ failed }) => failed <= MAX_FAILED)
  return (usable.length > 0 ? usable : measured).reduce((a, b) => (b.goodput > a.goodput ? b : a))
}

async function repeat<T>(times: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let time = 0; time < times; time++) results.push(await run())
  return results
}

/** Runs all environments of a case on a new server. */
async function runCase(
  name: string,
  concurrency: number | 'adaptive',
  batches: readonly number[],
): Promise<EnvironmentResult[]> {
  const { downstream: _, sweep: __, minRecords: ___, environments = 1, ...client } = caseOf(name)
  const server = fork(join(import.meta.dirname, 'http-server.ts'), [name])
  const port = (await message(server)) as number
  const environment: Environment = { ...client, port, concurrency, batches }
  try {
    return await Promise.all(
      Array.from({ length: environments }, async () => {
        const child = fork(join(import.meta.dirname, 'http-environment.ts'), [JSON.stringify(environment)])
        return (await message(child)) as EnvironmentResult
      }),
    )
  } finally {
    server.disconnect()
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`A process of the benchmark ended with exit code ${code} before it sent its result`)
  })
  const [received] = await Promise.race([once(child, 'message'), exited])
  exited.catch(() => {}) // it ends after its message
  return received
}

/** The first batch of each environment. */
function coldPart(run: readonly EnvironmentResult[]): EnvironmentResult[] {
  return run.map(({ batches, samples }) => ({ batches: batches.slice(0, 1), samples }))
}

/** The second half of the batches of each environment. The middle one counts, too. */
function warmPart(run: readonly EnvironmentResult[]): EnvironmentResult[] {
  return run.map(({ batches, samples }) => ({ batches: batches.slice(Math.floor(batches.length / 2)), samples }))
}

/**
 * Of all environments together: the records that succeeded ÷ the longest duration. The sum of the goodputs would be too
 * high, because when some environments have finished, the others have the downstream to themselves.
 */
function totalGoodput(run: readonly EnvironmentResult[]): number {
  const all = run.flatMap(({ batches }) => batches)
  const durations = run.map(({ batches }) => batches.reduce((sum, { duration }) => sum + duration, 0))
  return (1000 * all.reduce((sum, { succeeded }) => sum + succeeded, 0)) / Math.max(...durations)
}

function totalFailed(run: readonly EnvironmentResult[]): number {
  return failedShare(run.flatMap(({ batches }) => batches))
}

function describe({ name, records, best, bestLimit, initial, cold, warm, warmFailed, finalLimit }: Row): string {
  const ratios = [initial, cold, warm].map((value) => value.toFixed(2))
  return (
    `${name}, batches of ${records}: best fixed ${bestLimit} (${best.toFixed(0)}/s); fixed ${INITIAL} ${ratios[0]}; ` +
    `adaptive cold ${ratios[1]}, warm ${ratios[2]}, ${(100 * warmFailed).toFixed(1)} % failed, limit ${finalLimit}`
  )
}

function table(rows: readonly Row[]): string {
  const header = [
    'downstream',
    'records',
    'best',
    `fixed ${INITIAL}`,
    'cold',
    'warm',
    'failed cold',
    'failed warm',
    'limit',
  ]
  const lines = rows.map((row) => [
    row.name,
    String(row.records),
    String(row.bestLimit),
    ...[row.initial, row.cold, row.warm].map((value) => value.toFixed(2)),
    ...[row.coldFailed, row.warmFailed].map((share) => `${(100 * share).toFixed(1)} %`),
    String(row.finalLimit),
  ])
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const IN_FLIGHT = 'in flight'
const LIMIT = 'limit'
const GOODPUT = 'successful records per 0.1 s'
const SERIES = [LIMIT, IN_FLIGHT, GOODPUT]

/** Draws the limit, the records in flight and the goodput over time, for the largest batches of each case. */
function chart(rows: readonly Row[]): TopLevelSpec {
  const largest = Math.max(...rows.map(({ records }) => records))
  const values = rows
    .filter(({ records }) => records === largest)
    .flatMap(({ name, samples }) =>
      samples.flatMap(({ time, inFlight, limit, succeeded }) => [
        ...(limit === undefined ? [] : [{ name, seconds: time / 1000, series: LIMIT, value: limit }]),
        { name, seconds: time / 1000, series: IN_FLIGHT, value: inFlight },
        { name, seconds: time / 1000, series: GOODPUT, value: succeeded },
      ]),
    )
  const series = {
    field: 'series',
    type: 'ordinal',
    legend: { title: null, orient: 'bottom', labelLimit: 0 },
  } as const
  return {
    background: 'white', // the page may be dark
    padding: 16,
    title: { text: `adaptiveConcurrency() over HTTP, batches of ${largest}`, subtitle: 'The first run of each case' },
    data: { values },
    facet: { field: 'name', type: 'nominal', title: null },
    columns: 2,
    spec: {
      width: 360,
      height: 140,
      mark: 'line',
      encoding: {
        x: { field: 'seconds', type: 'quantitative' },
        y: { field: 'value', type: 'quantitative', title: null },
        color: { ...series, scale: { domain: SERIES, range: ['#f7c77e', '#4c78a8', '#e45756'] } },
        // The limit is a broad line under the others: mostly, as many records are in flight.
        strokeWidth: { ...series, scale: { domain: SERIES, range: [5, 2, 2] } },
      },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
  }
}
