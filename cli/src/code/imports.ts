import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { isObject, parseObject } from '../shared/json.ts'
import { isFile, readIfFile } from '../shared/text-file.ts'
import { nearest } from './commonjs.ts'

const SCRIPTS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']
const SOURCE = /\.([cm]?[jt]sx?|py|rb|java|kt|scala|groovy|cs|fs|vb|go|rs)$/
/** Folders and files of other packages, of tests, and without code. */
const NEVER_SEARCHED =
  /^(node_modules|vendor|v?env|(site|dist)-packages|aws_lambda_powertools|cdk\.out|\..+|__pycache__|tests?|__tests__)$|\.d\.[cm]?ts$|\.(test|spec)\./
/** More files than any function has. */
const MAX_FILES = 20_000
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"`]([^'"`\n]+)['"`]/g

/** The script that a path without an extension, or with that of the compiled file, means. */
export function scriptAt(path: string): string | undefined {
  const stem = path.replace(/\.[cm]?jsx?$/, '')
  const names = [path, ...SCRIPTS.map((extension) => stem + extension)]
  return [...names, ...SCRIPTS.map((extension) => join(path, `index${extension}`))].find(isFile)
}

/** All source files in a folder and its subfolders, in any language. */
export function sourcesIn(folder: string, most = MAX_FILES, found: string[] = []): string[] {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (NEVER_SEARCHED.test(entry.name) || found.length >= most) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) sourcesIn(path, most, found)
    else if (SOURCE.test(entry.name) && isFile(path)) found.push(path)
  }
  return found
}

/** The local files that a script imports or re-exports. Of a local package, these are all its files. */
export function importsOf(file: string, text: string): string[] {
  return Array.from(text.matchAll(IMPORT)).flatMap(([, specifier]) => {
    const name = String(specifier)
    if (/^\.{1,2}(\/|$)/.test(name)) return scriptAt(resolve(dirname(file), name)) ?? []
    return aliased(file, name) ?? packageFiles(dirname(file), name)
  })
}

/** The file that a path alias of tsconfig.json means. */
function aliased(file: string, name: string): string | undefined {
  const config = nearest(dirname(file), 'tsconfig.json')
  for (const { pattern, target } of config === undefined ? [] : aliasesOf(config)) {
    const star = pattern.indexOf('*')
    const rest = name.slice(star, star + name.length - pattern.length + 1)
    const fill = (text: string) => text.replace('*', () => rest)
    const script = fill(pattern) === name ? scriptAt(fill(target)) : undefined
    if (script !== undefined) return script
  }
  return undefined
}

/** The aliases of a tsconfig.json, or of the file that it extends. Targets are absolute paths. */
function aliasesOf(config: string, depth = 0): { pattern: string; target: string }[] {
  const { extends: base, compilerOptions } = readJsonc(config)
  const { paths, baseUrl = '' } = isObject(compilerOptions) ? compilerOptions : {}
  if (!isObject(paths)) {
    const isLocal = typeof base === 'string' && base.startsWith('.') && depth < 10
    return isLocal ? aliasesOf(resolve(dirname(config), base), depth + 1) : []
  }
  return Object.entries(paths).flatMap(([pattern, targets]) =>
    [targets].flat().map((target) => ({ pattern, target: resolve(dirname(config), String(baseUrl), String(target)) })),
  )
}

/** Texts, which stay, and comments. */
const COMMENTS = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*.*?\*\//gs

/** YAML includes JSON, also with trailing commas, but not its comments. */
function readJsonc(file: string): Record<string, unknown> {
  try {
    const value = parse(readFileSync(file, 'utf8').replaceAll(COMMENTS, '$1'))
    return isObject(value) ? value : {}
  } catch {
    return {} // it is missing, or it is not JSON
  }
}

/** The files of a package of the same workspace, or of one that package.json names with `file:`. */
function packageFiles(folder: string, specifier: string): string[] {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const found = packageIn(folder, name)
  if (found !== undefined) return sourcesIn(found)
  const parent = dirname(folder)
  return parent === folder ? [] : packageFiles(parent, specifier)
}

/** The folder of a local package that the package.json in a folder knows by this name. */
function packageIn(root: string, name: string): string | undefined {
  const manifest = parseObject(readIfFile(join(root, 'package.json')))
  const { dependencies, devDependencies, workspaces } = manifest ?? {}
  const own = { ...(devDependencies as object), ...(dependencies as object) } as Record<string, unknown>
  const linked = /^(?:file|link):(.*)/.exec(String(own[name]))?.[1]
  if (linked !== undefined) return folderAt(resolve(root, linked))
  const patterns = isObject(workspaces) ? workspaces.packages : workspaces
  return [patterns ?? pnpmPatterns(root)]
    .flat()
    .flatMap((pattern) => workspaceFolders(root, String(pattern)))
    .find((folder) => parseObject(readIfFile(join(folder, 'package.json')))?.name === name)
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
