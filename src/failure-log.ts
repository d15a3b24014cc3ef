import { isObject } from './describe.ts'
import { RecordBlockedError, RecordNotStartedError, RecordTimeoutError } from './errors.ts'
import type { Batch, Failure, FailureLogger } from './types.ts'

const PREFIX = 'middy-bounded-sqs-batch:'
const MOST_GROUPS = 10
const MOST_IDS = 3
const MOST_FRAMES = 10
const LONGEST_TEXT = 200

/**
 * Rule 14: one log entry a batch, or one call a failed record. The entry takes no body, attribute or receipt handle from
 * a record, only its message id. Whatever goes wrong in here, the response stands.
 *
 * @param endedBy the error that ended the batch, where one did
 */
export function logFailures(
  logger: FailureLogger | false | undefined,
  batch: Batch,
  failures: readonly Failure[],
  endedBy?: { readonly error: unknown },
): void {
  if (logger === undefined) {
    if (failures.length > 0 || endedBy) writeLog(summarize(batch, failures, endedBy))
  } else {
    if (endedBy) logReplacedError(logger, endedBy.error)
    if (logger) callLogger(logger, batch, failures)
  }
}

/** An error that the report of the batch has taken the place of would be seen nowhere else. */
export function logReplacedError(logger: FailureLogger | false | undefined, error: unknown): void {
  if (logger !== false) writeLog(`${PREFIX} a batch is reported in spite of ${tell(error, '  ')}`)
}

function callLogger(logger: FailureLogger, batch: Batch, failures: readonly Failure[]): void {
  let isTold = false
  const tellOnce = (error: unknown) => {
    if (!isTold) writeLog(`${PREFIX} the logger threw ${tell(error, '  ')}`)
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

function writeLog(text: string): void {
  try {
    console.error(text)
  } catch {} // a console that throws must not change the response
}

function summarize(batch: Batch, failures: readonly Failure[], endedBy?: { readonly error: unknown }): string {
  const counts = { 'timed out': 0, blocked: 0, 'never started': 0 }
  const groups = new Map<string, { text: string; first: unknown; ids: string[]; count: number }>()
  for (const { index, reason } of failures) {
    const { outcome, kind, text } = read(reason)
    if (outcome) counts[outcome]++
    // The other two have no error of their own to tell.
    if (outcome !== undefined && outcome !== 'timed out') continue
    const id = oneLine(batch.ids[index] as string)
    const group = groups.get(kind)
    if (!group) groups.set(kind, { text, first: reason, ids: [id], count: 1 })
    else if (++group.count <= MOST_IDS) group.ids.push(id)
  }
  const details = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? `${count} ${what}` : []))
  const lines = [
    `${PREFIX} ${failures.length} of ${batch.ids.length} records failed${details.length > 0 ? ` (${details.join(', ')})` : ''}`,
  ]
  if (endedBy) lines.push(`  reported in spite of ${tell(endedBy.error, '    ')}`)
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count)
  for (const { text, first, ids, count } of sorted.slice(0, MOST_GROUPS)) {
    const more = count > ids.length ? ', …' : ''
    lines.push(`  ${count} × ${text} [${ids.join(', ')}${more}]`)
    lines.push(...framesOf(first).map((frame) => `    ${frame}`))
  }
  if (sorted.length > MOST_GROUPS) lines.push(`  and ${sorted.length - MOST_GROUPS} more kinds of error`)
  return lines.join('\n')
}

function tell(error: unknown, indent: string): string {
  return [read(error).text, ...framesOf(error).map((frame) => indent + frame)].join('\n')
}

interface Told {
  readonly outcome?: 'timed out' | 'blocked' | 'never started' | undefined
  /** Name and message without the numbers and UUIDs by which errors of one kind differ. */
  readonly kind: string
  readonly text: string
}

/** Reads whatever was thrown, without trust: its properties may throw, be huge, or span lines. */
function read(error: unknown): Told {
  try {
    const outcome = outcomeOf(error)
    if (!isObject(error)) return toldOf(`thrown ${typeof error}`, String(error))
    const { name } = error as { name?: unknown }
    const title = typeof name === 'string' && name !== '' ? name : 'an object'
    return { outcome, ...toldOf(title, messageOf(error)) }
  } catch {
    return toldOf('an error that throws when it is read', '')
  }
}

function outcomeOf(error: unknown): Told['outcome'] {
  if (error instanceof RecordTimeoutError) return 'timed out'
  if (error instanceof RecordBlockedError) return 'blocked'
  if (error instanceof RecordNotStartedError) return 'never started'
  return undefined
}

function messageOf(error: object): string {
  const { message } = error as { message?: unknown }
  return typeof message === 'string' ? message : ''
}

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
    const lines = rest.split('\n', 100).filter((line) => /^\s+at /.test(line))
    return lines.slice(0, MOST_FRAMES).map((line) => oneLine(line.trim()))
  } catch {
    return []
  }
}

function oneLine(text: string): string {
  const line = text.slice(0, 4 * LONGEST_TEXT).replace(/\s+/g, ' ')
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 1)}…` : line
}
