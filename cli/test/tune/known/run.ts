/**
 * Compares `tune` with the full grid, on handlers whose optimum is known. Run `npm run test:tune -w cli` on a quiet
 * machine, as root: each combination of the grid is measured under the CPU quota of its memory size. Exits with 1 if
 * `tune` recommends a combination that is more than 10 % worse than the best one, or that is not the known optimum, or
 * if it takes more than a third of the time. Deviations of predictions above 25 % are listed.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { createCpuQuota, removeQuota } from '../../../dist/local/runtime/cpu-quota.js'
import { choose } from '../../../dist/tune/choose.js'
import { MEMORIES } from '../../../dist/tune/defaults.js'
import { combinationsOf, explore, fullMemory, type Results } from '../../../dist/tune/explore.js'
import type { Combination, Measurement } from '../../../dist/tune/figures/result.js'
import { type MeasureOptions, measure, openRounds } from '../../../dist/tune/measure.js'
import { type TuneFlags, toTuneOptions } from '../../../dist/tune/options.js'
import { toCombination } from '../../../dist/tune/predict.js'
// The imports above are built files, because compiling TypeScript would need memory in the measured processes.
import { startDownstream } from '../../support/downstream.ts'

const HELP = `Usage: npm run test:tune -w cli -- [options]

  --case <name>      run only this case; repeatable
  --short            use only two memory sizes and a coarse grid, to check the comparison itself
  --help             show this text`

const MAX_WORSE = 0.1
const MAX_TIME = 1 / 3
const MAX_DEVIATION = 0.25
const PERIOD_MS = 20

interface Case {
  file: string
  flags: Partial<TuneFlags>
  /** Whether this is the known optimum. */
  isKnown: (best: Combination, smallest: number) => boolean
  known: string
}

const CASES: Readonly<Record<string, Case>> = {
  'cpu-bound': {
    file: 'cpu-bound.ts',
    flags: { optimize: 'speed', batchSize: 500, concurrency: { least: 10, most: 160 } },
    isKnown: ({ memory, concurrency }) => memory === 1769 && concurrency <= 16,
    known: '1,769 MB, because the goodput grows with the memory; one of the lowest concurrencies',
  },
  'io-bound': {
    file: 'io-bound.ts',
    flags: { optimize: 'cost', batchSize: 160 },
    isKnown: ({ memory, concurrency }, smallest) => memory === smallest && concurrency >= 30 && concurrency <= 60,
    known: 'the smallest memory, and a concurrency of 30 to 60',
  },
  'io-bound, 4 environments': {
    file: 'io-bound.ts',
    flags: { optimize: 'cost', batchSize: 80, environments: 4, concurrency: { least: 8, most: 160 } },
    isKnown: ({ concurrency }) => concurrency >= 7 && concurrency <= 15,
    known: 'a concurrency of about 10 in each',
  },
  descriptors: {
    file: 'descriptors.ts',
    flags: { optimize: 'speed', batchSize: 1800, concurrency: { least: 100, most: 1000 } },
    isKnown: ({ concurrency }) => concurrency > 600 && concurrency <= 910,
    known: 'a concurrency of at most about 900',
  },
  large: {
    file: 'large.ts',
    flags: { optimize: 'cost', batchSize: 400 },
    isKnown: ({ memory }) => memory === 512,
    known: '512 MB, because the process needs about 300 MB',
  },
}

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: Object.keys(CASES) },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tune-known-'))
  const downstream = await startDownstream(40, 200)
  try {
    await writeFile(join(folder, 'sample.jsonl'), '{"number":1}\n{"number":2}\n')
    for (const name of options.case) {
      const known = CASES[name]
      if (!known) throw new Error(`--case ${name}: expected one of ${Object.keys(CASES).join(', ')}`)
      if (!(await compare(name, known, folder, downstream.url))) process.exitCode = 1
    }
  } finally {
    downstream.close()
    await rm(folder, { recursive: true })
  }
}

async function compare(name: string, { file, flags, isKnown, known }: Case, folder: string, url: string) {
  // Bundled as for Lambda, so that the memory does not include the compiler of the types.
  const outfile = join(folder, `${file.slice(0, -3)}.mjs`)
  const entry = join(import.meta.dirname, file)
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'error' })
  const { plan, sample, ...made } = await toTuneOptions(outfile, {
    messagesFile: join(folder, 'sample.jsonl'),
    memory: options.short ? [512, 1769] : MEMORIES,
    concurrency: { least: 10, most: 400 },
    optimize: 'balanced',
    arch: 'x86_64',
    env: [`DOWNSTREAM_URL=${url}`],
    ...flags,
  })
  const { environments } = plan.workload
  const common: MeasureOptions = {
    function: made.function,
    environments,
    sample,
    precision: plan.precision,
    onBatch: () => {},
    onRound: () => {},
    signal: new AbortController().signal,
  }

  const tuneStart = performance.now()
  const results: Results = { measurements: [], checks: new Map(), confirmed: [] }
  const rounds = openRounds(fullMemory(plan.memories), common)
  const atFullCpu = (concurrency: number, memory: number) => measure(concurrency, memory, common)
  await explore(plan, { round: rounds.measure, atFullCpu }, results)
  await rounds.close()
  const tuneTime = performance.now() - tuneStart
  const predicted = combinationsOf(results, plan)
  const best = choose(predicted, plan.optimize, results.measurements)
  console.log(`\n${name}\n  tune: ${textOf(best)}; ${seconds(tuneTime)}. Known: ${known}`)
  if (!best) return false

  const quotas = Array.from({ length: environments }, (_, index) => {
    const quota = createCpuQuota(`tune-known-${process.pid}-${index}`, PERIOD_MS)
    if (!quota) throw new Error('this machine does not permit cgroups: run this as root')
    return quota
  })
  const gridStart = performance.now()
  const measured: { memory: number; measurement: Measurement }[] = []
  try {
    for (const memory of plan.memories) {
      for (const concurrency of gridOf(plan.least, plan.most, best.concurrency)) {
        const measurement = await measure(concurrency, memory, { ...common, quotas })
        measured.push({ memory, measurement })
      }
    }
  } finally {
    for (const quota of quotas) await removeQuota(quota)
  }
  const gridTime = performance.now() - gridStart
  const all = measured.map(({ measurement }) => measurement)
  const grid = measured.map(({ memory, measurement }) =>
    toCombination(measurement, memory, 'confirmed', plan.workload, all),
  )

  const score = ({ goodput, costPerMillion }: Combination) =>
    plan.optimize === 'speed' ? 1 / goodput : Number(costPerMillion)
  const usable = grid.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  const optimum = usable.reduce((lowest, combination) => (score(combination) < score(lowest) ? combination : lowest))
  const chosen = grid.find(({ memory, concurrency }) => memory === best.memory && concurrency === best.concurrency)
  const worse = chosen && chosen.problem === undefined ? score(chosen) / score(optimum) - 1 : Number.POSITIVE_INFINITY
  const time = tuneTime / gridTime
  console.log(`  grid: ${textOf(optimum)}; ${grid.length} combinations, ${seconds(gridTime)}`)
  console.log(`  under the quota: ${textOf(chosen)}`)
  console.log(`  ${percent(worse)} worse than the best of the grid; ${percent(time)} of its time`)
  for (const combination of grid) {
    const same = predicted.find(
      (each) => each.memory === combination.memory && each.concurrency === combination.concurrency,
    )
    if (!same || same.problem !== undefined || combination.problem !== undefined) continue
    const deviation = same.goodput / combination.goodput - 1
    const mark = Math.abs(deviation) > MAX_DEVIATION ? '  DEVIATES' : ''
    console.log(`    ${textOf(combination)}; predicted ${same.goodput.toFixed(1)} (${percent(deviation)})${mark}`)
  }
  const verdicts = [
    [isKnown(best, Math.min(...plan.memories)), 'it is not the known optimum'],
    [worse <= MAX_WORSE, `it is more than ${percent(MAX_WORSE)} worse than the best of the grid`],
    [options.short || time <= MAX_TIME, `it took more than ${percent(MAX_TIME)} of the time of the grid`],
  ] as const
  const wrong = verdicts.flatMap(([holds, text]) => (holds ? [] : [text]))
  console.log(`  ${wrong.length === 0 ? 'ok' : `FAILED: ${wrong.join('; ')}`}`)
  return wrong.length === 0
}

/** The range in steps of about a third, and the concurrency that `tune` recommends. */
function gridOf(least: number, most: number, recommended: number): number[] {
  const factor = options.short ? 4 : 1.35
  const grid = new Set([recommended, most])
  for (let at = least; at < most; at = Math.ceil(at * factor)) grid.add(at)
  return [...grid].sort((a, b) => a - b)
}

function textOf(combination: Combination | undefined): string {
  if (!combination) return 'nothing'
  const { memory, concurrency, goodput, costPerMillion, problem } = combination
  const cost = costPerMillion === null ? '' : `, $${costPerMillion.toFixed(4)}`
  return `${memory} MB × ${concurrency}: ${goodput.toFixed(1)}/s${cost}${problem === undefined ? '' : ` (${problem})`}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`
}
