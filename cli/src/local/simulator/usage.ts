// Runs in the process of the handler.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { syncBuiltinESMExports } from 'node:module'
import { relative } from 'node:path'
import timers from 'node:timers'
import promises from 'node:timers/promises'
import { inspect } from 'node:util'
import { peakMemory } from './metrics.ts'

/** What one invocation used, until its response. */
export interface Usage {
  /** CPU milliseconds of all threads. */
  cpu: number
  /** The highest memory use of the process since its start, in MB. */
  peakMemory: number
  /** The work that it had not ended. Absent if not known. */
  left?: LeftWork[]
}

/** Requests in flight to the same service, or referenced timers from the same line. */
export interface LeftWork {
  what: string
  count: number
  /** Code in node_modules created the timer. It can be a time limit of a client, for example of an idle connection. */
  isOfPackage: boolean
}

/** The header of a response with the usage, as JSON in the encoding of a URI. */
export const USAGE_HEADER = 'bounded-sqs-batch-usage'
/** The header of the next poll with the work that is left then, in the same form. Absent if there is none. */
export const LEFT_HEADER = 'bounded-sqs-batch-left'
/** The response names at most this many kinds. */
const MAX_LEFT = 5
/** A shorter timer also fires on Lambda, before the environment is frozen. */
const SHORTEST_MS = 2

interface Timer {
  /** Whether it can still fire and keeps the process alive. */
  isPending: () => boolean
  delay: number
  /** Its stack shows where the timer was created. It is formatted only if it is read. */
  origin: { stack?: string }
}

/** Properties that Node does not document, but that it has had for ten years. */
type Internals = NodeJS.Timeout & { _destroyed: boolean; _idleTimeout: number }

let pendingTimers: Timer[] = []
let sweepAt = 1000
/**
 * Whether an interval or an unreferenced timer started the code. Clients use them for work that belongs to no
 * invocation.
 */
const background = new AsyncLocalStorage<true>()

function addTimer(timer: Timer) {
  if (background.getStore()) return
  pendingTimers.push(timer)
  if (pendingTimers.length < sweepAt) return
  // Timers that have fired are dropped now and then. Otherwise, their closures would stay in memory.
  pendingTimers = pendingTimers.filter(({ isPending }) => isPending())
  sweepAt = Math.max(1000, 2 * pendingTimers.length)
}

/** Replaces `setTimeout` everywhere, because nothing else shows which timers are pending. */
function watchTimers() {
  const { setTimeout: original, setInterval: originalInterval } = timers
  const setTimeout = function setTimeout(callback: () => void, delay?: number, ...args: []) {
    function fire(this: unknown) {
      const run = () => callback.apply(this, args)
      return timeout.hasRef() ? run() : background.run(true, run)
    }
    const timeout = original(fire, delay) as Internals
    const origin = {}
    Error.captureStackTrace(origin, setTimeout)
    const isPending = () => !timeout._destroyed && timeout.hasRef()
    addTimer({ isPending, delay: timeout._idleTimeout, origin })
    return timeout
  }
  Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(original))
  globalThis.setTimeout = setTimeout as unknown as typeof globalThis.setTimeout
  timers.setTimeout = setTimeout as unknown as typeof timers.setTimeout

  globalThis.setInterval = timers.setInterval = ((callback: () => void, delay?: number, ...args: []) =>
    originalInterval(() => background.run(true, callback, ...args), delay)) as unknown as typeof timers.setInterval

  const { setTimeout: originalSleep } = promises
  promises.setTimeout = function setTimeout<T>(delay?: number, value?: T, options?: { ref?: boolean }) {
    const sleeping = originalSleep(delay, value, options)
    const origin = {}
    Error.captureStackTrace(origin, promises.setTimeout)
    // Not with `then()`, which would hide a rejection that nobody handles.
    const isPending = () => options?.ref !== false && inspect(sleeping, { depth: 0 }).startsWith('Promise { <pending>')
    addTimer({ isPending, delay: delay ?? 1, origin })
    return sleeping
  } as typeof promises.setTimeout
  promises.scheduler.wait = (delay, options) => promises.setTimeout(delay, undefined, options)
  syncBuiltinESMExports()
}

interface ClientRequest {
  method: string
  /** undici */
  origin?: string
  /** undici */
  aborted?: boolean
  protocol?: string
  destroyed?: boolean
  getHeader?: (name: string) => unknown
}

const requests = new Set<ClientRequest>()

/** `fetch()`, undici, `node:http` and `node:https` publish their requests. Once the headers of the response are there, a request has ended. */
function watchRequests() {
  const { AWS_LAMBDA_RUNTIME_API } = process.env
  function add(message: unknown) {
    const { request } = message as { request: ClientRequest }
    const isOurs = request.getHeader?.('host') === AWS_LAMBDA_RUNTIME_API
    if (!isOurs && !background.getStore()) requests.add(request)
  }
  const remove = (message: unknown) => requests.delete((message as { request: ClientRequest }).request)
  for (const name of ['http.client.request.start', 'undici:request:create']) subscribe(name, add)
  for (const name of ['http.client.response.finish', 'undici:request:headers']) subscribe(name, remove)
  for (const name of ['http.client.request.error', 'undici:request:error']) subscribe(name, remove)
}

/** Without the path, which can contain data of the message. */
function nameOfRequest(request: ClientRequest): string {
  return `${request.method} ${request.origin ?? `${request.protocol}//${request.getHeader?.('host')}`}`
}

/** What the invocation has started and not ended. */
function leftWork(): LeftWork[] {
  const inFlight = [...requests]
    .filter(({ destroyed, aborted }) => !destroyed && !aborted)
    .map((request) => ({ what: nameOfRequest(request), isOfPackage: false }))
  const pending = pendingTimers
    .filter(({ delay, isPending }) => delay >= SHORTEST_MS && isPending())
    .map(({ delay, origin }) => {
      const [place, isOfPackage] = placeOf(String(origin.stack))
      return { what: `a timer of ${delay} ms${place}`, isOfPackage }
    })
  const kinds = new Map<string, LeftWork>()
  for (const work of [...inFlight, ...pending]) {
    const count = (kinds.get(work.what)?.count ?? 0) + 1
    kinds.set(work.what, { ...work, count })
  }
  // What fails the run must be in the list.
  return [...kinds.values()].sort((a, b) => Number(a.isOfPackage) - Number(b.isOfPackage)).slice(0, MAX_LEFT)
}

/** The file and line of the first frame of a stack that is neither in Node itself nor in this file. */
function placeOf(stack: string): [place: string, isOfPackage: boolean] {
  const frames = stack.split('\n').slice(1)
  const isOurs = (line: string) => line.includes(import.meta.url)
  const frame =
    frames.find((line) => /:\d+:\d+\)?$/.test(line) && !/node:|new Promise/.test(line) && !isOurs(line)) ?? ''
  const [, path, line] = /(?:file:\/\/|\(|at )(\/.*?):(\d+):\d+\)?$/.exec(frame) ?? []
  return path === undefined
    ? ['', false]
    : [` (${relative(process.cwd(), decodeURIComponent(path))}:${line})`, path.includes('/node_modules/')]
}

/** Measures invocations, one at a time. Must be called before the handler is loaded. */
export function openUsage() {
  watchTimers()
  watchRequests()
  let cpuBefore = process.cpuUsage()
  return {
    start() {
      pendingTimers = []
      requests.clear()
      cpuBefore = process.cpuUsage()
    },
    take(): Usage {
      const { user, system } = process.cpuUsage(cpuBefore)
      return { cpu: (user + system) / 1000, peakMemory: peakMemory(), left: leftWork() }
    },
    leftWork,
  }
}
