// Finds work that an invocation started and did not await.
import { AsyncLocalStorage, createHook, executionAsyncId, executionAsyncResource } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { isWork, ON_FILE, OVER_HTTP2, operationOf } from './operations.ts'
import { isOfHandler, type LeftKind, type LeftWork, type Origin, originOf, workOf } from './work-origin.ts'

/** Hooks cost time, and most mistakes recur in each invocation. So only the first invocations have hooks. */
const MAX_FOLLOWED = 5
/** Milliseconds for which a process may run on before it is frozen, if something is pending. */
const MAX_HOLD = 1000
const MAX_HOLDS = 3 // after the first responses
/** The same in any case after the first response, and once a client has answered late: a busy one is slow. */
const MIN_HOLD = 250
/** Promises of one invocation. Each needs some 100 µs. */
const MAX_CAUSES = 300
/** In larger batches, promises are not followed: once they were, all promises are slower. */
const MAX_RECORDS = 2000
/** More timers are not followed. */
const MAX_TIMERS = 1000

/** What the exporters of OpenTelemetry send as the header `User-Agent`, also in a bundle. */
const EXPORTER = /OTel-OTLP-Exporter/

type Request = Partial<ClientRequest> & { origin?: string; headers?: unknown }
/** With properties that Node does not document, but that it has had for ten years. */
type Timer = NodeJS.Timeout & { _destroyed: boolean; _idleTimeout: number; _repeat: number | null }

/** `isInTimer`: the code runs in a timer that the invocation has started, or in what that started. */
const context = new AsyncLocalStorage<{ invocation: number; isInTimer: boolean } | undefined>()
/** The number of the current invocation, or of the last one. */
let invocation = 0
let hasResponded = false
/** What the current invocation started and what has not ended, by its object or its async id. */
const pending = new Map<unknown, Origin>()
let late: Origin[] = []
/** By async id: operations, promises and ticks in which a client goes on. They know the handler's line. */
const causes = new Map<number, Origin>()
const timers = new Map<Timer, Origin>()
/** In which invocation work was first seen that fails the run only if it recurs. */
const firstSeen = new Map<string, number>()

/** Whether the current invocation started the code. A client may do so in an earlier context. */
const isActive = () => context.getStore()?.invocation === invocation

/** The start of work. What a timer starts can be work of a client, too. */
function newOrigin(what = '', kind: LeftKind = 'late'): Origin {
  const isUnsure = kind === 'late' && (context.getStore()?.isInTimer || what === OVER_HTTP2)
  return originOf({ kind: isUnsure ? 'once' : kind, what, cause: causes.get(executionAsyncId()) })
}

function started(key: unknown, origin: Origin) {
  if (!hasResponded) pending.set(key, origin)
  else if (isWork(origin)) late.push(origin)
}

function ended(key: unknown, isCancelled = false) {
  const origin = pending.get(key)
  pending.delete(key)
  if (origin && hasResponded && !isCancelled && isWork(origin)) late.push(origin)
}

function addCause(id: number, type: string) {
  if (!/^(PROMISE|TickObject)$/.test(type) || !isActive()) return
  if (causes.size < MAX_CAUSES) causes.set(id, newOrigin())
  else promiseHook.disable()
}

const promiseHook = createHook({ init: addCause })
const hook = createHook({
  trackPromises: false,
  init(id, type, _trigger, resource) {
    // Up to Node 22, this is also called for promises. A `destroy` hook would need much time for them.
    if (type === 'PROMISE' || (invocation > 0 && !isActive())) return
    if (type === 'Timeout') addTimer(resource as Timer)
    addCause(id, type)
    const what = operationOf(type)
    if (what === undefined || invocation === 0) return
    const operation = newOrigin(what)
    causes.set(id, operation)
    started(id, operation)
  },
  before(id) {
    const resource = executionAsyncResource()
    if ('_repeat' in resource) enterTimer(resource as Timer)
    else ended(id)
  },
})

function addTimer(timer: Timer) {
  const store = context.getStore()
  const isInterval = timer._repeat !== null
  if (store?.isInTimer || !(isInterval || store) || timers.size >= MAX_TIMERS) return
  timers.set(timer, isInterval ? newOrigin('an interval', 'interval') : newOrigin('a timer', 'timer'))
}

/**
 * Clients use intervals, unreferenced timers, timers that start each other, and timers that no line of the
 * handler has started, for work that belongs to no invocation. What a timer of the handler does can be such
 * work, too, unless it recurs.
 */
function enterTimer(timer: Timer) {
  const store = context.getStore()
  if (!store) return
  const origin = timers.get(timer)
  const isOfPackage = origin !== undefined && !isOfHandler(workOf(origin))
  const isOfClient = isOfPackage || store.isInTimer || timer._repeat !== null || !timer.hasRef()
  context.enterWith(isOfClient ? undefined : { invocation: store.invocation, isInTimer: true })
}

const isPending = (timer: Timer) => !timer._destroyed && (timer._repeat !== null || timer.hasRef())

/** The timers of the handler that are left at the end of a run. */
const leftTimers = () =>
  [...timers].flatMap(([timer, origin]) => (isPending(timer) ? workOf(origin) : [])).filter(isOfHandler)

function requestStarted({ request }: { request: Request }) {
  if (!isActive()) return
  const isTelemetry = EXPORTER.test(String(request.getHeader?.('user-agent') ?? request.headers))
  // Without the path, which can contain data of the message.
  const what = `${request.method} ${request.origin ?? `${request.protocol}//${request.getHeader?.('host')}`}`
  started(request, newOrigin(what, isTelemetry ? 'telemetry' : 'late'))
}

/** Once the headers of the response are there, or a system call has failed, a request has ended. */
function requestEnded({ request, error }: { request: Request; error?: NodeJS.ErrnoException }) {
  ended(request, error !== undefined && !error.syscall)
}

/** A child process or worker thread has done its work if it ends or sends a message. */
function taskStarted(what: string, task: ChildProcess | Worker) {
  if (!isActive()) return
  const origin = newOrigin(what)
  started(task, origin)
  task.once('message', () => {
    origin.kind = 'once' // it may only say that it is ready
    ended(task)
  })
  // If the handler ends it, nothing is lost. A worker thread that was terminated has the exit code 1.
  task.once('exit', (code) => ended(task, 'killed' in task ? task.killed : code === 1))
}

const CHANNELS: Record<string, (message: never) => void> = {
  'http.client.request.created': requestStarted,
  'undici:request:create': requestStarted,
  'http.client.response.finish': requestEnded,
  'undici:request:headers': requestEnded,
  'http.client.request.error': requestEnded,
  'undici:request:error': requestEnded,
  child_process: ({ process }: { process: ChildProcess }) => taskStarted('a child process', process),
  worker_threads: ({ worker }: { worker: Worker }) => taskStarted('a worker thread', worker),
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
    const isLateAlready = hasResponded && isAnswered([this, pending.get(this)])
    if (invocation <= MAX_FOLLOWED && isOfInvocation && !isLateAlready && this.readable && !isHttp(this)) {
      pending.set(this, Object.assign(newOrigin(), { bytesRead: this.bytesRead }))
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

/** Whether a socket was answered since the last write. If its client has ended it, it needs no answer. */
const isAnswered = ([key, origin]: [key: unknown, Origin | undefined]) =>
  origin?.bytesRead !== undefined && (key as Socket).bytesRead > origin.bytesRead && !(key as Socket).writableEnded

/** Whether something is pending that may do work after the response, such as a timer that fires soon. */
const mayDoWork = () =>
  [...pending.keys()].some((key) => !(key as Socket).destroyed) ||
  [...timers.keys()].some((timer) => isPending(timer) && timer._repeat === null && timer._idleTimeout < MAX_HOLD)

/** Follows the work of invocations, one at a time. Must be opened before the handler is loaded. */
export function openLateWork() {
  for (const [name, receive] of Object.entries(CHANNELS)) subscribe(name, receive as (message: unknown) => void)
  watchSockets()
  hook.enable() // sees the intervals of modules
  return { run, responded, hold, take, leftTimers }
}

function run<T>(handler: () => T, records: number): T {
  causes.clear()
  invocation += 1
  hasResponded = false
  if (invocation > MAX_FOLLOWED) hook.disable()
  if (invocation > MAX_FOLLOWED || records > MAX_RECORDS) promiseHook.disable()
  else promiseHook.enable()
  return context.run({ invocation, isInTimer: false }, handler)
}

/** Called as soon as the handler has responded. */
function responded() {
  hasResponded = true
  for (const [key, origin] of pending) {
    if (isAnswered([key, origin]) || (key as ChildProcess).stdout?.readableEnded) pending.delete(key)
  }
}

/** Lets the process go on until late work is found, nothing is pending, or the time is over. */
async function hold(most: number) {
  if (invocation > MAX_HOLDS) return
  const least = invocation === 1 || firstSeen.size > 0 ? MIN_HOLD : 0
  const start = performance.now()
  for (let held = 0; held < most; held = performance.now() - start) {
    if (late.length > 0 || [...pending].some(isAnswered)) return
    if (held >= least && (held >= MAX_HOLD || !mayDoWork())) return
    await sleep(10)
  }
}

/** What was late since the last call. What a failed invocation left is not lost: its messages come back. */
function take(): LeftWork[] {
  for (const [key, origin] of hasResponded ? pending : []) {
    const { method, destroyed, remotePort } = key as Request & Socket
    // Synchronous work of `crypto` has no end. A request that was upgraded has none, but is destroyed.
    const isOpen = method ? !destroyed : [ON_FILE, OVER_HTTP2].includes(origin.what) && isWork(origin)
    const what = remotePort ? `a call to port ${remotePort}` : 'a call on a socket'
    if (isAnswered([key, origin])) late.push(Object.assign(origin, { what, kind: 'once' }))
    else if (isOpen) late.push(origin)
  }
  for (const origin of late) {
    if (origin.kind !== 'once') continue
    const first = firstSeen.get(origin.what) ?? invocation
    firstSeen.set(origin.what, first)
    if (first !== invocation) origin.kind = 'late' // seen in a second invocation
  }
  const left = late.map(workOf)
  late = []
  pending.clear()
  return left
}
