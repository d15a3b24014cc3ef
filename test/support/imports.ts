import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** The files of a folder, each with the files of this folder that it imports, also for types only. */
export type Imports = ReadonlyMap<string, readonly string[]>

/** Files without their ending, and folders. Each imports only what stands in a later line. */
export type Order = readonly (readonly string[])[]

const IMPORT = /(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']+)'/g

export function importsIn(root: string): Imports {
  const files = globSync('**/*.ts', { cwd: root })
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      const paths = Array.from(text.matchAll(IMPORT), ([, path = '']) => join(dirname(file), path))
      return [file, paths.filter((path) => !relative('.', path).startsWith('..'))]
    }),
  )
}

const isIn = (file: string, entry: string) => file === `${entry}.ts` || file.startsWith(`${entry}/`)

function placeOf(file: string, order: Order) {
  const line = order.findIndex((entries) => entries.some((entry) => isIn(file, entry)))
  return { line, entry: order[line]?.find((entry) => isIn(file, entry)) }
}

/** The files that have no place in the order. */
export function withoutPlace(imports: Imports, order: Order): string[] {
  return [...imports.keys()].filter((file) => placeOf(file, order).line < 0)
}

/** The imports that go against the order. */
export function importsAgainst(order: Order, imports: Imports): string[] {
  return [...imports].flatMap(([from, targets]) => {
    const { line, entry } = placeOf(from, order)
    const against = targets.filter((to) => {
      const target = placeOf(to, order)
      return target.entry !== entry && target.line <= line
    })
    return against.map((to) => `${from} imports ${to}`)
  })
}

/** Files that import each other, such as `a.ts → b.ts → a.ts`. */
export function cyclesIn(imports: Imports): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  function visit(file: string, path: readonly string[]): void {
    const start = path.indexOf(file)
    if (start >= 0) cycles.push([...path.slice(start), file].join(' → '))
    if (start >= 0 || done.has(file)) return
    for (const next of imports.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return cycles
}
