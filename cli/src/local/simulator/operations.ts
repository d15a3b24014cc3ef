// Runs in the process of the handler. The operations of Node, by the types of async_hooks.
import { framesOf, hasFile, type Origin } from './origin.ts'

/** Operations of Node that do something once, in contrast to handles that stay open. */
export const OPERATION =
  /^(FSREQ.*|GET(ADDR|NAME)INFOREQWRAP|QUERYWRAP|ZLIB|HTTP2STREAM|(TCP|PIPE)CONNECTWRAP|(?!HTTP)[A-Z0-9]+REQUEST)$/
const CONNECTING = 'a connection'
export const ON_FILE = 'a file operation'
export const OVER_HTTP2 = 'a call over HTTP/2'

export function nameOf(type: string): string {
  if (type === 'HTTP2STREAM') return OVER_HTTP2
  if (type.startsWith('FS')) return ON_FILE
  return type.endsWith('WRAP') ? CONNECTING : 'work in the thread pool'
}

/** Whether the handler needs the operation. Node also closes what was used, and reads ahead. A connection is no work yet. */
export function isWork(operation: Origin): boolean {
  if (operation.what === OVER_HTTP2) return true
  // Only the stack tells what is done with a file.
  const frames = framesOf(operation)
  const top = frames.slice(0, 3).join()
  if (operation.what === CONNECTING || /at (\S+\.)?_?(close|destroy) /.test(top)) return false
  if (top.includes('WriteStream.')) return true
  // Loggers use these with a callback for stdout. A line that is late is no lost work.
  return !/at (\S+\.)?(write|fsync) \(node:fs:/.test(frames[0] ?? '') && hasFile(operation)
}
