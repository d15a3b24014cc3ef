import { relative } from 'node:path'
import { cached } from '../shared/cached.ts'
import { parseObject } from '../shared/json.ts'
import { isFile, readIfFile } from '../shared/text-file.ts'
import { folderAt, importsOf, nearest, type ReadConfigs, sourceAt } from './imports.ts'
import { withoutCommentsAndTexts } from './javascript.ts'

/** Where the code of a function is, as far as an input says. */
export interface Code {
  /** Absolute paths of folders. The first one that exists is searched. */
  places?: readonly string[]
  inline?: string
  handler?: string | undefined
  runtime?: string | undefined
  /** The entry points of a bundler, relative to the place. */
  entries?: readonly string[]
  /** Whether a bundler, or a build of its own, makes the code. */
  isBuilt?: boolean
  /** The folder of the input. If the code is not found, the nearest package.json is searched from here. */
  folder?: string
  reason?: string
}

export interface Evidence {
  /** Why the code, or a part of it, was not searched. */
  missing?: string | undefined
  searched?: string
  /** The evidence that the function reports failures: `batchItemFailures in src/app.mjs`. */
  reports?: string | undefined
  /** The functions of this package that the code calls, and that call SQS. */
  calls?: readonly Call[]
}

/** Searches the code of functions. Each code and each folder is read once. */
export type CodeSearch = (code: Code) => Evidence

/** This package, and the libraries for partial batch responses of Middy and AWS. */
const LIBRARIES = [
  'middy-bounded-sqs-batch',
  '@middy/sqs-partial-batch-failure',
  '@middy/event-batch-[\\w-]+',
  '@aws-lambda-powertools/batch',
].join('|')
const LIBRARY = new RegExp(`(?<=^|['"\`])(${LIBRARIES})(?=$|['"\`/])`)
const OURS = /['"`]middy-bounded-sqs-batch['"`/]/
/** A text of this package, which a bundle keeps. */
const IN_BUNDLE = /\bmiddy-bounded-sqs-batch:batch\b/
/** Not the setting ReportBatchItemFailures of the CDK, but a function of this name. */
const RESPONSE = /(?<!report)batchItemFailures|reportBatchItemFailures(?=\s*\()/i
/** The list of failures, and a list that is empty. A function that returns only this one reports nothing. */
const FAILURES = /\bbatchItemFailures\b/gi
const NO_FAILURES = /\bbatchItemFailures['"]?\s*[:=]\s*\[\s*\]/gi
/** What calls SQS with the permissions of the function. */
const CALLS = ['deadLetter', 'retryBackoff', 'isolateCrashes'] as const
export type Call = (typeof CALLS)[number]

export function codeSearch(workingFolder = process.cwd()): CodeSearch {
  const found = new Map<string, Evidence>()
  const read: ReadConfigs = new Map()
  const shown = (path: string) => relative(workingFolder, path) || 'this folder'
  function searchOrMissing(code: Code): Evidence {
    try {
      return searchCode({ folder: workingFolder, ...code }, read, shown)
    } catch (error) {
      // A file that cannot be read is not a reason to check nothing else.
      const { code: reason, path } = error as NodeJS.ErrnoException
      if (reason === undefined) throw error
      return { missing: `${shown(String(path))} cannot be read (${reason})` }
    }
  }
  return (code) => cached(found, JSON.stringify(code), () => searchOrMissing(code))
}

type Shown = (path: string) => string

function searchCode(code: Code & { folder: string }, read: ReadConfigs, shown: Shown): Evidence {
  const { places = [], inline, reason, handler = '', entries = [], runtime = 'nodejs', folder } = code
  if (!runtime.startsWith('nodejs')) {
    return { missing: `the runtime is ${runtime}, and only JavaScript and TypeScript are searched` }
  }
  if (inline !== undefined) return evidenceIn([searchedFile('the code in the template', inline)])
  const [first = folder] = places
  const root = places.find(folderAt)
  const names = [handler.replace(/\.[^./]*$/, ''), ...entries].filter((name) => name !== '')
  const main = names.map((name) => root && sourceAt(root, name)).find((path) => path !== undefined)
  if (main !== undefined) return searchFrom(main, read, shown)
  const nowhere = root === undefined ? `there is no code at ${shown(first)}` : undefined
  const noSource = `no source of the handler ${handler} was found in ${shown(String(root))}`
  const missing = reason ?? nowhere ?? (code.handler === undefined ? 'its handler is not known' : noSource)
  return { missing: missing + dependencyNear(first, shown) }
}

/** A file under its path in findings. Its code has no comments and texts. */
function searchedFile(name: string, text: string) {
  const has = (call: Call) => new RegExp(`['"\`]${call}['"\`]`).test(text) // their errors begin with it
  // The functions of this package that a bundle has: a bundler omits those that nobody calls.
  const bundled = IN_BUNDLE.test(text) ? CALLS.filter(has) : []
  return { name, code: withoutCommentsAndTexts(text), bundled }
}

type SearchedFile = ReturnType<typeof searchedFile>

function searchFrom(main: string, read: ReadConfigs, shown: Shown): Evidence {
  const paths = new Set([main])
  const files: SearchedFile[] = []
  let missing: string | undefined
  for (const path of paths) {
    if (isFile(path)) {
      const file = searchedFile(shown(path), readIfFile(path))
      files.push(file)
      for (const other of importsOf(path, file.code, read)) paths.add(other)
    } else missing = `there is no code at ${shown(path)}`
  }
  return { ...evidenceIn(files), missing }
}

function dependencyNear(folder: string, shown: Shown): string {
  const manifest = nearest(folder, 'package.json') ?? ''
  const { dependencies, devDependencies } = parseObject(readIfFile(manifest)) ?? {}
  const names = Object.keys({ ...(dependencies as object), ...(devDependencies as object) })
  const library = names.find((name) => LIBRARY.test(name))
  return library === undefined ? '' : `, but ${shown(manifest)} names ${library}`
}

function evidenceIn(files: readonly SearchedFile[]): Evidence {
  const others = files.length - 1
  const find = (pattern: RegExp) => {
    const file = files.find(({ code }) => pattern.test(code))
    return file && `${pattern.exec(file.code)?.[0]} in ${file.name}`
  }
  // A list of failures that is always empty reports nothing.
  const code = files.map((file) => file.code).join('\n')
  const [lists, empty] = [FAILURES, NO_FAILURES].map((pattern) => code.match(pattern)?.length)
  const isNeverFilled = empty !== undefined && empty === lists
  // The calls of a file that imports this package, and not those of the package itself.
  const ours = files.filter(({ code }) => OURS.test(code))
  const callsOurs = (name: Call) =>
    files.some(({ bundled }) => bundled.includes(name)) ||
    ours.some(({ code }) => new RegExp(`(?<!function )\\b${name}\\s*\\(`).test(code))
  return {
    searched: `${files[0]?.name}${others === 0 ? '' : ` and ${others} other ${others === 1 ? 'file' : 'files'}`}`,
    reports: find(LIBRARY) ?? (isNeverFilled ? undefined : find(RESPONSE)),
    calls: CALLS.filter(callsOurs),
  }
}
