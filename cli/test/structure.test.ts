import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** The folders of src/, each with the folders that its files import from. */
function importsOfFolders(): Map<string, Set<string>> {
  const imports = new Map<string, Set<string>>()
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
    const folder = dirname(file)
    const text = readFileSync(join(SRC, file), 'utf8')
    const targets = Array.from(text.matchAll(/(?:from |import\(|import )'(\.[^']+)'/g), ([, path = '']) =>
      dirname(relative(SRC, join(SRC, folder, path))),
    )
    const others = targets.filter((target) => target !== folder)
    imports.set(folder, new Set([...(imports.get(folder) ?? []), ...others]))
  }
  return imports
}

/** The folders from one folder back to itself. Undefined if there is no such path. */
function cycleFrom(folder: string, imports: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const paths = [[folder]]
  const seen = new Set<string>()
  for (const path of paths) {
    for (const next of imports.get(path.at(-1) ?? '') ?? []) {
      if (next === folder) return [...path, next]
      if (!seen.has(next)) paths.push([...path, next])
      seen.add(next)
    }
  }
  return undefined
}

test('no folder of src/ imports from a folder that imports from it', (t) => {
  const imports = importsOfFolders()
  t.ok(imports.get('doctor')?.has('rules'), 'imports are found')
  for (const folder of imports.keys()) t.equal(cycleFrom(folder, imports), undefined, folder)
  t.end()
})
