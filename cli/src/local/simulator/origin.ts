// Runs in the process of the handler. Where work was started: the line of the handler, or the package.
import { relative } from 'node:path'

/**
 * `late`: it fails the run. The others are warnings. `once`: seen in only one invocation, so a client may have started it
 * for itself. `telemetry`: of a known package for it. `timer`, `interval`: pending at the end of the run. `module`: an
 * interval that no invocation has started.
 */
export type LeftKind = 'late' | 'once' | 'telemetry' | 'timer' | 'interval' | 'module'

/** Work that was started in one place. */
export interface LeftWork {
  kind: LeftKind
  what: string
  /** The file and line of the handler, or else the client of which package. */
  place?: string | undefined
  count: number
}

/** What started some work. The stack is formatted only if it is read. */
export interface Origin {
  kind: LeftKind
  what: string
  stack?: string
  cause?: Origin | undefined
  /** Of a socket: what had been read before the last data was written. */
  bytesRead?: number
}

/** The header of a call of the Runtime API with the work that was left, as JSON in the encoding of a URI. */
export const LEFT_HEADER = 'bounded-sqs-batch-left'
/** The event that asks for what is still left at the end of a run. */
export const END_OF_RUN = 'end of the run'
/** A header names at most this many places. */
const MAX_LEFT = 10
const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/
const MACHINERY =
  /new Promise|node:internal\/async_hooks|simulator\/(late-work|operations|origin|timers|reads|record-errors|runtime-client|load-handler)/
const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/
/** What sends telemetry or logs. Not what traces: its frames are in the stack of every request of a traced handler. */
const TELEMETRY =
  /\/node_modules\/(?:@opentelemetry\/[\w-]*exporter|@sentry\/.*transport|dd-trace\/.*\/exporters\/|(?:pino|thread-stream|winston|winston-transport|bunyan)\/)/

/** Only packages are known to have started it. */
const CLIENT = 'the client of '

/** The work that is started where this is called. */
export function originOf(kind: LeftKind, what: string, cause?: Origin): Origin {
  const origin: Origin = { kind, what, cause }
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

export const framesOf = ({ stack = '' }: Origin) =>
  stack.split('\n').filter((line) => / at /.test(line) && !MACHINERY.test(line))

/** Whether code outside of Node started it. */
export const hasFile = (origin: Origin) => framesOf(origin).some((frame) => FRAME.test(frame))

/** The file and line of the handler that started it, or else the package. Undefined if Node itself did. */
function placeOf(origin: Origin): string | undefined {
  let client: string | undefined
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const frame of framesOf(from)) {
      const [, path, line] = FRAME.exec(frame) ?? []
      if (path === undefined) continue
      const name = PACKAGE.exec(path)?.[1]
      if (name === undefined) return `${relative(process.cwd(), decodeURIComponent(path))}:${line}`
      client ??= `${CLIENT}${name}`
    }
  }
  return client
}

/** Whether a package for telemetry has started it, and not the handler through it. */
function isTelemetry(origin: Origin): boolean {
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const frame of framesOf(from)) {
      if (TELEMETRY.test(frame)) return true
      const [, path] = FRAME.exec(frame) ?? []
      if (path !== undefined && !PACKAGE.test(path)) return false
    }
  }
  return false
}

/** Whether a place is a line of the handler. */
export const isOfHandler = (place: string | undefined) => place !== undefined && !place.startsWith(CLIENT)

/** Work of the same kind that was started in the same place is counted together. */
export function describe(origins: readonly Origin[]): LeftWork[] {
  const works = new Map<string, LeftWork>()
  for (const origin of origins) {
    const { what } = origin
    const place = placeOf(origin)
    const kind = isTelemetry(origin) ? 'telemetry' : origin.kind
    const key = `${kind} ${what} ${place}`
    const work = works.get(key) ?? { kind, what, place, count: 0 }
    work.count += 1
    works.set(key, work)
  }
  return [...works.values()].slice(0, MAX_LEFT)
}
