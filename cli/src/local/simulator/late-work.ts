// Runs in the process of the handler. Finds work that an invocation started and did not await.
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'

/** Work that was started in one place, and that started, ended or was answered after the response. */
export interface LeftWork {
  what: string
  /** The file and line of the handler, or else of a package. */
  place?: string | undefined
  count: number
  /** The first late answers. They can belong to a connection or worker thread that a client starts for itself. */
  isWeak: boolean
}

/** The header of a call of the Runtime API with the work that was left, as JSON in the encoding of a URI. */
export const LEFT_HEADER = 'bounded-sqs-batch-left'
/** The event that asks for the work that is still left at the end of a run. */
export const END_OF_RUN = 'end of the run'
export const IN_TIMER = ' in a timer that was fired at the end of the run'
/** A header names at most this many places. */
const MAX_LEFT = 10
/** Hooks cost time, and a handler that forgets an `await` mostly does so always. So only the first invocations have them. */
const MAX_FOLLOWED = 5
const MAX_HOLDS = 3
/** Of one invocation. Each needs some 10 µs. */
const MAX_CAUSES = 1000
/** Milliseconds for which a process may run on before it is frozen, if something is pending. */
const MAX_HOLD = 1000
/** The same in any case after the first response, and after the timers that are fired: chains of promises are not seen. */
const FIRST_HOLD = 250

/** What started some work. The stack is formatted only if it is read. */
interface Origin {
  what: string
  stack?: string
  cause?: Origin | undefined
  isWeak?: boolean
  /** Of a socket: what had been read before the last data was written. */
  bytesRead?: number
}

/** With properties that Node does not document, but that it has had for ten years. */
type Timer = NodeJS.Timeout & {
  _destroyed: boolean
  _idleTimeout: number
  _repeat: number | null
  _onTimeout: ((...args: unknown[]) => void) | null
}

type Request = Partial<ClientRequest> & { origin?: string }

type Invocation = { hasResponded: boolean }

const context = new AsyncLocalStorage<Invocation>()
const END: Invocation = { hasResponded: true }
let current: Invocation = { hasResponded: false }
let isFollowing = false
/** What the current invocation started, and what has not ended: requests, tasks, sockets, and operations by their async ids. */
const pending = new Map<unknown, Origin>()
let late: Origin[] = []
/** By async id: operations, promises and ticks, in which a client goes on. They know the line of the handler. */
const causes = new Map<number, Origin>()
/** Sockets with a late answer. Their clients may have queued more, and may write it in any context. */
const suspects = new WeakSet<Socket>()
const timers = new Set<{ timer: Timer; invocation: Invocation }>()

/** Whether the current invocation started the code. In the context of an earlier one, a client may serve the current one. */
function isActive(): boolean {
  const invocation = context.getStore()
  return invocation !== undefined && (invocation === current || current === END)
}

function originOf(what: string): Origin {
  const origin: Origin = { what, cause: causes.get(executionAsyncId()) }
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

function addCause(id: number, type: string) {
  if (/^(PROMISE|TickObject)$/.test(type) && isActive() && causes.size < MAX_CAUSES) causes.set(id, originOf(''))
}

const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/
const MACHINERY = /new Promise|node:internal\/async_hooks|simulator\/(late-work|runtime-client)/
const framesOf = ({ stack = '' }: Origin) =>
  stack.split('\n').filter((line) => / at /.test(line) && !MACHINERY.test(line))

/** The file and line of the handler that started it, or else of a package. Undefined if Node itself did. */
function placeOf(origin: Origin): string | undefined {
  let place: string | undefined
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const frame of framesOf(from)) {
      const [, path, line] = FRAME.exec(frame) ?? []
      if (path === undefined) continue
      place = `${relative(process.cwd(), decodeURIComponent(path))}:${line}`
      if (!path.includes('/node_modules/')) return place
    }
  }
  return place
}

/** Operations of Node that do something once, in contrast to handles that stay open. */
const OPERATION = /^(FSREQ.*|GET(ADDR|NAME)INFOREQWRAP|QUERYWRAP|ZLIB|(TCP|PIPE)CONNECTWRAP|(?!HTTP)[A-Z0-9]+REQUEST)$/
const CONNECTING = 'a connection'
const ON_FILE = 'a file operation'
const nameOf = (type: string) =>
  type.startsWith('FS') ? ON_FILE : type.endsWith('WRAP') ? CONNECTING : 'work in the thread pool'

/** Whether the handler needs the operation. Node also closes what was used, and reads ahead. A connection is no work yet. */
function isWork(operation: Origin): boolean {
  const frames = framesOf(operation)
  const top = frames.slice(0, 3).join()
  if (operation.what === CONNECTING || /at (\S+\.)?_?(close|destroy) /.test(top)) return false
  if (top.includes('WriteStream.')) return true
  // Loggers use these with a callback for stdout. A line that is late is no lost work.
  return !/at (\S+\.)?(write|fsync) \(node:fs:/.test(frames[0] ?? '') && frames.some((frame) => FRAME.test(frame))
}

function started(key: unknown, origin: Origin, counts = true) {
  if (current.hasResponded && counts) late.push(origin)
  else pending.set(key, origin)
}

function ended(key: unknown, counts: (origin: Origin) => boolean = () => true, isWeak = false) {
  const origin = pending.get(key)
  if (!origin || !pending.delete(key) || !current.hasResponded || !counts(origin)) return
  late.push(Object.assign(origin, { isWeak }))
}

/** Clients use intervals and unreferenced timers for work that belongs to no invocation. */
function detach(timer: Timer) {
  const { _onTimeout } = timer
  if (_onTimeout) timer._onTimeout = context.exit(() => AsyncLocalStorage.bind(_onTimeout))
}

/** The timers that can still fire. */
const pendingTimers = () =>
  [...timers].filter(({ timer, invocation }) => invocation.hasResponded && !timer._destroyed && timer.hasRef())

const hook = createHook({
  trackPromises: false,
  init(id, type, _trigger, resource) {
    // Up to Node 22, this is also called for promises. A `destroy` hook would need much time for them.
    if (type === 'PROMISE' || !isActive()) return
    const timer = resource as Timer
    if (type === 'Timeout' && timer._repeat) detach(timer)
    else if (type === 'Timeout') timers.add({ timer, invocation: current })
    if (timers.size % 1000 === 999) for (const each of timers) if (each.timer._destroyed) timers.delete(each)
    addCause(id, type)
    if (!OPERATION.test(type)) return
    const operation = originOf(nameOf(type))
    causes.set(id, operation)
    started(id, operation, current.hasResponded && isWork(operation))
  },
  before: (id) => ended(id, isWork),
})

/** This needs CPU time, so promises are followed only once the line of the handler was not found without them. */
const promiseHook = createHook({ init: addCause })

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
  function add(message: unknown) {
    const { request } = message as { request: Request }
    const host = request.getHeader?.('host')
    if (!isActive() || host === process.env.AWS_LAMBDA_RUNTIME_API) return
    // Without the path, which can contain data of the message.
    started(request, originOf(`${request.method} ${request.origin ?? `${request.protocol}//${host}`}`))
  }
  function remove(message: unknown) {
    const { request, error } = message as { request: Request; error?: NodeJS.ErrnoException }
    const isAborted = error && !error.syscall
    ended(request, () => !isAborted)
  }
  for (const name of ['http.client.request.created', 'undici:request:create']) subscribe(name, add)
  for (const name of ['http.client.response.finish', 'undici:request:headers']) subscribe(name, remove)
  for (const name of ['http.client.request.error', 'undici:request:error']) subscribe(name, remove)
}

/** A child process or worker thread has done its work if it ends, sends a message, or closes its output. */
function watchTask(what: string, task: ChildProcess | Worker) {
  if (!isActive()) return
  started(task, originOf(what))
  task.once('message', () => ended(task, undefined, true))
  // If the handler ends it, nothing is lost. A worker thread that was terminated has the exit code 1.
  task.once('exit', (code) => ended(task, () => ('killed' in task ? !task.killed : code !== 1)))
}

/** HTTP clients put their parser into the socket. */
const isHttp = (socket: Socket) =>
  Reflect.ownKeys(socket).some((key) => ['parser', 'Symbol(parser)'].includes(String(key)))

/** What databases and other clients write. */
function watchSockets() {
  const { write } = Socket.prototype
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    // A client may write the queries of this invocation in the context of an earlier one, or of its socket.
    const isOfInvocation = context.getStore() || pending.has(this) || suspects.has(this)
    const isLateAlready = current.hasResponded && isAnswered(this, pending.get(this))
    if (isFollowing && isOfInvocation && !isLateAlready && this.readable && !isHttp(this)) {
      pending.set(this, Object.assign(originOf(''), { bytesRead: this.bytesRead }))
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

const isAnswered = (key: unknown, { bytesRead }: Partial<Origin> = {}) =>
  bytesRead !== undefined && (key as Socket).bytesRead > bytesRead

/** Whether something is pending that may do work after the response. */
const mayDoWork = () =>
  [...pending.keys()].some((key) => !(key as Socket).destroyed) ||
  pendingTimers().some(({ timer }) => timer._idleTimeout < MAX_HOLD)

/** Must be called before the handler is loaded. */
export function openLateWork() {
  let followed = 0
  let holds = 0
  /** The invocations with late answers. */
  const answered = new Set<Invocation>()

  function follow(isOn: boolean) {
    isFollowing = isOn
    isOn ? hook.enable() : hook.disable()
  }

  /** Lets the process go on until something was late, or nothing is pending. */
  async function wait(least: number, most: number) {
    const start = performance.now()
    const mayGoOn = (held: number) => held < least || (held < most && mayDoWork())
    const isLate = () => late.length > 0 || [...pending].some(([key, origin]) => isAnswered(key, origin))
    while (!isLate() && mayGoOn(performance.now() - start)) await sleep(10)
  }

  /** What was late since the last call. What a failed invocation left is not lost: its messages come back. */
  function take(where = ''): LeftWork[] {
    for (const [key, origin] of current.hasResponded ? pending : []) {
      const { method, destroyed, remotePort } = key as Request & Socket
      // Synchronous work of `crypto` has no end. Node publishes no end of a request that was upgraded, but destroys it.
      const isOperation = origin.what === ON_FILE && isWork(origin)
      if (isOperation || (method !== undefined && !destroyed)) late.push(origin)
      if (!isAnswered(key, origin)) continue
      suspects.add(key as Socket)
      origin.what = remotePort ? `a call to port ${remotePort}` : 'a call on a socket'
      late.push(Object.assign(origin, { isWeak: true }))
    }
    if (late.some(({ isWeak }) => isWeak)) answered.add(current)
    // What a timer of the handler starts at the end is certain.
    const isUncertain = answered.size === 1 && current !== END
    const kinds = new Map<string, LeftWork>()
    for (const origin of late) {
      const { isWeak = false } = origin
      const what = `${origin.what}${where}`
      const place = placeOf(origin)
      if (!place || place.includes('node_modules/')) promiseHook.enable()
      const kind = `${what} ${place}`
      kinds.set(kind, { what, place, count: (kinds.get(kind)?.count ?? 0) + 1, isWeak: isWeak && isUncertain })
    }
    late = []
    pending.clear()
    return [...kinds.values()].slice(0, MAX_LEFT)
  }

  watchUnref()
  watchRequests()
  subscribe('child_process', (message) => watchTask('a child process', (message as { process: ChildProcess }).process))
  subscribe('worker_threads', (message) => watchTask('a worker thread', (message as { worker: Worker }).worker))
  watchSockets()
  return {
    take,
    run<T>(handler: () => T): T {
      causes.clear()
      current = { hasResponded: false }
      followed += 1
      follow(followed <= MAX_FOLLOWED && holds < MAX_HOLDS)
      return context.run(current, handler)
    },
    /** Called as soon as the handler has responded. */
    responded() {
      current.hasResponded = true
      for (const [key, origin] of pending) {
        if (isAnswered(key, origin) || (key as ChildProcess).stdout?.readableEnded) pending.delete(key)
      }
    },
    /** Lets the process go on after the response, if something is pending, until late work is found. */
    async hold(most: number) {
      if (!isFollowing) return
      // After a first answer on a socket, the next invocations decide whether it counts. A busy pool writes later.
      const isUndecided = answered.size === 1
      if (late.length === 0 && (isUndecided || mayDoWork())) holds += 1
      await wait(followed === 1 || isUndecided ? Math.min(FIRST_HOLD, most) : 0, Math.min(MAX_HOLD, most))
    },
    /** Fires the timers that are still pending, and waits for what they start. */
    async fireTimers(): Promise<LeftWork[]> {
      follow(true)
      current = END
      // A watchdog logs, and ends the process.
      process.stdout.write = process.stderr.write = () => true
      process.exit = () => {
        throw new Error('a timer ended the process')
      }
      process.on('uncaughtException', () => {})
      const fired = pendingTimers().sort((a, b) => a.timer._idleTimeout - b.timer._idleTimeout)
      for (const { timer } of fired) {
        timer._idleTimeout = 1
        timer.refresh()
      }
      if (fired.length > 0) await wait(FIRST_HOLD, MAX_HOLD)
      return take(fired.length > 0 ? IN_TIMER : '')
    },
  }
}
