import type { SQSRecord } from 'aws-lambda'
import { isOwnError } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import { isObject } from '../shared/describe.ts'
import { safely } from '../shared/safely.ts'
import type { Batch } from '../sqs-event.ts'
import type { BatchSummary, FailureLogger } from '../types.ts'
import { type ErrorGroup, groupErrors, join, lineOf, readError, shorten } from './error-groups.ts'
import { type CallbackTime, callInTime } from './time-limit.ts'

const PREFIX = 'middy-bounded-sqs-batch:'
const MAX_FRAMES = 5
/** Milliseconds that the promises of a `logger` have. */
const MAX_LOGGER_TIME = 5_000

type Logger = FailureLogger | false | undefined

/**
 * Writes one log entry for a batch, or calls the `logger` once for each failed record and waits for its
 * promises. The entry has message ids, and the names, messages, codes, causes and stacks of errors. It adds
 * no bodies, attributes or receipt handles, but the message of a handler's error can quote a body.
 *
 * @param summary makes the summary. It is called only if an entry is written
 * @param time makes the time limit. It is called only if there are promises
 */
export async function logFailures(
  logger: Logger,
  batch: Batch,
  failures: readonly Failure[],
  summary: () => BatchSummary,
  time: () => CallbackTime,
): Promise<void> {
  if (logger) await callLogger(logger, batch, failures, time)
  else if (logger !== false) write(() => entryOf(summary(), batch, failures))
}

/** Logs what the failure of the invocation costs. The error itself is logged by Lambda. */
export function logRedelivery(logger: Logger, records: number, succeeded: number): void {
  if (logger === false || succeeded === 0) return
  const counts = `all ${records} messages, of which ${succeeded} had succeeded`
  write(() => `${PREFIX} the invocation failed: SQS redelivers ${counts}`)
}

/**
 * Logs an error of one of the user's functions, or what a failure handler passes to `log()`.
 *
 * @param source the option that has the function, or what went wrong
 */
export function logCallback(logger: Logger, source: string, error: unknown): void {
  if (logger === false) return
  write(() => [`${PREFIX} ${source}: ${lineOf(readError(error))}`, ...framesOf(error)].join('\n  '))
}

/** No function in it refers to the batch: a promise that never settles would keep it in memory. */
async function callLogger(
  logger: FailureLogger,
  batch: Batch,
  failures: readonly Failure[],
  time: () => CallbackTime,
): Promise<void> {
  let isWritten = false
  function writeOnce(error: unknown): void {
    if (!isWritten) logCallback(logger, 'the logger failed', error)
    isWritten = true
  }
  const promises: Promise<unknown>[] = []
  for (const { index, reason } of failures) {
    try {
      const result = logger(reason, batch.records[index] as SQSRecord)
      if (isObject(result)) promises.push(Promise.resolve(result).catch(writeOnce))
    } catch (error) {
      writeOnce(error)
    }
  }
  if (promises.length === 0) return
  await callInTime(() => Promise.all(promises), { ...time(), max: MAX_LOGGER_TIME }, 'the logger', writeOnce)
}

/** An error while the entry is made, or of the console, must not change the response. */
function write(makeEntry: () => unknown): void {
  safely(() => Promise.resolve(console.error(makeEntry())).catch(() => {}))
}

/** A text. If Lambda's log format is JSON, an object, which Lambda puts into the `message` of the log line. */
function entryOf(
  summary: BatchSummary,
  { records, ids, receiveCounts }: Batch,
  failures: readonly Failure[],
): unknown {
  const failed = failures.map(({ index, reason }) => ({
    id: ids[index] as string,
    error: reason,
    receiveCount: receiveCounts[index] as number,
  }))
  const queue = safely(() => (records[0] as { eventSourceARN: string }).eventSourceARN.split(':').at(-1))
  const receiveCount = Math.max(...failed.map((one) => one.receiveCount))
  const { groups, areAllCompared, omittedGroups, omittedRecords } = groupErrors(failed)
  const message = `${PREFIX} ${headline(summary, queue)}; highest receive count: ${receiveCount}`
  const errors = groups.map(toFields)
  if (process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON') {
    // The errors are last, because Logs Insights finds only the first 200 fields of an entry.
    return { message, queue, receiveCount, ...summary, omittedGroups, omittedRecords, errors }
  }
  const lines = [
    `${message}; ${measuresIn(summary)}`,
    ...errors.map((group) => toLines(group, areAllCompared)),
  ]
  if (omittedGroups > 0) lines.push(`  ${omittedRecords} × other errors, in ${omittedGroups} more groups`)
  return lines.join('\n')
}

/** What a query of the log can use. */
function toFields({ errors, shown, kind, ...group }: ErrorGroup) {
  const [error, ...causes] = shown.map((one) => ({
    error: lineOf(one),
    ...one,
    message: shorten(one.message),
  }))
  const [ids, texts] = [group.ids.map(shorten), group.texts || 1]
  return { ...error, ...group, ids, texts, causes, stack: stackOf(errors) }
}

function toLines(group: ReturnType<typeof toFields>, areAllCompared: boolean): string {
  const { error, causes, count, ids, receiveCount, texts, stack } = group
  const least = areAllCompared ? texts : `at least ${texts}`
  const different = (areAllCompared ? texts : count) > 1 ? ` (one of ${least} different texts)` : ''
  const more = count > ids.length ? ', …' : ''
  return [
    `  ${count} × ${error}${different} [${ids.join(', ')}${more}]; highest receive count: ${receiveCount}`,
    ...causes.map((cause) => `caused by ${cause.error}`),
    ...stack,
  ].join('\n    ')
}

function headline(
  { records, succeeded, timedOut, aborted, blocked, notStarted, handled }: BatchSummary,
  queue: string | undefined,
): string {
  const details = join(', ', [
    timedOut && `${timedOut} timed out`,
    aborted && `${aborted} aborted`,
    blocked && `${blocked} blocked`,
    notStarted && `${notStarted} not started`,
    handled && `${handled} handled by onFailure`,
  ])
  const source = queue ? ` of ${queue}` : ''
  return `${records - succeeded} of ${records} records${source} failed${details && ` (${details})`}`
}

function measuresIn({ durations, peakInFlight, timeLeft }: BatchSummary): string {
  const ms = (value: number) => `${Math.round(value)} ms`
  return join('; ', [
    durations &&
      `handler durations: p50 ${ms(durations.p50)}, p95 ${ms(durations.p95)}, max ${ms(durations.max)}`,
    `peak in flight: ${peakInFlight}`,
    timeLeft !== undefined && `time left: ${ms(timeLeft)}`,
  ])
}

/** The first frames of the error, then the first one of its innermost cause. Only stacks that are shown are read. */
function stackOf(errors: readonly unknown[]): string[] {
  const ofCause = errors.length > 1 ? framesOf(errors.at(-1)).slice(0, 1) : []
  const ofError = framesOf(errors[0]).slice(0, MAX_FRAMES - ofCause.length)
  const others = ofCause.filter((frame) => !ofError.includes(frame))
  return [...ofError, ...others.map((frame) => `caused ${frame}`)]
}

/** Frames of Node, of V8's functions and of packages. In a bundle, packages cannot be told from the handler. */
const OTHER_FRAMES = /[( ]node:|\/node_modules\/|\(<anonymous>\)/

/** Functions of this package that call or await a handler: properties, so minification keeps their names. */
const OWN_FRAME = /boundedSqsBatch(Job|Worker)\b/

/**
 * The frames of the handler's own code. V8 begins a stack with the whole message, which this function
 * removes. V8 formats a stack when it is first read, which takes longer than all other work for a record.
 */
function framesOf(error: unknown): string[] {
  if (isOwnError(error)) return [] // its frames are those of this package
  const lines = safely(() => {
    const { stack, message } = error as { readonly stack?: unknown; readonly message?: unknown }
    return typeof stack === 'string'
      ? stack.replace(typeof message === 'string' ? message : '', '').split('\n', 100)
      : []
  })
  const frames = (lines ?? []).filter((line) => /^\s+at /.test(line))
  const end = frames.findIndex((line) => OWN_FRAME.test(line))
  const own = (end < 0 ? frames : frames.slice(0, end)).filter((line) => !OTHER_FRAMES.test(line))
  return own.slice(0, MAX_FRAMES).map((line) => shorten(line.trim()))
}
