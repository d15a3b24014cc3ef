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
  if (logger === false) return
  if (logger === undefined) {
    if (failures.length > 0 || endedBy) writeLog(summarize(batch, failures, endedBy))
  } else {
    if (endedBy) logReplacedError(logger, endedBy.error)
    callLogger(logger, batch, failures)
  }
}

/** An error that the report of the batch has taken the place of would be seen nowhere else. */
export function logReplacedError(logger: FailureLogger | false | undefined, error: unknown): void {
  if (logger !== false) writeLog(`${PREFIX} the batch's report is returned in spite of ${tell(error, '  ')}`)
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
      if (isObject(returned)) Promise.resolve(returned).catch(tellOnce)
    } catch (error) {
      tellOnce(error)
    }
  }
}

function writeLog(text: string): void {
  try {
    console.error(text)
  } catch {} // a console that throws must not change the response
}

function summarize(batch: Batch, failures: readonly Failure[], endedBy?: { readonly error: unknown }): string {
  const counts = { 'timed out': 0, blocked: 0, 'never started': 0 }
  const groups = new Map<string, { error: Told; ids: string[]; count: number }>()
  for (const { index, reason } of failures) {
    if (reason instanceof RecordTimeoutError) counts['timed out']++
    // These two have no error of their own to tell.
    if (reason instanceof RecordBlockedError) counts.blocked++
    else if (reason instanceof RecordNotStartedError) counts['never started']++
    else {
      const error = read(reason)
      const group = groups.get(error.kind)
      if (!group) groups.set(error.kind, { error, ids: [batch.ids[index] as string], count: 1 })
      else if (++group.count <= MOST_IDS) group.ids.push(batch.ids[index] as string)
    }
  }
  const details = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? `${count} ${what}` : []))
  const lines = [
    `${PREFIX} ${failures.length} of ${batch.ids.length} records failed${details.length > 0 ? ` (${details.join(', ')})` : ''}`,
  ]
  if (endedBy) lines.push(`  ended by ${tell(endedBy.error, '    ')}`)
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count)
  for (const { error, ids, count } of sorted.slice(0, MOST_GROUPS)) {
    const more = count > ids.length ? ', …' : ''
    lines.push(`  ${count} × ${error.text} [${ids.map((id) => oneLine(id)).join(', ')}${more}]`)
    lines.push(...error.frames.map((frame) => `    ${frame}`))
  }
  if (sorted.length > MOST_GROUPS) lines.push(`  and ${sorted.length - MOST_GROUPS} more kinds of error`)
  return lines.join('\n')
}

interface Told {
  /** Name and message without the numbers and UUIDs by which errors of one kind differ. */
  readonly kind: string
  readonly text: string
  readonly frames: readonly string[]
}

function tell(error: unknown, indent: string): string {
  const { text, frames } = read(error)
  return [text, ...frames.map((frame) => indent + frame)].join('\n')
}

/** Reads whatever was thrown, without trust: its properties may throw, be huge, or span lines. */
function read(error: unknown): Told {
  let name = 'an error that throws when it is read'
  let message = ''
  let frames: string[] = []
  try {
    if (isObject(error)) {
      const given = error as { name?: unknown; message?: unknown; stack?: unknown }
      const text = typeof given.message === 'string' ? given.message : ''
      frames = framesOf(given.stack, text)
      message = oneLine(text)
      name = typeof given.name === 'string' && given.name !== '' ? oneLine(given.name) : 'an object'
    } else {
      message = oneLine(String(error))
      name = `thrown ${typeof error}`
    }
  } catch {}
  const text = message === '' ? name : `${name}: ${message}`
  return { kind: text.replace(UUID, '#').replace(NUMBER, '#'), text, frames }
}
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
const NUMBER = /\d+([.,]\d+)*/g

/** The frames alone: V8 begins a stack with the message, at its full length. */
function framesOf(stack: unknown, message: string): string[] {
  if (typeof stack !== 'string') return []
  const start = stack.indexOf(message)
  const rest = start < 0 ? stack : stack.slice(start + message.length)
  const lines = rest.split('\n', 100).filter((line) => /^\s+at /.test(line))
  return lines.slice(0, MOST_FRAMES).map((line) => oneLine(line.trim()))
}

function oneLine(text: string): string {
  const line = text.slice(0, 4 * LONGEST_TEXT).replace(/\s+/g, ' ')
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 1)}…` : line
}
