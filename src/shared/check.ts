import { isObject, isPlainObject, kindOf } from './describe.ts'

/** Tests the value of an option, and describes the expected value for the error message. */
export type Check = readonly [accepts: (value: unknown) => boolean, expected: string]

export const COUNT: Check = [isCount, 'a positive integer']
export const DURATION: Check = [
  (value) => Number.isFinite(value) && (value as number) > 0,
  'a number of milliseconds, more than 0',
]

export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/**
 * Checks options. Returns a copy, so that a later change of the given object has no effect.
 *
 * @param caller the name of the function that takes the options, for the error
 * @param required options that must not be `undefined`
 * @param prefix for nested options: the path to them, such as `timeBudget.`
 * @throws {TypeError} that names the option, the expected value and the received one
 */
export function check<T extends object>(
  caller: string,
  given: T,
  checks: Record<keyof T & string, Check>,
  required: readonly (keyof T & string)[] = [],
  prefix = '',
): T {
  if (!isPlainObject(given))
    throw new TypeError(`${caller}(): expected an object of options, got ${kindOf(given)}`)
  const options = { ...given }
  for (const key of new Set([...Object.keys(options), ...required]) as Set<keyof T & string>) {
    if (!Object.hasOwn(checks, key)) {
      const known = Object.keys(checks).join(', ')
      throw new TypeError(
        `${caller}(): unknown option ${JSON.stringify(prefix + key)}, expected one of ${known}`,
      )
    }
    const [accepts, expected] = checks[key]
    const value = options[key]
    if ((value === undefined && !required.includes(key)) || accepts(value)) continue
    throw new TypeError(`${caller}(): expected option ${prefix}${key} to be ${expected}, got ${show(value)}`)
  }
  return options
}

/** Shows a value in an error. Does not use `inspect()`: importing node:util adds 3 ms to each start (Node 24). */
export function show(value: unknown): string {
  if (isObject(value) || value === null || value === undefined) return kindOf(value)
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value)
  return `${text} (${kindOf(value)})`
}
