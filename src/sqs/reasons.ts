import { isObject } from '../describe.ts'

const MOST_REASONS = 3
const LONGEST_REASON = 100

/** Why SQS did not do what it was asked to, and for how many records. */
export type Reasons = Map<string, number>

export function addReason(reasons: Reasons, reason: string, count = 1): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + count)
}

export function countReasons(reasons: Reasons): number {
  return [...reasons.values()].reduce((sum, count) => sum + count, 0)
}

/** Like `12 × InternalError: try again; 1 × …`, what comes most often first. */
export function listReasons(reasons: Reasons): string {
  const sorted = [...reasons].sort(([, a], [, b]) => b - a)
  const told = sorted.slice(0, MOST_REASONS).map(([reason, count]) => `${count} × ${reason}`)
  if (sorted.length > MOST_REASONS) told.push(`and ${sorted.length - MOST_REASONS} more kinds`)
  return told.join('; ')
}

/** What the log is told. Without frames: they would say no more than where in here it was told. */
export function notice(text: string): Error {
  const error = new Error(text)
  error.stack = `Error: ${text}`
  return error
}

export function reasonOf(error: unknown): string {
  return toReason(...readError(error))
}

/** Anything may have been thrown, and its properties may throw. Where there is no message, its code says more than nothing. */
export function readError(error: unknown): [name: string, message: string] {
  try {
    if (!isObject(error)) return [typeof error, String(error)]
    const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
    const text = [message, code].find((value) => typeof value === 'string' && value !== '') ?? ''
    return [typeof name === 'string' && name !== '' ? name : 'object', text as string]
  } catch {
    return ['an error that throws when it is read', '']
  }
}

/** One line, without what SQS quotes of a request: it may be a receipt handle. */
export function toReason(name = '', message = ''): string {
  const said = `${name}${message === '' ? '' : `: ${message}`}`
  const start = said.indexOf('Value ')
  const end = said.lastIndexOf(' for parameter')
  const text = start >= 0 && end > start ? `${said.slice(0, start)}Value …${said.slice(end)}` : said
  const line = text.slice(0, 4 * LONGEST_REASON).replace(/\s+/g, ' ')
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line
}
