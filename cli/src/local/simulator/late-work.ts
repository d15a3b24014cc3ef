// Runs in the process of the handler. Finds work that an invocation started and did not await.
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'
import { dirname, relative } from 'node:path'
import { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'

/** Work of one kind that was started in one place, and that ended, started or was answered after the response. */
export interface LeftWork {
  what: string
  count: number
  /** A first answer on a socket. It can belong to a connection that a client keeps for itself. */
  isWeak: boolean
}

/** The header of a call of the Runtime API with the work that was left, as JSON in the encoding of a URI. */
export const LEFT_HEADER = 'bounded-sqs-batch-left'
/** The event that asks for the work that is still left at the end of a run. */
export const END_OF_RUN = 'end of the run'
/** A header names at most this many kinds. */
const MAX_LEFT = 5
/** Only the first invocations of a process are followed in detail: a handler that forgets an `await` mostly does so always. */
const FOLLOWED = 5
const MAX_HOLDS = 3
/** Of one invocation. Each one needs some 10 µs. */
const MAX_CAUSES = 1000
const POLL_MS = 10
/** How long fired timers may go on in any case. */
const FIRED_MS = 30
export const HOLD = {
  /** Milliseconds that the process may run on after a response, if something is pending. */
  pending: 1000,
  /** The same after the first response in any case, because a chain of promises is not seen. */
  first: 250,
}

interface Invocation {
  hasResponded: boolean
}

interface Origin {
  what: string
  stack?: string
  /** What started the code that started this. */
  cause?: Origin | undefined
}

/** With the properties that Node does not document, but that it has had for ten years. */
type Timer = NodeJS.Timeout & {
  _destroyed: boolean
  _idleTimeout: number
  _repeat: number | null
  _onTimeout: (...args: unknown[]) => void
  _timerArgs?: unknown[]
}

interface ClientRequest {
  method?: string
  /** undici */
  origin?: string
  /** undici */
  aborted?: boolean
  protocol?: string
  destroyed?: boolean
  getHeader?: (name: string) => unknown
}

/** Operations of Node that do something once, in contrast to handles that stay open. */
const OPERATION = /^(FSREQ.*|GET(ADDR|NAME)INFOREQWRAP|QUERYWRAP|ZLIB|(TCP|PIPE)CONNECTWRAP|(?!HTTP)[A-Z0-9]+REQUEST)$/
const NAMES: [RegExp, string][] = [
  [/^FS/, 'a file operation'],
  [/^(GET|QUERY|TCP|PIPE)/, 'a connection'],
]
const nameOf = (type: string) => NAMES.find(([pattern]) => pattern.test(type))?.[1] ?? 'work in the thread pool'

const context = new AsyncLocalStorage<Invocation>()
let current: Invocation | undefined
let isFollowing = false
let late: Origin[] = []
const operations = new Map<number, Origin>()
/** By async id: what the code started that clients go on from, so that a text can name a line of the handler. */
const causes = new Map<number, Origin>()
const requests = new Map<ClientRequest, Origin>()
const tasks = new Set<ChildProcess | Worker>()
/** The last data that was written to each socket. */
const writes = new Map<Socket, { origin: Origin; bytesRead: number }>()
let timers: { timer: Timer; invocation: Invocation; origin: Origin }[] = []
let sweepAt = 1000

/** The current invocation, if it has started the code. In the context of an earlier one, a client may serve the current one. */
function activeInvocation(): Invocation | undefined {
  const invocation = context.getStore()
  return invocation === current ? invocation : undefined
}

/** The stack is formatted only if it is read. Without it, if the invocation is not followed. */
function originOf(what: string): Origin {
  const origin: Origin = { what, cause: causes.get(executionAsyncId()) }
  if (!isFollowing) return origin
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  Error.captureStackTrace(origin, originOf)
  Error.stackTraceLimit = stackTraceLimit
  return origin
}

const OUR_FOLDER = dirname(import.meta.url)
const FRAME = /(?:file:\/\/|\(|at (?:async )?)(\/.*?):(\d+):\d+\)?$/
const MACHINERY = /new Promise|node:(internal\/)?(async_hooks|promise_hooks|timers|diagnostics_channel)/

function framesOf({ stack = '' }: Origin): string[] {
  const lines = stack.split('\n').slice(1)
  return lines.filter((line) => !line.includes(OUR_FOLDER) && !MACHINERY.test(line))
}

/** The own file and line that started it, or else that of a package. Undefined if Node itself did. */
function placeOf(origin: Origin): string | undefined {
  const places: [path: string, line: string][] = []
  for (let from: Origin | undefined = origin; from; from = from.cause) {
    for (const frame of framesOf(from)) {
      const [, path, line] = FRAME.exec(frame) ?? []
      if (path && line) places.push([decodeURIComponent(path), line])
    }
  }
  const [path, line] = places.find(([path]) => !path.includes('/node_modules/')) ?? places.at(-1) ?? []
  return path === undefined ? undefined : `${relative(process.cwd(), path)}:${line}`
}

/** Node creates timers for itself, for example for the sockets of `fetch()`. */
const isOfNode = (origin: Origin) => framesOf(origin)[0]?.includes('node:') ?? true

/** Node connects, which is no work yet, closes what the invocation used, or reads ahead. A stream that writes does work of the handler. */
function isOwnBusiness(origin: Origin): boolean {
  const top = framesOf(origin).slice(0, 3).join()
  if (origin.what === 'a connection' || /at (\S+\.)?_?(close|destroy) /.test(top)) return true
  return !framesOf(origin).some((line) => FRAME.test(line)) && !top.includes('WriteStream.')
}

function addTimer(timer: Timer, invocation: Invocation) {
  const { _onTimeout: callback, _repeat: isInterval } = timer
  timer._onTimeout = function (this: unknown, ...args) {
    const run = () => callback.apply(this, args)
    // Clients use intervals and unreferenced timers for work that belongs to no invocation.
    if (isInterval || !timer.hasRef()) return context.exit(run)
    run()
  }
  if (isInterval) return
  timers.push({ timer, invocation, origin: originOf('') })
  if (timers.length < sweepAt) return
  // Otherwise, timers that have fired would stay in memory with their closures.
  timers = timers.filter(({ timer }) => !timer._destroyed)
  sweepAt = Math.max(1000, 2 * timers.length)
}

const hook = createHook({
  trackPromises: false,
  init(id, type, _trigger, resource) {
    if (type === 'PROMISE') return
    const invocation = activeInvocation()
    if (!invocation) return
    if (type === 'Timeout') addTimer(resource as Timer, invocation)
    const isOperation = OPERATION.test(type)
    if (!isOperation && (type !== 'TickObject' || causes.size >= MAX_CAUSES)) return
    const operation = originOf(nameOf(type))
    causes.set(id, operation)
    if (!isOperation) return
    if (invocation.hasResponded && !isOwnBusiness(operation)) late.push(operation)
    else operations.set(id, operation)
  },
  before(id) {
    const operation = operations.get(id)
    if (operation && operations.delete(id) && current?.hasResponded && !isOwnBusiness(operation)) late.push(operation)
  },
})

/** Unreferenced timers of later invocations, of which the hook knows nothing. */
function watchUnref() {
  const prototype = Object.getPrototypeOf(setTimeout(() => {}, 0))
  const { unref } = prototype
  prototype.unref = function (this: Timer) {
    const { _onTimeout: callback } = this
    if (typeof callback === 'function' && activeInvocation() && !isFollowing) {
      this._onTimeout = (...args) => context.exit(() => callback.apply(this, args))
    }
    return unref.call(this)
  }
}

/** Without the path, which can contain data of the message. */
const nameOfRequest = (request: ClientRequest) =>
  `${request.method} ${request.origin ?? `${request.protocol}//${request.getHeader?.('host')}`}`

/** `fetch()`, undici, `node:http` and `node:https` publish their requests. Once the headers of the response are there, a request has ended. */
function watchRequests() {
  const { AWS_LAMBDA_RUNTIME_API } = process.env
  function add(message: unknown) {
    const { request } = message as { request: ClientRequest }
    const invocation = activeInvocation()
    if (!invocation || request.getHeader?.('host') === AWS_LAMBDA_RUNTIME_API) return
    const origin = originOf(nameOfRequest(request))
    if (invocation.hasResponded) late.push(origin)
    else requests.set(request, origin)
  }
  const remove = (message: unknown) => requests.delete((message as { request: ClientRequest }).request)
  for (const name of ['http.client.request.created', 'undici:request:create']) subscribe(name, add)
  for (const name of ['http.client.response.finish', 'undici:request:headers']) subscribe(name, remove)
  for (const name of ['http.client.request.error', 'undici:request:error']) subscribe(name, remove)
}

/** Child processes and worker threads. They have ended once they have sent a message, or all of their output. */
function watchTasks() {
  function add(what: string, task: ChildProcess | Worker) {
    const invocation = activeInvocation()
    if (!isFollowing || !invocation) return
    const origin = originOf(what)
    if (invocation.hasResponded) return late.push(origin)
    tasks.add(task)
    const end = () => tasks.delete(task) && invocation.hasResponded && late.push(origin)
    task.once('message', end).once('exit', end)
    // If the handler ends it, nothing is lost.
    const method = 'kill' in task ? 'kill' : 'terminate'
    const stop = (task as never)[method] as (...args: unknown[]) => unknown
    Object.defineProperty(task, method, {
      value(...args: unknown[]) {
        tasks.delete(task)
        return stop.apply(task, args)
      },
    })
  }
  subscribe('child_process', (message) => add('a child process', (message as { process: ChildProcess }).process))
  subscribe('worker_threads', (message) => add('a worker thread', (message as { worker: Worker }).worker))
}

/** What databases and other clients write to their sockets. */
function watchSockets() {
  const { write } = Duplex.prototype
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    const invocation = isFollowing && this.readable ? activeInvocation() : undefined
    if (invocation) {
      const { bytesRead } = this
      const { hasResponded } = invocation
      const isAnswered = bytesRead > (writes.get(this)?.bytesRead ?? bytesRead)
      if (!hasResponded || !isAnswered) writes.set(this, { origin: originOf(''), bytesRead })
    }
    return write.apply(this, args as never)
  } as Socket['write']
}

/** Requests over HTTP are watched otherwise. The client of Node and undici put their parser into the socket. */
const isHttp = (socket: Socket) =>
  'parser' in socket || Object.getOwnPropertySymbols(socket).some(({ description }) => description === 'parser')

/** What was written to a socket, and answered after the response. */
function lateAnswers(): Origin[] {
  const answered = [...writes].filter(([socket, { bytesRead }]) => socket.bytesRead > bytesRead && !isHttp(socket))
  return answered.map(([{ remotePort }, { origin }]) => {
    return Object.assign(origin, {
      what: remotePort === undefined ? 'a call on a socket' : `a call to port ${remotePort}`,
    })
  })
}

/** Whether something is pending that may do work after the response. */
function mayDoWork(): boolean {
  return (
    operations.size > 0 ||
    tasks.size > 0 ||
    [...writes.keys()].some((socket) => !socket.destroyed && !isHttp(socket)) ||
    timers.some(
      ({ timer, origin }) =>
        !timer._destroyed && timer._idleTimeout < HOLD.pending && timer.hasRef() && !isOfNode(origin),
    )
  )
}

/** Must be called before the handler is loaded. */
export function openLateWork(hold = HOLD) {
  watchRequests()
  watchTasks()
  watchSockets()
  watchUnref()
  let followed = 0
  let holds = 0
  let weak = 0

  function follow(isOn: boolean) {
    isFollowing = isOn
    if (isOn) hook.enable()
    else hook.disable()
  }

  /** Lets the process go on until something was late, or nothing is pending. */
  async function wait(least: number, most: number) {
    const start = performance.now()
    const held = () => performance.now() - start
    while (late.length + lateAnswers().length === 0 && (held() < least || (held() < most && mayDoWork()))) {
      await sleep(POLL_MS)
    }
  }

  /** What was late since the last call. */
  function take(): LeftWork[] {
    const answers = lateAnswers()
    if (answers.length > 0) weak += 1
    const kinds = new Map<string, LeftWork>()
    for (const origin of [...late, ...answers]) {
      const place = placeOf(origin)
      const what = place === undefined ? origin.what : `${origin.what} (${place})`
      const isWeak = answers.includes(origin) && weak === 1
      kinds.set(what, { what, count: (kinds.get(what)?.count ?? 0) + 1, isWeak })
    }
    late = []
    writes.clear()
    return [...kinds.values()].slice(0, MAX_LEFT)
  }

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
      for (const [request, origin] of requests) if (!request.destroyed && !request.aborted) late.push(origin)
      for (const task of tasks) if (task.stdout?.readableEnded) tasks.delete(task)
      for (const [socket, { bytesRead }] of writes) if (socket.bytesRead > bytesRead) writes.delete(socket)
    },
    /** Lets the process go on after the response, if something is pending, until late work is found. */
    async hold(most: number) {
      if (!isFollowing) return
      if (late.length === 0 && mayDoWork()) holds += 1
      await wait(followed === 1 ? Math.min(hold.first, most) : 0, Math.min(hold.pending, most))
      if (followed >= FOLLOWED || holds === MAX_HOLDS) follow(false)
    },
    /** Fires the timers that are still pending, and waits for what they do. */
    async fireTimers(): Promise<LeftWork[]> {
      follow(true)
      process.stdout.write = process.stderr.write = () => true
      process.exit = () => {
        throw new Error('a timer ended the process')
      }
      const pending = timers.filter(
        ({ timer, invocation, origin }) =>
          invocation.hasResponded && !timer._destroyed && timer.hasRef() && !isOfNode(origin),
      )
      const left: LeftWork[] = []
      for (const [invocation, group] of Map.groupBy(pending, ({ invocation }) => invocation)) {
        current = invocation
        for (const { timer } of group) {
          const { _onTimeout: fire, _timerArgs: args = [] } = timer
          clearTimeout(timer)
          try {
            context.run(invocation, () => fire.apply(timer, args))
          } catch {}
        }
        await wait(FIRED_MS, hold.pending)
        left.push(...take())
      }
      return left.slice(0, MAX_LEFT)
    },
  }
}
