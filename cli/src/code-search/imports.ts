import { readdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createPathsMatcher, getTsconfig } from 'get-tsconfig'
import { cached } from '../shared/cached.ts'
import { isObject, parseObject } from '../shared/json.ts'
import { isFile, readIfFile } from '../shared/text-file.ts'

const SCRIPTS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']
const SCRIPT = /(?<!\.d)\.[cm]?[jt]sx?$/
/** Folders and files of other packages, of tests, and without code. */
const NEVER_SEARCHED = /^(node_modules|vendor|cdk\.out|\..+|tests?|__tests__)$|\.(test|spec)\./
/** More files than any function has. */
const MAX_FILES = 20_000
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"`]([^'"`\n]+)['"`]/g

type Aliases = ((name: string) => string[]) | null

/** What a search has read of folders. Each of them is read once. */
export interface ReadFolders {
  aliases: Map<string, Aliases>
  // biome-ignore lint/suspicious/noExplicitAny: only get-tsconfig reads it
  tsconfigs: Map<string, any>
  localPackages: Map<string, ReadonlyMap<string, string>>
  sources: Map<string, string[]>
}

export function noFolders(): ReadFolders {
  return { aliases: new Map(), tsconfigs: new Map(), localPackages: new Map(), sources: new Map() }
}

/** The script that a path without an extension, or with that of the compiled file, means. */
export function scriptAt(path: string): string | undefined {
  const stem = path.replace(/\.[cm]?jsx?$/, '')
  const names = [path, ...SCRIPTS.map((extension) => stem + extension)]
  return [...names, ...SCRIPTS.map((extension) => join(path, `index${extension}`))].find(isFile)
}

/** All scripts in a folder and its subfolders. */
export function sourcesIn(folder: string, most = MAX_FILES, found: string[] = []): string[] {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (NEVER_SEARCHED.test(entry.name) || found.length >= most) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) sourcesIn(path, most, found)
    else if (SCRIPT.test(entry.name) && isFile(path)) found.push(path)
  }
  return found
}

/** The local files that a script imports or re-exports. Of a local package, these are all its files. */
export function importsOf(file: string, text: string, read: ReadFolders): string[] {
  const names = new Set(Array.from(text.matchAll(IMPORT), ([, name]) => String(name)))
  return Array.from(names).flatMap((name) => {
    if (/^\.{1,2}(\/|$)/.test(name)) return scriptAt(resolve(dirname(file), name)) ?? []
    // Its name is the evidence. Its own code would be taken for that of the function.
    if (/^middy-bounded-sqs-batch(\/|$)/.test(name)) return []
    const script = aliasesAt(
      dirname(file),
      read,
    )?.(name)
      .map(scriptAt)
      .find((path) => path !== undefined)
    return script ?? packageFiles(dirname(file), name, read)
  })
}

/** The path aliases of the nearest tsconfig.json. */
function aliasesAt(folder: string, { aliases, tsconfigs }: ReadFolders): Aliases {
  return cached(aliases, folder, () => {
    try {
      const config = getTsconfig(folder, 'tsconfig.json', tsconfigs)
      return config && createPathsMatcher(config)
    } catch {
      return null // it is not valid, or extends a file that is not there
    }
  })
}

/** The files of a package of the same workspace, or of one that package.json names with `file:`. */
function packageFiles(folder: string, specifier: string, read: ReadFolders): string[] {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const found = cached(read.localPackages, folder, () => localPackagesIn(folder)).get(name)
  if (found !== undefined) return cached(read.sources, found, () => sourcesIn(found))
  const parent = dirname(folder)
  return parent === folder ? [] : packageFiles(parent, specifier, read)
}

/** The folders of the local packages that the package.json in a folder knows, by their names. */
function localPackagesIn(root: string): Map<string, string> {
  const { dependencies, devDependencies, workspaces } = parseObject(readIfFile(join(root, 'package.json'))) ?? {}
  const found = new Map<string, string>()
  const patterns = isObject(workspaces) ? workspaces.packages : workspaces
  for (const pattern of [patterns ?? pnpmPatterns(root)].flat()) {
    for (const folder of workspaceFolders(root, String(pattern))) {
      const name = parseObject(readIfFile(join(folder, 'package.json')))?.name
      if (typeof name === 'string' && !found.has(name)) found.set(name, folder)
    }
  }
  for (const [name, version] of Object.entries({ ...(devDependencies as object), ...(dependencies as object) })) {
    const linked = /^(?:file|link):(.*)/.exec(String(version))?.[1]
    const folder = linked === undefined ? undefined : folderAt(resolve(root, linked))
    if (folder !== undefined) found.set(name, folder)
  }
  return found
}

function pnpmPatterns(root: string): string[] {
  const lines = readIfFile(join(root, 'pnpm-workspace.yaml')).matchAll(/^\s*-\s*['"]?([^'"\n#]+)/gm)
  return Array.from(lines, ([, pattern]) => String(pattern).trim())
}

/** The folders of a pattern such as `packages/*`. */
function workspaceFolders(root: string, pattern: string): string[] {
  const parent = resolve(root, pattern.replace(/\/?\*.*/, ''))
  if (folderAt(parent) === undefined) return []
  if (!pattern.includes('*')) return [parent]
  return readdirSync(parent).flatMap((name) => folderAt(join(parent, name)) ?? [])
}

/** The path, if it is a folder. */
export function folderAt(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : undefined
}
