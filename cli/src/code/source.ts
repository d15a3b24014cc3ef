import { readFileSync } from 'node:fs'
import { basename, join, parse, relative } from 'node:path'
import { parseObject } from '../shared/json.ts'
import { readIfFile } from '../shared/text-file.ts'
import { isCommonJs, nearest, requiresPackage } from './commonjs.ts'
import { folderAt, importsOf, scriptAt, sourcesIn } from './imports.ts'

/** Where the code of a function is, as far as an input says. */
export interface Code {
  /** Absolute paths of folders. The first one that exists is searched. */
  places?: readonly string[]
  /** The folders of its layers. */
  layers?: readonly string[]
  /** The code itself, in the template. */
  inline?: string
  handler?: string | undefined
  runtime?: string | undefined
  /** The entry points of a bundler, relative to the place. */
  entries?: readonly string[]
  /** Whether a bundler, or a build of its own, makes the code. */
  isBuilt?: boolean
  /** The folder of the input. If the code is not found, the nearest package.json is searched from here. */
  folder?: string
  /** Why the code cannot be found. */
  reason?: string
}

/** What a search of the code of a function found. */
export interface Source {
  /** Why the code was not searched. */
  missing?: string
  /** The searched files, in words. */
  searched?: string
  /** The evidence that the function reports failures: `batchItemFailures in src/app.mjs`. */
  reports?: string | undefined
  /** The file that loads this package with `require()`. */
  requiresPackage?: string | undefined
  /** The functions of this package that the code calls, and that need permissions of their own. */
  calls?: readonly string[]
  /** The options of the call of `retryBackoff()`, or why they are not known. Missing if the code does not call it. */
  backoff?: Backoff | { reason: string } | undefined
}

/** The options of `retryBackoff()` that decide about its delays, in seconds. */
export interface Backoff {
  base: number
  factor: number
  max: number
  jitter: 'equal' | 'full' | 'none'
}

const OURS = /middy-bounded-sqs-batch/
/** The libraries for partial batch responses of Middy and AWS, and the names of the response in all languages. */
const LIBRARIES =
  /@middy\/(sqs-partial-batch-failure|event-batch-[\w-]+)|powertools[-\w./]*[./]batch|powertools[.\w]* import [^\n]*\bbatch\b/i
/** Not the setting ReportBatchItemFailures, but a function of this name. A script also needs more than the type. */
const RESPONSE = /(?<!report_?)batch_?item_?failures|report_?batch_?item_?failures(?=\s*\((?!\s*true))/i
const RESPONSE_CLASS = /sqs_?(batch|event)_?response/i
/** The list of failures, and a list that is empty. A function that returns only this one reports nothing. */
const FAILURES = /\bbatch_?item_?failures\b/gi
const NO_FAILURES = /\bbatch_?item_?failures['"]?\s*[:=]\s*\[\s*\]/gi
const LIBRARY =
  /^(middy-bounded-sqs-batch|@middy\/(sqs-partial-batch-failure|event-batch-.+)|@aws-lambda-powertools\/batch)$/
/** What calls SQS with the permissions of the function. */
const CALLS = ['deadLetter', 'retryBackoff', 'isolateCrashes']
const BLOCK_COMMENT = /^[^\S\n]*\/\*.*?\*\//gms
const WHOLE_LINE_COMMENT = /^\s*(\/\/|#(?!\[)|\*|\/\*|--)/
/** Files with tests. The name of a handler can be the same. */
const TEST_FILE = /^test_.+\.py|_test\./

/** The call, but not the declaration in a bundle, and not the name in its messages: retryBackoff(). */
const BACKOFF = /(?<!function\s+)\bretryBackoff\s*\(\s*(?!\))/g
const DEFAULT_BACKOFF: Backoff = { base: 30, factor: 2, max: 900, jitter: 'equal' }
const SCRIPT = /\.[cm]?[jt]sx?$/
/** A line of a minified bundle, in which functions have other names. */
const MINIFIED = /.{1000}/

/** Searches the code of a function. */
export function searchCode(code: Code, workingFolder = process.cwd()): Source {
  const { places = [], inline, reason, handler, runtime, folder } = code
  const shown = (path: string) => relative(workingFolder, path) || 'this folder'
  const inTemplate = { shown: 'the code in the template', isScript: true, isCommonJs: true }
  if (inline !== undefined) return findIn([{ ...inTemplate, text: inline }])
  const root = places.find((place) => folderAt(place) !== undefined)
  const files = (root === undefined ? [] : filesOf(code, root)).map((path) => ({
    shown: shown(path),
    text: readFileSync(path, 'utf8'),
    isScript: SCRIPT.test(path),
    isCommonJs: isCommonJs(path, root as string),
  }))
  if (files.length > 0) return findIn(files)
  const [first] = places
  const nowhere =
    first === undefined ? 'the input does not say where the code is' : `there is no code at ${shown(first)}`
  const noHandler = root === undefined ? nowhere : `no source of the handler ${handler} was found in ${shown(root)}`
  const near = isOfNode(runtime) ? dependencyNear(first ?? folder ?? workingFolder, shown) : undefined
  return { missing: reason ?? noHandler, reports: near }
}

/** Whether the runtime is Node.js, or is not known. */
function isOfNode(runtime: string | undefined): boolean {
  return runtime?.startsWith('nodejs') ?? true
}

/** The script of the handler with all local files that it imports; in other languages, all files of the function. */
function filesOf({ runtime, handler = '', entries = [], layers = [] }: Code, root: string): string[] {
  const names = [...withoutFolders(handler.replace(/\.[^./]*$/, '')), ...entries]
  const main = names.map((name) => scriptAt(join(root, name))).find((path) => path !== undefined)
  if (main !== undefined && isOfNode(runtime)) return withImports(main)
  if (runtime?.startsWith('nodejs')) return []
  const sources = [root, ...layers].flatMap((folder) => (folderAt(folder) ? sourcesIn(folder) : []))
  // The file of the handler first, because findings name the first file with evidence.
  const words = handler.split(/[./:]/)
  const isNamed = (path: string) => words.includes(parse(path).name)
  const others = sources.filter((path) => !isNamed(path) && !TEST_FILE.test(basename(path)))
  return [...sources.filter(isNamed), ...others]
}

/** The path of a script, and the same without its first folders, as the source of `dist/src/index` is `src/index`. */
function withoutFolders(path: string): string[] {
  if (path === '') return []
  const [, ...rest] = path.split('/')
  return [path, ...withoutFolders(rest.join('/'))]
}

function withImports(main: string): string[] {
  const files = new Set([main])
  for (const file of files) for (const other of importsOf(file, readFileSync(file, 'utf8'))) files.add(other)
  return [...files]
}

/** A library for partial batch responses in the nearest package.json. */
function dependencyNear(folder: string, shown: (path: string) => string): string | undefined {
  const manifest = nearest(folder, 'package.json')
  const { dependencies, devDependencies } = (manifest && parseObject(readIfFile(manifest))) || {}
  const name = Object.keys({ ...(dependencies as object), ...(devDependencies as object) }).find((one) =>
    LIBRARY.test(one),
  )
  return manifest && name && `${shown(manifest)} depends on ${name}`
}

interface Found {
  /** The path in findings. */
  shown: string
  text: string
  /** Whether it is JavaScript or TypeScript. */
  isScript: boolean
  isCommonJs: boolean
}

function findIn(found: readonly Found[]): Source {
  const files = found.map((file) => {
    // After the last `*/`, no comment ends. A search there would take a time that grows with the square of the length.
    const end = file.text.lastIndexOf('*/') + 2
    const text = file.text.slice(0, end).replaceAll(BLOCK_COMMENT, '') + file.text.slice(end)
    const lines = text.split('\n')
    return { ...file, text: lines.filter((line) => !WHOLE_LINE_COMMENT.test(line)).join('\n') }
  })
  function find(pattern: RegExp, among = files): string | undefined {
    for (const { shown, text } of among) {
      const [match] = pattern.exec(text) ?? []
      if (match) return `${match} in ${shown}`
    }
    return undefined
  }
  const [searched] = found.map(({ shown }) => shown)
  const others = found.length - 1
  const ours = find(OURS)
  const isOther = ({ isScript }: Found) => !isScript
  const response = find(RESPONSE) ?? find(RESPONSE_CLASS, files.filter(isOther))
  return {
    searched: `${searched}${others === 0 ? '' : ` and ${others} other ${others === 1 ? 'file' : 'files'}`}`,
    // A bundle of this package also has the other names.
    reports: ours ?? find(LIBRARIES) ?? (isNeverFilled(files.map(({ text }) => text)) ? undefined : response),
    requiresPackage: files.find(({ text, isCommonJs }) => isCommonJs && requiresPackage(text))?.shown,
    backoff: backoffIn(files.filter(({ isScript }) => isScript).map(({ text }) => text)),
    calls: ours === undefined ? [] : CALLS.filter((name) => find(new RegExp(`\\b${name}\\s*\\(`)) !== undefined),
  }
}

/** Whether the code has a list of failures that is always empty. */
function isNeverFilled(texts: readonly string[]): boolean {
  const [lists, empty] = [FAILURES, NO_FAILURES].map((pattern) => texts.join('\n').match(pattern)?.length)
  return empty !== undefined && empty === lists
}

function backoffIn(texts: readonly string[]): Source['backoff'] {
  const calls = texts.flatMap((text) =>
    Array.from(text.matchAll(BACKOFF), (call) => text.slice(call.index + call[0].length)),
  )
  const [call, ...others] = calls
  if (call === undefined)
    return texts.some((text) => MINIFIED.test(text)) ? { reason: 'the code is minified' } : undefined
  if (others.length > 0) return { reason: 'the code calls retryBackoff() more than once' }
  // The options end at the first brace that closes them. They can contain one object or function.
  const options = /^\{((?:[^{}]|\{[^{}]*\})*)\}/.exec(call)?.[1]
  if (options === undefined || options.includes('...'))
    return { reason: 'the options of retryBackoff() are not literals' }
  const given = options.matchAll(/\b(base|factor|max|jitter)\b\s*(?::\s*([^,\n]+))?/g)
  const values = Array.from(given, ([, name, value]) => [name, literal(String(value).trim())] as const)
  const open = values.find(([, value]) => value === undefined)
  if (open) return { reason: `${open[0]} of retryBackoff() is not a literal` }
  return { ...DEFAULT_BACKOFF, ...Object.fromEntries(values) }
}

function literal(text: string): number | string | undefined {
  return /^[\d_]+(\.\d+)?$/.test(text)
    ? Number(text.replaceAll('_', ''))
    : /^['"](equal|full|none)['"]$/.exec(text)?.[1]
}
