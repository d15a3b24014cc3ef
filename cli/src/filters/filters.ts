import { kindOf } from '../shared/errors.ts'
import { isObject, parseJson } from '../shared/json.ts'

/** A test of a value of a message, or of a list of values. */
type Test<T = unknown> = (value: T) => boolean
type Operator = (operand: unknown) => Test | undefined

const TEXT_OPERATORS = new Map<unknown, Operator>([
  ['prefix', (operand) => comparing(operand, (text, part) => text.startsWith(part))],
  ['suffix', (operand) => comparing(operand, (text, part) => text.endsWith(part))],
  ['equals-ignore-case', (operand) => comparing({ 'equals-ignore-case': operand }, (text, other) => text === other)],
])

/**
 * The operators that the AWS page `invocation-eventfiltering` lists for event filters of Lambda. Each makes
 * a test from its operand. Undefined if AWS rejects the operand, or if nothing would match.
 */
const OPERATORS = new Map<unknown, Operator>([
  ...TEXT_OPERATORS,
  ['anything-but', anythingBut],
  ['exists', (operand) => (typeof operand === 'boolean' ? () => operand : undefined)],
  ['numeric', numeric],
])

/** The limit on the AWS page `API_Filter`. It also limits the recursion below. */
const MAX_LENGTH = 4096

/** The quota on the AWS page `invocation-eventfiltering`. AWS raises it to at most 10 for an account. */
export const DEFAULT_FILTERS = 5
export const MAX_FILTERS = 10
/** Operators of EventBridge, which that page does not list. */
const OF_EVENTBRIDGE = ['wildcard', 'cidr']

/** The pattern of a filter as an object: `{ "body": … }`. */
export type FilterPattern = Record<string, unknown>

/** `json` has sorted keys and no spaces. `error` says why Lambda rejects the filter, or why it matches nothing. */
export type Pattern = { json: string; error?: undefined } | { json?: undefined; error: string }

class PatternError extends Error {}
class UnknownOperatorError extends Error {}

/**
 * Reads the pattern of a filter on an SQS mapping. Like EventBridge, Lambda rejects values that are not
 * lists, and empty lists. It can filter SQS messages only by their body: see the AWS page
 * `with-sqs-filtering`. Returns a reason if it is not known whether Lambda accepts the pattern.
 */
export function readPattern(value: unknown): Pattern | { reason: string } {
  try {
    const pattern = parse(value)
    fieldsTest(pattern, '')
    const sorted = (part: unknown) => (isObject(part) ? Object.fromEntries(Object.entries(part).sort()) : part)
    return { json: JSON.stringify(pattern, (_key, part) => sorted(part)) }
  } catch (error) {
    if (error instanceof UnknownOperatorError) return { reason: error.message }
    if (error instanceof PatternError) return { error: error.message }
    throw error
  }
}

function parse(text: unknown): unknown {
  if (typeof text !== 'string') throw new PatternError(`it is ${kindOf(text)}, but must be JSON text`)
  if (text.length > MAX_LENGTH) throw new PatternError(`it is longer than ${MAX_LENGTH} characters`)
  const value = parseJson(text)
  if (value === undefined) throw new PatternError('it is not valid JSON')
  return value
}

/**
 * Tests whether a message matches at least one filter, by its body. Undefined without filters: Lambda then
 * delivers all messages. `readPattern()` has checked the filters.
 */
export function matcherOf(filters: readonly FilterPattern[]): Test<string> | undefined {
  if (filters.length === 0) return undefined
  const tests = filters.map((filter) => fieldsTest(filter, ''))
  return (text) => {
    const value = parseJson(text)
    const body = typeof value === 'object' && value !== null ? value : text
    return tests.some((test) => test({ body }))
  }
}

/** Whether all keys match. A list matches if one of its items matches all keys, as in AWS's event-ruler. */
function fieldsTest(pattern: unknown, name: string): Test {
  if (!isObject(pattern)) throw new PatternError(`${name || 'it'} is ${kindOf(pattern)}, but must be an object`)
  const fields = Object.entries(pattern)
  if (fields.length === 0) throw new PatternError(`${name || 'it'} is an empty object`)
  const tests = fields.map(([key, value]): Test => {
    const path = `${name}.${key}`
    // Under `$or`, one of several objects of the same form must match. With other values, it is the name of a field.
    if (key === '$or' && Array.isArray(value) && value.length > 1 && value.every(isObject)) {
      const alternatives = value.map((one) => fieldsTest(one, name && path))
      return (object) => alternatives.some((test) => test(object))
    }
    if (name === '') return bodyTest(key, value)
    const test = isObject(value) ? fieldsTest(value, path) : valuesTest(value, path)
    return (object) => test(isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined)
  })
  return function matches(object): boolean {
    if (Array.isArray(object) && object.length > 0) return object.some(matches)
    return tests.every((test) => test(object))
  }
}

/** A list for the body matches no JSON, and an object for it no text. */
function bodyTest(key: string, value: unknown): Test {
  if (key !== 'body') {
    throw new PatternError(`it has the key "${key}", but Lambda filters SQS messages only by "body"`)
  }
  const isList = Array.isArray(value)
  if (isList && value.length > 0 && value.every((item) => isObject(item) && item.exists === false)) {
    throw new PatternError('it matches only messages without a body, and every message has a body')
  }
  const test = isList ? valuesTest(value, key) : fieldsTest(value, key)
  return (message) => {
    const { body } = message as { body: unknown }
    return isList === (typeof body === 'string') && test(body)
  }
}

function valuesTest(values: unknown, path: string): Test {
  if (!Array.isArray(values)) throw new PatternError(`${path} is ${kindOf(values)}, but must be a list`)
  if (values.length === 0) throw new PatternError(`${path} is an empty list, which matches nothing`)
  const tests = values.map((value): Test<unknown[]> => {
    if (Array.isArray(value)) throw new PatternError(`${path} is a list of lists`)
    if (!isObject(value)) return (found) => found.includes(value)
    const test = operatorTest(value, path)
    return value.exists === false ? (found) => found.length === 0 : (found) => found.some(test)
  })
  return (field) => {
    const found = valuesIn(field)
    return tests.some((test) => test(found))
  }
}

/** The values that tests of a field see. Objects are no values: only their own fields are. */
function valuesIn(field: unknown): unknown[] {
  if (Array.isArray(field)) return field.flatMap(valuesIn)
  return field === undefined || isObject(field) ? [] : [field]
}

function operatorTest(operation: Record<string, unknown>, path: string): Test {
  const [name, operand] = onlyEntry(operation)
  if (name === undefined) throw new PatternError(`${path} has an object that does not have exactly one operator`)
  // `anything-but` can have another operator.
  const names = [name, ...(isObject(operand) ? Object.keys(operand) : [])]
  const unlisted = names.find((one) => !OPERATORS.has(one)) ?? ''
  if (OF_EVENTBRIDGE.includes(unlisted)) {
    throw new UnknownOperatorError(`AWS does not document the operator ${unlisted} of ${path} for Lambda`)
  }
  if (unlisted !== '') throw new PatternError(`${path} has the operator ${unlisted}, which does not exist`)
  const test = OPERATORS.get(name)?.(operand)
  if (test) return test
  throw new PatternError(`${path} has the operator ${name} with a value that AWS rejects or that matches nothing`)
}

/** A test of text. The operand is a text, or `{ "equals-ignore-case": text }`. */
function comparing(operand: unknown, compare: (text: string, part: string) => boolean): Test | undefined {
  if (typeof operand === 'string') return (value) => typeof value === 'string' && compare(value, operand)
  const [name, text] = onlyEntry(operand)
  if (name !== 'equals-ignore-case' || typeof text !== 'string') return undefined
  return (value) => typeof value === 'string' && compare(value.toLowerCase(), text.toLowerCase())
}

/** A text, a number, a list of one of these types, or an object with an operator for text, as in event-ruler. */
function anythingBut(operand: unknown): Test | undefined {
  const [name, excluded] = onlyEntry(operand)
  const operator = TEXT_OPERATORS.get(name)
  if (operator) {
    const texts = [excluded].flat()
    // Every text begins and ends with an empty text.
    const isText = (one: unknown) => typeof one === 'string' && (one !== '' || name === 'equals-ignore-case')
    const tests = texts.flatMap((text) => (isText(text) && operator(text)) || [])
    return tests.length === texts.length ? (value) => !tests.some((test) => test(value)) : undefined
  }
  const values = [operand].flat()
  const isOfOneType = ['string', 'number'].some((type) => values.every((one) => typeof one === type))
  return values.length > 0 && isOfOneType ? (value) => !values.includes(value) : undefined
}

/** The entry of an object that has exactly one. Otherwise empty. */
function onlyEntry(value: unknown): [name?: string, value?: unknown] {
  const [first, ...more] = isObject(value) ? Object.entries(value) : []
  return first && more.length === 0 ? first : []
}

const COMPARISONS = new Map<unknown, (value: number, bound: number) => boolean>([
  ['=', (value, bound) => value === bound],
  ['<', (value, bound) => value < bound],
  ['<=', (value, bound) => value <= bound],
  ['>', (value, bound) => value > bound],
  ['>=', (value, bound) => value >= bound],
])

/** `[">", 1]`, or a range that is not empty: `[">", 1, "<=", 5]`. */
function numeric(operand: unknown): Test | undefined {
  if (!Array.isArray(operand)) return undefined
  const [first, low, second, high] = operand
  const isRange = ['>', '>='].includes(first) && ['<', '<='].includes(second) && typeof high === 'number' && low < high
  const isValid = operand.length === 2 || (operand.length === 4 && isRange)
  const above = COMPARISONS.get(first)
  if (!above || typeof low !== 'number' || !isValid) return undefined
  const below = COMPARISONS.get(second) ?? (() => true)
  return (value) => typeof value === 'number' && above(value, low) && below(value, high)
}
