import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { createPathsMatcher, getTsconfig } from 'get-tsconfig'
import { isObject, parseObject } from '../shared/json.ts'
import { isFile, readIfFile } from '../shared/text-file.ts'

const SCRIPTS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"`]([^'"`\n]+)['"`]/g

/** What a search has read of tsconfig.json files. Each of them is read once. */
// biome-ignore lint/suspicious/noExplicitAny: only get-tsconfig reads it
export type ReadConfigs = Map<string, any>

/** The script that a path without an extension, or with that of the compiled file, means. */
function scriptAt(path: string): string | undefined {
  const stem = path.replace(/\.[cm]?jsx?$/, '')
  const names = [path, ...SCRIPTS.map((extension) => stem + extension)]
  return [...names, ...SCRIPTS.map((extension) => join(path, `index${extension}`))].find(isFile)
}

/** The script at a path in a folder, or its source: that of `dist/index` is `src/index` or `index`. */
export function sourceAt(folder: string, path: string): string | undefined {
  const [, ...rest] = path.split('/')
  const source = scriptAt(join(folder, path)) ?? scriptAt(join(folder, 'src', path))
  return source ?? (rest.length > 0 ? sourceAt(folder, rest.join('/')) : undefined)
}

/** The local files that a script imports or re-exports. Of a package without a known entry, its folder. */
export function importsOf(file: string, text: string, read: ReadConfigs): string[] {
  const folder = dirname(file)
  const names = new Set(Array.from(text.matchAll(IMPORT), ([, name]) => String(name)))
  return Array.from(names).flatMap((name) => {
    if (/^\.{1,2}(\/|$)/.test(name)) return scriptAt(resolve(folder, name)) ?? []
    // Its name is the evidence. Its own code would be taken for that of the function.
    if (/^middy-bounded-sqs-batch(\/|$)/.test(name)) return []
    const aliased = aliasedIn(folder, name, read).map(scriptAt)
    return aliased.find((path) => path !== undefined) ?? inLocalPackage(folder, name) ?? []
  })
}

function aliasedIn(folder: string, name: string, read: ReadConfigs): string[] {
  try {
    const config = getTsconfig(folder, 'tsconfig.json', read)
    return (config && createPathsMatcher(config)?.(name)) ?? []
  } catch {
    return [] // it is not valid, or extends a file that is not there
  }
}

/** What a name means in a local package, of a workspace or named with `file:`. Its folder in node_modules is a link. */
function inLocalPackage(folder: string, specifier: string): string | undefined {
  const parts = specifier.split('/')
  const name = parts.splice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  const installed = nearest(folder, join('node_modules', name))
  const root = installed && realpathSync(installed)
  if (root === undefined || root.split(sep).includes('node_modules')) return undefined
  return entryOf(root, parts.join('/')) ?? root
}

/** The script of a local package that its package.json has for a path, or the one at this path. */
function entryOf(folder: string, path: string): string | undefined {
  const { exports, module, main } = parseObject(readIfFile(join(folder, 'package.json'))) ?? {}
  const listed = isObject(exports) ? exports[path === '' ? '.' : `./${path}`] : undefined
  const named = path === '' ? [listed ?? exports, module, main, 'index'] : [listed, path]
  const paths = named.flatMap(textsIn).filter((text) => !/\.d\.[cm]?ts$/.test(text))
  return paths.map((text) => sourceAt(folder, text)).find((script) => script !== undefined)
}

/** All texts in a value of JSON: exports can have conditions and alternatives. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

export function folderAt(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : undefined
}

/** The nearest file of this name, in a folder or above it. Node searches package.json in the same way. */
export function nearest(folder: string, name: string): string | undefined {
  const file = join(folder, name)
  if (existsSync(file)) return file
  return folder === dirname(folder) ? undefined : nearest(dirname(folder), name)
}
