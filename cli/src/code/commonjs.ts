import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { evaluate, parse } from '@humanwhocodes/momoa'
import { MODULE_TYPE, nearest } from './manifest.ts'

const PACKAGE = `['"]middy-bounded-sqs-batch(?:/\\w+)?['"]`
const REQUIRE = new RegExp(`\\brequire\\s*\\(\\s*${PACKAGE}\\s*\\)`)
const KEYWORD = '\\b(?:import|export)\\b'
const CLAUSE = `(?:(?!${KEYWORD})[\\w\\s{},*$])*?`
const IMPORT = new RegExp(`${KEYWORD}\\s*(?:(${CLAUSE})\\bfrom\\s*)?${PACKAGE}`, 'g')
const BUNDLERS = /\b(esbuild|webpack|rollup|rolldown|tsup|tsdown|ncc|parcel|rspack|vite|swc|bun)\b/

/** What a build makes of the imports of a file. `reason` says why it is not known. */
export type Modules = 'require' | 'import' | { reason: string }

/** Whether an import clause has a value. TypeScript removes imports of types, whose names begin with a capital letter. */
function hasValue(clause = '*'): boolean {
  if (/type\s+[{*]/.test(clause)) return false
  return /^[\w*]|[{,]\s*[a-z]/.test(clause.replaceAll(/\btype\s+\w+(\s+as\s+\w+)?/g, ''))
}

function importsPackage(text: string): boolean {
  return Array.from(text.matchAll(IMPORT), ([, clause]) => clause).some(hasValue)
}

/** The compiler options of a tsconfig.json, with those of the files that it extends. Undefined if one cannot be read. */
function compilerOptions(file: string, depth = 0): Record<string, unknown> | undefined {
  try {
    const config = evaluate(
      parse(readFileSync(file, 'utf8'), { mode: 'jsonc', allowTrailingCommas: true }) as never,
    ) as Record<string, unknown>
    const bases = [config.extends ?? []].flat().map((base) => {
      const path = resolve(dirname(file), String(base).endsWith('.json') ? String(base) : `${base}.json`)
      return String(base).startsWith('.') && depth < 10 ? compilerOptions(path, depth + 1) : undefined
    })
    const own = { ...(config.compilerOptions as Record<string, unknown> | undefined) }
    // An own setting is enough, even if a file that it extends cannot be read.
    if (bases.includes(undefined) && own.module === undefined) return undefined
    return Object.assign({}, ...bases, own)
  } catch {
    // It is missing, or it is not JSON.
  }
  return undefined
}

/** Whether the TypeScript compiler makes `require()` of the imports of a file, from its tsconfig.json. */
function becomesRequire(path: string): boolean | { reason: string } {
  if (path.endsWith('.mts')) return false
  const folder = dirname(path)
  const manifest = nearest(folder, 'package.json')
  const text = String(manifest && readFileSync(manifest))
  const bundler = BUNDLERS.exec(text)?.[1]
  if (bundler !== undefined) return { reason: `package.json names ${bundler}, which may bundle the code` }
  const config = nearest(folder, 'tsconfig.json')
  if (config === undefined) return { reason: 'there is no tsconfig.json that says what it becomes' }
  const { module, target, noEmit } = compilerOptions(config) ?? { noEmit: true }
  if (noEmit === true) return { reason: 'tsconfig.json does not say what it becomes' }
  const isOld = ['es3', 'es5'].includes(String(target).toLowerCase())
  const name = String(module ?? (isOld ? 'commonjs' : '')).toLowerCase()
  if (name === '') return { reason: 'tsconfig.json does not set "module"' }
  if (name === 'preserve') return false
  if (path.endsWith('.cts') || name === 'commonjs') return true
  return name.startsWith('node') && !MODULE_TYPE.test(text)
}

/** A file of a function. */
export interface SourceFile {
  /** Without comments. */
  text: string
  /** The absolute path. Missing for code in the template, which Lambda loads as CommonJS. */
  path?: string
  /** Whether Node loads it as CommonJS, unless it is TypeScript. */
  isCommonJs: boolean
}

/**
 * Whether a file loads this package with `require()` on Lambda, or why that is not known.
 *
 * @param build what the build makes of it, if the input says it
 */
export function requiresPackage({ text, path, isCommonJs }: SourceFile, build: Modules | undefined) {
  const isRequired = REQUIRE.test(text)
  if (!isRequired && !importsPackage(text)) return false
  if (build !== undefined) return typeof build === 'object' ? build : build === 'require'
  const isTypeScript = /\.[cm]?tsx?$/.test(String(path))
  return isTypeScript ? becomesRequire(String(path)) : isRequired && isCommonJs
}
