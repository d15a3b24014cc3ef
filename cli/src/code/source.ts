import { join, relative } from 'node:path'
import { type Modules, requiresPackage } from './commonjs.ts'
import { entryPoints, handlerFiles, importsOf } from './handler-files.ts'
import { MODULE_TYPE } from './manifest.ts'
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
  /** What the build makes of imports of this package, if the input says it. */
  build?: Modules | undefined
  /** Why the code cannot be found. */
  reason?: string
}

/** What a search of the code of a function found. */
export interface Source {
  /** Why the code was not searched. The other properties are then missing. */
  missing?: string
  /** The searched files, in words. */
  searched?: string
  /** Where the code can report failures: `batchItemFailures in src/app.mjs`. Undefined if it cannot. */
  reports?: string | undefined
  /** Where the code writes metrics to the log. */
  logsMetrics?: string | undefined
  /** The file that loads this package with `require()`. */
  requiresPackage?: string | undefined
  /** Why it is not known whether a file loads this package with `require()`. */
  mayRequirePackage?: string | undefined
  /** Where the code uses `deadLetter()` of this package. */
  usesDeadLetter?: string | undefined
}

const OURS = /middy-bounded-sqs-batch/
/** What Middy, and AWS's libraries in all languages, call a partial batch response. */
const REPORTS =
  /sqs-partial-batch-failure|event-batch-handler|batch_?item_?failures?|sqs_?batch_?response|process_?partial_?response|partial_?batch(_?response)?|batch_?processor\b|powertools[-\w./]*[./]batch\b|lambda-batch-processor/i
/** Metrics in the log: the embedded metric format, and the libraries that write it. */
const METRICS = /CloudWatchMetrics|aws[-_]embedded[-_]metrics|powertools[-\w./]*[./]metrics\b|EmbeddedMetric/i
const DEAD_LETTER = /\bdeadLetter(?=\s*\()/
const WHOLE_LINE_COMMENT = /^\s*(\/\/|#(?!\[)|\*|\/\*|--)/

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
  if (inline !== undefined) {
    return findIn([{ shown: 'the code in the template', text: inline, isCommonJs: true }], code)
  }
  if (reason !== undefined) return { missing: reason }
  if (places.length === 0) return { missing: 'the input does not say where the code is' }
  if (handler === undefined && entries.length === 0) return { missing: 'the input does not say which handler it has' }
  const shown = (path: string) => relative(folder, path) || '.'
  for (const place of places) {
    const tree = openTree(place)
    if (!tree) continue
    const own = handler === undefined ? [] : handlerFiles(tree, handler, runtime)
    const files = own.length > 0 ? own : entryPoints(tree, entries, String(handler))
    if (files.length === 0) return { missing: `there is no file of the handler ${handler} in ${shown(place)}` }
    const found = Array.from(withImports(tree, files), ([name, text]) => {
      const path = join(place, name)
      return { shown: shown(path), text, path, isCommonJs: isCommonJs(name, tree) }
    })
    return findIn(found, code)
  }
  return { missing: `there is no code at ${places.slice(0, 1).map(shown).join()}` }
}

function withImports(tree: Tree, files: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>()
  const queue = [...files]
  for (const path of queue) {
    const text = texts.has(path) ? undefined : tree.read(path)
    if (text === undefined) continue
    texts.set(path, text)
    queue.push(...importsOf(tree, path, text))
  }
  return texts
}

interface Found {
  /** The path in findings. */
  shown: string
  text: string
  path?: string
  isCommonJs: boolean
}

function findIn(found: readonly Found[], { build }: Code): Source {
  const files = found.map((file) => {
    const lines = file.text.split('\n').filter((line) => !WHOLE_LINE_COMMENT.test(line))
    return { ...file, text: lines.join('\n') }
  })
  function find(pattern: RegExp): string | undefined {
    for (const { shown, text } of files) {
      const [match] = pattern.exec(text) ?? []
      if (match) return `${match} in ${shown}`
    }
    return undefined
  }
  const [searched] = found.map(({ shown }) => shown)
  const imported = found.length - 1
  const ours = find(OURS)
  const loads = files.map((file) => ({ ...file, how: requiresPackage(file, build) }))
  const open = loads.flatMap(({ shown, how }) => (typeof how === 'object' ? `${shown}: ${how.reason}` : []))
  return {
    searched: `${searched}${imported === 0 ? '' : ` and ${imported} ${imported === 1 ? 'file' : 'files'} that it imports`}`,
    reports: ours ?? find(REPORTS), // a bundle of this package also has the other names
    logsMetrics: find(METRICS),
    requiresPackage: loads.find(({ how }) => how === true)?.shown,
    mayRequirePackage: open[0],
    usesDeadLetter: ours === undefined ? undefined : find(DEAD_LETTER),
  }
}

/** Whether Node loads a file as CommonJS, by its name and the package.json of its folder. */
function isCommonJs(path: string, tree: Tree): boolean {
  if (!path.endsWith('.js')) return path.endsWith('.cjs')
  for (let folder = path; folder.includes('/'); ) {
    folder = folder.slice(0, folder.lastIndexOf('/'))
    const manifest = tree.read(`${folder}/package.json`)
    if (manifest !== undefined) return !MODULE_TYPE.test(manifest)
  }
  return !MODULE_TYPE.test(String(tree.read('package.json')))
}
