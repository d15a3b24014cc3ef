import { type CodeSearch, codeSearch } from '../code-search/search.ts'
import type { Acceptance, Model } from '../model/model.ts'
import { evidenceWith } from '../rules/rule.ts'
import { type Acceptable, accept } from './acceptances.ts'
import { type Detected, detect, type Finding, SEVERITIES } from './check.ts'
import { errorText, type Input } from './inputs.ts'

/** What was done with an input. */
export interface ExaminedInput {
  name: string
  /** The number of mappings that were checked. */
  mappings: number
  /** Why it could not be read. */
  error?: string
  /** Why it has no mapping. */
  note?: string
  /** Whether something in it could not be read, in which a mapping may be. Only set with `note`. */
  mayHaveMappings?: boolean
}

export interface Examined {
  /** The most severe ones come first. */
  findings: readonly Finding[]
  inputs: readonly ExaminedInput[]
  /** The parameters of the templates whose defaults were used. */
  defaulted: readonly string[]
  /** What is never checked. */
  notChecked: readonly string[]
}

/** What is never checked. Calls are named whose permissions the input does not show. */
function neverChecked(models: readonly Model[], search: CodeSearch, isDeployed: boolean): string[] {
  const evidenceOf = evidenceWith(search)
  const all = models.flatMap(({ mappings }) => mappings.map((mapping) => mapping.function))
  const calls = all.flatMap((one) => (one.facts?.allowedActions() ? [] : (evidenceOf(one).calls ?? [])))
  const named = [...new Set(calls)].map((call) => `${call}()`).join(', ')
  return [
    `permissions of roles and keys${named === '' ? '' : `, also those of ${named}`}`,
    'whether the handler exists',
    'whether a topic may send to the queue',
    'whether a pipe reads the queue',
    ...(isDeployed ? ['code, SNS subscriptions and other invokers of a deployed function'] : []),
  ]
}

/** What was not read, if an input has no mapping. */
function nothingChecked(model: Model, name: string, isDeployed: boolean): ExaminedInput {
  const all = [...(model.absentResources ?? []), ...model.unreadResources]
  const texts = all.map(
    ({ id, position, unreadReason }) => `${id}${position ? ` (line ${position.line})` : ''}: ${unreadReason}`,
  )
  const [first, ...more] = new Set(texts)
  const also = first === undefined ? '' : `. Not read: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`
  const versions = isDeployed ? '. To check the mappings of a version, use --function NAME:VERSION' : ''
  const note = `${name} has no SQS event source mapping, so nothing was checked${versions}${also}`
  return { name, mappings: 0, note, mayHaveMappings: first !== undefined }
}

/** Identifies a finding about a resource of a stack, which other stacks of the app may use under a longer id. */
function placeOfFinding({ finding: { rule, resource, file, line } }: Detected): string | undefined {
  return file === undefined ? undefined : JSON.stringify([rule, resource.split('/').at(-1), file, line])
}

/** The model of an input. If it cannot be read, the reason. */
function readOrError(name: string, read: () => Model): Model | string {
  try {
    return read()
  } catch (error) {
    return errorText(name, error)
  }
}

/** Checks inputs that were read, for the command and for the plugin of the CDK. */
export function examine(
  inputs: readonly Input[],
  parameters: ReadonlyMap<string, string>,
  given: readonly Acceptance[],
  { isDeployed = false, strict = false }: { isDeployed?: boolean; strict?: boolean | undefined } = {},
): Examined {
  const places = new Set<string | undefined>()
  const acceptables: Acceptable[] = []
  const defaulted = new Set<string>()
  const all: Model[] = []
  const search = codeSearch()
  const examined = inputs.map(({ name, error, read, ...presentation }): ExaminedInput => {
    if (!read) return { name, mappings: 0, error: String(error) }
    const model = readOrError(name, () => read(parameters))
    if (typeof model === 'string') return { name, mappings: 0, error: model }
    all.push(model)
    const mappings = model.mappings.length
    if (mappings === 0) return nothingChecked(model, name, isDeployed)
    for (const parameter of model.defaulted ?? []) defaulted.add(parameter)
    // Each stack of a CDK app that uses a resource of another stack finds what is wrong with it. Keep the first finding.
    const found = detect({ ...presentation, model, strict }, search).filter((each) => !places.has(placeOfFinding(each)))
    for (const each of found) if (placeOfFinding(each) !== undefined) places.add(placeOfFinding(each))
    acceptables.push({ detected: found, acceptances: [...(model.acceptances ?? []), ...given] })
    return { name, mappings }
  })
  const findings = accept(acceptables)
  return {
    findings: SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity)),
    inputs: examined,
    defaulted: [...defaulted],
    notChecked: neverChecked(all, search, isDeployed),
  }
}
