/** The type of a value in words, for an error message. It never shows the value, which may be a message body. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  const isGenerator = /Generator/.test(tagOf(value))
  return `a ${isGenerator ? 'generator ' : ''}${typeof value}`
}

/** A generator function does not count: it returns an iterator and runs nothing, which would look like success. */
export function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return kindOf(value) === 'a function'
}

/** Whether a value is an object or a function, so that it can have properties such as `then`. */
export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** Whether a value is an object with named properties, such as options. An array or a function is not. */
export function isPlainObject(value: unknown): value is object {
  return tagOf(value) === '[object Object]'
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value)
}
