/**
 * Compares `tune` with the full grid, on handlers whose optimum is known, and prints a table. Run `npm run test:tune -w
 * cli` as root: each combination of the grid is measured under the CPU quota of its memory size. `tune` gets a quarter
 * of the time that the grid took. Exits with 1 if it takes longer than its time, or recommends a combination that is not
 * the known optimum, or is more than 10 % worse than the best of the grid. Deviations of predictions above
 * 25 % are listed.
 *
 * Imports built files, because compiling TypeScript would need memory in the measured processes.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { MEMORY_OF_ONE_CPU } from '../../../src/shared/cpu.ts'
import { type Start, startWith } from '../../../src/tune/environment.ts'
import { openRounds, type Round, toMeasurement } from '../../../src/tune/measure.ts'
import { type TuneFlags, toTuneOptions } from '../../../src/tune/options.ts'
import { MEMORIES, type Plan } from '../../../src/tune/predict.ts'
import { costPerMillion } from '../../../src/tune/prices.ts'
import { toResult } from '../../../src/tune/recommend.ts'
import type { TuneResult } from '../../../src/tune/result.ts'
import { findBest } from '../../../src/tune/run.ts'
import { isOverloaded, scanOf } from '../../../src/tune/search.ts'
import { createCpuQuota, QUOTA_PERIOD_MS, type Quota, removeQuota } from './cpu-quota.ts'

const HELP = `Usage: npm run test:tune -w cli -- [options]

  --case <name>      run only this case; repeatable. Default: the first four
  --all              run all cases
  --runs <n>         run tune this often for each grid; default 1
  --busy             give tune no priority over other programs. Otherwise it has it, so a busy machine counts as quiet
  --help             show this text`

const MAX_RATIO = 1.1
const TIME_SHARE = 1 / 4
/** `tune` may take 10 % longer than its time, and then finishes its batch. */
const MAX_TIME = 1.1
/** The shortest time that `--time` accepts, in milliseconds. */
const MIN_TIME = 30_000
/** The pool has four threads. */
const CORES_OF_POOL = Math.min(4, availableParallelism())
const MAX_DEVIATION = 0.25
/** The rounds of each combination of the grid are as long as those of a `tune` that takes three minutes. */
const GRID_TIME = 180_000
const GRID_ROUNDS = 3
/** How often the best combination of the grid is measured before it counts as the best. */
const ROUNDS_OF_BEST = 2 * GRID_ROUNDS
/** How often it and the recommended combination are measured again, to be compared. */
const ROUNDS_COMPARED = 4 * GRID_ROUNDS

interface Point {
  memory: number
  concurrency: number
}

/** The rounds of combinations, by their names. */
type Measured = Map<string, Point & { rounds: Round[] }>

interface Case {
  file: string
  flags: Partial<TuneFlags>
  environments?: number
  /**
   * The service that the handler calls: how many calls it processes at once, and the milliseconds of each. It must be
   * full before the CPU is, also with the memory of the known optimum.
   */
  service?: [capacity: number, ms: number]
  /** The memory sizes of the grid. Default: those that `tune` always compares. */
  memories?: number[]
  /** Whether this is the known optimum. */
  isKnown: (best: Point) => boolean
  known: string
}

const CASES: Readonly<Record<string, Case>> = {
  'I/O with 30 slots': {
    file: 'io-bound.ts',
    flags: { optimize: 'cost', batchSize: 120, concurrency: { least: 10, most: 200 } },
    service: [30, 300],
    isKnown: ({ memory, concurrency }) => memory === 256 && concurrency >= 24 && concurrency <= 90,
    known: '256 MB, because the process needs about 160 MB; the service is full from a concurrency of 30 on',
  },
  'thread pool': {
    file: 'thread-pool.ts',
    flags: { optimize: 'balanced', batchSize: 100, concurrency: { least: 1, most: 32 } },
    memories: [...MEMORIES, ...[3538, 5307, 7076].filter((memory) => memory <= MEMORY_OF_ONE_CPU * CORES_OF_POOL)],
    isKnown: ({ memory, concurrency }) => memory >= 3538 && concurrency >= 2,
    known: 'at least two cores (3,538 MB), and a concurrency of at least 2',
  },
  CPU: {
    file: 'cpu-bound.ts',
    flags: { optimize: 'balanced', batchSize: 100, concurrency: { least: 10, most: 80 } },
    isKnown: ({ memory }) => memory === 1769,
    known: '1,769 MB: one core; any concurrency',
  },
  'two environments': {
    file: 'io-bound.ts',
    flags: { optimize: 'cost', batchSize: 80, concurrency: { least: 10, most: 200 } },
    environments: 2,
    service: [40, 300],
    isKnown: ({ memory, concurrency }) => memory === 256 && concurrency >= 16 && concurrency <= 60,
    known: '256 MB, because the process needs about 160 MB; the service is full from a concurrency of 20 in each on',
  },
  descriptors: {
    file: 'descriptors.ts',
    flags: { optimize: 'speed', batchSize: 1800, concurrency: { least: 100, most: 1000 } },
    isKnown: ({ concurrency }) => concurrency > 600 && concurrency <= 910,
    known: 'concurrency up to about 900',
  },
  'large process': {
    file: 'large.ts',
    flags: { optimize: 'cost', batchSize: 400 },
    isKnown: ({ memory }) => memory === 512,
    known: '512 MB, because the process needs about 300 MB',
  },
}

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: Object.keys(CASES).slice(0, 4) },
    all: { type: 'boolean', default: false },
    runs: { type: 'string', default: '1' },
    busy: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** A combination of the grid. A lower score is better, and one that cannot be used has the worst. */
interface Scored extends Point {
  goodput: number
  cost: number
  score: number
}

if (options.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tune-known-'))
  const rows: string[] = []
  try {
    await writeFile(join(folder, 'sample.jsonl'), '{"number":1}\n{"number":2}\n')
    for (const name of options.all ? Object.keys(CASES) : options.case) {
      const known = CASES[name]
      if (!known) throw new Error(`--case ${name}: expected one of ${Object.keys(CASES).join(', ')}`)
      const service = known.service && (await startService(...known.service))
      try {
        const compared = await compare(name, known, folder, service?.url)
        for (const row of compared) console.log(`  ${row}`)
        rows.push(...compared)
      } finally {
        await service?.close()
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
  console.log(
    [
      `\n| case | run | recommended | its cost | best of the grid | its cost | ratio | time | verdict |`,
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
  )
}

async function compare(name: string, known: Case, folder: string, url = ''): Promise<string[]> {
  const { file, flags, environments = 1, memories = MEMORIES } = known
  // Bundled as for Lambda, so that the memory does not include the compiler of the types.
  const outfile = join(folder, `${file.slice(0, -3)}.mjs`)
  const entry = join(import.meta.dirname, file)
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'error' })
  const given: TuneFlags = {
    messagesFile: join(folder, 'sample.jsonl'),
    time: GRID_TIME,
    concurrency: { least: 10, most: 400 },
    optimize: 'balanced',
    env: [`DOWNSTREAM_URL=${url}`],
    ...(environments === 1 ? {} : { template: await templateWith(environments, folder) }),
    ...flags,
  }
  const { functionOptions, plan, range, sample, fifo, window } = await toTuneOptions(outfile, given)
  const start = startWith(functionOptions, fifo)
  const common = { start, sample, signal: new AbortController().signal }
  const quotas = Array.from({ length: environments }, (_, index) => createQuota(String(index)))
  const limited = limitedBy(quotas, start, (memory) => memory / MEMORY_OF_ONE_CPU)
  const grid = openRounds({ ...common, start: limited, time: GRID_TIME }, plan.workload)
  const tuned = options.busy ? start : limitedBy(quotas, start, () => Number.POSITIVE_INFINITY)
  const measured: Measured = new Map()
  async function add({ memory, concurrency }: Point, to = measured) {
    const point = { memory, concurrency }
    const { rounds } = to.get(nameOf(point)) ?? { rounds: [] as Round[] }
    for (let count = 0; count < GRID_ROUNDS; count += 1) rounds.push(await grid.measure({ ...point, collects: false }))
    to.set(nameOf(point), { ...point, rounds })
  }
  console.log(`\n${name}. Known optimum: ${known.known}. Load ${loadavg()[0]?.toFixed(1)}`)
  try {
    const startedAt = performance.now()
    // The first round of a concurrency sets the size of its batches. With the most memory, these are full, as in `tune`.
    for (const memory of memories.toSorted((a, b) => b - a)) {
      for (const concurrency of scanOf(range)) await add({ memory, concurrency })
    }
    await grid.close()
    const gridMs = performance.now() - startedAt
    const time = Math.max(MIN_TIME, TIME_SHARE * gridMs)
    const runs: { result: TuneResult; ms: number }[] = []
    for (let count = 0; count < Number(options.runs); count += 1) {
      const runAt = performance.now()
      const found = await findBest({ ...common, start: tuned, plan, range, time })
      const result = toResult({
        ...found,
        handler: file,
        plan,
        range,
        window,
        delivered: sample.delivered(),
        isIncomplete: false,
      })
      runs.push({ result, ms: performance.now() - runAt })
      console.log(`  tune: ${result.recommendation} ${result.warnings.join(' ')}`)
    }
    // The best of few rounds is often a lucky one.
    let optimum = bestOf(scoresOf(measured, plan))
    while ((measured.get(nameOf(optimum))?.rounds.length ?? 0) < ROUNDS_OF_BEST) {
      await add(optimum)
      optimum = bestOf(scoresOf(measured, plan))
    }
    const scores = scoresOf(measured, plan)
    console.log(`  grid: ${textOf(optimum)}; ${scores.length} combinations, ${seconds(gridMs)}; ${plan.optimize}`)
    // The rounds that chose the best combination favour it. New ones compare it with the recommended ones, in turn,
    // because the speed of the machine changes.
    const compared: Measured = new Map()
    const points = new Map(
      [optimum, ...runs.flatMap(({ result }) => result.best ?? [])].map((each) => [nameOf(each), each]),
    )
    for (let rounds = 0; rounds < ROUNDS_COMPARED; rounds += GRID_ROUNDS) {
      for (const point of points.values()) await add(point, compared)
    }
    const allowed = time * MAX_TIME + (functionOptions.timeout ?? 0)
    return runs.map(({ result, ms }, index) =>
      rowOf(name, known, index + 1, result, ms, time, allowed, scores, scoresOf(compared, plan)),
    )
  } finally {
    await grid.close()
    for (const quota of quotas) await removeQuota(quota)
  }
}

/** A template whose mapping limits the environments, because `tune` has no flag for this. */
async function templateWith(environments: number, folder: string): Promise<string> {
  const file = join(folder, 'template.json')
  const Events = {
    Orders: {
      Type: 'SQS',
      Properties: {
        Queue: { 'Fn::GetAtt': ['Queue', 'Arn'] },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: environments },
      },
    },
  }
  const Properties = { Runtime: 'nodejs24.x', Handler: 'x.handler', CodeUri: '.', Timeout: 30, Events }
  const redrive = { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: 15 }
  const Resources = {
    Handler: { Type: 'AWS::Serverless::Function', Properties },
    Queue: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 181, RedrivePolicy: redrive } },
    Dead: { Type: 'AWS::SQS::Queue', Properties: { MessageRetentionPeriod: 1_209_600 } },
  }
  await writeFile(file, JSON.stringify({ Transform: 'AWS::Serverless-2016-10-31', Resources }))
  return file
}

/** Starts environments with this number of cores. The limit counts only after they have loaded the handler. */
function limitedBy(quotas: readonly Quota[], start: Start, coresOf: (memory: number) => number): Start {
  let started = 0
  return async (candidate, signal) => {
    const quota = quotas[started % quotas.length] as Quota
    started += 1
    quota.lift()
    const environment = await start(candidate, signal)
    quota.limit(environment.pid, coresOf(candidate.memory))
    return environment
  }
}

/** A service with priority over other programs: a real one runs on another machine. */
async function startService(capacity: number, ms: number) {
  const child = fork(join(import.meta.dirname, 'service.ts'), [String(capacity), String(ms)])
  const [url] = await once(child, 'message')
  const quota = createQuota('service')
  quota.limit(child.pid as number, Number.POSITIVE_INFINITY)
  return {
    url: String(url),
    async close() {
      child.kill()
      await removeQuota(quota)
    },
  }
}

function createQuota(name: string): Quota {
  const quota = createCpuQuota(`tune-known-${process.pid}-${name}`, QUOTA_PERIOD_MS)
  if (!quota) throw new Error('this machine does not permit cgroups: run this as root')
  return quota
}

function scoresOf(measured: Measured, { workload, optimize }: Plan): Scored[] {
  const points = [...measured.values()]
  const all = points.map(({ concurrency, rounds }) => toMeasurement(concurrency, rounds))
  return points.map(({ memory, concurrency }, index) => {
    const measurement = all[index] as (typeof all)[number]
    const { goodput, failedShare, problem, peakMemory } = measurement
    const cost = costPerMillion(memory, goodput, failedShare, workload) ?? Number.POSITIVE_INFINITY
    const isUsable = problem === undefined && (peakMemory ?? 0) <= memory && !isOverloaded(measurement, all)
    const score = { speed: 1 / goodput, cost, balanced: cost / goodput }[optimize]
    return { memory, concurrency, goodput, cost, score: isUsable ? score : Number.POSITIVE_INFINITY }
  })
}

function bestOf(scores: readonly Scored[]): Scored {
  return scores.reduce((best, each) => (each.score < best.score ? each : best))
}

/**
 * Prints the deviations of the predictions, and returns a row of the table.
 *
 * @param scores of the grid
 * @param compared of the best combination, which is the first one, and of the recommended ones
 */
function rowOf(
  name: string,
  { isKnown }: Case,
  run: number,
  { best, combinations }: TuneResult,
  ms: number,
  time: number,
  allowed: number,
  scores: readonly Scored[],
  compared: readonly Scored[],
): string {
  for (const predicted of combinations) {
    const actual = scores.find((each) => nameOf(each) === nameOf(predicted))
    if (!actual || predicted.problem !== undefined || actual.score === Number.POSITIVE_INFINITY) continue
    const deviation = predicted.goodput / actual.goodput - 1
    if (Math.abs(deviation) > MAX_DEVIATION) {
      console.log(
        `    ${textOf(actual)}; predicted ${predicted.goodput.toFixed(1)} (${(100 * deviation).toFixed(0)} %)`,
      )
    }
  }
  const [optimum] = compared as [Scored]
  const chosen = compared.find((each) => best !== null && nameOf(each) === nameOf(best))
  const ratio = (chosen?.score ?? Number.POSITIVE_INFINITY) / optimum.score
  const verdicts = [
    [best && isKnown(best), 'not the known optimum'],
    [ratio <= MAX_RATIO, `ratio above ${MAX_RATIO}`],
    [ms <= allowed, 'took longer than its time'],
  ] as const
  const wrong = verdicts.flatMap(([holds, text]) => (holds ? [] : [text]))
  if (wrong.length > 0) process.exitCode = 1
  return `| ${[
    name,
    run,
    chosen ? nameOf(chosen) : 'nothing',
    chosen ? dollars(chosen) : 'none',
    nameOf(optimum),
    dollars(optimum),
    ratio.toFixed(2),
    `${seconds(ms)} of ${seconds(time)}`,
    wrong.length === 0 ? 'ok' : `FAILED: ${wrong.join('; ')}`,
  ].join(' | ')} |`
}

function nameOf({ memory, concurrency }: Point): string {
  return `${memory} MB × ${concurrency}`
}

function dollars({ cost }: Scored): string {
  return `$${cost.toFixed(4)}`
}

function textOf(each: Scored): string {
  return `${nameOf(each)}: ${each.goodput.toFixed(1)}/s, ${dollars(each)}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`
}
