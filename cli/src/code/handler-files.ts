import { posix } from 'node:path'
import type { Tree } from './tree.ts'

const SCRIPTS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']

function existing(tree: Tree, candidates: readonly string[]): string[] {
  return candidates.filter((path) => tree.read(path) !== undefined)
}

/** The script that a path without an extension, or with that of the compiled file, means. */
function scriptAt(tree: Tree, path: string): string[] {
  const stem = path.replace(/\.[cm]?jsx?$/, '')
  const names = [path, ...SCRIPTS.map((extension) => stem + extension)]
  const indexes = SCRIPTS.map((extension) => posix.join(path, `index${extension}`))
  return existing(tree, [...names, ...indexes]).slice(0, 1)
}

function withName(tree: Tree, pattern: RegExp): string[] {
  return tree.paths().filter((path) => pattern.test(path))
}

function escaped(text: string) {
  return text.replaceAll(/[.*+?^$()[\]{}|\\]/g, '\\$&')
}

/** `example.Handler::handleRequest`, or `example.Handler`. */
function javaFiles(tree: Tree, handler: string): string[] {
  const path = handler.replace(/::.*/, '').replaceAll('.', '/')
  return withName(tree, new RegExp(`(^|/)${escaped(path)}\\.(java|kt|scala|groovy|class)$`))
}

/** `Assembly::Namespace.Class::Method`. If it is only the name of an assembly, the handler is in Program.cs. */
function dotnetFiles(tree: Tree, handler: string): string[] {
  const [, type] = handler.split('::')
  if (type === undefined) return withName(tree, /(^|\/)Program\.cs$/)
  const declaration = new RegExp(`\\b(class|record|type)\\s+${escaped(type.replace(/.*\./, ''))}\\b`, 'i')
  return withName(tree, /\.(cs|fs|vb)$/).filter((path) => declaration.test(String(tree.read(path))))
}

/** The executable of a custom runtime, of which only the source is searched: Rust or Go. */
function executableFiles(tree: Tree, handler: string): string[] {
  const rust = existing(tree, [`src/bin/${handler}.rs`, `src/bin/${handler}/main.rs`, 'src/main.rs']).slice(0, 1)
  if (rust.length > 0) return rust
  const [only, ...others] = withName(tree, /^src\/bin\/[^/]+\.rs$/)
  if (only !== undefined && others.length === 0) return [only]
  const main = withName(tree, /\.go$/).filter(
    (path) => !path.endsWith('_test.go') && /^package main\b/m.test(String(tree.read(path))),
  )
  const shortest = Math.min(...main.map((path) => path.split('/').length))
  return main.filter((path) => path.split('/').length === shortest)
}

/** The languages whose rules for handlers apply, by the beginning of the runtime. */
const LANGUAGES: readonly [runtime: string, find: (tree: Tree, handler: string) => string[]][] = [
  ['nodejs', (tree, handler) => scriptAt(tree, handler.replace(/\.[^./]*$/, ''))],
  [
    'python',
    (tree, handler) => {
      const path = handler.replace(/\.[^.]*$/, '').replaceAll('.', '/')
      return existing(tree, [`${path}.py`, `${path}/__init__.py`])
    },
  ],
  ['ruby', (tree, handler) => existing(tree, [`${handler.split('.')[0]}.rb`])],
  ['java', javaFiles],
  ['dotnet', dotnetFiles],
  ['provided', executableFiles],
  ['go', executableFiles],
]

/** The files that define a handler. Without a known runtime, the rules of all languages are tried. */
export function handlerFiles(tree: Tree, handler: string, runtime: string | undefined): string[] {
  const languages = LANGUAGES.filter(([name]) => runtime === undefined || runtime.startsWith(name))
  const path = posix.normalize(handler).replace(/^\//, '')
  for (const [, find] of languages) {
    const files = find(tree, path)
    if (files.length > 0) return files
  }
  return []
}

/** The entry points of esbuild in SAM. If one has the name of the handler, the others are not searched. */
export function entryPoints(tree: Tree, entries: readonly string[], handler: string): string[] {
  const same = entries.filter((entry) => posix.parse(entry).name === posix.parse(handler).name)
  const wanted = same.length > 0 ? same : entries
  return wanted.flatMap((entry) => scriptAt(tree, posix.normalize(entry)))
}

const SCRIPT_IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"`](\.{1,2}(?:\/[^'"`]*)?)['"`]/g
const PYTHON_IMPORT = /^\s*import\s+([\w.]+)/gm
const PYTHON_FROM = /^\s*from\s+(\.*)([\w.]*)\s+import\s+(\([^)]*\)|.*)/gm

/** The groups of all matches. */
function groupsOf<T extends string[]>(text: string, pattern: RegExp): T[] {
  return Array.from(text.matchAll(pattern), ([, ...groups]) => groups as T)
}

/** The files of the function that a file imports by a relative path, or as a module beside it. */
export function importsOf(tree: Tree, path: string, text: string): string[] {
  const folder = posix.dirname(path)
  const relative = (target: string) => posix.normalize(posix.join(folder, target))
  const targets = (pattern: RegExp) => groupsOf(text, pattern).flat()
  const extension = posix.extname(path)
  if (SCRIPTS.includes(extension)) return targets(SCRIPT_IMPORT).flatMap((target) => scriptAt(tree, relative(target)))
  if (extension === '.py') return pythonImports(tree, folder, text)
  if (extension === '.rb') {
    const required = targets(/require_relative\s*\(?\s*['"]([^'"]+)['"]/g)
    return required.flatMap((target) => existing(tree, [relative(target), `${relative(target)}.rb`]))
  }
  if (extension === '.rs') {
    const modules = targets(/^\s*(?:pub\s+)?mod\s+(\w+)\s*;/gm)
    return modules.flatMap((name) => existing(tree, [relative(`${name}.rs`), relative(`${name}/mod.rs`)]))
  }
  const classes = targets(/^\s*import\s+(?:static\s+)?([\w.]+)/gm) // Java, and what is compiled for its runtime
  const ends = classes.map((name) => `/${name.replaceAll('.', '/')}${extension}`)
  return tree.paths().filter((other) => ends.some((end) => `/${other}`.endsWith(end)))
}

/** A module without dots can be beside the file, or in the folder of the function. */
function pythonImports(tree: Tree, folder: string, text: string): string[] {
  const toPath = (module: string) => module.replaceAll('.', '/')
  const at = (bases: readonly string[], names: readonly string[]) =>
    bases.flatMap((base) =>
      names.flatMap((name) => existing(tree, [posix.join(base, `${name}.py`), posix.join(base, name, '__init__.py')])),
    )
  const modules = groupsOf<[string]>(text, PYTHON_IMPORT).flatMap(([name]) => at(['', folder], [toPath(name)]))
  const parts = groupsOf<[string, string, string]>(text, PYTHON_FROM).flatMap(([dots, from, names]) => {
    const bases = dots === '' ? ['', folder] : [posix.join(folder, '../'.repeat(dots.length - 1))]
    // A name can be a module. The words include `as`, and the names after it.
    return at(bases, [toPath(from), ...names.split(/\W/).map((name) => posix.join(toPath(from), name))])
  })
  return [...modules, ...parts]
}
