// Breaks each rule of behaviour on purpose, in a copy, and looks whether the tests of the rule notice. A mutant that
// they do not notice is a rule that is not tested. `npm run test:mutants -- fan-out` tries those of one file.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Mutant, mutants } from './mutants.ts'

const PARALLEL = 2
/** A mutant may spin or hang: longer than this is red, too. */
const LONGEST_TEST = 20_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const testFiles = readdirSync(join(root, 'test')).filter((file) => file.endsWith('.test.ts'))
const temp = mkdtempSync(join(tmpdir(), 'mutants-'))

/** The test files of a mutant's rule or feature, and those beside them that it names. */
function testsOf({ rule, alsoRules = [] }: Mutant): string[] {
  return [rule, ...alsoRules].flatMap((rule) => {
    const name = typeof rule === 'number' ? `rule-${String(rule).padStart(2, '0')}` : rule
    const files = testFiles.filter((file) => file.startsWith(`${name}-`) || file === `${name}.test.ts`)
    if (files.length === 0) throw new Error(`${rule} has no test file`)
    return files
  })
}

function copyOfTree(name: string): string {
  const copy = join(temp, name)
  for (const part of ['package.json', 'src', 'test']) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
  return copy
}

/** The source file with the change in it. */
function changed({ file, search, replace }: Mutant): string {
  const [before, after, ...more] = readFileSync(join(root, 'src', file), 'utf8').split(search)
  if (after !== undefined && more.length === 0) return before + replace + after
  throw new Error(
    `Expected to find this once in src/${file}, found it ${after === undefined ? 0 : 1 + more.length} times:\n${search}`,
  )
}

/** Whether a test file of this copy passes. */
function passes(copy: string, test: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', '@tapjs/mock/import', join('test', test)], {
      cwd: copy,
      stdio: 'ignore',
      timeout: LONGEST_TEST,
      killSignal: 'SIGKILL',
      env: { ...process.env, TAP_BAIL: '1' },
    })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code === 0))
  })
}

async function firstRedTest(copy: string, tests: readonly string[]): Promise<string | undefined> {
  for (const test of tests) if (!(await passes(copy, test))) return test
  return undefined
}

/** Runs `task` on each item, a few at once. */
async function onEach<T>(items: Iterable<T>, task: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await task(next.value)
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}

const begin = performance.now()
try {
  const chosen = mutants.filter(({ file }) => file.includes(process.argv[2] ?? ''))
  for (const mutant of chosen) changed(mutant) // or throw before anything runs
  const unchanged = copyOfTree('unchanged')
  await onEach(new Set(chosen.flatMap(testsOf)), async (test) => {
    if (!(await passes(unchanged, test))) throw new Error(`test/${test} is red without any mutant`)
  })

  let survivors = 0
  await onEach(chosen.entries(), async ([number, mutant]) => {
    const copy = copyOfTree(String(number))
    writeFileSync(join(copy, 'src', mutant.file), changed(mutant))
    // What cannot even be loaded would be red for nothing.
    await import(pathToFileURL(join(copy, 'src', 'index.ts')).href)
    const red = await firstRedTest(copy, testsOf(mutant))
    rmSync(copy, { recursive: true })
    if (!red) survivors++
    const place = `${typeof mutant.rule === 'number' ? 'rule ' : ''}${mutant.rule}, src/${mutant.file}`
    console.log(`${red ? 'killed  ' : 'SURVIVED'} ${place}: ${mutant.breaks}${red ? ` (${red})` : ''}`)
  })
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed in ${seconds} s`)
  process.exitCode = survivors > 0 ? 1 : 0
} finally {
  rmSync(temp, { recursive: true, force: true, maxRetries: 3 })
}
