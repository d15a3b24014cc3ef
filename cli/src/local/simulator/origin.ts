// Runs in the process of the handler. Where work was started: the line of the handler, or the package.
import { relative } from 'node:path'

/**
 * `late`: it fails the run. The others are warnings. `once`: seen in only one invocation, so a client may
 * have started it for itself. `telemetry`: of a known package for it. `timer`: pending at the end of the run.
 * `module`: an interval that no invocation has started.
 */
export type LeftKind = 'late' | 'once' | 'telemetry' | 'timer' | 'module'

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
  /** The invocation that started it. */
  invocation?: object | undefined
  /** Of a socket: what had been read before the last data was written. */
  bytesRead?: number
}

/** A report names at most this many places. */
const MAX_LEFT = 10
export const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/
/** Frames of this package and of Node that say nothing about the work. */
const OWN_FILES = new URL('.', import.meta.url).href
const MACHINERY = /new Promise|node:internal\/async_hooks/
const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/
/** What sends telemetry or logs. Not what traces: it is in the stack of every request of a traced handler. */
const TELEMETRY =
  /\/node_modules\/(?:@opentelemetry\/[\w-]*exporter|@sentry\/.*transport|dd-trace\/.*\/exporters\/|(?:pino|thread-stream|winston|winston-transport|bunyan)\/)/

/** Only packages are known to have started it. */
const CLIENT = 'the client of '

/** The work that is started where this is called. */
export function originOf(given: Omit<Origin, 'stack'>): Origin {
  const origin: Origin = given
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

export const framesOf = ({ stack = '' }: Origin) =>
  stack.split('\n').filter((line) => / at /.test(line) && !MACHINERY.test(line) && !line.includes(OWN_FILES))

/** The file and line of the handler that started it, or else the package. No place if Node itself did. */
function startOf(origin: Origin): { place: string | undefined; isTelemetry: boolean } {
  let client: string | undefined
  let isTelemetry = false
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const frame of framesOf(from)) {
      isTelemetry ||= TELEMETRY.test(frame)
      const [, path, line] = FRAME.exec(frame) ?? []
      if (path === undefined) continue
      const name = PACKAGE.exec(path)?.[1]
      const place = `${relative(process.cwd(), decodeURIComponent(path))}:${line}`
      if (name === undefined) return { place, isTelemetry }
      client ??= `${CLIENT}${name}`
    }
  }
  return { place: client, isTelemetry }
}

/** Whether a place is a line of the handler. */
export const isOfHandler = (place: string | undefined) => place !== undefined && !place.startsWith(CLIENT)

/** Work of the same kind that was started in the same place is counted together. */
export function describe(origins: readonly Origin[]): LeftWork[] {
  const works = new Map<string, LeftWork>()
  for (const origin of origins) {
    const { place, isTelemetry } = startOf(origin)
    const work = { kind: isTelemetry ? ('telemetry' as const) : origin.kind, what: origin.what, place }
    const key = JSON.stringify(work)
    works.set(key, { ...work, count: (works.get(key)?.count ?? 0) + 1 })
  }
  return [...works.values()].slice(0, MAX_LEFT)
}
