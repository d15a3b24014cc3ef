// Puts what was measured between the markers of the README, from the results alone.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sheets, targetSheet, toMarkdown } from './report.ts'
import { type Part, partNames, type Results, type Stamp } from './results.ts'

const README = join(import.meta.dirname, '..', 'README.md')
const MARKED = /(?<=<!-- bench -->\n)[\s\S]*(?=<!-- \/bench -->)/

const CHARTS = [
  ['http-over-concurrency', 'Throughput and failures over concurrency, with the limit of descriptors marked'],
  ['cost-per-record', 'Microseconds a record costs beyond its handler, by library and batch size'],
]

const INTRODUCTION =
  'Each part was measured in one run, in rounds: a round measures each of what is compared once, in random ' +
  'order. All samples are in the JSON files beside this one.'

/** The README's part of it; the rest is in `results/README.md`. */
function excerpt(results: Results): string {
  const tables = (part: Part) => sheets(results, [part]).map(toMarkdown)
  const [overConcurrency, costPerRecord] = CHARTS.map(([name, text]) => `![${text}](bench/results/${name}.svg)`)
  return [
    ...tables('http').slice(0, 1),
    overConcurrency,
    ...tables('overhead'),
    costPerRecord,
    ...tables('start'),
    toMarkdown(targetSheet(results)),
    measuredOn(results),
  ].join('\n\n')
}

function measuredOn(results: Results): string {
  const stamps = new Set(Object.values(results).map(stampText))
  return [
    `Measured on ${[...stamps].join(' and ')}.`,
    ...goTexts(results),
    '`npm run bench` makes it all again; [bench/results](bench/results/README.md) has the other cases and every sample.',
  ].join(' ')
}

const stampText = ({ date, machine, node }: Stamp) => `${date} (${machine}, Node ${node})`

/** One, unless the parts were measured on different machines. */
function goTexts({ overhead, http }: Results): string[] {
  const found = new Set([overhead?.go, http?.go].filter((go) => go !== undefined))
  return Array.from(found, (go) => `The Go program was ${go}.`)
}

export function fullReport(results: Results): string {
  const tables = [targetSheet(results), ...sheets(results, partNames)].map(toMarkdown)
  const pictures = CHARTS.map(([name, text]) => `![${text}](${name}.svg)`)
  const stamps = Object.entries(results).map(([part, result]) => `- ${part}: ${stampText(result)}`)
  return `${['# What was measured', INTRODUCTION, ...pictures, ...tables, stamps.join('\n'), ...goTexts(results)].join('\n\n')}\n`
}

/** Rewrites the README where it has the markers; otherwise prints what belongs between them. */
export async function updateReadme(results: Results): Promise<void> {
  const text = await readFile(README, 'utf8')
  const part = `\n${excerpt(results)}\n\n`
  if (MARKED.test(text))
    await writeFile(
      README,
      text.replace(MARKED, () => part),
    )
  else console.log(`<!-- bench -->\n${part}<!-- /bench -->`)
}
