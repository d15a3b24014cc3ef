import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { cached } from '../shared/cached.ts'
import { parseObject } from '../shared/json.ts'
import { readIfFile } from '../shared/text-file.ts'
import { isCommonJs, nearest, requiresPackage } from './commonjs.ts'
import { folderAt, importsOf, noFolders, type ReadFolders, scriptAt, sourcesIn } from './imports.ts'
import { withoutCommentsAndTexts } from './javascript.ts'

/** Where the code of a function is, as far as an input says. */
export interface Code {
  /** Absolute paths of folders. The first one that exists is searched. */
  places?: readonly string[]
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
export interface Evidence {
  /** Why the code was not searched. */
  missing?: string
  /** The searched files, in words. */
  searched?: string
  /** The evidence that the function reports failures: `batchItemFailures in src/app.mjs`. */
  reports?: string | undefined
  /** The file that loads this package with `require()`. */
  requiresPackage?: string | undefined
  /** The functions of this package that the code calls, and that call SQS. */
  calls?: readonly Call[]
}

/** Searches the code of functions. Each code and each folder is read once. */
export type CodeSearch = (code: Code) => Evidence

const OURS = /(?<=['"`])middy-bounded-sqs-batch(?=['"`/])/
/** The libraries for partial batch responses of Middy and AWS. */
const LIBRARIES = /@middy\/(sqs-partial-batch-failure|event-batch-[\w-]+)|@aws-lambda-powertools\/batch/
/** Not the setting ReportBatchItemFailures of the CDK, but a function of this name. */
const RESPONSE = /(?<!report)batchItemFailures|reportBatchItemFailures(?=\s*\()/i
/** The list of failures, and a list that is empty. A function that returns only this one reports nothing. */
const FAILURES = /\bbatchItemFailures\b/gi
const NO_FAILURES = /\bbatchItemFailures['"]?\s*[:=]\s*\[\s*\]/gi
const LIBRARY =
  /^(middy-bounded-sqs-batch|@middy\/(sqs-partial-batch-failure|event-batch-.+)|@aws-lambda-powertools\/batch)$/
/** What calls SQS with the permissions of the function. */
const CALLS = ['deadLetter', 'retryBackoff', 'isolateCrashes'] as const
export type Call = (typeof CALLS)[number]

export function codeSearch(workingFolder = process.cwd()): CodeSearch {
  const found = new Map<string, Evidence>()
  const read = noFolders()
  return (code) => cached(found, JSON.stringify(code), () => searchOrMissing(code, read, workingFolder))
}

/** A file that cannot be read is not a reason to check nothing else. */
function searchOrMissing(code: Code, read: ReadFolders, workingFolder: string): Evidence {
  try {
    return searchCode(code, read, workingFolder)
  } catch (error) {
    const { code: reason, path = '' } = error as NodeJS.ErrnoException
    if (reason === undefined) throw error
    return { missing: `${relative(workingFolder, path)} cannot be read (${reason})` }
  }
}

function searchCode(code: Code, read: ReadFolders, workingFolder: string): Evidence {
  const { places = [], inline, reason, handler, runtime = 'nodejs', folder } = code
  const shown = (path: string) => relative(workingFolder, path) || 'this folder'
  if (!runtime.startsWith('nodejs')) {
    return { missing: `the runtime is ${runtime}, and only JavaScript and TypeScript are searched` }
  }
  if (inline !== undefined) {
    return evidenceIn([{ shown: 'the code in the template', ...textsOf(inline), isCommonJs: true }])
  }
  const root = places.find((place) => folderAt(place) !== undefined)
  const files = Array.from(root === undefined ? [] : filesOf(code, root, read), ([path, texts]) => ({
    shown: shown(path),
    ...texts,
    isCommonJs: isCommonJs(path, root as string),
  }))
  if (files.length > 0) return evidenceIn(files)
  const [first] = places
  const nowhere =
    first === undefined ? 'the input does not say where the code is' : `there is no code at ${shown(first)}`
  const noHandler = root === undefined ? nowhere : `no source of the handler ${handler} was found in ${shown(root)}`
  return { missing: (reason ?? noHandler) + dependencyNear(first ?? folder ?? workingFolder, shown) }
}

interface Texts {
  text: string
  /** Without comments and texts. */
  code: string
}

function textsOf(text: string): Texts {
  return { text, code: withoutCommentsAndTexts(text) }
}

/** The script of the handler with all local files that it imports. Without a handler, all scripts in the folder. */
function filesOf({ handler, entries = [] }: Code, root: string, read: ReadFolders): Map<string, Texts> {
  const names = [...withoutFolders(handler?.replace(/\.[^./]*$/, '') ?? ''), ...entries]
  const main = names.map((name) => scriptAt(join(root, name))).find((path) => path !== undefined)
  const paths = new Set(main !== undefined ? [main] : handler === undefined ? sourcesIn(root) : [])
  const files = new Map<string, Texts>()
  for (const path of paths) {
    const texts = textsOf(readFileSync(path, 'utf8'))
    files.set(path, texts)
    for (const other of importsOf(path, texts.code, read)) paths.add(other)
  }
  return files
}

/** The path of a script, and the same without its first folders, as the source of `dist/src/index` is `src/index`. */
function withoutFolders(path: string): string[] {
  if (path === '') return []
  const [, ...rest] = path.split('/')
  return [path, ...withoutFolders(rest.join('/'))]
}

/** That the nearest package.json names a library for partial batch responses. */
function dependencyNear(folder: string, shown: (path: string) => string): string {
  const manifest = nearest(folder, 'package.json')
  const { dependencies, devDependencies } = (manifest && parseObject(readIfFile(manifest))) || {}
  const all = Object.keys({ ...(dependencies as object), ...(devDependencies as object) })
  const name = all.find((one) => LIBRARY.test(one))
  return manifest && name ? `, but ${shown(manifest)} names ${name}` : ''
}

interface SearchedFile extends Texts {
  /** The path in findings. */
  shown: string
  isCommonJs: boolean
}

function evidenceIn(files: readonly SearchedFile[]): Evidence {
  function find(pattern: RegExp): string | undefined {
    for (const { shown, code } of files) {
      const [match] = pattern.exec(code) ?? []
      if (match) return `${match} in ${shown}`
    }
    return undefined
  }
  const others = files.length - 1
  const response = isNeverFilled(files) ? undefined : find(RESPONSE)
  // The calls of a file that imports this package, and not those of the package itself. The name is in a text.
  const callsOurs = (name: Call) =>
    files.some(({ text, code }) => OURS.test(text) && new RegExp(`(?<!function )\\b${name}\\s*\\(`).test(code))
  return {
    searched: `${files[0]?.shown}${others === 0 ? '' : ` and ${others} other ${others === 1 ? 'file' : 'files'}`}`,
    reports: find(OURS) ?? find(LIBRARIES) ?? response,
    requiresPackage: files.find(({ code, isCommonJs }) => isCommonJs && requiresPackage(code))?.shown,
    calls: CALLS.filter(callsOurs),
  }
}

/** Whether the code has a list of failures that is always empty. */
function isNeverFilled(files: readonly SearchedFile[]): boolean {
  const code = files.map((file) => file.code).join('\n')
  const [lists, empty] = [FAILURES, NO_FAILURES].map((pattern) => code.match(pattern)?.length)
  return empty !== undefined && empty === lists
}
