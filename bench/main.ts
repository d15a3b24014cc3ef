// npm run bench -- [part…] [--gate] [--short]
//
// Measures all parts, or those that are named (overhead, features, http, fifo, heap, start), prints tables and, unless
// `--short`, writes results/. `--gate` exits with 1 where a target is missed; `--short` measures what has a target, in
// less than a minute, against wider limits. From results/ alone: `charts` draws, `readme` writes the tables into the
// README, `report` prints them.
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

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { gate: { type: 'boolean', default: false }, short: { type: 'boolean', default: false } },
})

const fromResults: Record<string, (results: Results) => Promise<void>> = {
  async charts(results) {
    await drawCharts(results)
    await writeFile(join(directory, 'README.md'), fullReport(results))
  },
  readme: updateReadme,
  async report(results) {
    print(results, partNames)
  },
}

const unknown = positionals.filter((name) => !(name in fromResults) && !partNames.includes(name as Part))
if (unknown.length > 0) {
  throw new TypeError(`Expected ${[...partNames, ...Object.keys(fromResults)].join(', ')}, got ${unknown.join(', ')}`)
}
const command = positionals.find((name) => name in fromResults)
if (command) await fromResults[command]?.(await readResults())
else await measure(positionals.length > 0 ? (positionals as Part[]) : partsOf(options.short))

/** What a feature costs has no target. */
function partsOf(isShort: boolean): Part[] {
  return isShort ? partNames.filter((part) => part !== 'features') : partNames
}

async function measure(parts: readonly Part[]): Promise<void> {
  const measured: Results = {}
  for (const part of parts) {
    Object.assign(measured, { [part]: { ...(await stamp()), ...(await inOwnProcess(part)) } })
    if (!options.short) await writeResult(part, measured)
  }
  if (!options.short) await fromResults.charts?.(await readResults())
  print(measured, parts)
  const missed = verdicts(measured, options.short).filter(({ isMet }) => !isMet)
  if (options.gate && missed.length > 0) {
    console.error(`\n${missed.length} missed:\n${missed.map(({ title }) => `  ${title}`).join('\n')}`)
    process.exitCode = 1
  }
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
