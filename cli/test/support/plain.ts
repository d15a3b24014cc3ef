import type { Test } from 'tap'

/** What a linker adds to everything, and only some tests look at. */
const ADDED = ['id', 'position', 'environment', 'isInvokedOtherwise', 'mayDo', 'senders', 'queueName']

/** A model without the ids and positions of settings, and without what is absent. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const { state, value: own, reason, fix, isDefault } = value as Record<string, unknown>
  if (state === 'known') return isDefault ? { standard: plain(own) } : plain(own)
  if (state === 'unknown') return fix === undefined ? { reason } : { reason, fix }
  const entries = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const isNothing = child === undefined || child === false || (Array.isArray(child) && child.length === 0)
    const isAbsent = (child as { state?: string } | undefined)?.state === 'absent'
    return isNothing || isAbsent || key === 'target' || (ADDED.includes(key) && typeof child !== 'string')
      ? []
      : [[key, plain(child)]]
  })
  return Object.fromEntries(entries)
}

/** Compares models, as `strictSame` does, by what matters of them. */
export function sameModel(t: Test, actual: unknown, expected: unknown, title = 'the same model'): void {
  t.strictSame(plain(actual), plain(expected), title)
}
