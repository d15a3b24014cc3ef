import { parseArgs } from 'node:util'
import { drawChart } from './chart.ts'
import { type Part, partNames } from './parts.ts'
import { BASELINE, BENCH_PACKAGE } from './peers.ts'
import { report, writePage } from './report.ts'
import { measure, type Results, readResults, writeResults } from './results.ts'
import { type Verdict, verdicts } from './targets.ts'

const HELP = `Usage: npm run bench -- [part…] [--gate] [--short]
       npm run bench -- report [--gate]

Measures all parts, or only those named: ${partNames.join(', ')}.
Prints the tables and writes bench/results/, with README.md for readers.

  report   prints and writes everything from bench/results/results.json, without measuring
  --gate   exits with 1 if a figure is above its gate, which is 1.15 times most targets
  --short  takes about a minute: measures only what has a target, allows wider limits and writes nothing
  --help   prints this help

With BENCH_PACKAGE=/path/to/dist/index.js in the environment, it also measures that build of this package, named
"${BASELINE}", and writes nothing. That build loads p-queue from its own node_modules.`

const { options, names } = readCommandLine()
if (options.help) {
  console.log(HELP)
} else {
  const parts = partsToShow()
  const results = names[0] === 'report' ? await readResults() : await measure(parts, options.short)
  console.log(report(results, parts, options.short))
  if (!options.short && !BENCH_PACKAGE) await write(results)
  if (options.gate) await gate(results, parts)
}

function readCommandLine() {
  try {
    const { values: options, positionals: names } = parseArgs({
      allowPositionals: true,
      options: {
        gate: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const isReport = names.length === 1 && names[0] === 'report' && !options.short
    const unknown = names.find((name) => !isReport && !partNames.includes(name as Part))
    if (unknown !== undefined)
      throw new TypeError(`Expected names of parts, or "report" alone and without --short, but received "${unknown}"`)
    return { options, names }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exit(2)
  }
}

function partsToShow(): readonly Part[] {
  return names.length === 0 || names[0] === 'report' ? partNames : (names as Part[])
}

/** Parts that were not measured now keep their earlier results. */
async function write(measured: Results): Promise<void> {
  const results = { ...(await readResults()), ...measured }
  await writeResults(results)
  if (results.http) await drawChart(results.http.data)
  await writePage(results)
}

/** In a short run, a figure that varies misses its target only if a second measurement misses it too. */
async function gate(results: Results, parts: readonly Part[]): Promise<void> {
  let missed = missedTargets(results, parts)
  const uncertain = options.short ? missed.filter(({ isExact }) => !isExact) : []
  if (uncertain.length > 0) {
    console.error(`\n${listOf(missed)}\nMeasuring again:`)
    const again = [...new Set(uncertain.map(({ part }) => part))]
    const repeated = await measure(again, true)
    console.log(report(repeated, again, true))
    const missedAgain = missedTargets(repeated, again).map(({ title }) => title)
    missed = missed.filter(({ title, isExact }) => isExact || missedAgain.includes(title))
  }
  if (missed.length === 0) return
  console.error(`\n${listOf(missed)}`)
  process.exitCode = 1
}

function missedTargets(results: Results, parts: readonly Part[]): Verdict[] {
  return verdicts(results, parts, options.short).filter(({ isWithinGate }) => !isWithinGate)
}

function listOf(missed: readonly Verdict[]): string {
  return [`${missed.length} missed:`, ...missed.map(({ title }) => `  ${title}`)].join('\n')
}
