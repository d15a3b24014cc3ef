// Measures the parts, or works from what was measured: USAGE says it all.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawCharts } from './charts.ts'
import { fullReport, updateReadme } from './readme.ts'
import { sheets, targetSheet, toTerminal } from './report.ts'
import { directory, type Part, partNames, type Results, readResults, stamp, writeResult } from './results.ts'
import { verdicts } from './targets.ts'

const USAGE = `npm run bench -- [part…] [--gate] [--short]
npm run bench -- report|charts|readme [--gate]

Without a part, measures all, prints tables, writes results/ with its charts, and the tables in the README. With parts
(${partNames.join(', ')}), measures those, and leaves the README alone.

  report   prints the tables of what is in results/
  charts   draws its charts and writes results/README.md
  readme   writes its tables into the README
  --gate   exits with 1 where a target is missed
  --short  measures what has a target, in about a minute, against wider limits, and writes nothing
  --help   prints this`

const fromResults = new Map<string, (results: Results) => Promise<void>>([
  ['report', async (results) => print(results, partNames)],
  ['charts', redraw],
  ['readme', updateReadme],
])

const { options, command, parts } = commandLine()
if (options.help) console.log(USAGE)
else {
  const results = command ? await readResults() : await measure(parts)
  await command?.(results)
  if (options.gate) gate(results)
}

function commandLine() {
  try {
    const { values: options, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        gate: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const name = positionals.find((name) => fromResults.has(name))
    if (name && (positionals.length > 1 || options.short)) throw new TypeError(`${name} goes with --gate alone`)
    const command = fromResults.get(name ?? '')
    const unknown = positionals.find((name) => !command && !partNames.includes(name as Part))
    if (unknown !== undefined) throw new TypeError(`There is no part ${unknown}`)
    return { options, command, parts: positionals as Part[] }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** All parts where none is named; in a short run without what features cost, which has no target. */
async function measure(named: readonly Part[]): Promise<Results> {
  const isAll = named.length === 0
  const parts = isAll ? partNames.filter((part) => !(options.short && part === 'features')) : named
  const measured: Results = {}
  for (const part of parts) {
    Object.assign(measured, { [part]: { ...(await stamp()), ...(await inOwnProcess(part)) } })
    if (!options.short) await writeResult(part, measured)
  }
  if (!options.short) await redraw(await readResults())
  if (!options.short && isAll) await updateReadme(measured)
  print(measured, parts)
  return measured
}

async function redraw(results: Results): Promise<void> {
  await drawCharts(results)
  await writeFile(join(directory, 'README.md'), fullReport(results))
}

function gate(results: Results): void {
  const missed = verdicts(results, options.short).filter(({ isMet }) => !isMet)
  if (missed.length === 0) return
  console.error(`\n${missed.length} missed:\n${missed.map(({ title }) => `  ${title}`).join('\n')}`)
  process.exitCode = 1
}

/** One part's compiled code and garbage are not another's. */
async function inOwnProcess(part: Part): Promise<object> {
  const child = fork(join(import.meta.dirname, 'part.ts'), [part, options.short ? 'short' : 'full'], {
    execArgv: ['--expose-gc'],
  })
  const result = once(child, 'message')
  const failed = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`${part} ended with code ${code}`)
    return result
  })
  const [message] = await Promise.race([result, failed])
  return message
}

function print(results: Results, parts: readonly Part[]): void {
  const shown = [...sheets(results, parts), targetSheet(results, options.short)]
  for (const sheet of shown) if (sheet.rows.length > 0) console.log(toTerminal(sheet))
}
