// Mutation testing: StrykerJS changes the code in one place, and a test must fail. Then it does the same in the next
// place. A source file is tested again if it has changed or if its tests have changed.
//
//   npm run test:mutation                         all source files in tests.ts
//   npm run test:mutation -- src/sqs-event.ts     these source files
//   npm run test:mutation -- cli                  the source files of the command-line tool; `src` is the library
//   npm run test:mutation -- --force              also if nothing has changed
//   npm run test:mutation -- --share 2/7          the second of seven shares of the source files
//   npm run test:mutation -- --survived           only lines with mutants that survived, after tests were added
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { functionFinder, readEquivalent } from './equivalent.ts'
import { TESTS, testFilesOf, testFolderOf } from './tests.ts'

/** Percent of the mutants that are not equivalent. */
const MIN_DETECTED = 100
const STRYKER = 'test/mutation/node_modules/@stryker-mutator/core/bin/stryker.js'

/** A mutant in Stryker's report. Lines and columns begin at 1. */
interface Mutant {
  readonly status: string
  /** The output of the tests that detected the mutant. */
  readonly statusReason?: string
  readonly mutatorName: string
  readonly replacement: string
  readonly location: Record<'start' | 'end', { readonly line: number; readonly column: number }>
}

interface Result {
  readonly source: string
  readonly mutants: number
  readonly detected: number
  readonly equivalent: number
}

const { values, positionals } = parseArgs({
  options: { force: { type: 'boolean' }, survived: { type: 'boolean' }, share: { type: 'string', default: '1/1' } },
  allowPositionals: true,
})
const [share = 1, shares = 1] = values.share.split('/').map(Number)
if (!(share >= 1 && share <= shares)) throw new Error(`expected --share to be like 2/7, got ${values.share}`)
const sources = Object.keys(TESTS)
  .filter((source) => positionals.length === 0 || positionals.some((path) => `${source}/`.startsWith(`${path}/`)))
  .filter((_, index) => index % shares === share - 1)
if (sources.length === 0) throw new Error(`test/mutation/tests.ts has no tests for ${positionals.join(' and ')}`)
const equivalentMutants = readEquivalent()
for (const source of equivalentMutants.keys()) {
  if (!TESTS[source]) throw new Error(`${source} is in equivalent.txt, but not in tests.ts`)
}
mkdirSync('reports/mutation', { recursive: true })
for (const source of sources) mutate(source)
const results = sources.map(readResult)
const total = {
  source: 'all',
  mutants: sum(results.map(({ mutants }) => mutants)),
  detected: sum(results.map(({ detected }) => detected)),
  equivalent: sum(results.map(({ equivalent }) => equivalent)),
}
const table = [
  '| file | mutants | detected | equivalent | detected of the others |',
  '| --- | ---: | ---: | ---: | ---: |',
  ...[...results, total].map(
    (result) =>
      `| ${result.source} | ${result.mutants} | ${result.detected} | ${result.equivalent} | ${score(result).toFixed(1)} % |`,
  ),
].join('\n')
writeFileSync('reports/mutation/table.md', `${table}\n`)
console.log(`\n${table}`)
if (score(total) < MIN_DETECTED) {
  console.log(`The tests detect ${score(total).toFixed(1)} % of the mutants. Expected at least ${MIN_DETECTED} %`)
  process.exitCode = 1
}

/** Runs Stryker on a source file, unless its last result is still right. */
function mutate(source: string): void {
  const testFiles = testFilesOf(source)
  const report = reportOf(source)
  const keyFile = `${report}.key`
  const helpers = globSync([
    `${testFolderOf(source)}/support/*.ts`,
    'test/mutation/{run-tests.ts,in-process.ts,stryker.config.js,package.json}',
  ]).sort()
  const key = `${hashOf([...testFiles, ...helpers])}\n${hashOf([source])}`
  const lastKey = existsSync(keyFile) ? readFileSync(keyFile, 'utf8') : ''
  const scope = values.survived ? linesWithSurvivors(source) : source
  if (scope === '' || (key === lastKey && !values.force)) return
  console.log(source)
  // Stryker reuses the result of a mutant if the code around it is the same. It does not notice that a test has
  // changed.
  const isSameTests = key.split('\n')[0] === lastKey.split('\n')[0]
  const force = values.force || !isSameTests ? ['--force'] : []
  const { status } = spawnSync(
    process.execPath,
    [STRYKER, 'run', 'test/mutation/stryker.config.js', '--mutate', scope, ...force],
    { stdio: 'inherit', env: { ...process.env, MUTATED_SOURCE: source, MUTATION_REPORT: report } },
  )
  if (status !== 0) throw new Error(`Stryker ended with status ${status}`)
  if (!values.survived) writeFileSync(keyFile, key)
}

/** In the form of Stryker's option `--mutate`: `src/a.ts:5-5,src/a.ts:8-9`. */
function linesWithSurvivors(source: string): string {
  const { survivors } = readReport(source)
  const lines = survivors.map(({ location: { start, end } }) => `${source}:${start.line}-${end.line}`)
  return [...new Set(lines)].join(',')
}

function reportOf(source: string): string {
  return `reports/mutation/${source.replace('src/', '').replaceAll('/', '-')}.json`
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(file))
  return hash.digest('hex')
}

/** Counts the mutants of a source file, and prints what is wrong. */
function readResult(source: string): Result {
  const { mutants, detected, survivors, missing } = readReport(source)
  if (mutants === 0) console.log(`\n${source} has no mutants`)
  for (const { location, change, entry } of survivors) {
    console.log(`\n${source}:${location.start.line} survived\n${change}\n${entry}`)
  }
  for (const entry of missing) {
    console.log(`\n${source}: remove this from equivalent.txt, because it does not survive or does not exist\n${entry}`)
    process.exitCode = 1
  }
  return { source, mutants, detected, equivalent: mutants - detected - survivors.length }
}

/** Compares Stryker's report with the list of equivalent mutants. */
function readReport(source: string) {
  // A file without mutants is not in the report.
  const report = JSON.parse(readFileSync(reportOf(source), 'utf8')).files[source] ?? { source: '', mutants: [] }
  const mutants: Mutant[] = report.mutants
  if (mutants.some(({ statusReason }) => statusReason?.includes('ERR_MODULE_NOT_FOUND'))) {
    throw new Error(`${source}: some runs did not find a module, so they say nothing about mutants. Use --force`)
  }
  // `RuntimeError`: the process of the tests ended, because the mutant threw an error that nobody catches.
  const detected = ['Killed', 'Timeout', 'RuntimeError']
  const undetected = mutants.filter(({ status }) => !detected.includes(status))
  const sameKey = Map.groupBy(undetected, keysOf(report.source))
  const equivalent = equivalentMutants.get(source) ?? new Map<string, number>()
  // If more mutants survive than the list has of a key, nothing says which of them are in the list.
  const survivors = [...sameKey].flatMap(([key, mutants]) => {
    const known = equivalent.get(key) ?? 0
    if (mutants.length <= known) return []
    const entry = known > 0 ? `${key} (${known} of ${mutants.length} in equivalent.txt)` : key
    return mutants.map((mutant) => ({ ...mutant, entry, change: changeOf(mutant, report.source) }))
  })
  const missing = [...equivalent].flatMap(([key, count]) => {
    const surplus = count - (sameKey.get(key)?.length ?? 0)
    return surplus > 0 ? `${surplus} × ${key}` : []
  })
  return { mutants: mutants.length, detected: mutants.length - undetected.length, survivors, missing }
}

/** Makes the key of a mutant, as equivalent.txt has it. */
function keysOf(source: string): (mutant: Mutant) => string {
  const functionAt = functionFinder(source)
  return ({ location: { start }, mutatorName, replacement }) => {
    const before = source.split('\n').slice(0, start.line - 1)
    const position = sum(before.map((line) => line.length + 1)) + start.column - 1
    return `${functionAt(position)}: ${mutatorName} → ${oneLine(replacement)}`
  }
}

/** The lines of a mutant as they are, and as the mutant has them, each in one line. */
function changeOf({ location: { start, end }, replacement }: Mutant, source: string): string {
  const lines = source.split('\n')
  const before = lines.slice(start.line - 1, end.line).join('\n')
  const left = before.slice(0, start.column - 1)
  const right = (lines[end.line - 1] as string).slice(end.column - 1)
  return `- ${oneLine(before)}\n+ ${oneLine(left + replacement + right)}`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function score({ mutants, detected, equivalent }: Result): number {
  return mutants === equivalent ? 100 : (100 * detected) / (mutants - equivalent)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
