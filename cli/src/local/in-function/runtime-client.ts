// The program in an execution environment: loads the handler, then takes one event after another from the Runtime API.
import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { isObject } from '../../shared/json.ts'
import { openLateWork } from './late-work.ts'
import { LibraryWatch, recordIdsOf } from './library-watch.ts'
import { type Callback, type Handler, loadHandler } from './load-handler.ts'
import { openUsage } from './resource-usage.ts'
import type { ClientOptions, InvocationReport, ProcessReport } from './tool-protocol.ts'
import { END_OF_RUN, NO_PROMISE } from './tool-protocol.ts'
import { watchReads } from './unread-records.ts'

const options: ClientOptions = JSON.parse(String(process.argv[2]))
const { file, exportName, callbacks = false, follows } = options
const { env } = process
/** Read once, like the client of AWS does: the file of the handler may remove it. */
const runtimeApi = env.AWS_LAMBDA_RUNTIME_API
// Sockets stay open, so that a function that has no file descriptors left can still respond.
const agent = new Agent({ keepAlive: true, maxSockets: 2 })

async function call(method: 'GET' | 'POST', path: string, body?: string) {
  const sent = request(`http://${runtimeApi}/2018-06-01/runtime/${path}`, { method, agent }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { headers: response.headers, text: await text(response) }
}

const report = (about: ProcessReport) => call('POST', 'report', JSON.stringify(about))

const OWN_FILES = new URL('.', import.meta.url).href

/** Describes a thrown value in the format of the Runtime API, and logs it. Reading its properties may throw. */
function describe(thrown: unknown): string {
  let error = { errorType: 'Error', errorMessage: 'the thrown value cannot be read', stackTrace: [] as string[] }
  try {
    if (thrown instanceof Error) {
      const stackTrace = String(thrown.stack ?? '')
        .split('\n')
        .filter((line) => line !== '' && !line.includes(OWN_FILES) && !line.includes('node:internal/'))
      error = { errorType: String(thrown.name), errorMessage: String(thrown.message), stackTrace }
    } else error = { errorType: typeof thrown, errorMessage: String(thrown), stackTrace: [] }
  } catch {}
  if (error.stackTrace.length > 0) console.error(error.stackTrace.join('\n'))
  return JSON.stringify(error)
}

const libraryWatch = new LibraryWatch()

const deadlineOf = (headers: IncomingHttpHeaders) => Number(headers['lambda-runtime-deadline-ms'])

function contextOf(id: string, headers: IncomingHttpHeaders) {
  const deadline = deadlineOf(headers)
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: id,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    identity: undefined,
    clientContext: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  }
}

/** What to do once the event loop is empty, if a handler with a callback waits for that. */
let onEmptyLoop: (() => void) | undefined

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

/**
 * Runs a handler as Lambda does up to Node.js 22 (aws-lambda-ric 3). Unless the handler returns a promise,
 * its value is ignored: the response is what it passes to its callback, or null. It waits until the event
 * loop is empty, unless the handler changes `callbackWaitsForEmptyEventLoop`.
 */
function runWithCallback(handler: Handler, event: unknown, context: ReturnType<typeof contextOf>): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const callback: Callback = (error, result) => {
    if (error !== undefined && error !== null) return reject(error)
    onEmptyLoop = () => resolve(result)
    if (!context.callbackWaitsForEmptyEventLoop) resolve(result)
  }
  onEmptyLoop = () => resolve(null)
  const returned = handler(event, context, callback)
  if (isThenable(returned)) returned.then(resolve, reject)
  // The run fails if failures were to be reported in this way.
  else if (isObject(returned) && 'batchItemFailures' in returned)
    onEmptyLoop = () => resolve({ [NO_PROMISE]: returned })
  return promise.finally(() => {
    onEmptyLoop = undefined
  })
}

const usage = openUsage()

const lateWork = follows ? openLateWork() : undefined

/** Runs the handler. Returns its response or error for the Runtime API. */
async function invoke(handler: Handler, event: { Records?: unknown[] }, context: ReturnType<typeof contextOf>) {
  const run = () => (callbacks ? runWithCallback(handler, event, context) : handler(event, context))
  try {
    const result = await (lateWork ? lateWork.run(run, event.Records?.length ?? 0) : run())
    const payload = JSON.stringify(result) ?? 'null'
    lateWork?.responded() // before the calls that follow, in which work could end that the handler has not awaited
    return { type: 'response', payload }
  } catch (error) {
    return { type: 'error', payload: describe(error) }
  }
}

async function handleEvent(handler: Handler, id: string, headers: IncomingHttpHeaders, json: string) {
  usage.start()
  const event = JSON.parse(json)
  const ids = recordIdsOf(event)
  const takeUnread = lateWork && watchReads(event, ids)
  env._X_AMZN_TRACE_ID = String(headers['lambda-runtime-trace-id'])
  const { type, payload } = await invoke(handler, event, contextOf(id, headers))
  const about: InvocationReport = {
    usage: usage.take(),
    unread: takeUnread?.(),
    library: libraryWatch.take(ids),
  }
  await call('POST', `invocation/${id}/end`, `${JSON.stringify({ type, ...about })}\n${payload}`)
  // Lambda's timeout also limits how long the next event waits for this process.
  if (type === 'response') await lateWork?.hold((deadlineOf(headers) - Date.now()) / 2)
}

async function serve(handler: Handler): Promise<never> {
  for (;;) {
    const left = lateWork?.take() ?? []
    if (left.length > 0) await report({ left })
    const { headers, text: event } = await call('GET', 'invocation/next')
    const id = String(headers['lambda-runtime-aws-request-id'])
    if (event === END_OF_RUN) {
      await report({ left: lateWork?.leftTimers() ?? [] })
      await call('POST', `invocation/${id}/response`, 'null')
    } else await handleEvent(handler, id, headers, event)
  }
}

// If the event loop is empty, the promise of a handler can never settle. Node itself then has exit code 13.
process.on('beforeExit', () => {
  if (onEmptyLoop) onEmptyLoop()
  else report({ neverSettles: true }).finally(() => process.exit(13))
})

loadHandler(file, exportName, callbacks).then(
  // The Runtime API is unreachable only if the command has ended. Nobody can receive an error then.
  (handler) => serve(handler).catch(() => process.exit(1)),
  (error) => call('POST', 'init/error', describe(error)).finally(() => process.exit(1)),
)
