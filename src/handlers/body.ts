import type { StandardSchemaV1 } from '@standard-schema/spec'
import { InvalidBodyError } from '../errors.ts'
import { check } from '../shared/check.ts'
import { isObject, kindOf } from '../shared/describe.ts'

/** Returns the parsed body, or a promise of it with an asynchronous schema. Throws or rejects if it is not valid. */
export type BodyParser = (body: unknown) => unknown

/** Checks the options of `eachRecord()` or `eachChunk()`. Returns `undefined` if the body stays as it is. */
export function bodyParserOf(caller: string, options: unknown): BodyParser | undefined {
  const given = options as { body?: 'json' | StandardSchemaV1 }
  const { body: option } = check(caller, given, { body: [isBodyOption, "'json' or a Standard Schema"] })
  if (option === undefined) return undefined
  if (option === 'json') return parseJson
  const schema = option['~standard']
  const parser = {
    // The log recognises the frames of this package by the name of this function.
    boundedSqsBatchJob(body: unknown): unknown {
      const parsed = parseJson(body)
      // If the schema throws, the record fails with that error, as if the handler had thrown it.
      const result = schema.validate(parsed)
      const output = isPromiseLike<Result>(result)
        ? Promise.resolve(result).then((result) => outputOf(result, parsed))
        : outputOf(result, parsed)
      return isPromiseLike(output) ? Promise.resolve(output) : output // the output of a schema can be a promise, too
    },
  }
  return parser.boundedSqsBatchJob
}

function isBodyOption(value: unknown): boolean {
  return value === 'json' || typeof (value as StandardSchemaV1 | null)?.['~standard']?.validate === 'function'
}

function parseJson(body: unknown): unknown {
  if (typeof body !== 'string')
    throw new InvalidBodyError(`Expected a body of JSON text, got ${kindOf(body)}`)
  try {
    return JSON.parse(body)
  } catch {
    throw new InvalidBodyError('The body is not valid JSON') // V8's own error quotes the body
  }
}

type Result = StandardSchemaV1.Result<unknown>

function isPromiseLike<T>(value: unknown): value is PromiseLike<T> {
  return isObject(value) && typeof (value as { then?: unknown }).then === 'function'
}

function outputOf(result: Result, parsed: unknown): unknown {
  if (isObject(result) && !result.issues && 'value' in result) return result.value
  throw invalidBody(result, parsed)
}

function invalidBody(result: unknown, parsed: unknown): InvalidBodyError {
  try {
    const issues = [...(result as StandardSchemaV1.FailureResult).issues] // throws if it is not iterable
    const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
    return new InvalidBodyError(
      `The body does not match the schema: ${count}${pathsOf(issues, parsed)}`,
      issues,
    )
  } catch {
    return new InvalidBodyError('The schema did not return a Standard Schema result')
  }
}

const MAX_PATHS = 3

/** The paths of the issues. The messages are omitted: a schema can quote the body or a transformed value. */
function pathsOf(issues: readonly StandardSchemaV1.Issue[], parsed: unknown): string {
  const paths = new Set(issues.map(({ path = [] }) => pathOf(path, parsed)).filter((path) => path !== ''))
  if (paths.size === 0) return ''
  return ` at ${[...paths].slice(0, MAX_PATHS).join(', ')}`
}

const NAME = /^[A-Za-z_$]{1,32}$/

/** Returns a path such as `items.0.price`. A key that is neither an array index nor matches `NAME` is shown as `…`. */
function pathOf(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[], parsed: unknown): string {
  let container = parsed
  const names: string[] = []
  for (const segment of path) {
    const key = isObject(segment) ? (segment as StandardSchemaV1.PathSegment).key : (segment as PropertyKey)
    const isIndex = Array.isArray(container) && Object.hasOwn(container, key)
    names.push(isIndex || (typeof key === 'string' && NAME.test(key)) ? String(key) : '…')
    container = isObject(container) && Object.hasOwn(container, key) ? Reflect.get(container, key) : undefined
  }
  return names.join('.')
}
