// The program in an execution environment: loads the handler, then takes one event after another from the Runtime API.
// `node runtime-client.js <file> <export> [measure] [callbacks] [follow] [root=<folder>]`
import { Agent, request } from 'node:http'
import { openLateWork } from './late-work.ts'
import { type Callback, type Handler, loadHandler } from './load-handler.ts'
import { openMetrics } from './metrics.ts'
import type { LeftWork } from './origin.ts'
import { END_OF_RUN, LEFT_HEADER } from './origin.ts'
import { recordIdsOf, watchRecordErrors } from './record-errors.ts'
import { openUsage, USAGE_HEADER } from './usage.ts'

const [, , file = '', exportName = '', ...modes] = process.argv
const { env } = process
/** Read once, like the client of AWS does: the file of the handler may remove it. */
const runtimeApi = env.AWS_LAMBDA_RUNTIME_API
const concurrency = Number(env.AWS_LAMBDA_MAX_CONCURRENCY ?? 1)
// Sockets stay open, so that a function that has no file descriptors left can still respond.
const agent = new Agent({ keepAlive: true, maxSockets: concurrency + 1 })

function call(method: 'GET' | 'POST', path: string, body?: string, headers = {}) {
  return new Promise<{ headers: NodeJS.Dict<string | string[]>; text: string }>((resolve, reject) => {
    const url = `http://${runtimeApi}/2018-06-01/runtime/${path}`
    const sent = request(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString('utf8') }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Describes any thrown value in the format of the Runtime API, and logs it. Reading its properties may throw. */
function describe(thrown: unknown): string {
  let error = { errorType: 'Error', errorMessage: 'the thrown value cannot be read', stackTrace: [] as string[] }
  try {
    if (thrown instanceof Error) {
      const stackTrace = String(thrown.stack ?? '')
        .split('\n')
        .filter((line) => line !== '' && !line.includes(import.meta.url) && !line.includes('node:internal/'))
      error = { errorType: String(thrown.name), errorMessage: String(thrown.message), stackTrace }
    } else error = { errorType: typeof thrown, errorMessage: String(thrown), stackTrace: [] }
  } catch {}
  if (error.stackTrace.length > 0) console.error(error.stackTrace.join('\n'))
  return JSON.stringify(error)
}

/** The invocation that runs, and the calls that report its progress. */
let running: string | undefined
let progress: Promise<unknown> = Promise.resolve()

const takeRecordErrors = watchRecordErrors((finished) => {
  const id = running
  // One after another, so that they need one socket, and all have ended before the response.
  if (id !== undefined) progress = progress.then(() => call('POST', `invocation/${id}/finished`, String(finished)))
})

const deadlineOf = (headers: NodeJS.Dict<string | string[]>) => Number(headers['lambda-runtime-deadline-ms'])

function contextOf(id: string, headers: NodeJS.Dict<string | string[]>) {
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

/**
 * Runs a handler with a callback as Lambda does up to Node.js 22. The response waits until the event loop is empty, unless
 * the handler changes `callbackWaitsForEmptyEventLoop`. Without a call of the callback, the response is then null.
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
  if (returned instanceof Promise) returned.then(resolve, reject)
  return promise.finally(() => {
    onEmptyLoop = undefined
  })
}

const metrics = modes.includes('measure') ? openMetrics() : undefined
// Measured per process, so the values of concurrent invocations cannot be told apart.
const usage = concurrency === 1 ? openUsage() : undefined

const lateWork = modes.includes('follow') ? openLateWork() : undefined

/** Encoded, because a header cannot contain every character. */
function leftHeader(left: LeftWork[] = []) {
  return left.length > 0 ? { [LEFT_HEADER]: encodeURIComponent(JSON.stringify(left)) } : {}
}

async function serve(handler: Handler): Promise<never> {
  for (;;) {
    const { headers, text } = await call('GET', 'invocation/next', undefined, leftHeader(lateWork?.take()))
    const id = String(headers['lambda-runtime-aws-request-id'])
    if (text === END_OF_RUN) {
      await call('POST', `invocation/${id}/response`, 'null', leftHeader(lateWork?.leftTimers()))
      continue
    }
    metrics?.start()
    usage?.start()
    const event = JSON.parse(text)
    const records = recordIdsOf(event)
    if (concurrency === 1) running = id
    let result: 'response' | 'error' = 'response'
    let payload: string
    try {
      const context = contextOf(id, headers)
      const invoke = () => (handler.length >= 3 ? runWithCallback(handler, event, context) : handler(event, context))
      payload = JSON.stringify(await (lateWork ? lateWork.run(invoke) : invoke())) ?? 'null'
      lateWork?.responded() // before the calls below, in which work could end that the handler has not awaited
    } catch (error) {
      result = 'error'
      payload = describe(error)
    }
    const used = usage ? { [USAGE_HEADER]: JSON.stringify(usage.take()) } : {}
    running = undefined
    await progress
    const recordErrors = takeRecordErrors(records)
    if (recordErrors) await call('POST', `invocation/${id}/record-errors`, JSON.stringify(recordErrors))
    await call('POST', `invocation/${id}/${result}`, payload, used)
    // After the response, so that it does not make the invocation longer.
    if (metrics) await call('POST', 'metrics', JSON.stringify(metrics.take()))
    // Lambda's timeout also limits how long the next event waits for this process.
    if (result === 'response') await lateWork?.hold((deadlineOf(headers) - Date.now()) / 2)
  }
}

// If the event loop is empty, the promise of a handler can never settle. Node itself uses exit code 13 for this.
process.on('beforeExit', () => (onEmptyLoop ? onEmptyLoop() : process.exit(13)))

const root = modes.find((mode) => mode.startsWith('root='))?.slice('root='.length)
loadHandler(file, exportName, modes.includes('callbacks'), root).then(
  // The Runtime API is unreachable only if the command has ended. Nobody can receive an error then.
  (handler) => Promise.all(Array.from({ length: concurrency }, () => serve(handler))).catch(() => process.exit(1)),
  (error) => call('POST', 'init/error', describe(error)).finally(() => process.exit(1)),
)
