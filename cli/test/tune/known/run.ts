/**
 * Compares `tune` with the full grid, on handlers whose optimum is known, and prints a table. Run `npm run test:tune -w
 * cli` as root: each combination of the grid is measured under the CPU quota of its memory size. Exits with 1 if `tune`
 * recommends a combination that is more than 10 % worse than the best of the grid, or that is not the known optimum, or
 * if it takes more than a third of the time of the grid. Deviations of predictions above 25 % are listed.
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
import { MEMORY_OF_ONE_CPU } from '../../../dist/shared/reserve.js'
import { choose } from '../../../dist/tune/choose.js'
import { isLate } from '../../../dist/tune/consent.js'
import { createCpuQuota, QUOTA_PERIOD_MS, type Quota, removeQuota } from '../../../dist/tune/cpu-quota.js'
import { MEMORIES, MORE_MEMORIES } from '../../../dist/tune/defaults.js'
import { estimate, measureSpeeds } from '../../../dist/tune/estimate.js'
import { combinationsOf, explore, noResults, type Plan } from '../../../dist/tune/explore.js'
import { scanOf } from '../../../dist/tune/figures/climb.js'
import { mean, PRECISION } from '../../../dist/tune/figures/confidence.js'
import type { Combination, Measurement } from '../../../dist/tune/figures/result.js'
import { type MeasureOptions, measure, measureFor, startWith } from '../../../dist/tune/measure.js'
import { type TuneFlags, toTuneOptions } from '../../../dist/tune/options.js'
import { MAX_MEMORY_SHARE, toCombination } from '../../../dist/tune/predict.js'
import { uncertaintyOf } from '../../../dist/tune/recommend.js'

const HELP = `Usage: npm run test:tune -w cli -- [options]

  --case <name>      run only this case; repeatable. Default: the first four
  --all              run all cases
  --runs <n>         run tune this often for each grid; default 1
  --help             show this text`

const MAX_RATIO = 1.1
/** The pool has four threads. */
const CORES_OF_POOL = Math.min(4, availableParallelism())
const MAX_TIME = 1 / 3
const MAX_DEVIATION = 0.25
/** How often the best combination of the grid and the recommended ones are measured. */
const FIGURES_OF_BEST = 4

interface Case {
  file: string
  flags: Partial<TuneFlags>
  /** The service that the handler calls: how many calls it processes at once, and the milliseconds of each. */
  service?: [capacity: number, ms: number]
  /** The memory sizes of the grid. Default: those that `tune` always compares. */
  memories?: number[]
  /** Whether this is the known optimum. */
  isKnown: (best: Combination) => boolean
  known: string
}

const CASES: Readonly<Record<string, Case>> = {
  'I/O with 30 slots': {
    file: 'io-bound.ts',
    flags: { optimize: 'cost', batchSize: 240, concurrency: { least: 10, most: 200 } },
    service: [30, 100],
    isKnown: ({ memory, concurrency }) => memory === 256 && concurrency >= 24 && concurrency <= 90,
    known: '256 MB, because the process can need more than 128 MB; the service is full from a concurrency of 30 on',
  },
  'thread pool': {
    file: 'thread-pool.ts',
    flags: { optimize: 'balanced', batchSize: 100, concurrency: { least: 1, most: 32 } },
    memories: [...MEMORIES, ...MORE_MEMORIES.filter((memory) => memory <= MEMORY_OF_ONE_CPU * CORES_OF_POOL)],
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
    flags: { optimize: 'cost', batchSize: 160, environments: 2, concurrency: { least: 10, most: 200 } },
    service: [40, 100],
    isKnown: ({ memory, concurrency }) => memory === 256 && concurrency >= 16 && concurrency <= 60,
    known:
      '256 MB, because the process can need more than 128 MB; the service is full from a concurrency of 20 in each on',
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
    help: { type: 'boolean', default: false },
  },
})

type Point = Pick<Combination, 'memory' | 'concurrency'>

/** A point of the grid. */
interface Measured {
  memory: number
  measurements: readonly Measurement[]
}

/** One recommendation of `tune`. */
interface Run {
  best: Combination | undefined
  predicted: Combination[]
  uncertainty: string | null
  ms: number
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
        rows.push(...(await compare(name, known, folder, service?.url)))
      } finally {
        await service?.close()
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
  console.log(
    [
      `\n| case | run | recommended | its cost | best of the grid | its cost | ratio | time ÷ grid | verdict |`,
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
  )
}

async function compare(name: string, { file, flags, memories, isKnown, known }: Case, folder: string, url = '') {
  // Bundled as for Lambda, so that the memory does not include the compiler of the types.
  const outfile = join(folder, `${file.slice(0, -3)}.mjs`)
  const entry = join(import.meta.dirname, file)
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'error' })
  const made = await toTuneOptions(outfile, {
    messagesFile: join(folder, 'sample.jsonl'),
    concurrency: { least: 10, most: 400 },
    optimize: 'balanced',
    arch: 'x86_64',
    env: [`DOWNSTREAM_URL=${url}`],
    ...flags,
  })
  const { plan, sample } = made.run(made.batchSize, PRECISION)
  const quotas = Array.from({ length: made.environments }, (_, index) => createQuota(String(index)))
  const common: MeasureOptions = {
    start: startWith(made.function, made.fifo, quotas),
    environments: made.environments,
    sample,
    precision: PRECISION,
    onBatch: () => {},
    onRound: () => {},
    signal: new AbortController().signal,
  }
  console.log(`\n${name}. Known optimum: ${known}. Load ${loadavg()[0]?.toFixed(1)}`)
  try {
    const runs: Run[] = []
    for (let count = 0; count < Number(options.runs); count += 1) {
      const run = await runTune(plan, common)
      runs.push(run)
      console.log(`  tune: ${textOf(run.best)}; ${seconds(run.ms)}. ${run.uncertainty ?? ''}`)
    }
    const startedAt = performance.now()
    const startLimited = startWith(made.function, made.fifo, quotas, true)
    const measured = new Map<string, Measured>()
    async function add(point: Point) {
      const { memory, concurrency } = point
      const { measurements } = measured.get(nameOf(point)) ?? { measurements: [] }
      const measurement = await measure(concurrency, memory, { ...common, start: startLimited })
      measured.set(nameOf(point), { memory, measurements: [...measurements, measurement] })
    }
    for (const memory of memories ?? MEMORIES) {
      for (const concurrency of scanOf(plan.least, plan.most)) await add({ memory, concurrency })
    }
    const gridMs = performance.now() - startedAt
    // The best of many single figures is often a lucky one. So the best combination and the recommended ones are
    // measured in turn, and each has the mean of its figures. This ends when the best one has all of them.
    const hasAllFigures = (point: Point) => measured.get(nameOf(point))?.measurements.length === FIGURES_OF_BEST
    let grid = gridOf([...measured.values()], plan)
    for (let optimum = optimumOf(grid, plan); !hasAllFigures(optimum); optimum = optimumOf(grid, plan)) {
      const points = [optimum, ...runs.flatMap(({ best }) => best ?? [])]
      for (const point of new Map(points.map((each) => [nameOf(each), each])).values()) {
        if (!hasAllFigures(point)) await add(point)
      }
      grid = gridOf([...measured.values()], plan)
    }
    return report(name, isKnown, plan, runs, grid, gridMs)
  } finally {
    for (const quota of quotas) await removeQuota(quota)
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

async function runTune(plan: Plan, common: MeasureOptions): Promise<Run> {
  const startedAt = performance.now()
  const expected = await estimate(plan, await measureSpeeds(plan, common), false)
  const estimatedAt = performance.now()
  const results = noResults()
  const measurements = measureFor(plan, common)
  try {
    await explore(plan, measurements, results, () => isLate(performance.now() - estimatedAt, expected))
  } finally {
    await measurements.close()
  }
  const ms = performance.now() - startedAt
  console.log(`  estimate: ${seconds(expected.ms)}; the search took ${seconds(performance.now() - estimatedAt)}`)
  const predicted = combinationsOf(results, plan)
  const best = choose(predicted, plan.optimize, results.measurements)
  const uncertainty = best ? uncertaintyOf(best, predicted, results.measurements, results.endedEarly) : null
  return { best, predicted, ms, uncertainty }
}

/** Prints the deviations of the predictions, and returns a row of the table for each run. */
function report(
  name: string,
  isKnown: Case['isKnown'],
  plan: Plan,
  runs: readonly Run[],
  grid: readonly Combination[],
  gridMs: number,
): string[] {
  const optimum = optimumOf(grid, plan)
  const inGrid = (one: Combination | undefined) =>
    grid.find(({ memory, concurrency }) => memory === one?.memory && concurrency === one.concurrency)
  console.log(
    `  grid: ${textOf(optimum)}; ${grid.length} combinations, ${seconds(gridMs)}; optimized for ${plan.optimize}`,
  )
  for (const same of runs[0]?.predicted ?? []) {
    const actual = inGrid(same)
    if (!actual || same.problem !== undefined || actual.problem !== undefined) continue
    const deviation = same.goodput / actual.goodput - 1
    if (Math.abs(deviation) > MAX_DEVIATION) {
      console.log(`    ${textOf(actual)}; predicted ${same.goodput.toFixed(1)} (${(100 * deviation).toFixed(0)} %)`)
    }
  }
  return runs.map(({ best, ms }, index) => {
    const chosen = inGrid(best)
    const ratio =
      chosen && chosen.problem === undefined ? score(chosen, plan) / score(optimum, plan) : Number.POSITIVE_INFINITY
    const time = ms / gridMs
    const verdicts = [
      [best && isKnown(best), 'not the known optimum'],
      [ratio <= MAX_RATIO, `ratio above ${MAX_RATIO}`],
      [time <= MAX_TIME, 'more than a third of the time of the grid'],
    ] as const
    const wrong = verdicts.flatMap(([holds, text]) => (holds ? [] : [text]))
    if (wrong.length > 0) process.exitCode = 1
    return `| ${[
      name,
      index + 1,
      nameOf(chosen),
      dollars(chosen),
      nameOf(optimum),
      dollars(optimum),
      ratio.toFixed(2),
      `${seconds(ms)} ÷ ${seconds(gridMs)} = ${(100 * time).toFixed(0)} %`,
      wrong.length === 0 ? 'ok' : `FAILED: ${wrong.join('; ')}`,
    ].join(' | ')} |`
  })
}

function gridOf(measured: readonly Measured[], { workload }: Plan): Combination[] {
  const each = measured.map(({ memory, measurements }) => {
    const goodput = mean(measurements.map((one) => one.goodput))
    const peakMemory = Math.max(...measurements.map((one) => one.peakMemory ?? 0))
    return { memory, measurement: { ...(measurements[0] as Measurement), goodput, peakMemory } }
  })
  const all = each.map(({ measurement }) => measurement)
  return each.map(({ memory, measurement }) => {
    // The grid has what fitted. `tune` also leaves a part free, because the peak varies.
    const needed = MAX_MEMORY_SHARE * measurement.peakMemory
    return toCombination(measurement, memory, 'confirmed', workload, all, needed)
  })
}

function optimumOf(grid: readonly Combination[], plan: Plan): Combination {
  const usable = grid.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  return usable.reduce((lowest, each) => (score(each, plan) < score(lowest, plan) ? each : lowest))
}

/** Lower is better. */
function score({ goodput, costPerMillion }: Combination, { optimize }: Plan): number {
  const cost = Number(costPerMillion)
  return { speed: 1 / goodput, cost, balanced: cost / goodput }[optimize]
}

function nameOf(combination: Point | undefined): string {
  return combination ? `${combination.memory} MB × ${combination.concurrency}` : 'nothing'
}

function dollars(combination: Combination | undefined): string {
  return combination?.costPerMillion ? `$${combination.costPerMillion.toFixed(4)}` : 'none'
}

function textOf(combination: Combination | undefined): string {
  const problem = combination?.problem === undefined ? '' : ` (${combination.problem})`
  return `${nameOf(combination)}: ${combination?.goodput.toFixed(1)}/s, ${dollars(combination)}${problem}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`
}
