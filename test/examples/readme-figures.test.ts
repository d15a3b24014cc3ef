/** The figures of the benchmark in README.md and docs/ are those of the last one. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { MIDDY_IDIOM, OURS, POWERTOOLS } from '../../bench/peers.ts'
import { page } from '../../bench/report.ts'
import { readResults } from '../../bench/results.ts'

const RESULTS = 'bench/results/README.md'

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The cells of each row of a table, by the text in the header. */
function rowsOf(path: string, firstHeader: RegExp): Map<string, string>[] {
  const lines = read(path).split('\n')
  const cells = (line = '') =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll(/[*`]/g, '').trim())
  const start = lines.findIndex((line) => firstHeader.test(line))
  const header = cells(lines[start])
  const end = lines.indexOf('', start)
  return lines
    .slice(start + 2, end)
    .map((line) => new Map(cells(line).map((cell, column) => [header[column] ?? '', cell])))
}

/** The row of a table of the results that starts with this name. */
function measured(firstHeader: RegExp, name: string): Map<string, string> {
  return rowsOf(RESULTS, firstHeader).find((row) => row.get('') === name) ?? new Map()
}

const HTTP = /^\|\s*\|\s*failed\s*\|/
const LAMBDA = /^\|\s*\|\s*new environment, ms\s*\|/

t.test('the page of results has the present targets, and the samples of results.json', async (t) => {
  t.equal(read(RESULTS), page(await readResults()), 'after a change, run: npm run bench -- report')
})

t.test('the four rows of the README have the figures of the benchmark', (t) => {
  const peers = {
    'middy-bounded-sqs-batch': OURS,
    'Promise.allSettled()': `${MIDDY_IDIOM} (no limit)`,
    'Powertools for AWS Lambda in Middy': `${POWERTOOLS} (no limit)`,
    'p-map': 'p-map',
  }
  const shown = rowsOf('README.md', /^\| a batch of 10,000 records/)
  t.equal(shown.length, 4)
  for (const [index, [name, peer]] of Object.entries(peers).entries()) {
    const [label = '', failed, seconds, memory] = [...(shown[index]?.values() ?? [])]
    t.ok(label.startsWith(name), label)
    const row = measured(HTTP, peer)
    t.strictSame(
      [failed?.replace(' (EMFILE)', ''), seconds, memory],
      [row.get('failed'), row.get('seconds'), `${row.get('peak MB')} MB`],
      name,
    )
  }
  t.end()
})

t.test('the texts that compare this package with Powertools have the figures of the benchmark', (t) => {
  const ratio = (column: string) => Number(measured(LAMBDA, `${OURS} ÷ ${POWERTOOLS}`).get(column)).toFixed(1)
  /** How many milliseconds a batch of 10 takes longer than with Powertools. The table has microseconds per record. */
  const difference = (column: string) => {
    const [ours, others] = [OURS, POWERTOOLS].map((peer) => Number(measured(LAMBDA, peer).get(column)))
    return (10 * ((ours as number) - (others as number))) / 1_000
  }
  const sentences = [
    [
      'README.md',
      `If both run in Middy, each of its first twenty batches is about ${difference('10, first twenty').toFixed(1)} ms faster, and the difference then becomes smaller`,
    ],
    [
      'docs/from-powertools-batch.md',
      `If both run in Middy, this package takes ${ratio('10, first twenty')} times as long for the first twenty batches, and ${ratio('10, later')} times as long for later ones. For batches of 100, it takes ${ratio('of 100')} times as long, and for batches of 1,000, ${ratio('of 1,000')} times as long`,
    ],
  ] as const
  for (const [path, sentence] of sentences) t.ok(read(path).includes(sentence), `${path}: ${sentence}`)
  t.ok(difference('10, later') < difference('10, first twenty'), 'the difference becomes smaller')
  t.end()
})
