import { join, relative, resolve } from 'node:path'
import { entryPoints, handlerFiles, importsOf } from './handler-files.ts'
import { openTree, type Tree } from './tree.ts'

/** Where the code of a function is, as far as an input says. */
export interface Code {
  /** Absolute paths of folders or archives. The first one that exists is searched. */
  places?: readonly string[]
  /** The code itself, in the template. */
  inline?: string
  handler?: string | undefined
  runtime?: string | undefined
  /** The entry points of a bundler, relative to the place. */
  entries?: readonly string[]
  /** A bundler runs when the function is deployed, so `require()` in the source is not that of the function. */
  isBundled?: boolean
  /** Why the code cannot be found. */
  reason?: string
}

/** What a search of the code of a function found. */
export type Source =
  | { missing: string }
  | {
      missing?: undefined
      /** The searched files, in words. */
      searched: string
      /** Where the code can report failures: `batchItemFailures in src/app.mjs`. Undefined if it cannot. */
      reports?: string | undefined
      /** Where the code writes metrics to the log. */
      logsMetrics?: string | undefined
      /** Where a CommonJS file loads this package with `require()`. */
      requiresPackage?: string | undefined
      /** Where the code uses `deadLetter()` of this package. */
      usesDeadLetter?: string | undefined
    }

/** This package, and what AWS's libraries in all languages call a partial batch response. */
const REPORTS =
  /middy-bounded-sqs-batch|sqs-partial-batch-failure|event-batch-handler|batch_?item_?failures?|sqs_?batch_?response|process_?partial_?response|partial_?batch(_?response)?|batch_?processor\b|powertools[-\w./]*[./]batch\b|lambda-batch-processor/i
/** Metrics in the log: the embedded metric format, and the libraries that write it. */
const METRICS = /CloudWatchMetrics|aws[-_]embedded[-_]metrics|powertools[-\w./]*[./]metrics\b|EmbeddedMetric/i
const REQUIRE = /\brequire\s*\(\s*['"]middy-bounded-sqs-batch(\/\w+)?['"]\s*\)/
const DEAD_LETTER = /\bdeadLetter\s*\(/
const WHOLE_LINE_COMMENT = /^\s*(\/\/|#(?!\[)|\*|\/\*|--).*$/gm
/** Only as a guard against cycles that grow. */
const MAX_IMPORTED = 500

const results = new Map<string, Source>()

/** Searches the handler's own file, and the files that it imports by relative paths. Each function is searched once. */
export function searchCode(code: Code, folder = process.cwd()): Source {
  const key = JSON.stringify(code)
  const source = results.get(key) ?? search(code, folder)
  results.set(key, source)
  return source
}

function search(code: Code, folder: string): Source {
  const { places = [], inline, handler, runtime, entries = [], reason } = code
  if (inline !== undefined) return findIn(new Map([['the code in the template', inline]]), code, () => undefined)
  if (reason !== undefined) return { missing: reason }
  if (places.length === 0) return { missing: 'the input does not say where the code is' }
  if (handler === undefined && entries.length === 0) return { missing: 'the input does not say which handler it has' }
  const shown = (path: string) => relative(folder, path) || '.'
  for (const place of places) {
    const tree = openTree(place)
    if (!tree) continue
    const own = handlerFiles(tree, handler ?? '', runtime)
    const files = own.length > 0 ? own : entryPoints(tree, entries, handler ?? '')
    if (files.length === 0) return { missing: `there is no file of the handler ${handler} in ${shown(place)}` }
    const texts = withImports(tree, files)
    const named = new Map(Array.from(texts, ([path, text]) => [shown(join(place, path)), text]))
    return findIn(named, code, (path) => {
      const inTree = relative(place, resolve(folder, path))
      return inTree.startsWith('..') ? undefined : tree.read(inTree)
    })
  }
  return { missing: `there is no code at ${places.map(shown).join(' or ')}` }
}

function withImports(tree: Tree, files: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>()
  const queue = [...files]
  for (const path of queue) {
    const text = texts.has(path) ? undefined : tree.read(path)
    if (text === undefined || texts.size > MAX_IMPORTED) continue
    texts.set(path, text)
    queue.push(...importsOf(tree, path, text))
  }
  return texts
}

function findIn(
  texts: ReadonlyMap<string, string>,
  { isBundled = false }: Code,
  read: (path: string) => string | undefined,
): Source {
  const code = Array.from(texts, ([path, text]) => [path, text.replaceAll(WHOLE_LINE_COMMENT, '')] as const)
  function find(pattern: RegExp, isSearched = (_path: string) => true): string | undefined {
    for (const [path, text] of code) {
      const [match] = (isSearched(path) && pattern.exec(text)) || []
      if (match) return `${match} in ${path}`
    }
    return undefined
  }
  const [first = '', ...others] = texts.keys()
  const imported =
    others.length === 0 ? '' : ` and ${others.length} ${others.length === 1 ? 'file' : 'files'} that it imports`
  const isOurs = find(/middy-bounded-sqs-batch/) !== undefined
  return {
    searched: `${first}${imported}`,
    reports: find(REPORTS),
    logsMetrics: find(METRICS),
    requiresPackage: isBundled ? undefined : find(REQUIRE, (path) => isCommonJs(path, read)),
    usesDeadLetter: isOurs ? find(DEAD_LETTER) : undefined,
  }
}

/** Whether Node loads the file as CommonJS. A TypeScript file is compiled first, perhaps by a bundler. */
function isCommonJs(path: string, read: (path: string) => string | undefined): boolean {
  if (path.endsWith('.cjs')) return true
  if (!path.endsWith('.js')) return false
  for (let folder = path; folder.includes('/'); ) {
    folder = folder.slice(0, folder.lastIndexOf('/'))
    const manifest = read(`${folder}/package.json`)
    if (manifest !== undefined) return !/"type"\s*:\s*"module"/.test(manifest)
  }
  return !/"type"\s*:\s*"module"/.test(read('package.json') ?? '')
}
