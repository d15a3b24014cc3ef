import { isBlockedOrNotStarted, memoizeOne } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import { isObject } from '../shared/describe.ts'
import { safely } from '../shared/safely.ts'
import type { Batch } from '../sqs-event.ts'
import type { BatchSummary, FailureLogger } from '../types.ts'
import { promiseTry } from './time-limit.ts'

const PREFIX = 'middy-bounded-sqs-batch:'
const MAX_GROUPS = 10
const MAX_IDS = 3
const MAX_FRAMES = 10
const MAX_TEXT = 400
/** How much of a text is read, so that a huge one does not take long. */
const MAX_READ = 800

type Logger = FailureLogger | false | undefined

/**
 * Writes one log entry for a batch, or calls the `logger` once for each failed record. The entry has message ids, and
 * the names, messages and stacks of errors. It adds no bodies, attributes or receipt handles, but the message of a
 * handler's error can quote a body.
 *
 * @param summary makes the summary. It is called only if an entry is written
 */
export function logFailures(
  logger: Logger,
  batch: Batch,
  failures: readonly Failure[],
  summary: () => BatchSummary,
): void {
  if (failures.length === 0 || logger === false) return
  if (logger) callLogger(logger, batch, failures)
  else write(() => entryOf(summary(), groupsOf(batch, failures)))
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
  write(() => [`${PREFIX} ${source}: ${shorten(textOf(error))}`, ...framesOf(error)].join('\n  '))
}

function callLogger(logger: FailureLogger, batch: Batch, failures: readonly Failure[]): void {
  let isWritten = false
  function writeOnce(error: unknown): void {
    if (!isWritten) logCallback(logger, 'the logger failed', error)
    isWritten = true
  }
  // The rejection of an async logger would end the process.
  for (const { index, reason } of failures) promiseTry(logger, reason, batch.records[index] as never).catch(writeOnce)
}

/** An error while the entry is made, or of the console, must not change the response. */
function write(makeEntry: () => unknown): void {
  safely(() => console.error(makeEntry()))
}

/** A text, or an object if Lambda's log format is JSON. Lambda puts the object into the `message` field of the log line. */
function entryOf(summary: BatchSummary, groups: readonly Group[]): unknown {
  const errors = groups.slice(0, MAX_GROUPS).map(({ first, ...group }) => ({ ...group, stack: framesOf(first) }))
  const message = `${PREFIX} ${headline(summary)}`
  const omittedGroups = groups.length - errors.length
  if (process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON') return { message, ...summary, errors, omittedGroups }
  const lines = [`${message}; ${measuresIn(summary)}`]
  for (const { error, count, ids, stack } of errors) {
    const more = count > ids.length ? ', …' : ''
    lines.push([`  ${count} × ${error} [${ids.join(', ')}${more}]`, ...stack].join('\n    '))
  }
  if (omittedGroups > 0) lines.push(`  groups of errors omitted: ${omittedGroups}`)
  return lines.join('\n')
}

function headline({ records, succeeded, timedOut, aborted, blocked, notStarted, handled }: BatchSummary): string {
  const details = join(', ', [
    timedOut && `${timedOut} timed out`,
    aborted && `${aborted} aborted`,
    blocked && `${blocked} blocked`,
    notStarted && `${notStarted} not started`,
    handled && `${handled} handled by onFailure`,
  ])
  return `${records - succeeded} of ${records} records failed${details && ` (${details})`}`
}

function measuresIn({ durations, peakInFlight, timeLeft }: BatchSummary): string {
  const ms = (value: number) => `${Math.round(value)} ms`
  return join('; ', [
    durations && `handler durations: p50 ${ms(durations.p50)}, p95 ${ms(durations.p95)}, max ${ms(durations.max)}`,
    `peak in flight: ${peakInFlight}`,
    timeLeft !== undefined && `time left: ${ms(timeLeft)}`,
  ])
}

function join(separator: string, parts: readonly (string | number | false | undefined)[]): string {
  return parts.filter(Boolean).join(separator)
}

/** Errors whose texts are equal, apart from numbers and UUIDs. */
interface Group {
  /** The text of the first error. */
  readonly error: string
  count: number
  readonly ids: string[]
  readonly first: unknown
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
const NUMBER = /\d+([.,]\d+)*/g

/** The most frequent errors first. */
function groupsOf(batch: Batch, failures: readonly Failure[]): Group[] {
  const groups = new Map<string, Group>()
  const groupOf = memoizeOne((error) => {
    if (isBlockedOrNotStarted(error)) return undefined // such a record has no error of its own
    const text = textOf(error)
    // Numbers and UUIDs are replaced before the text is cut. Otherwise, the length of a number would move the cut, or
    // half a UUID would remain, and each would make a separate group.
    const key = text.replace(UUID, '#').replace(NUMBER, '#').slice(0, MAX_TEXT)
    const group = groups.get(key) ?? { error: shorten(text), count: 0, ids: [], first: error }
    groups.set(key, group)
    return group
  })
  for (const { index, reason } of failures) {
    const group = groupOf(reason)
    if (group && ++group.count <= MAX_IDS) group.ids.push(shorten(batch.ids[index] as string))
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

/**
 * The name, message and code of an error. The code is that of the error, of its cause or of its first inner error. For
 * example, the error of a failed `fetch()` has no code, but its cause has one.
 */
function textOf(error: unknown): string {
  const text = safely(() => {
    if (!isObject(error)) return join(': ', [`thrown ${typeof error}`, String(error)])
    // biome-ignore lint/suspicious/noExplicitAny: it can have any properties
    const { name, code, cause, errors } = error as any
    const message = messageOf(error)
    const foundCode = [code, cause?.code, errors?.[0]?.code].find(isCode)
    const details = join(' ', [message, foundCode && !message.includes(foundCode) && `(${foundCode})`])
    return join(': ', [typeof name === 'string' && name ? name : 'an object', details])
  })
  return (text ?? 'an error that throws when it is read').slice(0, MAX_READ)
}

function messageOf({ message }: { readonly message?: unknown }): string {
  return typeof message === 'string' ? message : ''
}

/** Like `ECONNREFUSED`. Not a code that begins with `ERR_`: most of them only repeat the name or the message. */
function isCode(code: unknown): code is string {
  return typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9_]{1,40}$/.test(code)
}

/**
 * Frames of Node, and of this package and p-queue unless they are bundled. They do not help to find a defect in a
 * handler.
 */
const OTHER_FRAMES = /[( ]node:|\/node_modules\/(middy-bounded-sqs-batch|p-queue)\//

/**
 * The frames of a stack. V8 begins a stack with the whole message, which this function removes. Call it only for
 * errors that are shown. V8 formats a stack when it is first read, which takes longer than all other work for a record.
 */
function framesOf(error: unknown): string[] {
  const lines = safely(() => {
    const { stack } = error as { stack?: unknown }
    return typeof stack === 'string' ? stack.replace(messageOf(error as object), '').split('\n', 100) : []
  })
  const frames = lines?.filter((line) => /^\s+at /.test(line) && !OTHER_FRAMES.test(line)) ?? []
  return frames.slice(0, MAX_FRAMES).map((line) => shorten(line.trim()))
}

function shorten(text: string): string {
  const line = text.slice(0, MAX_READ).replace(/\s+/g, ' ')
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1)}…` : line
}
