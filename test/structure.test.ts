import { globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

const SRC = join(import.meta.dirname, '../src')

/** Files and folders of src/. Each imports only what stands in a later line. */
const ORDER = [
  ['index'],
  ['middleware'],
  ['invocation'],
  ['report', 'sqs', 'testing'],
  ['handlers'],
  ['options'],
  ['sqs-event'],
  ['scheduler'],
  ['errors', 'types'],
  ['shared'],
]

const files = globSync('**/*.ts', { cwd: SRC })
const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const paths = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) => path as string)
  return paths.map((path) => resolve(SRC, dirname(file), path).slice(SRC.length + 1))
}

function levelOf(file: string): number {
  const part = file.replace(/(\/.*|\.ts)$/, '')
  return ORDER.findIndex((parts) => parts.includes(part))
}

t.test('every file of src/ has a place in the order', async (t) => {
  t.strictSame(
    files.filter((file) => levelOf(file) < 0),
    [],
  )
})

t.test('src/ imports in one direction', async (t) => {
  const isAgainst = (from: string, to: string) => dirname(from) !== dirname(to) && levelOf(to) <= levelOf(from)
  const isInRoot = (file: string) => dirname(file) === '.'
  const against = files.flatMap((from) =>
    (imports.get(from) as string[])
      .filter((to) => isAgainst(from, to) || (isInRoot(from) && isInRoot(to) && levelOf(to) <= levelOf(from)))
      .map((to) => `${from} imports ${to}`),
  )
  t.strictSame(against, [])
})

t.test('no files of src/ import each other in a cycle', async (t) => {
  const done = new Set<string>()
  function visit(file: string, path: readonly string[]): void {
    if (path.includes(file)) t.fail(`cycle: ${[...path, file].join(' → ')}`)
    if (done.has(file) || path.includes(file)) return
    for (const next of imports.get(file) as string[]) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  t.ok(imports.get('index.ts')?.includes('middleware.ts'), 'imports are found')
})
