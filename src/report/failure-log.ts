import { isBlockedOrNotStarted, memoizeOne } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import { isObject } from '../shared/describe.ts'
import type { Batch } from '../sqs-event.ts'
import type { BatchSummary, FailureLogger } from '../types.ts'

const PREFIX = 'middy-bounded-sqs-batch:'
const MAX_GROUPS = 10
const MAX_IDS = 3
const MAX_FRAMES = 10
const MAX_TEXT = 200

type Logger = FailureLogger | false | undefined

/**
 * Writes one log entry for a batch, or calls the `logger` once for each failed record. The entry has message ids, and
 * the names, messages and stacks of errors. It adds no bodies, attributes or receipt handles, but the message of a
 * handler's error can quote a body. An error of the logger or of the console does not change the response.
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
  else writeEntry(summary(), groupsOf(batch, failures))
}

/** Logs what the failure of the invocation costs. The error itself is logged by Lambda. */
export function logRedelivery(logger: Logger, records: number, succeeded: number): void {
  if (logger === false || succeeded === 0) return
  const [all, done] = [records, succeeded].map((count) => count.toLocaleString('en'))
  write(`${PREFIX} the invocation failed: SQS redelivers all ${all} messages, of which ${done} had succeeded`)
}

/** Logs an error of a failure handler or of `onSummary`, or what a failure handler passes to `log()`. */
export function logCallback(logger: Logger, option: 'onFailure' | 'onSummary', error: unknown): void {
  if (logger !== false) write(`${PREFIX} ${option}: ${textWithStack(error, '  ')}`)
}

function callLogger(logger: FailureLogger, batch: Batch, failures: readonly Failure[]): void {
  let isWritten = false
  function writeOnce(error: unknown): void {
    if (!isWritten) write(`${PREFIX} the logger failed: ${textWithStack(error, '  ')}`)
    isWritten = true
  }
  for (const { index, reason } of failures) {
    try {
      const returned: unknown = logger(reason, batch.records[index] as never)
      // The rejection of an async logger would end the process.
      if (isObject(returned)) Promise.resolve(returned).catch(writeOnce)
    } catch (error) {
      writeOnce(error)
    }
  }
}

function write(entry: unknown): void {
  try {
    console.error(entry)
  } catch {} // a console that throws must not change the response
}

/**
 * Writes text. If Lambda's log format is JSON, writes an object, which Lambda puts into the `message` field of the log
 * line.
 */
function writeEntry(summary: BatchSummary, groups: readonly Group[]): void {
  const shown = groups.slice(0, MAX_GROUPS)
  const omittedGroups = groups.length - shown.length
  if (process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON') {
    const errors = shown.map(({ text, count, ids, first }) => ({ error: text, count, ids, stack: framesOf(first) }))
    write({ message: `${PREFIX} ${headline(summary)}`, ...summary, errors, omittedGroups })
    return
  }
  const lines = [`${PREFIX} ${headline(summary)}; ${measuresIn(summary)}`]
  for (const { text, first, ids, count } of shown) {
    const more = count > ids.length ? ', …' : ''
    lines.push(`  ${count} × ${text} [${ids.join(', ')}${more}]`)
    lines.push(...framesOf(first).map((frame) => `    ${frame}`))
  }
  if (omittedGroups > 0) lines.push(`  groups of errors omitted: ${omittedGroups}`)
  write(lines.join('\n'))
}

function headline({ records, succeeded, timedOut, aborted, blocked, notStarted, handled }: BatchSummary): string {
  const counts = {
    'timed out': timedOut,
    aborted,
    blocked,
    'not started': notStarted,
    'handled by onFailure': handled,
  }
  const details = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? `${count} ${what}` : []))
  const among = details.length > 0 ? ` (${details.join(', ')})` : ''
  return `${records - succeeded} of ${records} records failed${among}`
}

function measuresIn({ durations, peakInFlight, timeLeft }: BatchSummary): string {
  const ms = (value: number) => `${Math.round(value)} ms`
  const parts = []
  if (durations) {
    parts.push(`handler durations: p50 ${ms(durations.p50)}, p95 ${ms(durations.p95)}, max ${ms(durations.max)}`)
  }
  parts.push(`peak in flight: ${peakInFlight}`)
  if (timeLeft !== undefined) parts.push(`time left: ${ms(timeLeft)}`)
  return parts.join('; ')
}

/** Errors whose names and messages are equal, apart from numbers and UUIDs. */
interface Group {
  readonly text: string
  readonly first: unknown
  readonly ids: string[]
  count: number
}

/** The most frequent errors first. */
function groupsOf(batch: Batch, failures: readonly Failure[]): Group[] {
  const groups = new Map<string, Group>()
  const groupOfError = memoizeOne((error) => groupOf(error, groups))
  for (const { index, reason } of failures) {
    const group = groupOfError(reason)
    if (group && ++group.count <= MAX_IDS) group.ids.push(oneLine(batch.ids[index] as string))
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

/** `undefined` for a record that was blocked or not started: it has no error of its own. */
function groupOf(error: unknown, groups: Map<string, Group>): Group | undefined {
  if (isBlockedOrNotStarted(error)) return undefined
  const { groupKey, text } = readErrorText(error)
  let group = groups.get(groupKey)
  if (!group) {
    group = { text, first: error, ids: [], count: 0 }
    groups.set(groupKey, group)
  }
  return group
}

function textWithStack(error: unknown, indent: string): string {
  return [readErrorText(error).text, ...framesOf(error).map((frame) => indent + frame)].join('\n')
}

interface ErrorText {
  /** Equal for the errors of one group: name and message, with `#` for each number and UUID. */
  readonly groupKey: string
  readonly text: string
}

/** Reads whatever was thrown. Its properties may throw, be huge, or have several lines. */
function readErrorText(error: unknown): ErrorText {
  try {
    if (!isObject(error)) return toErrorText(`thrown ${typeof error}`, String(error))
    const { name } = error as { name?: unknown }
    const [message, code] = [messageOf(error), codeOf(error)]
    const text = code === undefined || message.includes(code) ? message : `${message} (${code})`.trim()
    return toErrorText(typeof name === 'string' && name !== '' ? name : 'an object', text)
  } catch {
    return toErrorText('an error that throws when it is read', '')
  }
}

function messageOf(error: object): string {
  const { message } = error as { message?: unknown }
  return typeof message === 'string' ? message : ''
}

/**
 * The code of the error, of its cause or of its first inner error. The error of a failed `fetch()` has no code:
 * its cause has it.
 */
function codeOf(error: object): string | undefined {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown }
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  return [error, cause, first].map((source) => (source as { code?: unknown } | undefined | null)?.code).find(isCode)
}

/** Like `ECONNREFUSED`. Not a code that begins with `ERR_`: most of them only repeat the name or the message. */
function isCode(code: unknown): code is string {
  return typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9_]{1,40}$/.test(code)
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
const NUMBER = /\d+([.,]\d+)*/g

function toErrorText(name: string, message: string): ErrorText {
  const text = message === '' ? oneLine(name) : `${oneLine(name)}: ${oneLine(message)}`
  // The first cut only limits the work. Numbers and UUIDs are replaced before the final cut to `MAX_TEXT`. Otherwise,
  // the length of a number would move the cut, or half a UUID would remain, and each would make a separate group.
  const key = `${name}: ${message}`
    .slice(0, 4 * MAX_TEXT)
    .replace(UUID, '#')
    .replace(NUMBER, '#')
  return { groupKey: key.slice(0, MAX_TEXT), text }
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
  try {
    const { stack } = error as { stack?: unknown }
    if (typeof stack !== 'string') return []
    const message = messageOf(error as object)
    const start = stack.indexOf(message)
    const rest = start < 0 ? stack : stack.slice(start + message.length)
    const lines = rest.split('\n', 100).filter((line) => /^\s+at /.test(line) && !OTHER_FRAMES.test(line))
    return lines.slice(0, MAX_FRAMES).map((line) => oneLine(line.trim()))
  } catch {
    return []
  }
}

function oneLine(text: string): string {
  const line = text.slice(0, 4 * MAX_TEXT).replace(/\s+/g, ' ')
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1)}…` : line
}
