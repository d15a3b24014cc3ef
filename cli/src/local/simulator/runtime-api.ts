import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { oneLine } from '../../shared/errors.ts'
import type { InvocationMetrics } from './metrics.ts'
import type { LeftWork } from './origin.ts'
import { LEFT_HEADER } from './origin.ts'
import { READS_HEADER, type Unread } from './reads.ts'
import type { RecordErrors } from './record-errors.ts'
import { USAGE_HEADER, type Usage } from './usage.ts'

/**
 * How an invocation ended. The whole batch fails unless there is a response. The ledger counts timeouts and crashes
 * separately.
 */
export type Outcome = (
  | { type: 'response'; payload: string }
  | { type: 'error' | 'timeout' | 'crash' | 'stopped'; message: string }
) & {
  recordErrors?: RecordErrors | undefined
  /** The records that the handler has not read. Missing if it was not looked at. */
  unread?: Unread | undefined
  /** Milliseconds from the delivery of the event to the end. */
  duration?: number | undefined
  /** The number of records that `onFinished` received during the invocation. */
  finished?: number | undefined
  /** Missing if there was no response, or if another runtime client sent it. */
  usage?: Usage | undefined
}

/** The process ended before it took the event. */
export const NOT_TAKEN = { type: 'not-taken' } as const

interface Invocation {
  requestId: string
  event: string
  settle: (outcome: Outcome | typeof NOT_TAKEN) => void
  /** What the runtime has reported beside the response. */
  reported: Pick<Outcome, 'recordErrors' | 'unread' | 'finished' | 'usage'>
  startedAt?: number
  timer?: NodeJS.Timeout
}

/** What the runtime client of this package reports beside its responses. Each report has one of these. */
export interface Report {
  left?: LeftWork[]
  /** The number of records that the library has finished since the last report. */
  finished?: number
  metrics?: InvocationMetrics
  /** The promise of the handler cannot settle any more. */
  neverSettles?: true
}

/** What the process of an environment does. */
export interface ProcessEvents {
  /** It has loaded the function, and asks for an event. */
  ready(): void
  failedToLoad(message: string): void
  /** It has responded and asks for another event, but there is none. */
  idle(): void
  /** It gets something to do. */
  wake(): void
  report(report: Report): void
}

export interface RuntimeApiOptions {
  /** Milliseconds that an invocation may take. */
  timeout: number
  functionArn: string
  process: ProcessEvents
  startTimer?: typeof setTimeout | undefined
}

/** The limit of Lambda for a synchronous response. */
const MAX_RESPONSE_BYTES = 6_291_556
const ROUTE =
  /^\/2018-06-01\/runtime\/(init\/error|never-settles|metrics|invocation\/next|invocation\/([^/]+)\/(response|error|records|finished))$/

function readError(text: string): string {
  try {
    const { errorType = 'Error', errorMessage = '' } = JSON.parse(text)
    return oneLine(errorMessage ? `${errorType}: ${errorMessage}` : errorType)
  } catch {
    return 'Error: the runtime client reported an error that is not valid JSON'
  }
}

/** The round of a message that came back to its function: the number at the end of the lineage in its trace header. */
const LINEAGE = /"AWSTraceHeader":"[^"]*Lineage=[^:"]*:[^:"]*:(\d+)/g

/** The header with which Lambda traces an invocation. The SDK sends it with messages, so that Lambda notices loops. */
function traceOf(requestId: string, event: string): string {
  const id = requestId.replaceAll('-', '')
  const rounds = Array.from(event.matchAll(LINEAGE), ([, round]) => Number(round) + 1)
  const round = rounds.reduce((highest, each) => Math.max(highest, each), 0)
  const parts = [`Root=1-${id.slice(0, 8)}-${id.slice(8)}`, `Parent=${id.slice(-16)}`, 'Sampled=0']
  return [...parts, `Lineage=1:${id.slice(0, 8)}:${round}`].join(';')
}

/** The invocations of one environment, from `invoke()` to their outcome. */
class Invocations {
  /** Invocations whose event the runtime has not taken yet. */
  readonly #waiting = new Set<Invocation>()
  /** Requests of the runtime that wait for an event. */
  readonly #polls = new Set<ServerResponse>()
  /** Invocations whose event the runtime has taken, by their request ids. */
  readonly #running = new Map<string, Invocation>()
  readonly #options: RuntimeApiOptions
  readonly #timedOut: string
  #hasResponded = false
  /** Set once the process has ended. */
  #ended: Outcome | undefined

  constructor(options: RuntimeApiOptions) {
    this.#options = options
    this.#timedOut = `timed out after ${(options.timeout / 1000).toFixed(2)} seconds`
  }

  get isBusy(): boolean {
    return this.#running.size > 0
  }

  running(requestId: string): Invocation | undefined {
    return this.#running.get(requestId)
  }

  invoke(event: string): Promise<Outcome | typeof NOT_TAKEN> {
    return new Promise((settle) => {
      const ended = this.#ended
      if (ended) return settle(ended.type === 'stopped' ? ended : NOT_TAKEN)
      const invocation = { requestId: randomUUID(), event, settle, reported: {} }
      this.#waiting.add(invocation)
      const why = ', because the process did not take the event. Does it block the event loop after a response?'
      this.#limit(invocation, `${this.#timedOut}${why}`)
      this.#dispatch()
    })
  }

  /** The runtime asks for an event. */
  poll(response: ServerResponse) {
    this.#polls.add(response)
    response.on('close', () => this.#polls.delete(response))
    this.#dispatch()
    if (this.#hasResponded && !this.isBusy) this.#options.process.idle()
  }

  finish(invocation: Invocation, outcome: Outcome) {
    clearTimeout(invocation.timer)
    this.#running.delete(invocation.requestId)
    this.#waiting.delete(invocation)
    this.#hasResponded = true
    const { reported, startedAt } = invocation
    const duration = startedAt === undefined ? undefined : performance.now() - startedAt
    invocation.settle({ ...outcome, ...reported, duration })
  }

  /** Called when the process has ended. Running invocations get this outcome. Waiting events were not taken. */
  end(outcome: Outcome) {
    this.#ended = outcome
    for (const invocation of this.#running.values()) this.finish(invocation, outcome)
    for (const { timer, settle } of this.#waiting) {
      clearTimeout(timer)
      settle(outcome.type === 'stopped' ? outcome : NOT_TAKEN)
    }
    this.#waiting.clear()
  }

  /** Starts the time of the function, or starts it again. */
  #limit(invocation: Invocation, message: string) {
    const { timeout, startTimer = setTimeout } = this.#options
    clearTimeout(invocation.timer)
    invocation.timer = startTimer(() => this.finish(invocation, { type: 'timeout', message }), timeout)
  }

  /** Gives waiting events to the runtime. */
  #dispatch() {
    const { timeout, functionArn, process } = this.#options
    for (const poll of this.#polls) {
      const [invocation] = this.#waiting
      if (!invocation) return
      this.#polls.delete(poll)
      this.#waiting.delete(invocation)
      const { requestId, event } = invocation
      this.#running.set(requestId, invocation)
      this.#limit(invocation, this.#timedOut)
      process.wake()
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
}

/**
 * The Lambda Runtime API for one execution environment, on loopback. On Managed Instances, a runtime client has several
 * polls open at once, and each takes one invocation.
 */
export interface RuntimeApi {
  readonly address: string
  /** Whether the process is working on an event. */
  isBusy(): boolean
  invoke(event: string): Promise<Outcome | typeof NOT_TAKEN>
  /** Called when the process has ended. */
  end(outcome: Outcome): void
}

function reply(response: ServerResponse, status: number, body: object = { status: 'OK' }) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

function replyWithError(response: ServerResponse, status: number, errorType: string, errorMessage: string) {
  reply(response, status, { errorType, errorMessage })
}

/** A call about a running invocation. */
function serveInvocation(
  invocations: Invocations,
  invocation: Invocation,
  kind: string,
  body: Buffer,
  { [USAGE_HEADER]: usage, [READS_HEADER]: reads }: IncomingMessage['headers'],
  response: ServerResponse,
) {
  const text = body.toString('utf8')
  const { reported } = invocation
  if (kind === 'records') {
    Object.assign(reported, JSON.parse(text))
    return reply(response, 202)
  }
  if (typeof usage === 'string') reported.usage = JSON.parse(usage)
  if (reads !== undefined) reported.unread = reads === 'all' ? [] : 'all'
  if (body.length > MAX_RESPONSE_BYTES) {
    const message = `the response has ${body.length} bytes, but Lambda allows at most ${MAX_RESPONSE_BYTES}`
    invocations.finish(invocation, { type: 'error', message })
    return replyWithError(response, 413, 'RequestEntityTooLarge', message)
  }
  const isError = kind === 'error'
  invocations.finish(
    invocation,
    isError ? { type: 'error', message: readError(text) } : { type: 'response', payload: text },
  )
  reply(response, 202)
}

async function serve(
  invocations: Invocations,
  process: ProcessEvents,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const [, path, requestId = '', kind] = ROUTE.exec(request.url ?? '') ?? []
  const { [LEFT_HEADER]: left } = request.headers
  if (typeof left === 'string') process.report({ left: JSON.parse(decodeURIComponent(left)) })
  if (path === 'invocation/next') {
    process.ready()
    return invocations.poll(response)
  }
  const body = await buffer(request)
  const invocation = invocations.running(requestId)
  if (path === 'init/error') process.failedToLoad(readError(body.toString()))
  else if (path === 'metrics') process.report({ metrics: JSON.parse(body.toString()) })
  else if (path === 'never-settles') process.report({ neverSettles: true })
  else if (!invocation || kind === undefined) {
    return replyWithError(response, kind ? 400 : 404, 'InvalidRequestID', 'Invalid request ID')
  } else if (kind === 'finished') {
    const finished = Number(body.toString())
    invocation.reported.finished = (invocation.reported.finished ?? 0) + finished
    process.report({ finished })
  } else return serveInvocation(invocations, invocation, kind, body, request.headers, response)
  reply(response, 202)
}

export async function startRuntimeApi(options: RuntimeApiOptions): Promise<RuntimeApi> {
  const invocations = new Invocations(options)
  // A request that is cut off means that the process has ended. The environment notices that itself.
  const server = createServer((request, response) => {
    serve(invocations, options.process, request, response).catch(() => response.destroy())
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    isBusy: () => invocations.isBusy,
    invoke: (event) => invocations.invoke(event),
    end(outcome) {
      invocations.end(outcome)
      server.closeAllConnections()
      server.close()
    },
  }
}
