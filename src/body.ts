import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isObject, isRecord, kindOf } from './describe.ts'
import { type BodyIssue, InvalidBodyError } from './errors.ts'

/** How to parse a body: as JSON, or as JSON that a Standard Schema (Zod, Valibot, ArkType) then validates. */
type BodyOption = 'json' | StandardSchemaV1

/**
 * Checks the options of `eachRecord()` or `eachChunk()` and makes their parser; none where the body stays as it is.
 *
 * @throws {TypeError} that says what came
 */
export function bodyParserOf(caller: string, options: unknown): BodyParser | undefined {
  if (!isRecord(options)) throw new TypeError(`${caller}(): expected an object of options, got ${kindOf(options)}`)
  for (const key of Object.keys(options)) {
    if (key !== 'body') throw new TypeError(`${caller}(): unknown option ${JSON.stringify(key)}, expected body`)
  }
  const { body } = options as { body?: unknown }
  if (body === undefined) return undefined
  const isSchema = isObject(body) && typeof (body as StandardSchemaV1)['~standard']?.validate === 'function'
  if (body === 'json' || isSchema) return bodyParser(body as BodyOption)
  const came = typeof body === 'string' ? JSON.stringify(body) : kindOf(body)
  throw new TypeError(`${caller}(): expected option body to be 'json' or a Standard Schema, got ${came}`)
}

export type BodyParser = (body: unknown) => unknown

/**
 * Makes a parser of bodies. Rule 13: what it throws quotes nothing of the body, so V8's own JSON errors, which do, are
 * not passed on, and what a schema's messages quote is taken out.
 *
 * @returns a function that returns the parsed body, or a promise of it where the schema is asynchronous, and throws or
 * rejects with an {@link InvalidBodyError}
 */
function bodyParser(option: BodyOption): BodyParser {
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
  let said = kindOf(error)
  try {
    if (error instanceof Error) said = `${error.name}: ${error.message}`
  } catch {} // an error that throws when it is read
  return { issues: [{ message: `The schema threw ${said}` }] }
}

function isPromiseLike(value: unknown): value is PromiseLike<Result> {
  return isObject(value) && typeof (value as { then?: unknown }).then === 'function'
}

function outputOf(result: Result, parsed: unknown): unknown {
  try {
    if (!result.issues && 'value' in result) return result.value
    const words = wordsOf(parsed)
    const issues = (result as StandardSchemaV1.FailureResult).issues.map(({ message, path }): BodyIssue => {
      const keys = path?.map((segment) => (typeof segment === 'object' ? segment.key : segment)) ?? []
      return { message: withoutQuotes(message, words), path: keys }
    })
    throw new InvalidBodyError(`The body does not match the schema: ${summaryOf(issues)}`, issues)
  } catch (error) {
    if (error instanceof InvalidBodyError) throw error
    throw new InvalidBodyError('The schema gave a result that is none of the Standard Schema specification')
  }
}

const MOST_ISSUES = 3

function summaryOf(issues: readonly BodyIssue[]): string {
  const told = issues.slice(0, MOST_ISSUES).map(({ message, path }) => {
    // A property name that is no identifier may be data, as the keys of a map are.
    const place = path.map((key) => (/^[\w$-]{1,64}$/.test(String(key)) ? String(key) : '…')).join('.')
    return place === '' ? message : `${place}: ${message}`
  })
  if (issues.length > MOST_ISSUES) told.push(`and ${issues.length - MOST_ISSUES} more`)
  return told.join('; ')
}

const WORD = /[\p{L}\p{N}]+/gu
const QUOTED = /(["`]).*\1/gs

/** The words of a body's texts, numbers and booleans. Without recursion: a body may be nested deeper than the stack. */
function wordsOf(parsed: unknown): ReadonlySet<string> {
  const words = new Set<string>()
  const open: unknown[] = [parsed]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) open.push(inner)
    } else if (value !== null) {
      // As it is and as JSON has it: in a message, `\n` in front of a word makes another word of it.
      for (const [word] of `${value} ${JSON.stringify(value)}`.toLowerCase().matchAll(WORD)) words.add(word)
    }
  }
  return words
}

/**
 * Valibot and ArkType quote the value in their messages, Zod the names of properties that it does not know. So what a
 * message has in quotes is taken out, and every word that the body has, too. What is lost by chance (`expected one of
 * "a"|"b"`, the word `date` where a text of the body has it) is the better of the two mistakes.
 */
function withoutQuotes(message: string, words: ReadonlySet<string>): string {
  return message
    .replace(QUOTED, (_quoted, mark) => `${mark}…${mark}`)
    .replace(WORD, (word) => (words.has(word.toLowerCase()) ? '…' : word))
}
