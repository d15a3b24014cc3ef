import { isBlockedOrNotStarted, memoizeOne } from '../errors.ts'
import { isObject } from '../shared/describe.ts'

const MAX_GROUPS = 10
const MAX_IDS = 3
const MAX_CAUSES = 3
/** How many characters of a text are shown. */
const MAX_TEXT = 400
const MAX_NAME = 80
/** How many characters of messages are compared, at 20 more for each. In the worst case, this takes 10 ms of CPU. */
const MAX_COMPARED = 300_000
const COST_OF_MESSAGE = 20
/** How many different messages are kept. A larger map takes longer than comparing its messages again. */
const MAX_KNOWN = 100
/** With more groups, no messages are compared: groups of the same kind become one in any case. */
const MAX_COMPARED_GROUPS = 500
/**
 * How many characters of long messages are read. V8 copies a text that was made of others, and keeps the
 * copy, if a part of it is read: 1,000 messages of 1 MB ended the process.
 */
const MAX_READ = 1_000_000

/** A failed record, as the log sees it. */
export interface LoggedFailure {
  readonly id: string
  readonly error: unknown
  readonly receiveCount: number
}

/** What is shown of an error or of a cause. */
export interface ErrorText {
  name: string
  message: string
  /** Of the operating system, a database or a service. */
  code: string | number | undefined
  /** The HTTP status. */
  status: number | undefined
}

/** Records that failed with equal errors. */
export interface ErrorGroup {
  count: number
  /** The ids of up to three of them. */
  ids: readonly string[]
  /** The highest receive count of these records. */
  receiveCount: number
  /** How many different texts their errors and causes have. More than 1 only if there were more than ten groups. */
  texts: number
  /** The first error, then at most three causes. */
  readonly errors: readonly unknown[]
  /** What is shown of each. */
  readonly shown: readonly ErrorText[]
  /** The same for groups that become one if there are more than ten. */
  readonly kind: string
}

/**
 * Groups the errors of a batch, the largest group first. Errors are of one group if name, code, HTTP status,
 * message and causes are equal, apart from numbers, UUIDs and hexadecimal texts. If there are more than ten
 * groups, or too many different messages to compare, groups of the same name, code and status become one if
 * those of their causes are equal. Of an error whose message is too long to read, only name, code and status
 * count.
 *
 * Omits blocked records and those that were not started: they have no error of their own.
 *
 * @returns at most ten groups, and how many groups and records are not among them
 */
export function groupErrors(failures: readonly LoggedFailure[]) {
  const reader: Reader = { groups: new Map(), known: new Map(), left: MAX_COMPARED, read: MAX_READ }
  const groupOf = memoizeOne((error) => (isBlockedOrNotStarted(error) ? undefined : findGroup(error, reader)))
  // V8 would compile a loop while it runs, which takes 10 ms of CPU.
  failures.forEach(({ id, error, receiveCount }) => {
    const group = groupOf(error)
    if (group) add(group, 1, [id], receiveCount)
  })
  if (reader.left >= 0 && reader.groups.size > MAX_GROUPS) mergeKinds(reader)
  const groups = [...reader.groups.values()]
  const omitted = groups.sort((a, b) => b.count - a.count).splice(MAX_GROUPS)
  return {
    groups,
    /** If not, there are more different texts than the groups have. */
    areAllCompared: reader.left >= 0,
    omittedGroups: omitted.length,
    omittedRecords: omitted.reduce((sum, { count }) => sum + count, 0),
  }
}

interface Reader {
  /** By what equal errors have in common; by kind when no more messages are compared. */
  groups: Map<string, ErrorGroup>
  /** What messages have in common with equal ones. */
  readonly known: Map<string, string>
  /** How many characters may still be compared. Below 0: none. */
  left: number
  /** The same for the characters of long messages that may be read. */
  read: number
}

/** Reads the status in a message. Returns what it has in common with equal messages; nothing if it is not compared. */
function compare(text: ErrorText, reader: Reader): string {
  if (text.message.length > MAX_TEXT) reader.read -= text.message.length
  if (reader.read < 0) reader.left = -1
  else text.status ??= statusIn(text.message)
  if (reader.left < 0) return ''
  const message = cut(text.message)
  let common = reader.known.get(message)
  if (common === undefined) {
    reader.left -= COST_OF_MESSAGE + message.length
    common = toCommon(message)
    if (reader.known.size < MAX_KNOWN) reader.known.set(message, common)
  }
  return common
}

function findGroup(error: unknown, reader: Reader): ErrorGroup {
  const wereCompared = reader.left >= 0
  if (reader.groups.size > MAX_COMPARED_GROUPS) reader.left = -1
  const errors = [error]
  const shown = [readError(error, errors)]
  // `readError()` adds the causes.
  for (let index = 1; index < errors.length; index++) shown.push(readError(errors[index], errors))
  let kind = ''
  let messages = ''
  for (const text of shown) {
    messages += `\n${compare(text, reader)}`
    kind += `\n${text.name}\n${text.code}\n${text.status}`
  }
  if (wereCompared && reader.left < 0) mergeKinds(reader)
  const key = reader.left < 0 ? kind : kind + messages
  let group = reader.groups.get(key)
  if (!group) {
    group = { errors, shown, kind, count: 0, ids: [], receiveCount: 0, texts: reader.left < 0 ? 0 : 1 }
    reader.groups.set(key, group)
  }
  return group
}

function add(group: ErrorGroup, count: number, ids: readonly string[], receiveCount: number): void {
  group.count += count
  // push() would reserve the memory of 16 more ids for each group.
  if (group.ids.length < MAX_IDS) group.ids = group.ids.concat(ids).slice(0, MAX_IDS)
  group.receiveCount = Math.max(group.receiveCount, receiveCount)
}

function mergeKinds(reader: Reader): void {
  const kinds = new Map<string, ErrorGroup>()
  for (const group of reader.groups.values()) {
    const known = kinds.get(group.kind)
    if (known) {
      add(known, group.count, group.ids, group.receiveCount)
      known.texts += group.texts
    } else kinds.set(group.kind, group)
  }
  reader.groups = kinds
}

/**
 * Reads an error, which can throw when it is read. One function without closures: it is called for each
 * failed record, by code that V8 has not compiled yet.
 *
 * @param found receives up to three causes: what the properties `cause` and `errors` contain
 */
export function readError(error: unknown, found: unknown[] = []): ErrorText {
  const read: ErrorText = { name: `thrown ${typeof error}`, message: '', code: undefined, status: undefined }
  try {
    if (!isObject(error)) {
      read.message = String(error)
      return read
    }
    // biome-ignore lint/suspicious/noExplicitAny: it can have any properties
    const { name, message, code, status, statusCode, $metadata, cause, errors } = error as any
    read.name = typeof name === 'string' && name !== '' ? name.slice(0, MAX_NAME) : 'an object'
    if (typeof message === 'string') read.message = message
    if (isCode(code)) read.code = code
    if (isStatus(status)) read.status = status
    else if (isStatus(statusCode)) read.status = statusCode
    else if (isStatus($metadata?.httpStatusCode)) read.status = $metadata.httpStatusCode
    if (cause !== undefined) addCause(found, cause)
    if (Array.isArray(errors)) for (const inner of errors.slice(0, MAX_CAUSES)) addCause(found, inner)
  } catch {
    read.name = 'an error that throws when it is read'
  }
  return read
}

function addCause(found: unknown[], cause: unknown): void {
  if (cause !== undefined && cause !== null && found.length <= MAX_CAUSES && !found.includes(cause))
    found.push(cause)
}

/** Like `ECONNREFUSED`, `23505` or 11000. Not `ERR_…`: most of these only repeat the name or the message. */
function isCode(code: unknown): code is string | number {
  return (
    Number.isSafeInteger(code) || (typeof code === 'string' && /^(?!ERR_)[A-Z0-9][A-Z0-9_]{1,40}$/.test(code))
  )
}

function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 100 && (status as number) <= 599
}

/** How many characters of a message are searched for a status. */
const MAX_STATUS = 200
const STATUS =
  /\b(?:HTTP(?:\/[\d.]{1,3})?|status(?:[ _]?code)?|returned|responded(?: with)?|response)\W{1,3}([45]\d\d)\b/i

/** The status of a failed request that the message mentions, such as `returned 503`. */
function statusIn(message: string): number | undefined {
  const status = STATUS.exec(message.slice(0, MAX_STATUS))?.[1]
  return status === undefined ? undefined : Number(status)
}

/**
 * UUIDs, hexadecimal texts and numbers. Each part begins at a word or at a number, and none can match the
 * same characters in two ways. So the time grows with the length of the text, whatever it is.
 */
const VARIABLE = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8,}\b|\d+(?:[.,]\d+)*/gi

/** What a message has in common with equal ones. Cut last, so that the length of a number does not move the end. */
export const toCommon = (message: string): string => cut(message).replace(VARIABLE, '#').slice(0, MAX_TEXT)

/** The part of a text that is read. A huge text must not take long. */
function cut(text: string): string {
  return text.length > 2 * MAX_TEXT ? text.slice(0, 2 * MAX_TEXT) : text
}

/** The beginning of a text in one line. */
export function shorten(text: string): string {
  const line = cut(text).replace(/\s+/g, ' ')
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1)}…` : line
}

/** Name, message, code and status in one line. Code and status are omitted if they are a word of the message. */
export function lineOf({ name, message, code, status }: ErrorText): string {
  const text = shorten(message)
  const words: readonly string[] = text.match(/\w+/g) ?? []
  const has = (value: string | number | undefined) => value === undefined || words.includes(String(value))
  const details = join(', ', [!has(code) && `code ${code}`, !has(status) && `status ${status}`])
  return join(' ', [join(': ', [shorten(name), text]), details && `(${details})`])
}

export function join(separator: string, parts: readonly (string | number | false | undefined)[]): string {
  return parts.filter(Boolean).join(separator)
}
