import { isObject, kindOf } from '../shared/describe.ts'
import { safely } from '../shared/safely.ts'

const MAX_REASONS = 3
/** Characters. */
const MAX_REASON_LENGTH = 300

/** Why calls for records failed, and for how many records each reason applies. */
export type Reasons = Map<string, number>

export function addReason(reasons: Reasons, reason: string, count = 1): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + count)
}

function countReasons(reasons: Reasons): number {
  return [...reasons.values()].reduce((sum, count) => sum + count, 0)
}

/** The most frequent reasons, such as `12 × InternalError: try again; 1 × …`. */
export function listReasons(reasons: Reasons): string {
  const sorted = [...reasons].sort(([, a], [, b]) => b - a)
  const listed = sorted.slice(0, MAX_REASONS).map(([reason, count]) => `${count} × ${reason}`)
  if (sorted.length > MAX_REASONS) listed.push(`other reasons: ${sorted.length - MAX_REASONS}`)
  return listed.join('; ')
}

/** An error for the log. It has no stack frames, because they would only show the line of this package that made it. */
export function errorWithoutStack(text: string): Error {
  const error = new Error(text)
  error.stack = `Error: ${text}`
  return error
}

/** Logs for how many records there is a reason, and the most frequent reasons. Logs nothing if there is none. */
export function logReasons(
  log: (error: Error) => void,
  reasons: Reasons,
  textOf: (count: number) => string,
): void {
  if (reasons.size > 0) log(errorWithoutStack(`${textOf(countReasons(reasons))}: ${listReasons(reasons)}`))
}

/** The error for what a function of the user returned. It shows no text, which may be a message body. */
export function wrongResult(expected: string, returned: unknown): TypeError {
  Promise.resolve(returned).catch(() => {}) // if it is a promise, its rejection would end the process
  return new TypeError(
    `expected ${expected}, got ${typeof returned === 'number' ? returned : kindOf(returned)}`,
  )
}

/** Name and message of an error in one line. */
export function reasonOf(error: unknown): string {
  return toReason(...readError(error))
}

/**
 * Reads the name and the message of a thrown value, or its code if it has no message. The value can be
 * anything, even a proxy that throws when it is read.
 */
export function readError(error: unknown): [name: string, message: string] {
  const read = safely((): [string, string] => {
    if (!isObject(error)) return [typeof error, String(error)]
    const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
    const text = [message, code].find((value) => typeof value === 'string' && value !== '') ?? ''
    return [typeof name === 'string' && name !== '' ? name : 'object', text as string]
  })
  return read ?? ['an error that throws when it is read', '']
}

/**
 * Makes one line of a name and a message. SQS can quote a value of the request in its message, for example a
 * receipt handle: that value is replaced with `…`.
 */
export function toReason(name = 'an error without a code', message = ''): string {
  const full = `${name}${message === '' ? '' : `: ${message}`}`
  const start = full.indexOf('Value ')
  const end = full.lastIndexOf(' for parameter')
  const quotesValue = start >= 0 && end > start
  const text = quotesValue ? `${full.slice(0, start)}Value …${full.slice(end)}` : full
  const line = text.replace(/\s+/g, ' ')
  return line.length > MAX_REASON_LENGTH ? `${line.slice(0, MAX_REASON_LENGTH - 1)}…` : line
}
