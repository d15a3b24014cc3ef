// Runs in the process of the handler. Finds work that an invocation started and did not await.
import { createHook, executionAsyncId } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { isWork, nameOf, ON_FILE, OPERATION, OVER_HTTP2 } from './operations.ts'
import { describe, isOfHandler, type LeftKind, type LeftWork, type Origin, originOf } from './origin.ts'
import { addTimer, context, firesWithin, type Invocation, leftTimers, type Timer, watchUnref } from './timers.ts'

/** Hooks cost time, and a handler that forgets an `await` mostly does so always. So only the first invocations have them. */
const MAX_FOLLOWED = 5
const MAX_HOLDS = 3
/** Of one invocation. Each needs some 100 µs. */
const MAX_CAUSES = 300
/** In the first invocation, to follow promises. */
const MAX_RECORDS = 2000
/** Milliseconds for which a process may run on before it is frozen, if something is pending. */
const MAX_HOLD = 1000
/** The same in any case after the first response: chains of promises are not seen. */
const FIRST_HOLD = 250

type Request = Partial<ClientRequest> & { origin?: string }

let current: Invocation | undefined
let isFollowing = false
/** The number of invocations so far, and after how many of them the process ran on. */
let invocations = 0
let holds = 0
/** What the current invocation started, and what has not ended: requests, tasks, sockets, and operations by their async ids. */
const pending = new Map<unknown, Origin>()
let late: Origin[] = []
/** By async id: operations, promises and ticks, in which a client goes on. They know the line of the handler. */
const causes = new Map<number, Origin>()
/** Sockets with a late answer. Their clients may have queued more, and may write it in any context. */
const suspects = new WeakSet<Socket>()
/** In which invocation work was first seen that fails the run only if it recurs. */
const firstSeen = new Map<string, Invocation | undefined>()
let isUndecided = false
let isPlaceUnknown = false

/** Whether the current invocation started the code. In the context of an earlier one, a client may serve the current one. */
const isActive = () => current !== undefined && context.getStore()?.invocation === current

/** The start of work. What a timer starts can be work of a client, too. */
const newOrigin = (what: string, kind: LeftKind = 'late'): Origin =>
  originOf(context.getStore()?.isInTimer ? 'once' : kind, what, causes.get(executionAsyncId()))

function started(key: unknown, origin: Origin, counts = true) {
  if (current?.hasResponded && counts) late.push(origin)
  else pending.set(key, origin)
}

function ended(key: unknown, counts: (origin: Origin) => boolean = () => true, kind?: LeftKind) {
  const origin = pending.get(key)
  if (!origin || !pending.delete(key) || !current?.hasResponded || !counts(origin)) return
  late.push(Object.assign(origin, kind && { kind }))
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
    if (type === 'Timeout') addTimer(resource as Timer, newOrigin)
    addCause(id, type)
    if (!current || !OPERATION.test(type)) return
    const operation = newOrigin(nameOf(type), type === 'HTTP2STREAM' ? 'once' : 'late')
    causes.set(id, operation)
    started(id, operation, current.hasResponded && isWork(operation))
  },
  before: (id) => ended(id, isWork),
})

/**
 * It ends after the first promises of the first invocation, and goes on in later ones if the line of the handler was not
 * found. Not for large batches: once it was on, all promises of the process are slower.
 */
const promiseHook = createHook({ init: addCause })

/** HTTP clients publish their requests. Once the headers of the response are there, a request has ended. */
function watchRequests() {
  function add(message: unknown) {
    const { request } = message as { request: Request }
    const host = request.getHeader?.('host')
    if (!isActive() || host === process.env.AWS_LAMBDA_RUNTIME_API) return
    // Without the path, which can contain data of the message.
    started(request, newOrigin(`${request.method} ${request.origin ?? `${request.protocol}//${host}`}`))
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
  started(task, newOrigin(what))
  task.once('message', () => ended(task, undefined, 'once'))
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
    const isLateAlready = current?.hasResponded && isAnswered(this, pending.get(this))
    if (isFollowing && isOfInvocation && !isLateAlready && this.readable && !isHttp(this)) {
      pending.set(this, Object.assign(newOrigin(''), { bytesRead: this.bytesRead }))
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

/** Whether something was read since the last data was written. If the client has ended the socket, it needs no answer. */
const isAnswered = (key: unknown, { bytesRead }: Partial<Origin> = {}) =>
  bytesRead !== undefined && (key as Socket).bytesRead > bytesRead && !(key as Socket).writableEnded

/** Whether something is pending that may do work after the response. */
const mayDoWork = () => [...pending.keys()].some((key) => !(key as Socket).destroyed) || firesWithin(MAX_HOLD)

/** Finds what is still pending although the response was sent, and sockets with an answer. */
function addPending() {
  for (const [key, origin] of pending) {
    const { method, destroyed, remotePort } = key as Request & Socket
    // Synchronous work of `crypto` has no end. Node publishes no end of a request that was upgraded, but destroys it.
    const isOperation = origin.what === OVER_HTTP2 || (origin.what === ON_FILE && isWork(origin))
    if (isOperation || (method !== undefined && !destroyed)) late.push(origin)
    if (!isAnswered(key, origin)) continue
    if (origin.kind !== 'once') suspects.add(key as Socket)
    const what = remotePort ? `a call to port ${remotePort}` : 'a call on a socket'
    late.push(Object.assign(origin, { what, kind: 'once' }))
  }
}

/** What was seen in a second invocation is late in any case. */
function decide(origin: Origin) {
  if (origin.kind !== 'once') return
  const isFirst = !firstSeen.has(origin.what)
  if (isFirst) firstSeen.set(origin.what, current)
  const recurs = firstSeen.get(origin.what) !== current
  if (recurs) origin.kind = 'late'
  isUndecided = isFirst || (isUndecided && !recurs)
}

/** Follows the work of invocations, one at a time. Must be opened before the handler is loaded. */
export function openLateWork() {
  watchUnref()
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

/** Lets the process go on after the response until late work is found, nothing is pending, or the time is over. */
async function hold(most: number) {
  if (!isFollowing) return
  // After a first answer on a socket, the next invocations decide whether it counts. A busy pool writes later.
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
