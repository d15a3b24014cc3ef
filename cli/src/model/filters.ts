import { kindOf } from '../shared/errors.ts'
import { isObject } from '../shared/json.ts'
import { type Items, invalid, known, type Setting, unknown } from './setting.ts'

/**
 * The operators that the AWS page `invocation-eventfiltering` lists for event filters of Lambda, and the values that
 * each accepts.
 */
const OPERATORS: Readonly<Record<string, (value: unknown) => boolean>> = {
  prefix: isAffix,
  suffix: isAffix,
  'equals-ignore-case': isText,
  'anything-but': isAnythingBut,
  exists: (value) => typeof value === 'boolean',
  numeric: isNumericTest,
}

/** The limit on the AWS page `API_Filter`. It also limits the recursion below. */
const MAX_LENGTH = 4096

/** The quota on the AWS page `invocation-eventfiltering` is 5. AWS raises it to at most 10 for an account. */
const MAX_FILTERS = 10

/**
 * Whether a filter matches bodies that are JSON, or bodies as text. `json` is the pattern without spaces between its
 * parts. `error` says why Lambda rejects the filter, or why the filter matches nothing.
 */
export type Pattern =
  | { forms: readonly ('json' | 'text')[]; json: string; error?: undefined }
  | { forms?: undefined; json?: undefined; error: string }

/** Reads the filters of a mapping. An item that is absent has no pattern. */
export function filtersSetting(items: Items): Setting<readonly Setting<Pattern>[]> {
  if (items.state !== 'known') return items
  const { value, position } = items
  if (value.length <= MAX_FILTERS) return known(value.map(patternSetting), position)
  const what = `the mapping has ${value.length} filters, but Lambda allows at most ${MAX_FILTERS}`
  const fix = `Use at most ${MAX_FILTERS} filters.`
  return invalid(what, fix, position)
}

class PatternError extends Error {}
class UnknownOperatorError extends Error {}

/**
 * Reads the pattern of a filter on an SQS mapping. Like EventBridge, Lambda rejects values that are not lists, and empty
 * lists. It can filter SQS messages only by their body: see the AWS page `with-sqs-filtering`.
 */
export function patternSetting(text: Setting<unknown>): Setting<Pattern> {
  if (text.state === 'unknown') return text
  if (text.state === 'absent') return known<Pattern>({ error: 'it has no Pattern' })
  const { value, position } = text
  try {
    const pattern = parse(value)
    return known<Pattern>({ forms: formsOf(pattern), json: JSON.stringify(pattern) }, position)
  } catch (error) {
    if (error instanceof UnknownOperatorError) return unknown(error.message, position)
    if (error instanceof PatternError) return known<Pattern>({ error: error.message }, position)
    throw error
  }
}

function parse(text: unknown): unknown {
  if (typeof text !== 'string') throw new PatternError(`it is ${kindOf(text)}, but must be JSON text`)
  if (text.length > MAX_LENGTH) throw new PatternError(`it is longer than ${MAX_LENGTH} characters`)
  try {
    return JSON.parse(text)
  } catch {
    throw new PatternError('it is not valid JSON')
  }
}

/** The keys of an object and their values. Under `$or`, the alternatives are objects of the same form. */
function fieldsOf(pattern: unknown, name: string): [key: string, value: unknown][] {
  if (!isObject(pattern)) throw new PatternError(`${name} is ${kindOf(pattern)}, but must be an object`)
  const fields = Object.entries(pattern)
  if (fields.length === 0) throw new PatternError(`${name} is an empty object`)
  return fields
}

/** Whether the value of a key is a list of alternatives, of which one must match. */
export function isAlternatives(key: string, value: unknown): value is unknown[] {
  return key === '$or' && Array.isArray(value) && value.length > 1 && value.every(isObject)
}

function formsOf(pattern: unknown): ('json' | 'text')[] {
  return fieldsOf(pattern, 'it').flatMap(([key, value]): ('json' | 'text')[] => {
    if (isAlternatives(key, value)) return value.flatMap(formsOf)
    if (key !== 'body')
      throw new PatternError(`it has the key "${key}", but Lambda filters SQS messages only by "body"`)
    if (!Array.isArray(value)) {
      checkFields(value, 'body')
      return ['json']
    }
    checkValues(value, 'body')
    if (value.every((item) => isObject(item) && item.exists === false)) {
      throw new PatternError('it matches only messages without a body, and every message has a body')
    }
    return ['text']
  })
}

function checkFields(pattern: unknown, name: string): void {
  for (const [key, value] of fieldsOf(pattern, name)) {
    const path = `${name}.${key}`
    if (isAlternatives(key, value)) for (const alternative of value) checkFields(alternative, path)
    else if (Array.isArray(value)) checkValues(value, path)
    else if (isObject(value)) checkFields(value, path)
    else throw new PatternError(`${path} is ${kindOf(value)}, but must be a list`)
  }
}

function checkValues(values: readonly unknown[], path: string): void {
  if (values.length === 0) throw new PatternError(`${path} is an empty list, which matches nothing`)
  for (const value of values) {
    if (Array.isArray(value)) throw new PatternError(`${path} is a list of lists`)
    if (isObject(value)) checkOperator(value, path)
  }
}

function checkOperator(test: Record<string, unknown>, path: string): void {
  const [name = '', ...more] = Object.keys(test)
  const value = test[name]
  if (name === '' || more.length > 0)
    throw new PatternError(`${path} has an object that does not have exactly one operator`)
  // `anything-but` can have another operator.
  const unlisted = [name, ...(isObject(value) ? Object.keys(value) : [])].find((one) => !Object.hasOwn(OPERATORS, one))
  if (unlisted !== undefined)
    throw new UnknownOperatorError(`AWS does not document the operator ${unlisted} of ${path} for Lambda`)
  if (!OPERATORS[name]?.(value))
    throw new PatternError(`${path} has the operator ${name} with a value that AWS rejects or that matches nothing`)
}

/** A text, or `{ "equals-ignore-case": text }`. */
function isAffix(value: unknown): boolean {
  return typeof value === 'string' || (isObject(value) && hasOnly(value, ['equals-ignore-case'], isText))
}

/**
 * A text, a number, a list of only texts or only numbers, or an object with one of the operators for text. This is what
 * event-ruler accepts.
 */
function isAnythingBut(value: unknown): boolean {
  if (isObject(value)) {
    return hasOnly(value, ['equals-ignore-case'], isTexts) || hasOnly(value, ['prefix', 'suffix'], isAffixes)
  }
  const values = [value].flat()
  return values.length > 0 && ['string', 'number'].some((type) => values.every((one) => typeof one === type))
}

/** A text or a list of texts. */
function isTexts(value: unknown): boolean {
  return [value].flat().every(isText)
}

/** Texts that are not empty, because every text begins and ends with an empty text. */
function isAffixes(value: unknown): boolean {
  return isTexts(value) && ![value].flat().includes('')
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

/** Whether an object has exactly one key, which is one of these names, and a value of this kind. */
function hasOnly(object: Record<string, unknown>, names: readonly string[], isValid: (value: unknown) => boolean) {
  const [first, ...more] = Object.entries(object)
  return first !== undefined && more.length === 0 && names.includes(first[0]) && isValid(first[1])
}

/** `[">", 1]`, or a range that is not empty: `[">", 1, "<=", 5]`. */
function isNumericTest(test: unknown): boolean {
  if (!Array.isArray(test)) return false
  const [first, low, second, high] = test
  if (typeof low !== 'number' || !['=', '<', '<=', '>', '>='].includes(first)) return false
  if (test.length === 2) return true
  const isRange = ['>', '>='].includes(first) && ['<', '<='].includes(second)
  return test.length === 4 && isRange && typeof high === 'number' && low < high
}
