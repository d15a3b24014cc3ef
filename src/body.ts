import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isObject, kindOf } from './describe.ts'
import { type BodyIssue, InvalidBodyError } from './errors.ts'

/** How to parse a body: as JSON, or as JSON that a Standard Schema (Zod, Valibot, ArkType) then validates. */
export type BodyOption = 'json' | StandardSchemaV1

/**
 * Makes a parser of bodies. Rule 13: what it throws quotes nothing of the body, so V8's own JSON errors, which do, are
 * not passed on, and what a schema's messages quote is taken out.
 *
 * @returns a function that returns the parsed body, or a promise of it where the schema is asynchronous, and throws or
 * rejects with an {@link InvalidBodyError}
 */
export function bodyParser(option: BodyOption): (body: unknown) => unknown {
  if (option === 'json') return parseJson
  const validate = option['~standard'].validate
  return (body) => {
    const parsed = parseJson(body)
    const result = attempt(() => validate(parsed))
    if (!isPromiseLike(result)) return outputOf(result, parsed)
    return Promise.resolve(result).then(
      (settled) => outputOf(settled, parsed),
      (error) => outputOf(thrown(error), parsed),
    )
  }
}

function parseJson(body: unknown): unknown {
  if (typeof body !== 'string') throw new InvalidBodyError(`Expected a body of JSON text, got ${kindOf(body)}`)
  try {
    return JSON.parse(body)
  } catch {
    throw new InvalidBodyError('The body is not valid JSON')
  }
}

type Result = StandardSchemaV1.Result<unknown>

function attempt<T>(validate: () => T): T | Result {
  try {
    return validate()
  } catch (error) {
    return thrown(error)
  }
}

function thrown(error: unknown): Result {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { issues: [{ message: `The schema threw ${said}` }] }
}

function isPromiseLike(value: unknown): value is PromiseLike<Result> {
  return isObject(value) && typeof (value as { then?: unknown }).then === 'function'
}

function outputOf(result: Result, parsed: unknown): unknown {
  if (!result.issues) return result.value
  const quotable = partsOf(parsed)
  const issues = result.issues.map(({ message, path = [] }): BodyIssue => {
    const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment))
    return { message: withoutQuotes(message, quotable), path: keys }
  })
  throw new InvalidBodyError(`The body does not match the schema: ${summaryOf(issues)}`, issues)
}

const MOST_ISSUES = 3

function summaryOf(issues: readonly BodyIssue[]): string {
  const told = issues.slice(0, MOST_ISSUES).map(({ message, path }) => {
    return path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message
  })
  if (issues.length > MOST_ISSUES) told.push(`and ${issues.length - MOST_ISSUES} more`)
  return told.join('; ')
}

/** What a message could quote from a body: the words of its texts and numbers, and its property names. */
interface Parts {
  readonly words: ReadonlySet<string>
  readonly keys: ReadonlySet<string>
}

const WORD = /[\p{L}\p{N}]+/gu
const QUOTED = /(["'`])(.*?)\1/g

/** Goes through a parsed body without recursion: a body may be nested deeper than the stack. */
function partsOf(parsed: unknown): Parts {
  const words = new Set<string>()
  const keys = new Set<string>()
  const open: unknown[] = [parsed]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (!Array.isArray(value)) keys.add(key)
        open.push(inner)
      }
    } else if (typeof value === 'string' || typeof value === 'number') {
      for (const [word] of String(value).toLowerCase().matchAll(WORD)) words.add(word)
    }
  }
  return { words, keys }
}

/**
 * Valibot and ArkType quote the value in their messages, Zod the names of properties that it does not know. A word that
 * a message and the body have in common by chance is lost from the message; that is the better of the two mistakes.
 */
function withoutQuotes(message: string, { words, keys }: Parts): string {
  return message
    .replace(QUOTED, (quoted, mark, text) => (keys.has(text) ? `${mark}…${mark}` : quoted))
    .replace(WORD, (word) => (words.has(word.toLowerCase()) ? '…' : word))
}
