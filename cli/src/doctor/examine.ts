import { codeSearch } from '../code-search/search.ts'
import type { Acceptance } from '../model/declaration.ts'
import type { Mapping, Model } from '../model/model.ts'
import { type Acceptable, accept } from './acceptances.ts'
import { type Detected, detect, type Finding, SEVERITIES } from './check.ts'
import { errorText, type Input } from './inputs.ts'
import { unknownOnRoad } from './not-checked.ts'

export interface ExaminedInput {
  name: string
  mappings: number
  error?: string
  /** What was not read of an input without a mapping. Missing if it surely has none. */
  note?: string | undefined
}

export interface Examined {
  /** The most severe ones come first. */
  findings: readonly Finding[]
  inputs: readonly ExaminedInput[]
  /** The parameters of the templates whose defaults were used. */
  defaulted: readonly string[]
  notChecked: readonly string[]
}

const NEVER_CHECKED = ['whether the handler exists', 'whether a pipe reads the queue']
const NOT_DEPLOYED = [
  'permissions of roles and keys, and what sends to the queue',
  'code, other invokers and alias weights of a deployed function',
]

/** What may have mappings, if an input has none. */
function noteOn(model: Model, name: string, isDeployed: boolean): string | undefined {
  const texts = model.unreadResources.map(
    ({ id, position, unreadReason }) => `${id}${position ? ` (line ${position.line})` : ''}: ${unreadReason}`,
  )
  const [first, ...more] = new Set(texts)
  const also = more.length > 0 ? `, and ${more.length} more` : ''
  const notes = [
    ...(isDeployed ? ['To check the mappings of a version, use --function NAME:VERSION'] : []),
    ...(first === undefined ? [] : [`Not read: ${first}${also}`]),
  ]
  if (notes.length === 0) return undefined
  return [`${name} has no SQS event source mapping, so nothing was checked`, ...notes].join('. ')
}

/** Identifies a finding about a resource of a stack. Other stacks may use this resource under a longer id. */
function placeOf({ finding: { rule, resource, file, line } }: Detected): string {
  return JSON.stringify([rule, resource.split('/').at(-1), file, line])
}

/** Checks inputs that were read, for the command and for the plugin of the CDK. */
export function examine(
  inputs: readonly Input[],
  parameters: ReadonlyMap<string, string>,
  given: readonly Acceptance[],
  { isDeployed = false, strict = false }: { isDeployed?: boolean; strict?: boolean | undefined } = {},
): Examined {
  const places = new Set<string>()
  const acceptables: Acceptable[] = []
  const defaulted = new Set<string>()
  const checked: Mapping[] = []
  const search = codeSearch()
  function examineOne({ name, error, read, ...presentation }: Input): ExaminedInput {
    if (!read) return { name, mappings: 0, error: String(error) }
    let model: Model
    try {
      model = read(parameters)
    } catch (wrong) {
      return { name, mappings: 0, error: errorText(name, wrong) }
    }
    const mappings = model.mappings.length
    checked.push(...model.mappings)
    if (mappings === 0) return { name, mappings, note: noteOn(model, name, isDeployed) }
    for (const parameter of model.defaulted ?? []) defaulted.add(parameter)
    // Several stacks of a CDK app can find the same problem of a resource. Keep the first finding.
    const found = detect({ ...presentation, model, strict }, search)
    const detected = found.filter((one) => one.finding.file === undefined || !places.has(placeOf(one)))
    for (const one of detected) places.add(placeOf(one))
    acceptables.push({ detected, acceptances: [...(model.acceptances ?? []), ...given] })
    return { name, mappings }
  }
  const examined = inputs.map(examineOne)
  const findings = accept(acceptables)
  return {
    findings: SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity)),
    inputs: examined,
    defaulted: [...defaulted],
    notChecked: [
      ...(isDeployed ? NOT_DEPLOYED : [...unknownOnRoad(checked), 'senders that the input does not show']),
      ...NEVER_CHECKED,
    ],
  }
}
