// Runs in the process of the handler. Finds work that an invocation started and did not await.
import { AsyncLocalStorage, createHook, executionAsyncId, executionAsyncResource } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import {
  describe,
  FRAME,
  framesOf,
  isOfHandler,
  type LeftKind,
  type LeftWork,
  type Origin,
  originOf,
} from './origin.ts'

/** Hooks cost time, and most mistakes recur in each invocation. So only the first invocations have hooks. */
const MAX_FOLLOWED = 5
const MAX_HOLDS = 3
/** Of one invocation. Each needs some 100 µs. */
const MAX_CAUSES = 300
/** In the first invocation, to follow promises. */
const MAX_RECORDS = 2000
/** More timers are not followed. */
const MAX_TIMERS = 1000
/** Milliseconds for which a process may run on before it is frozen, if something is pending. */
const MAX_HOLD = 1000
/** The same in any case after the first response: chains of promises are not seen. */
const FIRST_HOLD = 250

/** Operations of Node that do something once, in contrast to handles that stay open. */
const OPERATION =
  /^(FSREQ.*|GET(ADDR|NAME)INFOREQWRAP|QUERYWRAP|ZLIB|HTTP2STREAM|(TCP|PIPE)CONNECTWRAP|(?!HTTP)[A-Z0-9]+REQUEST)$/
/** What the exporters of OpenTelemetry send as the header `User-Agent`, also in a bundle. */
const EXPORTER = /OTel-OTLP-Exporter/
const CONNECTING = 'a connection'
const ON_FILE = 'a file operation'
const OVER_HTTP2 = 'a call over HTTP/2'
const INTERVAL = 'an interval'

type Request = Partial<ClientRequest> & { origin?: string; headers?: unknown }
/** With properties that Node does not document, but that it has had for ten years. */
type Timer = NodeJS.Timeout & { _destroyed: boolean; _idleTimeout: number; _repeat: number | null }
type Invocation = { hasResponded: boolean }

/** `isInTimer`: the code runs in a timer that the invocation has started, or in what that started. */
const context = new AsyncLocalStorage<{ invocation: Invocation; isInTimer: boolean } | undefined>()
let current: Invocation | undefined
let isFollowing = false
/** The number of invocations so far, and after how many of them the process ran on. */
let invocations = 0
let holds = 0
/** What the current invocation started and has not ended: requests, tasks, sockets, operations by async id. */
const pending = new Map<unknown, Origin>()
let late: Origin[] = []
/** By async id: operations, promises and ticks in which a client goes on. They know the handler's line. */
const causes = new Map<number, Origin>()
const timers = new Map<Timer, Origin>()
/** In which invocation work was first seen that fails the run only if it recurs. */
const firstSeen = new Map<string, Invocation | undefined>()
let isUndecided = false
let isPlaceUnknown = false

/** Whether the current invocation started the code. A client may serve it in the context of an earlier one. */
const isActive = () => current !== undefined && context.getStore()?.invocation === current

/** The start of work. What a timer starts can be work of a client, too. */
function newOrigin(what: string, given: LeftKind = 'late'): Origin {
  const { invocation, isInTimer } = context.getStore() ?? {}
  return originOf({
    kind: isInTimer && given === 'late' ? 'once' : given,
    what,
    invocation,
    cause: causes.get(executionAsyncId()),
  })
}

/** Whether the handler needs the work. Node also closes files and reads ahead. A connection is no work yet. */
function isWork(origin: Origin): boolean {
  if (origin.what === CONNECTING) return false
  if (origin.what !== ON_FILE) return true
  // Only the stack tells what is done with a file.
  const frames = framesOf(origin)
  const top = frames.slice(0, 3).join()
  if (/at (\S+\.)?_?(close|destroy) /.test(top)) return false
  // Loggers use these with a callback for stdout. A line that is late is no lost work.
  const isOfLogger = /at (\S+\.)?(write|fsync) \(node:fs:/.test(frames[0] ?? '')
  return top.includes('WriteStream.') || (!isOfLogger && frames.some((frame) => FRAME.test(frame)))
}

function addLate(origin: Origin) {
  if (isWork(origin)) late.push(origin)
}

function started(key: unknown, origin: Origin) {
  if (current?.hasResponded) addLate(origin)
  else pending.set(key, origin)
}

function ended(key: unknown, kind?: LeftKind) {
  const origin = pending.get(key)
  if (origin && pending.delete(key) && current?.hasResponded) addLate(Object.assign(origin, kind && { kind }))
}

function nameOf(type: string): string {
  if (type === 'HTTP2STREAM') return OVER_HTTP2
  if (type.startsWith('FS')) return ON_FILE
  return type.endsWith('WRAP') ? CONNECTING : 'work in the thread pool'
}

function addCause(id: number, type: string) {
  if (!/^(PROMISE|TickObject)$/.test(type) || !isActive()) return
  if (causes.size < MAX_CAUSES) causes.set(id, newOrigin(''))
  else promiseHook.disable()
}

const hook = createHook({
  trackPromises: false,
  init(id, type, _trigger, resource) {
    // Up to Node 22, this is also called for promises. A `destroy` hook would need much time for them.
    if (type === 'PROMISE' || (current && !isActive())) return
    if (type === 'Timeout') addTimer(resource as Timer)
    addCause(id, type)
    if (!current || !OPERATION.test(type)) return
    const operation = newOrigin(nameOf(type), type === 'HTTP2STREAM' ? 'once' : 'late')
    causes.set(id, operation)
    started(id, operation)
  },
  before(id) {
    const resource = executionAsyncResource()
    if (resource instanceof Timeout) enterTimer(resource as Timer)
    else ended(id)
  },
})

/** Only for the first invocation, and not for large batches: once it was on, all promises are slower. */
const promiseHook = createHook({ init: addCause })

const probe = setTimeout(() => {})
const Timeout = probe.constructor as typeof Object
clearTimeout(probe)

/**
 * Clients use intervals, unreferenced timers, timers that start each other, and timers that no line of the
 * handler has started, for work that belongs to no invocation. What a timer of the handler does can be such
 * work, too, unless it recurs.
 */
function enterTimer(timer: Timer) {
  const store = context.getStore()
  if (!store) return
  const origin = timers.get(timer)
  const isOfPackage = origin !== undefined && !describe([origin]).some(({ place }) => isOfHandler(place))
  const isOfClient = isOfPackage || store.isInTimer || timer._repeat !== null || !timer.hasRef()
  context.enterWith(isOfClient ? undefined : { ...store, isInTimer: true })
}

function addTimer(timer: Timer) {
  const store = context.getStore()
  const isInterval = timer._repeat !== null
  if (store?.isInTimer || (!isInterval && !(store && timer.hasRef()))) return
  if (timers.size >= MAX_TIMERS) for (const [each] of timers) if (each._destroyed) timers.delete(each)
  if (timers.size >= MAX_TIMERS) return
  timers.set(timer, newOrigin(isInterval ? INTERVAL : 'a timer', store ? 'timer' : 'module'))
}

const pendingTimers = () =>
  [...timers].filter(([timer]) => !timer._destroyed && (timer._repeat !== null || timer.hasRef()))

/** The timers that are left at the end of a run. An interval counts if several invocations have started it. */
function leftTimers(): LeftWork[] {
  const origins = pendingTimers().map(([, origin]) => origin)
  const isOfInvocation = ({ kind, what }: Origin) => kind === 'timer' && what === INTERVAL
  const owners = new Set(origins.filter(isOfInvocation).map(({ invocation }) => invocation))
  const counted = origins.filter((origin) => !isOfInvocation(origin) || owners.size > 1)
  return describe(counted).filter(({ place }) => isOfHandler(place))
}

/** HTTP clients publish their requests. Once the headers of the response are there, a request has ended. */
function watchRequests() {
  function add(message: unknown) {
    const { request } = message as { request: Request }
    if (!isActive()) return
    const host = request.getHeader?.('host')
    const isTelemetry = EXPORTER.test(String(request.getHeader?.('user-agent') ?? request.headers))
    // Without the path, which can contain data of the message.
    const what = `${request.method} ${request.origin ?? `${request.protocol}//${host}`}`
    started(request, newOrigin(what, isTelemetry ? 'telemetry' : 'late'))
  }
  function remove(message: unknown) {
    const { request, error } = message as { request: Request; error?: NodeJS.ErrnoException }
    const isAborted = error && !error.syscall
    if (isAborted) pending.delete(request)
    else ended(request)
  }
  for (const name of ['http.client.request.created', 'undici:request:create']) subscribe(name, add)
  for (const name of ['http.client.response.finish', 'undici:request:headers']) subscribe(name, remove)
  for (const name of ['http.client.request.error', 'undici:request:error']) subscribe(name, remove)
}

/** A child process or worker thread has done its work if it ends, sends a message, or closes its output. */
function watchTask(what: string, task: ChildProcess | Worker) {
  if (!isActive()) return
  started(task, newOrigin(what))
  task.once('message', () => ended(task, 'once'))
  task.once('exit', (code) => {
    // If the handler ends it, nothing is lost. A worker thread that was terminated has the exit code 1.
    if ('killed' in task ? task.killed : code === 1) pending.delete(task)
    else ended(task)
  })
}

/** HTTP clients put their parser into the socket. */
const isHttp = (socket: Socket) =>
  Reflect.ownKeys(socket).some((key) => ['parser', 'Symbol(parser)'].includes(String(key)))

/** What databases and other clients write. */
function watchSockets() {
  const { write } = Socket.prototype
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    // A client may write the queries of this invocation in the context of an earlier one, or of its socket.
    const isOfInvocation = context.getStore() || pending.has(this)
    const isLateAlready = current?.hasResponded && isAnswered(this, pending.get(this))
    if (isFollowing && isOfInvocation && !isLateAlready && this.readable && !isHttp(this)) {
      pending.set(this, Object.assign(newOrigin(''), { bytesRead: this.bytesRead }))
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

/** Whether something was read since the last write. A socket that its client has ended needs no answer. */
const isAnswered = (key: unknown, { bytesRead }: Partial<Origin> = {}) =>
  bytesRead !== undefined && (key as Socket).bytesRead > bytesRead && !(key as Socket).writableEnded

/** Whether something is pending that may do work after the response, such as a timer that fires soon. */
const mayDoWork = () =>
  [...pending.keys()].some((key) => !(key as Socket).destroyed) ||
  pendingTimers().some(([timer]) => timer._repeat === null && timer._idleTimeout < MAX_HOLD)

/** Finds what is still pending although the response was sent, and sockets with an answer. */
function addPending() {
  for (const [key, origin] of pending) {
    const { method, destroyed, remotePort } = key as Request & Socket
    // Synchronous work of `crypto` has no end. Node publishes no end of a request that was upgraded, but
    // destroys it.
    const isOpen = origin.what === OVER_HTTP2 || origin.what === ON_FILE || (method !== undefined && !destroyed)
    if (isOpen) addLate(origin)
    if (!isAnswered(key, origin)) continue
    const what = remotePort ? `a call to port ${remotePort}` : 'a call on a socket'
    late.push(Object.assign(origin, { what, kind: 'once' }))
  }
}

/** What was seen in a second invocation is late in any case. */
function decide(origin: Origin) {
  if (origin.kind !== 'once') return
  const first = firstSeen.get(origin.what) ?? current
  firstSeen.set(origin.what, first)
  if (first !== current) origin.kind = 'late'
  isUndecided = first === current
}

/** Follows the work of invocations, one at a time. Must be opened before the handler is loaded. */
export function openLateWork() {
  watchRequests()
  subscribe('child_process', (message) => watchTask('a child process', (message as { process: ChildProcess }).process))
  subscribe('worker_threads', (message) => watchTask('a worker thread', (message as { worker: Worker }).worker))
  watchSockets()
  hook.enable() // sees the intervals of modules
  return { run, responded, hold, take, leftTimers }
}

function run<T>(handler: () => T, records: number): T {
  causes.clear()
  const invocation = { hasResponded: false }
  current = invocation
  invocations += 1
  isFollowing = invocations <= MAX_FOLLOWED && holds < MAX_HOLDS
  isFollowing ? hook.enable() : hook.disable()
  const knowsPromises = isPlaceUnknown || (invocations === 1 && records <= MAX_RECORDS)
  isFollowing && knowsPromises ? promiseHook.enable() : promiseHook.disable()
  return context.run({ invocation, isInTimer: false }, handler)
}

/** Called as soon as the handler has responded. */
function responded() {
  if (current) current.hasResponded = true
  for (const [key, origin] of pending) {
    if (isAnswered(key, origin) || (key as ChildProcess).stdout?.readableEnded) pending.delete(key)
  }
}

/** Lets the process go on until late work is found, nothing is pending, or the time is over. */
async function hold(most: number) {
  if (!isFollowing) return
  // After a first answer on a socket, the next invocations decide whether it counts. A busy pool writes
  // later.
  const least = invocations === 1 || isUndecided ? FIRST_HOLD : 0
  if (late.length === 0 && (isUndecided || mayDoWork())) holds += 1
  const start = performance.now()
  const isLate = () => late.length > 0 || [...pending].some(([key, origin]) => isAnswered(key, origin))
  for (let held = 0; held < most && !isLate(); held = performance.now() - start) {
    if (held >= least && (held >= MAX_HOLD || !mayDoWork())) return
    await sleep(10)
  }
}

/** What was late since the last call. What a failed invocation left is not lost: its messages come back. */
function take(): LeftWork[] {
  if (current?.hasResponded) addPending()
  late.forEach(decide)
  const left = describe(late)
  isPlaceUnknown ||= left.some(({ place }) => !isOfHandler(place))
  late = []
  pending.clear()
  return left
}
