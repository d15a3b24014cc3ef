import type { ChosenValue } from '../model/model.ts'
import { entriesOf, itemsOf, knownText, type Tree } from '../model/tree.ts'
import { UsageError } from '../shared/errors.ts'
import { mapAt } from './document.ts'

interface Allowed {
  /** Undefined if there is none. */
  standard: string | undefined
  values: readonly string[]
}

/** The parameters with `AllowedValues`. */
function allowedIn(document: Tree): Map<string, Allowed> {
  const found = entriesOf(mapAt(document, 'Parameters')).flatMap(([name, declared]): [string, Allowed][] => {
    const allowed = mapAt(declared, 'AllowedValues')
    if (allowed.state !== 'list') return []
    const values = itemsOf(allowed).map((item) => String(knownText(item)))
    return [[name, { standard: knownText(mapAt(declared, 'Default')), values }]]
  })
  return new Map(found)
}

/** Throws a UsageError if a parameter is given a value that CloudFormation refuses, because it is not allowed. */
export function checkAllowed(document: Tree, given: ReadonlyMap<string, string>): void {
  for (const [name, { values }] of allowedIn(document)) {
    const value = given.get(name)
    if (value === undefined || values.includes(value)) continue
    throw new UsageError(`--parameter ${name}=${value}: the template allows ${values.join(', ')}`)
  }
}

/** The values of the parameters with `AllowedValues`, if none is given: the default, or the first allowed value. */
export function chosenValues(document: Tree): Map<string, ChosenValue> {
  const chosen = Array.from(allowedIn(document)).flatMap(([name, { standard, values }]): ChosenValue[] => {
    const value = standard ?? values[0]
    return value === undefined ? [] : [{ name, value, isDefault: standard !== undefined }]
  })
  return new Map(chosen.map((one) => [one.name, one]))
}
