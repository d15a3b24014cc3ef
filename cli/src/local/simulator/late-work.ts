// Runs in the process of the handler. Finds work that an invocation started and did not await.
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import { dirname, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'

/** Work that was started in one place, and that started, ended or was answered after the response. */
export interface LeftWork {
  what: string
  count: number
  /** The first answers on sockets. They can belong to a connection that a client opens for itself. */
  isWeak: boolean
}

/** The header of a call of the Runtime API with the work that was left, as JSON in the encoding of a URI. */
export const LEFT_HEADER = 'bounded-sqs-batch-left'
/** The event that asks for the work that is still left at the end of a run. */
export const END_OF_RUN = 'end of the run'
/** A header names at most this many kinds. */
const MAX_LEFT = 5
/** Hooks cost time, and a handler that forgets an `await` mostly does so always. So only the first invocations have them. */
const MAX_FOLLOWED = 5
const MAX_HOLDS = 3
/** Of one invocation. Each needs some 10 µs. */
const MAX_CAUSES = 1000
/** Milliseconds for which a process may run on before it is frozen. */
const HOLD = {
  /** If something is pending. */
  pending: 1000,
  /** After the first response in any case, because chains of promises are not seen. */
  first: 250,
  /** After the timers that are fired at the end. */
  fired: 30,
}

/** What started some work. The stack is formatted only if it is read. */
interface Origin {
  what: string
  stack?: string
  cause?: Origin | undefined
}

/** With properties that Node does not document, but that it has had for ten years. */
type Timer = NodeJS.Timeout & {
  _destroyed: boolean
  _idleTimeout: number
  _repeat: number | null
  _onTimeout: ((...args: unknown[]) => void) | null
  _timerArgs?: unknown[]
}

/** Of `node:http`, or of undici, which has `origin` and `aborted`. */
interface ClientRequest {
  method?: string
  origin?: string
  aborted?: boolean
  protocol?: string
  destroyed?: boolean
  getHeader?: (name: string) => unknown
}

interface Invocation {
  hasResponded: boolean
}

const context = new AsyncLocalStorage<Invocation>()
let current: Invocation | undefined
let isFollowing = false
let late: Origin[] = []
/** By async id. */
const operations = new Map<number, Origin>()
/** By async id: what the handler started, and a client goes on from. It knows the line of the handler. */
const causes = new Map<number, Origin>()
const requests = new Map<ClientRequest, Origin>()
const tasks = new Set<ChildProcess | Worker>()
/** The last data that was written to each socket, and what had been read before. */
const writes = new Map<Socket, { origin: Origin; bytesRead: number }>()
let timers: { timer: Timer; invocation: Invocation; origin: Origin }[] = []
let sweepAt = 1000

/** The current invocation, if it started the code. In the context of an earlier one, a client may serve the current one. */
function activeInvocation(): Invocation | undefined {
  const invocation = context.getStore()
  return invocation === current ? invocation : undefined
}

function originOf(what: string): Origin {
  const origin: Origin = { what, cause: causes.get(executionAsyncId()) }
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = isFollowing ? 30 : 0
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/
const MACHINERY = /new Promise|node:(internal\/)?(async_hooks|promise_hooks|timers|diagnostics_channel)/
const framesOf = ({ stack = '' }: Origin) =>
  stack
    .split('\n')
    .filter((line) => / at /.test(line) && !line.includes(dirname(import.meta.url)) && !MACHINERY.test(line))

/** The file and line of the handler that started it, or else of a package. Undefined if Node itself did. */
function placeOf(origin: Origin): string | undefined {
  const frames: string[] = []
  for (let from: Origin | undefined = origin; from; from = from.cause) frames.push(...framesOf(from))
  const places = frames.map((frame) => FRAME.exec(frame) ?? []).filter(({ length }) => length > 0)
  const [, path, line] = places.find(([, path]) => !path?.includes('/node_modules/')) ?? places.at(-1) ?? []
  return path === undefined ? undefined : `${relative(process.cwd(), decodeURIComponent(path))}:${line}`
}

/** Operations of Node that do something once, in contrast to handles that stay open. */
const OPERATION = /^(FSREQ.*|GET(ADDR|NAME)INFOREQWRAP|QUERYWRAP|ZLIB|(TCP|PIPE)CONNECTWRAP|(?!HTTP)[A-Z0-9]+REQUEST)$/
const CONNECTING = 'a connection'
const nameOf = (type: string) =>
  type.startsWith('FS') ? 'a file operation' : type.endsWith('WRAP') ? CONNECTING : 'work in the thread pool'

/** Whether the handler needs the operation. Node also closes what was used, and reads ahead. A connection is no work yet. */
function isWork(operation: Origin): boolean {
  const frames = framesOf(operation)
  const top = frames.slice(0, 3).join()
  if (operation.what === CONNECTING || /at (\S+\.)?_?(close|destroy) /.test(top)) return false
  return top.includes('WriteStream.') || frames.some((frame) => FRAME.test(frame))
}

/** Clients use intervals and unreferenced timers for work that belongs to no invocation. */
function detach(timer: Timer) {
  const { _onTimeout: callback } = timer
  if (!callback) return
  timer._onTimeout = function (this: unknown, ...args) {
    context.exit(() => callback.apply(this, args))
  }
}

function addTimer(timer: Timer, invocation: Invocation) {
  if (timer._repeat) return detach(timer)
  timers.push({ timer, invocation, origin: originOf('') })
  if (timers.length < sweepAt) return
  // Otherwise, timers that have fired would stay in memory with their closures.
  timers = timers.filter(({ timer }) => !timer._destroyed)
  sweepAt = Math.max(1000, 2 * timers.length)
}

/** The timers of the handler that can still fire. Node has timers of its own, for example for sockets. */
const pendingTimers = () =>
  timers.filter(
    ({ timer, invocation, origin }) =>
      invocation.hasResponded && !timer._destroyed && timer.hasRef() && !framesOf(origin)[0]?.includes('node:'),
  )

const hook = createHook({
  trackPromises: false,
  init(id, type, _trigger, resource) {
    const invocation = type === 'PROMISE' ? undefined : activeInvocation()
    if (!invocation) return
    if (type === 'Timeout') addTimer(resource as Timer, invocation)
    if (type === 'TickObject' && causes.size < MAX_CAUSES) causes.set(id, originOf(''))
    if (!OPERATION.test(type)) return
    const operation = originOf(nameOf(type))
    causes.set(id, operation)
    if (invocation.hasResponded && isWork(operation)) late.push(operation)
    else operations.set(id, operation)
  },
  before(id) {
    const operation = operations.get(id)
    if (operation && operations.delete(id) && current?.hasResponded && isWork(operation)) late.push(operation)
  },
})

function watchUnref() {
  const prototype = Object.getPrototypeOf(setTimeout(() => {}, 0))
  const { unref } = prototype
  prototype.unref = function (this: Timer) {
    detach(this)
    return unref.call(this)
  }
}

/** HTTP clients publish their requests. Once the headers of the response are there, a request has ended. */
function watchRequests() {
  const { AWS_LAMBDA_RUNTIME_API } = process.env
  function add(message: unknown) {
    const { request } = message as { request: ClientRequest }
    const invocation = activeInvocation()
    const host = request.getHeader?.('host')
    if (!invocation || host === AWS_LAMBDA_RUNTIME_API) return
    // Without the path, which can contain data of the message.
    const origin = originOf(`${request.method} ${request.origin ?? `${request.protocol}//${host}`}`)
    if (invocation.hasResponded) late.push(origin)
    else requests.set(request, origin)
  }
  function remove(message: unknown) {
    const { request, error } = message as { request: ClientRequest; error?: NodeJS.ErrnoException }
    const origin = requests.get(request)
    const isAborted = error && !error.syscall
    if (origin && requests.delete(request) && current?.hasResponded && !isAborted) late.push(origin)
  }
  for (const name of ['http.client.request.created', 'undici:request:create']) subscribe(name, add)
  for (const name of ['http.client.response.finish', 'undici:request:headers']) subscribe(name, remove)
  for (const name of ['http.client.request.error', 'undici:request:error']) subscribe(name, remove)
}

/** A child process or worker thread has done its work if it ends, sends a message, or closes its output. */
function watchTask(what: string, task: ChildProcess | Worker) {
  const invocation = isFollowing ? activeInvocation() : undefined
  if (!invocation) return
  const origin = originOf(what)
  if (invocation.hasResponded) return late.push(origin)
  tasks.add(task)
  const end = () => tasks.delete(task) && invocation.hasResponded && late.push(origin)
  task.once('message', end).once('exit', end)
  // If the handler ends it, nothing is lost.
  const stopping = 'kill' in task ? 'kill' : 'terminate'
  const stop: (...args: unknown[]) => unknown = (task as never)[stopping]
  function stopAndForget(...args: unknown[]) {
    tasks.delete(task)
    return stop.apply(task, args)
  }
  Object.assign(task, { [stopping]: stopAndForget })
}

/** Loggers write to stdout in the thread pool. A line that is late is no lost work. */
function ignoreLogs() {
  const write = fs.write as (fd: number, ...args: unknown[]) => void
  const written: typeof write = (fd, ...args) => (fd <= 2 ? context.exit(() => write(fd, ...args)) : write(fd, ...args))
  Object.defineProperties(written, Object.getOwnPropertyDescriptors(write))
  fs.write = written as typeof fs.write
  syncBuiltinESMExports()
}

/** What databases and other clients write. */
function watchSockets() {
  const { write } = Socket.prototype
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    // A client may write the queries of this invocation in the context of an earlier one, or of its socket.
    const isOfInvocation = isFollowing && this.readable && (context.getStore() || writes.has(this))
    if (isOfInvocation && !(current?.hasResponded && isAnswered(this))) {
      writes.set(this, { origin: originOf(''), bytesRead: this.bytesRead })
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

const isAnswered = (socket: Socket) => socket.bytesRead > (writes.get(socket)?.bytesRead ?? socket.bytesRead)

/** The sockets that were written to, except those of HTTP clients, which put their parser into the socket. */
const ownSockets = () =>
  [...writes.keys()].filter(
    (socket) =>
      !('parser' in socket || Object.getOwnPropertySymbols(socket).some(({ description }) => description === 'parser')),
  )

/** Whether something is pending that may do work after the response. */
const mayDoWork = () =>
  operations.size + tasks.size + requests.size > 0 ||
  ownSockets().some(({ destroyed }) => !destroyed) ||
  pendingTimers().some(({ timer }) => timer._idleTimeout < HOLD.pending)

/** Must be called before the handler is loaded. */
export function openLateWork() {
  let followed = 0
  let holds = 0
  /** By kind of work: a place that is known, for invocations that are not followed. */
  const places = new Map<string, string>()
  /** The invocations with answers on sockets. */
  const answered = new Set<Invocation | undefined>()

  function follow(isOn: boolean) {
    isFollowing = isOn
    if (isOn) hook.enable()
    else hook.disable()
  }

  /** Lets the process go on until something was late, or nothing is pending. */
  async function wait(least: number, most: number) {
    const start = performance.now()
    const mayGoOn = (held: number) => held < least || (held < most && mayDoWork())
    while (late.length === 0 && !ownSockets().some(isAnswered) && mayGoOn(performance.now() - start)) await sleep(10)
  }

  /** What was late since the last call. */
  function take(): LeftWork[] {
    const kinds = new Map<string, LeftWork>()
    function add(origin: Origin, isWeak: boolean) {
      const place = placeOf(origin) ?? places.get(origin.what)
      if (place !== undefined) places.set(origin.what, place)
      const what = place === undefined ? origin.what : `${origin.what} (${place})`
      kinds.set(what, { what, count: (kinds.get(what)?.count ?? 0) + 1, isWeak })
    }
    for (const [request, origin] of requests) if (!request.destroyed && !request.aborted) late.push(origin)
    for (const origin of late) add(origin, false)
    for (const socket of ownSockets().filter(isAnswered)) {
      answered.add(current)
      const { origin } = writes.get(socket) as { origin: Origin }
      origin.what = socket.remotePort ? `a call to port ${socket.remotePort}` : 'a call on a socket'
      add(origin, answered.size === 1)
    }
    late = []
    requests.clear()
    writes.clear()
    return [...kinds.values()].slice(0, MAX_LEFT)
  }

  watchUnref()
  watchRequests()
  subscribe('child_process', (message) => watchTask('a child process', (message as { process: ChildProcess }).process))
  subscribe('worker_threads', (message) => watchTask('a worker thread', (message as { worker: Worker }).worker))
  watchSockets()
  ignoreLogs()
  follow(true)
  return {
    take,
    run<T>(handler: () => T): T {
      for (const pending of [operations, causes, requests, tasks, writes]) pending.clear()
      current = { hasResponded: false }
      followed += 1
      return context.run(current, handler)
    },
    /** Called as soon as the handler has responded. */
    responded() {
      if (current) current.hasResponded = true
      for (const task of tasks) if (task.stdout?.readableEnded) tasks.delete(task)
      for (const socket of writes.keys()) if (isAnswered(socket)) writes.delete(socket)
    },
    /** Lets the process go on after the response, if something is pending, until late work is found. */
    async hold(most: number) {
      if (!isFollowing) return
      // After a first answer on a socket, the next invocations decide whether it counts. A busy pool writes later.
      const isUndecided = answered.size === 1
      if (late.length === 0 && (isUndecided || mayDoWork())) holds += 1
      const least = followed === 1 || isUndecided ? HOLD.first : 0
      await wait(Math.min(least, most), Math.min(HOLD.pending, most))
      if (followed >= MAX_FOLLOWED || holds === MAX_HOLDS) follow(false)
    },
    /** Fires the timers that are still pending, and waits for what they start. */
    async fireTimers(): Promise<LeftWork[]> {
      follow(true)
      // A watchdog logs, and ends the process.
      process.stdout.write = process.stderr.write = () => true
      process.exit = () => {
        throw new Error('a timer ended the process')
      }
      const left: LeftWork[] = []
      for (const [invocation, group] of Map.groupBy(pendingTimers(), ({ invocation }) => invocation)) {
        current = invocation
        for (const { timer } of group) {
          const { _onTimeout: fire, _timerArgs: args = [] } = timer
          clearTimeout(timer)
          try {
            context.run(invocation, () => fire?.apply(timer, args))
          } catch {}
        }
        await wait(HOLD.fired, HOLD.pending)
        left.push(...take())
      }
      return left.slice(0, MAX_LEFT)
    },
  }
}
