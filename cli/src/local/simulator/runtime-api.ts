import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { oneLine } from '../../shared/errors.ts'
import type { InvocationMetrics } from './metrics.ts'
import type { LeftWork } from './origin.ts'
import { LEFT_HEADER } from './origin.ts'
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
  reported: Pick<Outcome, 'recordErrors' | 'finished' | 'usage'>
  startedAt?: number
  timer?: NodeJS.Timeout
}

/** What the runtime client of this package reports beside its responses. */
export interface RuntimeReports {
  /** Called after each invocation with the measured values. Without this option, the process measures nothing. */
  onMetrics?: (metrics: InvocationMetrics) => void
  /** Called during an invocation, with the number of records that the library has finished since the last call. */
  onFinished?: (records: number) => void
  /**
   * Called after an invocation that responded before its work had ended. Without this option, or if the environment is
   * not frozen, nothing looks for such work. Another runtime client cannot. `first`: the first message of its event.
   */
  onLeftWork?: (left: LeftWork[], first?: string) => void
}

export interface RuntimeApiOptions extends RuntimeReports {
  /** Milliseconds that an invocation may take. */
  timeout: number
  functionArn: string
  /** Called when the runtime asks for an event: it has loaded the function. */
  onReady: () => void
  onInitError: (message: string) => void
  /** Called when the runtime has responded and asks for another event, but there is none. */
  onIdle: () => void
  /** Called before the runtime gets something to do. */
  onWake: () => void
  startTimer?: typeof setTimeout
}

/** The limit of Lambda for a synchronous response. */
const MAX_RESPONSE_BYTES = 6_291_556
const ROUTE =
  /^\/2018-06-01\/runtime\/(init\/error|metrics|invocation\/next|invocation\/([^/]+)\/(response|error|record-errors|finished))$/

function readError(text: string): string {
  try {
    const { errorType = 'Error', errorMessage = '' } = JSON.parse(text)
    return oneLine(errorMessage ? `${errorType}: ${errorMessage}` : errorType)
  } catch {
    return 'Error: the runtime client reported an error that is not valid JSON'
  }
}

interface State {
  /** Invocations whose event the runtime has not taken yet. */
  waiting: Set<Invocation>
  /** Requests of the runtime that wait for an event. */
  polls: Set<ServerResponse>
  /** Invocations whose event the runtime has taken, by their request ids. */
  running: Map<string, Invocation>
  hasResponded: boolean
  /** Set once the process has ended. */
  ended?: Outcome
}

/** The invocations of one environment, from `invoke()` to their outcome. */
function openInvocations(options: RuntimeApiOptions) {
  const { timeout, functionArn, onIdle, onWake, startTimer = setTimeout } = options
  const state: State = { waiting: new Set(), polls: new Set(), running: new Map(), hasResponded: false }
  const timedOut = `timed out after ${(timeout / 1000).toFixed(2)} seconds`

  function finish(invocation: Invocation, outcome: Outcome) {
    clearTimeout(invocation.timer)
    state.running.delete(invocation.requestId)
    state.waiting.delete(invocation)
    state.hasResponded = true
    const { reported, startedAt } = invocation
    const duration = startedAt === undefined ? undefined : performance.now() - startedAt
    invocation.settle({ ...outcome, ...reported, duration })
  }

  /** Starts the time of the function, or starts it again. */
  function limit(invocation: Invocation, message: string) {
    clearTimeout(invocation.timer)
    invocation.timer = startTimer(() => finish(invocation, { type: 'timeout', message }), timeout)
  }

  /** Gives waiting events to the runtime. */
  function dispatch() {
    const { waiting, polls, running } = state
    for (const poll of polls) {
      const [invocation] = waiting
      if (!invocation) return
      polls.delete(poll)
      waiting.delete(invocation)
      const { requestId } = invocation
      running.set(requestId, invocation)
      limit(invocation, timedOut)
      onWake()
      poll.writeHead(200, {
        'Content-Type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': requestId,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeout),
        'Lambda-Runtime-Invoked-Function-Arn': functionArn,
        'Lambda-Runtime-Trace-Id': `Root=1-${requestId.slice(0, 8)}-${requestId.replaceAll('-', '').slice(8)}`,
      })
      invocation.startedAt = performance.now()
      poll.end(invocation.event)
    }
  }

  return {
    state,
    finish,
    /** The runtime asks for an event. */
    poll(response: ServerResponse) {
      state.polls.add(response)
      response.on('close', () => state.polls.delete(response))
      dispatch()
      if (state.hasResponded && state.running.size === 0) onIdle()
    },
    invoke: (event: string): Promise<Outcome | typeof NOT_TAKEN> =>
      new Promise((settle) => {
        if (state.ended) return settle(state.ended.type === 'stopped' ? state.ended : NOT_TAKEN)
        const invocation = { requestId: randomUUID(), event, settle, reported: {} }
        state.waiting.add(invocation)
        limit(
          invocation,
          `${timedOut}, because the process did not take the event. Does it block the event loop after a response?`,
        )
        dispatch()
      }),
    /** Called when the process has ended. Running invocations get this outcome. Waiting events were not taken. */
    end(outcome: Outcome) {
      state.ended = outcome
      for (const invocation of state.running.values()) finish(invocation, outcome)
      for (const { timer, settle } of state.waiting) {
        clearTimeout(timer)
        settle(outcome.type === 'stopped' ? outcome : NOT_TAKEN)
      }
      state.waiting.clear()
    },
  }
}

/**
 * The Lambda Runtime API for one execution environment, on loopback. On Managed Instances, a runtime client has several
 * polls open at once, and each takes one invocation.
 */
export async function startRuntimeApi(options: RuntimeApiOptions) {
  const { onReady, onInitError, onMetrics, onFinished, onLeftWork } = options
  const invocations = openInvocations(options)
  const { state, finish } = invocations

  function reply(response: ServerResponse, status: number, body: object = { status: 'OK' }) {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const [, path, requestId = '', kind] = ROUTE.exec(request.url ?? '') ?? []
    const { [LEFT_HEADER]: left, [USAGE_HEADER]: usage } = request.headers
    if (typeof left === 'string') onLeftWork?.(JSON.parse(decodeURIComponent(left)))
    if (path === 'invocation/next') {
      onReady()
      return invocations.poll(response)
    }
    const body = await buffer(request)
    const text = body.toString('utf8')
    const invocation = state.running.get(requestId)
    if (path === 'init/error') {
      onInitError(readError(text))
    } else if (path === 'metrics') {
      onMetrics?.(JSON.parse(text))
    } else if (!invocation) {
      return reply(response, kind ? 400 : 404, { errorType: 'InvalidRequestID', errorMessage: 'Invalid request ID' })
    } else if (kind === 'record-errors') {
      invocation.reported.recordErrors = JSON.parse(text)
    } else if (kind === 'finished') {
      invocation.reported.finished = (invocation.reported.finished ?? 0) + Number(text)
      onFinished?.(Number(text))
    } else {
      if (typeof usage === 'string') invocation.reported.usage = JSON.parse(usage)
      if (body.length > MAX_RESPONSE_BYTES) {
        const message = `the response has ${body.length} bytes, but Lambda allows at most ${MAX_RESPONSE_BYTES}`
        finish(invocation, { type: 'error', message })
        return reply(response, 413, { errorType: 'RequestEntityTooLarge', errorMessage: message })
      }
      const isError = kind === 'error'
      finish(invocation, isError ? { type: 'error', message: readError(text) } : { type: 'response', payload: text })
    }
    reply(response, 202)
  }

  // A request that is cut off means that the process has ended. The environment notices that itself.
  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()))
  server.requestTimeout = 0
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Whether the process is working on an event. */
    isBusy: () => state.running.size > 0,
    invoke: invocations.invoke,
    /** Called when the process has ended. */
    end(outcome: Outcome) {
      invocations.end(outcome)
      server.closeAllConnections()
      server.close()
    },
  }
}
