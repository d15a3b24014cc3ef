/**
 * Why a record failed. Errors have the same groups as in the log entry of middy-bounded-sqs-batch, see its
 * src/report/error-groups.ts. A test runs the same errors through both.
 */
export interface Cause {
  /** The error and its causes, in one line. */
  text: string
  /** Names, codes and HTTP statuses. */
  kind: string
  /** What the messages of equal errors have in common. */
  common: string
}

const MAX_CAUSES = 3
/** How many characters of a text are shown. */
const MAX_TEXT = 400
const MAX_NAME = 80
/** How many characters of a message are searched for a status. */
const MAX_STATUS = 200
const STATUS =
  /\b(?:HTTP(?:\/[\d.]{1,3})?|status(?:[ _]?code)?|returned|responded(?: with)?|response)\W{1,3}([45]\d\d)\b/i
/** UUIDs, hexadecimal texts and numbers. None of its parts can match the same characters in two ways. */
const VARIABLE = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8,}\b|\d+(?:[.,]\d+)*/gi

const isStatus = (status: unknown) => Number.isInteger(status) && Number(status) >= 100 && Number(status) <= 599

/** Like `ECONNREFUSED`, `23505` or 11000. A code that begins with `ERR_` mostly repeats the message. */
const isCode = (code: unknown) =>
  Number.isSafeInteger(code) || (typeof code === 'string' && /^(?!ERR_)[A-Z0-9][A-Z0-9_]{1,40}$/.test(code))

const statusIn = (message: string) => STATUS.exec(message.slice(0, MAX_STATUS))?.[1]

const cut = (text: string) => text.slice(0, 2 * MAX_TEXT)

function shorten(text: string): string {
  const line = cut(text).replace(/\s+/g, ' ').trim()
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1)}…` : line
}

/** What is shown of an error. Reading its properties may throw. Adds its causes to `found`. */
function readError(error: unknown, found: unknown[]) {
  try {
    if ((typeof error !== 'object' && typeof error !== 'function') || error === null)
      return { name: `thrown ${typeof error}`, message: cut(String(error)) }
    // biome-ignore lint/suspicious/noExplicitAny: it can have any properties
    const { name, message, code, status, statusCode, $metadata, cause, errors } = error as any
    const inner = [cause, ...(Array.isArray(errors) ? errors.slice(0, MAX_CAUSES) : [])]
    for (const one of inner) if (one != null && found.length <= MAX_CAUSES && !found.includes(one)) found.push(one)
    return {
      name: typeof name === 'string' && name !== '' ? name.slice(0, MAX_NAME) : 'an object',
      message: typeof message === 'string' ? cut(message) : '',
      code: isCode(code) ? code : undefined,
      status: [status, statusCode, $metadata?.httpStatusCode].find(isStatus),
    }
  } catch {
    return { name: 'an error that throws when it is read', message: '' }
  }
}

/** Name, message, code and status. Code and status are omitted if the message contains them. */
function lineOf({ name, message, code, status }: ReturnType<typeof readError>): string {
  const text = shorten(message)
  const details = [
    code !== undefined && !text.includes(String(code)) && `code ${code}`,
    status !== undefined && !text.includes(String(status)) && `status ${status}`,
  ].filter(Boolean)
  const line = text === '' ? shorten(name) : `${shorten(name)}: ${text}`
  return details.length === 0 ? line : `${line} (${details.join(', ')})`
}

/** Describes any thrown value. */
export function causeOfError(error: unknown): Cause {
  const errors = [error]
  const cause = { text: '', kind: '', common: '' }
  for (const one of errors) {
    const read = readError(one, errors)
    cause.text += `${cause.text && CAUSED_BY}${lineOf(read)}`
    cause.kind += `${read.name}\n${read.code}\n${read.status ?? statusIn(read.message)}\n`
    cause.common += `${read.message.replace(VARIABLE, '#').slice(0, MAX_TEXT)}\n`
  }
  return cause
}

const CAUSED_BY = '; caused by '

/** The cause that a text describes, such as the text of a cause. */
function causeOfText(text: string): Cause {
  const kinds = text.split(CAUSED_BY).map((line) => {
    const [name] = /^[^:(]*/.exec(line) ?? []
    const [details] = /\((code|status) [^()]*\)$/.exec(line) ?? []
    return `${name}\n${details}\n${statusIn(line)}`
  })
  return { text, kind: kinds.join('\n'), common: text.replace(VARIABLE, '#') }
}

const MAX_GROUPS = 10
/** From this number of different texts on, only kinds are counted. */
const MAX_COMPARED = 1000

/** Equal causes. */
export interface Group extends Cause {
  count: number
  /** How many different messages it has. */
  messages: number
}

function addTo(groups: Map<string, Group>, key: string, added: Group) {
  const known = groups.get(key)
  if (!known) return groups.set(key, { ...added })
  known.count += added.count
  known.messages += added.messages
}

/** Counts causes, or other texts, in groups. */
export class Counter {
  readonly #groups = new Map<string, Group>()

  add(given: Cause | string, count = 1) {
    const cause = typeof given === 'string' ? causeOfText(given) : given
    const { kind, common } = cause
    const key = this.#groups.size < MAX_COMPARED ? `${kind}\n${common}` : kind
    const messages = this.#groups.has(key) ? 0 : 1
    addTo(this.#groups, key, { ...cause, count, messages })
  }

  /** Another counter can add them. */
  groups(): Group[] {
    return [...this.#groups.values()]
  }

  /**
   * At most ten groups, the largest first. If there are more, those of the same kind become one. If there are
   * still more, the last entry counts the rest.
   */
  counts(): Record<string, number> {
    const merged = new Map<string, Group>()
    const isMerged = this.#groups.size > MAX_GROUPS
    for (const [key, group] of this.#groups) addTo(merged, isMerged ? group.kind : key, group)
    const sorted = [...merged.values()].sort((a, b) => b.count - a.count)
    const omitted = sorted.splice(MAX_GROUPS)
    const counts: Record<string, number> = {}
    for (const { text, count, messages } of sorted) {
      const shown = messages > 1 ? `${text} (one of ${messages} different messages)` : text
      counts[shown] = (counts[shown] ?? 0) + count
    }
    const rest = omitted.reduce((sum, { count }) => sum + count, 0)
    if (rest > 0) counts[`others, in ${omitted.length} more groups`] = rest
    return counts
  }
}
