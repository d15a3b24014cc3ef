import { isObject } from '../shared/json.ts'

/** The pattern of a filter as an object: `{ "body": … }`. `patternSetting()` has checked it. */
export type FilterPattern = Record<string, unknown>

/**
 * Tests whether a message matches at least one filter, by its body. Undefined without filters: Lambda then delivers all
 * messages. The operators are those of filters.ts.
 */
export function matcherOf(filters: readonly FilterPattern[]): ((body: string) => boolean) | undefined {
  if (filters.length === 0) return undefined
  return (body) => {
    const value = parseBody(body)
    return filters.some((pattern) => matchesMessage(pattern, value))
  }
}

/** A pattern for text matches no JSON, and a pattern for JSON no text: see the AWS page `invocation-eventfiltering`. */
function matchesMessage(pattern: FilterPattern, body: unknown): boolean {
  const isText = typeof body === 'string'
  return Object.entries(pattern).every(([key, test]) => {
    if (key === '$or') return (test as FilterPattern[]).some((alternative) => matchesMessage(alternative, body))
    return Array.isArray(test)
      ? isText && matchesAny(test, [body])
      : !isText && matchesObject(test as FilterPattern, body)
  })
}

function parseBody(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : body
  } catch {
    return body
  }
}

/** Whether all keys of a pattern match. An array matches if one of its items matches all keys, as in AWS's event-ruler. */
function matchesObject(pattern: FilterPattern, value: unknown): boolean {
  if (Array.isArray(value) && value.length > 0) return value.some((item) => matchesObject(pattern, item))
  return Object.entries(pattern).every(([key, test]) => {
    if (key === '$or' && Array.isArray(test) && test.every(isObject)) {
      return test.some((alternative) => matchesObject(alternative, value))
    }
    const field = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
    if (Array.isArray(test)) return matchesAny(test, leavesOf(field))
    return matchesObject(test as FilterPattern, field)
  })
}

/** The values that tests of a field see. Objects are no values: only their own fields are. */
function leavesOf(field: unknown): unknown[] {
  if (Array.isArray(field)) return field.flatMap(leavesOf)
  return field === undefined || isObject(field) ? [] : [field]
}

function matchesAny(tests: readonly unknown[], leaves: readonly unknown[]): boolean {
  return tests.some((test) => {
    if (!isObject(test)) return leaves.includes(test)
    if (test.exists === false) return leaves.length === 0
    return leaves.some((leaf) => passes(test, leaf))
  })
}

function passes(test: Record<string, unknown>, leaf: unknown): boolean {
  const [[operator, operand]] = Object.entries(test) as [[string, unknown]]
  switch (operator) {
    case 'exists':
      return true
    case 'prefix':
      return compare(operand, leaf, (text, part) => text.startsWith(part))
    case 'suffix':
      return compare(operand, leaf, (text, part) => text.endsWith(part))
    case 'equals-ignore-case':
      return compare(test, leaf, (text, other) => text === other)
    case 'numeric':
      return typeof leaf === 'number' && isInRange(operand as (string | number)[], leaf)
    default: {
      // anything-but: the operand is a value, a list of values, or another test with a value or a list.
      if (!isObject(operand)) return ![operand].flat().includes(leaf)
      const [[inner, values]] = Object.entries(operand) as [[string, unknown]]
      return ![values].flat().some((value) => passes({ [inner]: value }, leaf))
    }
  }
}

/** Compares text. The operand is a text, or `{ "equals-ignore-case": text }`. */
function compare(operand: unknown, leaf: unknown, test: (text: string, part: string) => boolean): boolean {
  if (typeof leaf !== 'string') return false
  if (isObject(operand)) return test(leaf.toLowerCase(), String(operand['equals-ignore-case']).toLowerCase())
  return test(leaf, String(operand))
}

/** `[">", 1]`, or `[">", 1, "<=", 5]`. */
function isInRange([operator, limit, ...more]: readonly (string | number)[], value: number): boolean {
  const bound = Number(limit)
  const isInside =
    (operator === '=' && value === bound) ||
    (operator === '<' && value < bound) ||
    (operator === '<=' && value <= bound) ||
    (operator === '>' && value > bound) ||
    (operator === '>=' && value >= bound)
  return isInside && (more.length === 0 || isInRange(more, value))
}
