// Where work was started: the line of the handler, or the package.
import { relative } from 'node:path'

/**
 * `late`: it fails the run. The others are warnings. `once`: seen in only one invocation, so a client may
 * have started it for itself. `telemetry`: of a known package for it. `timer` and `interval`: pending at the end
 * of the run.
 */
export type LeftKind = 'late' | 'once' | 'telemetry' | 'timer' | 'interval'

export interface LeftWork {
  kind: LeftKind
  what: string
  /** The file and line of the handler, or else the client of which package. Missing if it was Node. */
  place?: string | undefined
}

/** What started some work. The stack is formatted only if it is read. */
export interface Origin extends Pick<LeftWork, 'kind' | 'what'> {
  stack?: string
  cause?: Origin | undefined
  /** Of a socket: what had been read before the last data was written. */
  bytesRead?: number
}

const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/gm
const OWN_FILES = new URL('.', import.meta.url).pathname
const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/
/** What sends telemetry or logs. Not what traces: it is in the stack of every request of a traced handler. */
const TELEMETRY =
  /\/node_modules\/(?:@opentelemetry\/[\w-]*exporter|@sentry\/.*transport|dd-trace\/.*\/exporters\/|(?:pino|thread-stream|winston|winston-transport|bunyan|log4js)\/)/

/** Only packages are known to have started it. */
const CLIENT = 'the client of '

/** The work that is started where this is called. */
export function originOf(origin: Origin): Origin {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

/** Work as it is reported: with the line of the handler that started it, or else the package. */
export function workOf(origin: Origin): LeftWork {
  const work: LeftWork = { kind: origin.kind, what: origin.what }
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const [, path = '', line] of from.stack?.matchAll(FRAME) ?? []) {
      if (path.startsWith(OWN_FILES)) continue
      if (TELEMETRY.test(path)) work.kind = 'telemetry'
      const name = PACKAGE.exec(path)?.[1]
      if (!name) return { ...work, place: `${relative(process.cwd(), decodeURIComponent(path))}:${line}` }
      work.place ??= `${CLIENT}${name}`
    }
  }
  return work
}

/** Whether the place of some work is a line of the handler. */
export const isOfHandler = ({ place }: LeftWork) => place !== undefined && !place.startsWith(CLIENT)
