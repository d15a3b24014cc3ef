import type { ChosenValue } from '../model/model.ts'
import { UsageError } from '../shared/errors.ts'
import { entriesOf, type Node, scalarText } from './document.ts'

interface Allowed {
  /** Undefined if there is none. */
  standard: string | undefined
  values: readonly string[]
}

/** The parameters with `AllowedValues`. */
function allowedIn(document: Node): Map<string, Allowed> {
  const parameters = entriesOf(entriesOf(document).get('Parameters'))
  const found = Array.from(parameters).flatMap(([name, declaration]): [string, Allowed][] => {
    const declared = entriesOf(declaration)
    const allowed = declared.get('AllowedValues')
    if (allowed?.kind !== 'list') return []
    const values = allowed.items.map((item) => String(scalarText(item)))
    return [[name, { standard: scalarText(declared.get('Default')), values }]]
  })
  return new Map(found)
}

/** Throws a UsageError if a parameter is given a value that CloudFormation refuses, because it is not allowed. */
export function checkAllowed(document: Node, given: ReadonlyMap<string, string>): void {
  for (const [name, { values }] of allowedIn(document)) {
    const value = given.get(name)
    if (value === undefined || values.includes(value)) continue
    throw new UsageError(`--parameter ${name}=${value}: the template allows ${values.join(', ')}`)
  }
}

/** The values of the parameters with `AllowedValues`, if none is given: the default, or the first allowed value. */
export function chosenValues(document: Node): Map<string, ChosenValue> {
  const chosen = Array.from(allowedIn(document)).flatMap(([name, { standard, values }]): ChosenValue[] => {
    const value = standard ?? values[0]
    return value === undefined ? [] : [{ name, value, isDefault: standard !== undefined }]
  })
  return new Map(chosen.map((one) => [one.name, one]))
}
