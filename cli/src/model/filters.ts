import { kindOf } from '../shared/errors.ts'
import { isObject } from '../shared/json.ts'
import type { Pattern } from './model.ts'
import { invalid, known, type Position, type Setting, unknown } from './setting.ts'

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

/** Operators of AWS's event-ruler, which EventBridge uses. AWS does not document them for Lambda. */
const EVENTBRIDGE_OPERATORS = ['wildcard', 'cidr', 'exactly']

/** The limit on the AWS page `API_Filter`. It also limits the recursion below. */
const MAX_LENGTH = 4096

/** The quota on the AWS page `invocation-eventfiltering`. */
const MAX_FILTERS = 5

/** The error if a mapping has more filters than Lambda allows. */
export function tooManyFilters(count: number, position?: Position) {
  if (count <= MAX_FILTERS) return undefined
  const what = `the mapping has ${count} filters, but Lambda allows at most ${MAX_FILTERS}, or 10 if AWS has raised the quota of the account`
  const fix = `Use at most ${MAX_FILTERS} filters. If AWS has raised your quota, check the deployed function with --function NAME.`
  return invalid(what, fix, position)
}

class PatternError extends Error {}
class UncertainPatternError extends Error {}

/**
 * Reads the pattern of a filter on an SQS mapping. Like EventBridge, Lambda rejects values that are not lists, empty
 * lists and unknown operators. It can filter SQS messages only by their body: see the AWS page `with-sqs-filtering`.
 */
export function patternSetting(text: Setting<string>): Setting<Pattern> {
  if (text.state === 'unknown') return text
  if (text.state === 'absent') return known<Pattern>({ error: 'it has no Pattern' })
  const { value, position } = text
  try {
    const pattern = parse(value)
    return known<Pattern>({ forms: formsOf(pattern), json: JSON.stringify(pattern) }, position)
  } catch (error) {
    if (error instanceof UncertainPatternError) return unknown(error.message, position)
    if (error instanceof PatternError) return known<Pattern>({ error: error.message }, position)
    throw error
  }
}

function parse(text: string): unknown {
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
  if (name === '' || more.length > 0)
    throw new PatternError(`${path} has an object that does not have exactly one operator`)
  if (EVENTBRIDGE_OPERATORS.includes(name)) {
    throw new UncertainPatternError(`AWS does not document the operator ${name} of ${path} for Lambda`)
  }
  const takes = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined
  if (!takes) throw new PatternError(`${path} has the operator ${name}, which does not exist`)
  const nested = isObject(test[name]) ? Object.keys(test[name])[0] : undefined
  if (name === 'anything-but' && EVENTBRIDGE_OPERATORS.some((operator) => operator === nested)) {
    throw new UncertainPatternError(
      `AWS does not document the operator ${nested} in anything-but of ${path} for Lambda`,
    )
  }
  if (!takes(test[name]))
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
