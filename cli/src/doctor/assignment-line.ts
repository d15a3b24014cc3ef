import type { Model } from '../model/model.ts'
import type { Assignment } from '../rules/rule.ts'

/** Writes a setting and its new value in the syntax of the input: `VisibilityTimeout: 361`. */
export function assignmentLine({ row, value }: Assignment, syntax?: Model['syntax']): string {
  if (syntax === 'terraform') {
    const [name, , inner] = row.terraform ?? [row.name]
    return inner === undefined ? `${name} = ${json(value)}` : `${name} { ${inner} = ${json(value)} }`
  }
  const isJson = syntax === 'json'
  const [first, ...rest] = row.path.map((name) => (isJson ? json(name) : String(name)))
  const text = isJson ? json(value) : json(value).replaceAll('"', '')
  return `${first}: ${rest.reduceRight((inner, name) => `{ ${name}: ${inner} }`, text)}`
}

function json(value: unknown): string {
  return JSON.stringify(value)
}
