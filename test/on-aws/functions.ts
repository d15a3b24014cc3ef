/** The Lambda functions of the proof. `code.ts` bundles them, and `template.ts` has their settings. */
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import middy, { type MiddlewareObj } from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import {
  type BatchSummary,
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  eachRecord,
  type RecordHandler,
} from '../../src/index.ts'

let notes = 0

/** Writes a line to the log, which the experiments read. Lines of the same millisecond are ordered by their number. */
export function note({ awsRequestId }: Context, fields: object): void {
  notes++
  console.log(JSON.stringify({ note: process.env.NAME, requestId: awsRequestId, order: notes, ...fields }))
}

// Functions that are invoked without a queue, and return what they observe.

export async function flags() {
  const { version, execArgv } = process
  try {
    createRequire(import.meta.url)('./es-module.mjs')
    return { version, execArgv, required: 'loaded' }
  } catch (error) {
    return { version, execArgv, required: (error as NodeJS.ErrnoException).code }
  }
}

export async function descriptors() {
  const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  const open: number[] = []
  let code: string | undefined
  try {
    while (open.length < 10_000) open.push(openSync('/dev/null', 'r'))
  } catch (error) {
    code = (error as NodeJS.ErrnoException).code
  }
  for (const descriptor of open) closeSync(descriptor)
  return { limit: Number(limit), code }
}

/** Computes for three seconds, and returns the CPU time that it got, as a share of one CPU. */
export async function cpuShare() {
  const start = performance.now()
  const before = process.cpuUsage()
  while (performance.now() - start < 3000);
  const { user, system } = process.cpuUsage(before)
  return { share: (user + system) / 1000 / (performance.now() - start) }
}

let ticks = 0
let respondedAt: number | undefined

/** Returns the milliseconds since its last response, and how often a timer of 100 ms has fired since then. */
export async function freeze() {
  const observed = respondedAt === undefined ? {} : { paused: Date.now() - respondedAt, ticks }
  if (respondedAt === undefined) setInterval(() => ticks++, 100)
  ticks = 0
  respondedAt = Date.now()
  return observed
}

// Functions with a queue, without this package.

/** Returns the response that is in the body. MESSAGE_ID stands for the id of the message. */
export async function respond({ Records: [record] }: SQSEvent, context: Context) {
  if (!record) throw new Error('The event has no record')
  const { title, response } = JSON.parse(record.body.replaceAll('MESSAGE_ID', record.messageId))
  note(context, { title })
  return response
}

export async function tooLate(_event: SQSEvent, context: Context) {
  note(context, {})
  await sleep(30_000)
  return { batchItemFailures: [] }
}

/** Sends its message to its own queue again. Ends after 30 rounds, in case Lambda does not stop it. */
export async function loop({ Records: [record] }: SQSEvent, context: Context) {
  const message = JSON.parse(record?.body ?? '')
  note(context, { round: message.round })
  if (message.round === 30) return
  const { SQSClient, SendMessageCommand } = await import('@aws-sdk/client-sqs') // Lambda has it
  const MessageBody = JSON.stringify({ ...message, round: message.round + 1 })
  await new SQSClient().send(new SendMessageCommand({ QueueUrl: process.env.QUEUE_URL, MessageBody }))
}

// Functions with this package.

/** Notes each event before its records start, and the summary of each batch. */
export function withLibrary(
  handler: RecordHandler,
  describe: (event: SQSEvent) => object,
  { onSummary = () => {}, ...options }: BoundedSqsBatchOptions = {},
  earlier: readonly MiddlewareObj<SQSEvent>[] = [],
) {
  function noteSummary(summary: BatchSummary, context: Context) {
    note(context, { summary })
    return onSummary(summary, context)
  }
  return middy()
    .use([{ before: ({ event, context }) => note(context, describe(event)) }, ...earlier])
    .use(boundedSqsBatch({ logger: false, ...options, onSummary: noteSummary }))
    .handler(eachRecord(handler))
}

const bodies = ({ Records }: SQSEvent) => ({ bodies: Records.map(({ body }) => JSON.parse(body)) })

/** Fails the messages that say so. Publishes the number of reported records as a metric, for the alarm. */
export const fails = withLibrary(
  ({ body }) => {
    if (JSON.parse(body).fails) throw new Error('This message always fails')
  },
  bodies,
  { onSummary: publishReported },
)

function publishReported({ reported }: BatchSummary): void {
  const CloudWatchMetrics = [
    { Namespace: 'bounded-sqs-batch-proof', Dimensions: [['FunctionName']], Metrics: [{ Name: 'reported' }] },
  ]
  const metric = {
    _aws: { Timestamp: Date.now(), CloudWatchMetrics },
    FunctionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    reported,
  }
  // Lambda would put the text of console.log() into another object, and CloudWatch would not find the metric.
  process.stdout.write(`${JSON.stringify(metric)}\n`)
}

/** Fails some messages on their first delivery. */
export const failsOnce = withLibrary(({ body }, _context, { receiveCount }) => {
  if (JSON.parse(body).failsOnce && receiveCount === 1) throw new Error('This message fails once')
}, bodies)

const failFirst = withLibrary(
  (_record, _context, { receiveCount }) => {
    if (receiveCount === 1) throw new Error('The first delivery fails')
  },
  ({ Records }) => ({ ids: Records.map(({ messageId }) => messageId) }),
)

/** Fails the first delivery of every message. So if a message is in a batch twice, one fails and the other succeeds. */
export async function failsFirst(event: SQSEvent, context: Context) {
  const response: SQSBatchResponse = await failFirst(event, context)
  note(context, { listed: response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) })
  return response
}

export const fifo = withLibrary(({ body }, context, { receiveCount }) => {
  const { group, number, failsOnce } = JSON.parse(body)
  if (failsOnce && receiveCount === 1) throw new Error('This message fails once')
  note(context, { done: { group, number } })
}, bodies)

export const large = withLibrary(
  () => {},
  (event) => ({ records: event.Records.length, bytes: Buffer.byteLength(JSON.stringify(event)) }),
)

/** A server in this process that accepts connections and never responds. It uses some of the CPU share, too. */
const hangingServer = createServer(() => {})
let hangingUrl: Promise<string> | undefined

async function startServer(): Promise<string> {
  hangingServer.listen(0, '127.0.0.1')
  await once(hangingServer, 'listening')
  return `http://127.0.0.1:${(hangingServer.address() as AddressInfo).port}`
}

export const hangingFetch = withLibrary(
  async (_record, _context, { signal }) => {
    hangingUrl ??= startServer()
    await fetch(await hangingUrl, { signal })
  },
  ({ Records }) => ({ records: Records.length }),
)
