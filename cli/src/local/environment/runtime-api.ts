import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { oneLine } from '../../shared/errors.ts'
import { parseObject } from '../../shared/json.ts'
import type { InvocationReport, ProcessReport } from '../in-function/tool-protocol.ts'

/** How an invocation ended. The whole batch fails unless there is a response. */
export type Outcome = (
  | { type: 'response'; payload: string }
  | { type: 'error' | 'timeout' | 'crash' | 'stopped'; message: string }
) &
  InvocationReport & {
    /** Milliseconds from the delivery of the event to the end. */
    duration?: number | undefined
  }

interface Invocation {
  requestId: string
  event: string
  settle: (outcome: Outcome | undefined) => void
  report: InvocationReport
  startedAt?: number
  timer?: NodeJS.Timeout
}

/** Learns what the process of the environment does. */
export interface ProcessWatcher {
  /** It has loaded the function, and asks for an event. */
  ready(): void
  failedToLoad(message: string): void
  /** It has responded and asks for another event, but there is none. */
  idle(): void
  /** It gets something to do. */
  wake(): void
  report(about: ProcessReport): void
}

export interface RuntimeApiOptions {
  /** Milliseconds that an invocation may take. */
  timeout: number
  functionArn: string
  environment: ProcessWatcher
  startTimer?: typeof setTimeout | undefined
}

/** `end` and `report` are calls of the runtime client of this package. */
const ROUTE = /^\/2018-06-01\/runtime\/(init\/error|report|invocation\/next|invocation\/([^/]+)\/(response|error|end))$/

function readError(text: string): string {
  const { errorType = 'Error', errorMessage = '' } = parseObject(text) ?? {}
  return oneLine(errorMessage ? `${errorType}: ${errorMessage}` : `${errorType}`)
}

/** How often a message came back to its function: the number at the end of the lineage in its trace header. */
const LINEAGE = /"AWSTraceHeader":"[^"]*Lineage=[^:"]*:[^:"]*:(\d+)/g

/** Lambda's trace header for an invocation. The SDK sends it with messages, so that Lambda notices loops. */
function traceOf(requestId: string, event: string): string {
  const id = requestId.replaceAll('-', '')
  const found = event.includes('Lineage=') ? [...event.matchAll(LINEAGE)] : [] // without the word, faster
  const round = found.reduce((highest, [, number]) => Math.max(highest, Number(number) + 1), 0)
  const parts = [`Root=1-${id.slice(0, 8)}-${id.slice(8)}`, `Parent=${id.slice(-16)}`, 'Sampled=0']
  return [...parts, `Lineage=1:${id.slice(0, 8)}:${round}`].join(';')
}

function reply(response: ServerResponse, status: number, body: object = { status: 'OK' }) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

/**
 * The Lambda Runtime API for one execution environment, on loopback, and the invocations from `invoke()` to
 * their outcome. On Managed Instances, a runtime client has several polls open at once, and each takes one
 * invocation.
 */
export class RuntimeApi {
  /** Invocations whose event the runtime has not taken yet. */
  readonly #waiting = new Set<Invocation>()
  /** Requests of the runtime that wait for an event. */
  readonly #polls = new Set<ServerResponse>()
  /** Invocations whose event the runtime has taken, by their request ids. */
  readonly #running = new Map<string, Invocation>()
  readonly #options: RuntimeApiOptions
  readonly #timedOut: string
  // A request that is cut off means that the process has ended. The environment notices that itself.
  readonly #server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
    this.#serve(request, response).catch(() => response.destroy())
  })
  #hasResponded = false
  /** Set once the process has ended. */
  #ended: { notTaken: Outcome | undefined } | undefined

  constructor(options: RuntimeApiOptions) {
    this.#options = options
    this.#timedOut = `timed out after ${(options.timeout / 1000).toFixed(2)} seconds`
  }

  /** Resolves with its address. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Whether the process is working on an event. */
  get isBusy(): boolean {
    return this.#running.size > 0
  }

  /** Resolves with undefined if the process ended before it took the event. */
  invoke(event: string): Promise<Outcome | undefined> {
    return new Promise((settle) => {
      if (this.#ended) return settle(this.#ended.notTaken)
      const invocation = { requestId: randomUUID(), event, settle, report: {} }
      this.#waiting.add(invocation)
      const why = ', because the process did not take the event. Does it block the event loop after a response?'
      this.#limit(invocation, `${this.#timedOut}${why}`)
      this.#dispatch()
    })
  }

  /** The process has ended. Running invocations get this outcome, and waiting events were not taken. */
  end(outcome: Outcome) {
    const notTaken = outcome.type === 'stopped' ? outcome : undefined
    this.#ended = { notTaken }
    for (const invocation of this.#running.values()) this.#settle(invocation, outcome)
    for (const invocation of this.#waiting) this.#settle(invocation, notTaken)
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #settle(invocation: Invocation, outcome: Outcome | undefined) {
    clearTimeout(invocation.timer)
    this.#running.delete(invocation.requestId)
    this.#waiting.delete(invocation)
    this.#hasResponded = true
    const { report, startedAt } = invocation
    const duration = startedAt === undefined ? undefined : performance.now() - startedAt
    invocation.settle(outcome && { ...outcome, ...report, duration })
  }

  /** Starts the time of the function, or starts it again. */
  #limit(invocation: Invocation, message: string) {
    const { timeout, startTimer = setTimeout } = this.#options
    clearTimeout(invocation.timer)
    invocation.timer = startTimer(() => this.#settle(invocation, { type: 'timeout', message }), timeout)
  }

  /** Gives waiting events to the runtime. */
  #dispatch() {
    const { timeout, functionArn, environment } = this.#options
    for (const poll of this.#polls) {
      const [invocation] = this.#waiting
      if (!invocation) return
      this.#polls.delete(poll)
      this.#waiting.delete(invocation)
      const { requestId, event } = invocation
      this.#running.set(requestId, invocation)
      this.#limit(invocation, this.#timedOut)
      environment.wake()
      poll.writeHead(200, {
        'Content-Type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': requestId,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeout),
        'Lambda-Runtime-Invoked-Function-Arn': functionArn,
        'Lambda-Runtime-Trace-Id': traceOf(requestId, event),
      })
      invocation.startedAt = performance.now()
      poll.end(event)
    }
  }

  /** The runtime asks for an event. */
  #poll(response: ServerResponse) {
    const { environment } = this.#options
    environment.ready()
    this.#polls.add(response)
    response.on('close', () => this.#polls.delete(response))
    this.#dispatch()
    if (this.#hasResponded && !this.isBusy) environment.idle()
  }

  async #serve(request: IncomingMessage, response: ServerResponse) {
    const { environment } = this.#options
    const [, path, requestId = '', kind] = ROUTE.exec(request.url ?? '') ?? []
    if (path === 'invocation/next') return this.#poll(response)
    const text = (await buffer(request)).toString('utf8')
    const invocation = this.#running.get(requestId)
    if (path === 'init/error') environment.failedToLoad(readError(text))
    else if (path === 'report') environment.report(JSON.parse(text))
    else if (!invocation || kind === undefined) {
      return reply(response, kind ? 400 : 404, { errorType: 'InvalidRequestID', errorMessage: 'Invalid request ID' })
    } else return this.#finish(invocation, kind, text, response)
    reply(response, 202)
  }

  #finish(invocation: Invocation, kind: string, text: string, response: ServerResponse) {
    // The client of this package sends a line before the payload.
    const end = kind === 'end' ? text.indexOf('\n') : -1
    const payload = text.slice(end + 1)
    const { type, ...report } = end < 0 ? { type: kind } : JSON.parse(text.slice(0, end))
    Object.assign(invocation.report, report)
    this.#settle(invocation, type === 'error' ? { type, message: readError(payload) } : { type: 'response', payload })
    reply(response, 202)
  }
}
