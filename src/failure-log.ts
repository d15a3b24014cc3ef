import { isObject } from './describe.ts'
import { isUntried } from './errors.ts'
import type { Batch, BatchSummary, Failure, FailureLogger } from './types.ts'

const PREFIX = 'middy-bounded-sqs-batch:'
const MOST_GROUPS = 10
const MOST_IDS = 3
const MOST_FRAMES = 10
const LONGEST_TEXT = 200

/**
 * Rule 14: one log entry a batch, or one call a failed record. The entry takes no body, attribute or receipt handle from
 * a record, only its message id. Whatever goes wrong in here, the response stands.
 *
 * @param summary is made for the entry alone
 * @param replaced the error that ended the batch, where one did
 */
export function logFailures(
  logger: FailureLogger | false | undefined,
  batch: Batch,
  failures: readonly Failure[],
  summary: () => BatchSummary,
  replaced?: { readonly cause: unknown },
): void {
  if (logger === undefined) {
    if (failures.length > 0 || replaced) writeEntry(summary(), groupsOf(batch, failures), replaced)
  } else {
    if (replaced) logReplacedError(logger, replaced.cause)
    if (logger) callLogger(logger, batch, failures)
  }
}

/** An error that the report of the batch has taken the place of would be seen nowhere else. */
export function logReplacedError(logger: FailureLogger | false | undefined, error: unknown): void {
  if (logger !== false) write(`${PREFIX} a batch is reported in spite of ${tell(error, '  ')}`)
}

/** An error of a failure handler or of `onSummary`, or what a failure handler reports. */
export function logCallback(
  logger: FailureLogger | false | undefined,
  option: 'onFailure' | 'onSummary',
  error: unknown,
): void {
  if (logger !== false) write(`${PREFIX} ${option}: ${tell(error, '  ')}`)
}

function callLogger(logger: FailureLogger, batch: Batch, failures: readonly Failure[]): void {
  let isTold = false
  const tellOnce = (error: unknown) => {
    if (!isTold) write(`${PREFIX} the logger threw ${tell(error, '  ')}`)
    isTold = true
  }
  for (const { index, reason } of failures) {
    try {
      const returned: unknown = logger(reason, batch.records[index] as never)
      // The rejection of an async logger would kill the process.
      if (isObject(returned)) void settleLog(returned).catch(tellOnce)
    } catch (error) {
      tellOnce(error)
    }
  }
}

async function settleLog(returned: object): Promise<void> {
  await returned
}

function write(entry: unknown): void {
  try {
    console.error(entry)
  } catch {} // a console that throws must not change the response
}

/** As text, or where Lambda's own log is JSON as an object, which it makes the `message` of its line. */
function writeEntry(summary: BatchSummary, groups: readonly Group[], replaced?: { readonly cause: unknown }): void {
  const shown = groups.slice(0, MOST_GROUPS)
  const omittedGroups = groups.length - shown.length
  if (process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON') {
    const errors = shown.map(({ text, count, ids, first }) => ({ error: text, count, ids, stack: framesOf(first) }))
    const replacedError = replaced && { error: read(replaced.cause).text, stack: framesOf(replaced.cause) }
    write({ message: `${PREFIX} ${headline(summary)}`, ...summary, errors, omittedGroups, replacedError })
    return
  }
  const lines = [`${PREFIX} ${headline(summary)}; ${measuresIn(summary)}`]
  if (replaced) lines.push(`  reported in spite of ${tell(replaced.cause, '    ')}`)
  for (const { text, first, ids, count } of shown) {
    const more = count > ids.length ? ', …' : ''
    lines.push(`  ${count} × ${text} [${ids.join(', ')}${more}]`)
    lines.push(...framesOf(first).map((frame) => `    ${frame}`))
  }
  if (omittedGroups > 0) lines.push(`  and ${omittedGroups} more kinds of error`)
  write(lines.join('\n'))
}

function headline({ records, succeeded, timedOut, aborted, blocked, notStarted, handled }: BatchSummary): string {
  const counts = {
    'timed out': timedOut,
    aborted,
    blocked,
    'never started': notStarted,
    'handled by onFailure': handled,
  }
  const details = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? `${count} ${what}` : []))
  const among = details.length > 0 ? ` (${details.join(', ')})` : ''
  return `${records - succeeded} of ${records} records failed${among}`
}

function measuresIn({ durations, peakInFlight, timeLeft }: BatchSummary): string {
  const ms = (value: number) => `${Math.round(value)} ms`
  const parts = []
  if (durations) parts.push(`p50 ${ms(durations.p50)}, p95 ${ms(durations.p95)}, max ${ms(durations.max)}`)
  parts.push(`${peakInFlight} in flight at most`)
  if (timeLeft !== undefined) parts.push(`${ms(timeLeft)} left`)
  return parts.join('; ')
}

interface Group {
  readonly text: string
  readonly first: unknown
  readonly ids: string[]
  count: number
}

/** Errors by name and message, the most frequent kind first. */
function groupsOf(batch: Batch, failures: readonly Failure[]): Group[] {
  const groups = new Map<string, Group>()
  for (const { index, reason } of failures) {
    if (isUntried(reason)) continue // these have no error of their own to tell
    const { kind, text } = read(reason)
    const id = oneLine(batch.ids[index] as string)
    const group = groups.get(kind)
    if (!group) groups.set(kind, { text, first: reason, ids: [id], count: 1 })
    else if (++group.count <= MOST_IDS) group.ids.push(id)
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

function tell(error: unknown, indent: string): string {
  return [read(error).text, ...framesOf(error).map((frame) => indent + frame)].join('\n')
}

interface Told {
  /** Name and message without the numbers and UUIDs by which errors of one kind differ. */
  readonly kind: string
  readonly text: string
}

/** Reads whatever was thrown, without trust: its properties may throw, be huge, or span lines. */
function read(error: unknown): Told {
  try {
    if (!isObject(error)) return toldOf(`thrown ${typeof error}`, String(error))
    const { name } = error as { name?: unknown }
    const [message, code] = [messageOf(error), codeOf(error)]
    const text = code === undefined || message.includes(code) ? message : `${message} (${code})`.trim()
    return toldOf(typeof name === 'string' && name !== '' ? name : 'an object', text)
  } catch {
    return toldOf('an error that throws when it is read', '')
  }
}

function messageOf(error: object): string {
  const { message } = error as { message?: unknown }
  return typeof message === 'string' ? message : ''
}

/** The system's or a service's code, the error's own or that of what is behind it: of `fetch failed` it is all there is. */
function codeOf(error: object): string | undefined {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown }
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  return [error, cause, first].map((source) => (source as { code?: unknown } | undefined | null)?.code).find(isCode)
}

/** Not a code that only repeats the name of an error. */
const isCode = (code: unknown): code is string =>
  typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9_]{1,40}$/.test(code)

function toldOf(name: string, message: string): Told {
  const text = message === '' ? oneLine(name) : `${oneLine(name)}: ${oneLine(message)}`
  // Before they are cut: a number or a UUID across the cut would make a group of its own.
  const kind = `${name}: ${message}`
    .slice(0, 4 * LONGEST_TEXT)
    .replace(UUID, '#')
    .replace(NUMBER, '#')
  return { kind: kind.slice(0, LONGEST_TEXT), text }
}
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
const NUMBER = /\d+([.,]\d+)*/g

/** Frames of Node and of this package say nothing about a handler. */
const NOT_THEIRS = /[( ]node:|\/node_modules\/(middy-bounded-sqs-batch|p-queue)\//

/**
 * The frames of a stack alone: V8 begins it with the message, at its full length. For the few errors that are told: the
 * stack is written when it is first read, which costs more than the record did.
 */
function framesOf(error: unknown): string[] {
  try {
    const { stack } = error as { stack?: unknown }
    if (typeof stack !== 'string') return []
    const message = messageOf(error as object)
    const start = stack.indexOf(message)
    const rest = start < 0 ? stack : stack.slice(start + message.length)
    const lines = rest.split('\n', 100).filter((line) => /^\s+at /.test(line) && !NOT_THEIRS.test(line))
    return lines.slice(0, MOST_FRAMES).map((line) => oneLine(line.trim()))
  } catch {
    return []
  }
}

function oneLine(text: string): string {
  const line = text.slice(0, 4 * LONGEST_TEXT).replace(/\s+/g, ' ')
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 1)}…` : line
}
