import { isObject } from '../shared/json.ts'

/** The statements of a policy as plain JSON. Undefined if they are not known. */
export function toStatements(policy: unknown): Record<string, unknown>[] | undefined {
  if (!isObject(policy)) return undefined
  return [policy.Statement].flat().filter(isObject)
}

function textsIn(value: unknown): unknown[] {
  return [value].flat()
}

/** Whether a pattern of IAM, in which `*` stands for any text, matches. */
function matches(pattern: unknown, text: string): boolean {
  const escaped = String(pattern)
    .replaceAll(/[.+?^$()[\]{}|\\]/g, '\\$&')
    .replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`, 'is').test(text)
}

function allowsPrincipal(principal: unknown): boolean {
  if (principal === '*') return true
  if (!isObject(principal)) return false
  return (
    textsIn(principal.AWS).includes('*') ||
    textsIn(principal.Service).some((service) => matches(service, 'sns.amazonaws.com'))
  )
}

/** The topics to which the conditions of a statement restrict it. Empty if they do not. */
function sourcesIn(condition: unknown): unknown[] {
  if (!isObject(condition)) return []
  return Object.values(condition)
    .filter(isObject)
    .flatMap((test) =>
      Object.entries(test).flatMap(([key, values]) => (/^aws:SourceArn$/i.test(key) ? textsIn(values) : [])),
    )
}

/** Whether the input shows a value and all its parts. */
function isKnown(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || Object.values(value ?? {}).every(isKnown))
}

/** Whether an ARN of a template is a reference to a resource, such as `${Topic}`. Two different ones have different ARNs. */
function isReference(arn: string): boolean {
  return /^\$\{\w+\}$/.test(arn)
}
/** Whether a part of an ARN is a reference, so that another text may be the same ARN. */
function hasReference(arn: string): boolean {
  return arn.includes('${')
}

/** Whether the policy of a queue allows SNS to send messages from a topic. Undefined if it is not known. */
export function allowsSns(
  statements: Record<string, unknown>[] | undefined,
  topic: string | undefined,
): boolean | undefined {
  if (!statements) return undefined
  const results = statements.map(({ Effect, Action, Principal, Condition }) => {
    if (Effect === 'Deny') return false
    const isSending = textsIn(Action).some((action) => matches(action, 'sqs:SendMessage'))
    // Without Action or Principal, the statement has NotAction or NotPrincipal, which may allow it.
    if (Effect !== 'Allow' || !isSending || !allowsPrincipal(Principal)) {
      return isKnown([Effect, Action, Principal]) ? false : undefined
    }
    const sources = sourcesIn(Condition)
    if (sources.length === 0) return true
    if (topic === undefined || sources.includes(undefined)) return undefined
    if (sources.some((source) => matches(source, topic))) return true
    const arns = [topic, ...sources].map(String)
    return arns.every(isReference) || !arns.some(hasReference) ? false : undefined
  })
  return results.includes(true) ? true : results.includes(undefined) ? undefined : false
}
