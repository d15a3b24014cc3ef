// What the benchmark measures. Every sample comes from a fresh process.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join, posix } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import manifest from '../package.json' with { type: 'json' }
import type { HttpClient } from './http-clients.ts'
import {
  BARE_LOOP,
  BASELINE,
  BENCH_PACKAGE,
  MIDDY_IDIOM,
  nodePeers,
  OURS,
  P_MAP,
  POWERTOOLS,
  POWERTOOLS_ALONE,
  POWERTOOLS_FIFO,
  withBaseline,
} from './peers.ts'
import type { Costs } from './processes/calls.ts'
import type { HttpTask, Outcome } from './processes/http.ts'
import type { Environment } from './processes/lambda.ts'
import { inRounds, median, nodeCommand, runProcess, runProgram, type Samples } from './rounds.ts'

/** Samples of every peer, by the title of the case. */
export type Cases = Record<string, Samples>

export const PARTS = {
  waits: (isShort: boolean) => measureLambda(true, [OURS, POWERTOOLS, P_MAP], isShort),
  calls: measureCalls,
  http: measureHttp,
  fifo: measureFifo,
  heap: measureHeap,
  overlap: measureOverlap,
  timeout: measureTimeout,
  log: measureLog,
  bundle: measureBundles,
  noop: (isShort: boolean) => measureLambda(false, [OURS, POWERTOOLS], isShort),
}
export type Part = keyof typeof PARTS
export const partNames = Object.keys(PARTS) as Part[]

/** The titles of the cases of `waits` and `noop`. */
export const CASE = {
  environment: 'new environment, ms',
  first: 'first 10, ms',
  early10: '10, first twenty',
  later10: '10, later',
  early100: '100, first twenty',
  later100: '100, later',
  of1000: '1,000',
  of10000: '10,000',
}

const LAMBDA_PEERS = [OURS, MIDDY_IDIOM, POWERTOOLS, POWERTOOLS_ALONE, P_MAP, BARE_LOOP]

/**
 * Microseconds per record, except for the first two cases. The handler waits for I/O once, or it does nothing. A short
 * run measures only these peers.
 */
async function measureLambda(waits: boolean, shortRunPeers: readonly string[], isShort: boolean): Promise<Cases> {
  const peers = withBaseline(isShort ? shortRunPeers : LAMBDA_PEERS)
  function measure(size: number, batches: number): Promise<Samples<Environment>> {
    const title = `${waits ? 'waiting' : 'no-op'} handler, batches of ${size}`
    return inRounds(title, isShort ? 3 : 9, peers, (peer) =>
      runProcess('lambda.ts', { peer, work: waits ? 'I/O' : 'nothing', size, batches }),
    )
  }
  // A short run measures only what has a target. On a busy machine, other processes interrupt batches: a first batch
  // once took 79 times as long as that of Powertools. So a short run takes the fastest batch of a process and the CPU
  // time of the first. V8 optimizes the code over time, so a short run has as many batches per process as a full run.
  const typical = isShort ? fastest : median
  const of10 = await measure(10, 100)
  const of100 = await measure(100, 100)
  const of1000 = await measure(1_000, 60)
  const cases = {
    [CASE.environment]: each(of10, ({ setup, batches }) => setup + (batches[0] as number)),
    [CASE.first]: each(of10, ({ batches, firstCpu }) => (isShort ? firstCpu : (batches[0] as number))),
    [CASE.early10]: each(of10, ({ batches }) => 100 * typical(batches.slice(0, 20))),
    [CASE.later10]: each(of10, ({ batches }) => 100 * typical(batches.slice(20))),
    [CASE.early100]: each(of100, ({ batches }) => 10 * typical(batches.slice(0, 20))),
    [CASE.later100]: each(of100, ({ batches }) => 10 * typical(batches.slice(20))),
    [CASE.of1000]: each(of1000, ({ batches }) => typical(batches)),
  }
  if (isShort && waits) return cases // these batches of 10,000 have no target
  cases[CASE.of10000] = each(await measure(10_000, 15), ({ batches }) => typical(batches) / 10)
  return cases
}

function fastest(batches: readonly number[]): number {
  return Math.min(...batches)
}

function each<T>(samples: Samples<T>, value: (sample: T) => number): Samples {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, values.map(value)]))
}

/** Batches of HTTP calls. */
export const CALLS = [
  { size: 10, client: 'node:http' },
  { size: 100, client: 'node:http' },
  { size: 10, client: 'fetch' },
  { size: 100, client: 'fetch' },
] satisfies { size: number; client: HttpClient }[]

/** The titles of the first twenty batches of a process, and of the later ones. */
export function callCases({ size, client }: (typeof CALLS)[number]): [early: string, later: string] {
  return [`${size} by ${client}, first twenty`, `${size} by ${client}, later`]
}

/** Milliseconds per batch, in which each record sends a request of 10 ms. */
async function measureCalls(isShort: boolean): Promise<{ cpu: Cases; time: Cases }> {
  const cpu: Cases = {}
  const time: Cases = {}
  const peers = withBaseline(isShort ? [OURS, POWERTOOLS] : [OURS, POWERTOOLS, P_MAP])
  await withServer(async (url) => {
    for (const task of CALLS) {
      const title = `batches of ${task.size} HTTP calls by ${task.client}`
      const costs: Samples<Costs> = await inRounds(title, isShort ? 2 : 9, peers, (peer) =>
        runProcess('calls.ts', { ...task, peer, batches: isShort ? 50 : 100, url }),
      )
      const [early, later] = callCases(task)
      cpu[early] = each(costs, ({ cpu }) => median(cpu.slice(0, 20)))
      cpu[later] = each(costs, ({ cpu }) => median(cpu.slice(20)))
      time[early] = each(costs, ({ time }) => median(time.slice(0, 20)))
      time[later] = each(costs, ({ time }) => median(time.slice(20)))
    }
  })
  return { cpu, time }
}

/** Runs a server that responds after 10 ms, until `measure` has ended. */
async function withServer<T>(measure: (url: string) => Promise<T>): Promise<T> {
  const server = fork(join(import.meta.dirname, 'processes', 'http-server.ts'))
  try {
    const [url] = (await once(server, 'message')) as [string]
    return await measure(url)
  } finally {
    server.disconnect()
  }
}

export const DESCRIPTORS = 1_024
export const RECORDS = 10_000

export interface HttpCase extends HttpTask {
  readonly outcomes: readonly Outcome[]
}

/** One request of 10 ms per record, in processes with as many file descriptors as on Lambda. */
function measureHttp(isShort: boolean): Promise<HttpCase[]> {
  return withServer(async (url) => {
    function run(task: HttpTask): Promise<Outcome> {
      // `ulimit -n` also sets the hard limit. Otherwise Node would raise the soft limit to the hard limit.
      const command = nodeCommand('http.ts', { ...task, url })
      return runProgram('sh', ['-c', `ulimit -n ${DESCRIPTORS} && exec "$0" "$@"`, ...command])
    }

    async function measure(title: string, rounds: number, tasks: readonly HttpTask[]): Promise<HttpCase[]> {
      const byKey = new Map(tasks.map((task) => [JSON.stringify(task), task]))
      const samples = await inRounds(title, rounds, [...byKey.keys()], (key) => run(byKey.get(key) as HttpTask))
      return Array.from(byKey, ([key, task]) => ({ ...task, outcomes: samples[key] ?? [] }))
    }

    function task(peer: string, concurrency: number): HttpTask {
      return { peer, concurrency, records: RECORDS }
    }

    await run({ ...task(BARE_LOOP, 100), records: 1_000 }) // warms the server up
    const peers = isShort ? withBaseline([OURS, BARE_LOOP]) : nodePeers
    const cases = await measure(
      'HTTP, concurrency 100',
      isShort ? 2 : 7,
      peers.map((peer) => task(peer, 100)),
    )
    if (isShort) return cases
    const others = [10, 50, 200, 500, 1_000].map((concurrency) => task(OURS, concurrency))
    return [...cases, ...(await measure('HTTP, for the chart', 3, others))]
  })
}

const OURS_AND_POWERTOOLS = withBaseline([OURS, POWERTOOLS])

/** Milliseconds per batch of 10 records of 10 ms in 10 message groups. */
async function measureFifo(isShort: boolean): Promise<Samples> {
  const rounds = await inRounds('FIFO', isShort ? 1 : 5, OURS_AND_POWERTOOLS, (peer): Promise<Environment> => {
    const task = { work: 10, size: 10, groups: 10, batches: 9 }
    return runProcess('lambda.ts', { ...task, peer: peer === POWERTOOLS ? POWERTOOLS_FIFO : peer })
  })
  return each(rounds, ({ batches }) => median(batches.slice(2)))
}

/** Bytes of heap that a peer uses in the middle of a batch of 10,000 records. */
function measureHeap(isShort: boolean): Promise<Samples> {
  return inRounds('heap', isShort ? 1 : 3, OURS_AND_POWERTOOLS, (peer) =>
    runProcess('heap.ts', { peer }, '--expose-gc'),
  )
}

/** The titles of the cases of `overlap`. The keys are the tasks of `overlap.ts`. */
export const OVERLAP = {
  apart: 'two batches of 5,000, one after another',
  together: 'two batches of 5,000 at the same time',
  alone: 'a batch of 5,000 alone',
  beside: 'a batch of 5,000 beside a record that waits',
}

/** Milliseconds for all records of a case. */
async function measureOverlap(isShort: boolean): Promise<{ cpu: Cases; time: Cases }> {
  const tasks = Object.entries(OVERLAP)
  const rounds = await inRounds('overlapping batches', isShort ? 3 : 9, withBaseline([OURS]), async (peer) => {
    const costs: Record<string, Costs> = {}
    for (const [task, title] of tasks) costs[title] = await runProcess('overlap.ts', { peer, task })
    return costs
  })
  const typical = isShort ? fastest : median
  const casesOf = (cost: keyof Costs): Cases =>
    Object.fromEntries(tasks.map(([, title]) => [title, each(rounds, (costs) => typical(costs[title]?.[cost] ?? []))]))
  return { cpu: casesOf('cpu'), time: casesOf('time') }
}

/** Milliseconds until the timeout of the function. */
export const TIMEOUT = 3_000

/** Milliseconds until the response to a batch that cannot be finished before the timeout. */
function measureTimeout(isShort: boolean): Promise<Samples> {
  return inRounds('asynchronous schema', isShort ? 1 : 3, withBaseline([OURS]), (peer) =>
    runProcess('timeout.ts', { peer, timeout: TIMEOUT }),
  )
}

/** Milliseconds of CPU time that the log entry takes, in a batch of 6,900 failures with long texts. */
function measureLog(isShort: boolean): Promise<Samples> {
  const cpuOf = (peer: string, logs: boolean) => runProcess('log.ts', { peer, logs }, '--expose-gc')
  const measure = async (peer: string) => (await cpuOf(peer, true)) - (await cpuOf(peer, false))
  return inRounds('log entry', isShort ? 5 : 15, withBaseline([OURS]), measure)
}

const ENTRIES = {
  [OURS]: oursFrom(OURS),
  ...(BENCH_PACKAGE && { [BASELINE]: oursFrom(BENCH_PACKAGE) }),
  [`${OURS}, every export`]: `
    export { default as middy } from '@middy/core'
    ${everyEntry()
      .map((entry) => `export * from '${entry}'`)
      .join('\n')}`,
  [MIDDY_IDIOM]: `
    import middy from '@middy/core'
    import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
    export const handler = middy().use(sqsPartialBatchFailure()).handler(() => [])`,
  [POWERTOOLS]: `
    import middy from '@middy/core'
    import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
    const processor = new BatchProcessor(EventType.SQS)
    export const handler = middy((event) => processPartialResponse(event, () => {}, processor))`,
}

function oursFrom(source: string): string {
  return `
    import middy from '@middy/core'
    import { boundedSqsBatch, eachRecord } from '${source}'
    export const handler = middy().use(boundedSqsBatch()).handler(eachRecord(async () => {}))`
}

/** The entry points for functions. `./testing` is for unit tests. */
function everyEntry(): string[] {
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './testing')
  return entries.map((entry) => posix.join(OURS, entry))
}

export interface Size {
  readonly minified: number
  readonly gzipped: number
  /** The minified bytes of each npm package. */
  readonly packages: Readonly<Record<string, number>>
}

/** Bytes of a handler file with its libraries, bundled by esbuild. */
async function measureBundles(): Promise<Record<string, Size>> {
  const sizes: Record<string, Size> = {}
  for (const [name, contents] of Object.entries(ENTRIES)) {
    const { outputFiles, metafile } = await build({
      stdin: { contents, resolveDir: import.meta.dirname },
      write: false,
      metafile: true,
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      external: ['@aws-sdk/*'], // Lambda's runtime contains it
    })
    const code = outputFiles[0]?.contents as Uint8Array
    const packages: Record<string, number> = {}
    for (const [path, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {})) {
      if (path === '<stdin>') continue // the handler file
      const owner = packageOf(path)
      packages[owner] = (packages[owner] ?? 0) + bytesInOutput
    }
    sizes[name] = { minified: code.length, gzipped: gzipSync(code, { level: 9 }).length, packages }
  }
  return sizes
}

/** This package is a symbolic link in node_modules, and esbuild shows where it leads. */
function packageOf(path: string): string {
  return path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? OURS
}
