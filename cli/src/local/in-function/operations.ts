// Operations of Node that do something once, in contrast to handles that stay open.
import type { Origin } from './work-origin.ts'

export const ON_FILE = 'a file operation'
export const OVER_HTTP2 = 'a call over HTTP/2'

/**
 * By their type in async_hooks. A test compares the types with those of the Node that runs it. In Node 26, promises of
 * `fs` are an FSREQPROMISE or an FSREQCALLBACK, and `process.getActiveResourcesInfo()` lists neither.
 */
const OPERATIONS: readonly [type: RegExp, what: string][] = [
  [/^FSREQ(CALLBACK|PROMISE)$/, ON_FILE],
  [/^HTTP2STREAM$/, OVER_HTTP2],
  [/^(GET(ADDR|NAME)INFOREQ|QUERY|(TCP|PIPE)CONNECT)WRAP$/, ''], // no work yet: connections
  [/^(ZLIB|(?!HTTP)[A-Z0-9]+REQUEST)$/, 'work in the thread pool'],
]

/** What an operation does, or an empty text if it is no work yet. Undefined for everything else. */
export function operationOf(type: string): string | undefined {
  return OPERATIONS.find(([pattern]) => pattern.test(type))?.[1]
}

/**
 * Node reads a stream ahead, opens one before it has data, and closes files after the work. When a blob of a file has
 * been read, no hook is called.
 */
const NO_FILE_WORK =
  /\bReadStream\._read \(|Stream\._construct \(|\b_?close \(node:(?:fs|internal\/fs)|\(node:internal\/blob:/
/** Loggers write to a descriptor, mostly to standard output: other code than Node's calls node:fs. */
const TO_DESCRIPTOR = / (?:\w+\.)?(?:write|writev|fsync|fdatasync) \(node:fs:.*\n(?!.*\bnode:)/

/** Whether something is late or lost if this operation ends only after the response. */
export function isWork({ what, stack = '' }: Origin): boolean {
  return what === ON_FILE ? !NO_FILE_WORK.test(stack) && !TO_DESCRIPTOR.test(stack) : what !== ''
}
