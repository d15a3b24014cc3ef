import { absent } from '../model/setting.ts'
import { resourceOf } from '../model/text.ts'
import { at, entriesOf, itemsOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import type { Written } from './declarations.ts'
import { mapAt, nodesIn } from './document.ts'
import type { Scope } from './scope.ts'

/** Resources that name a function and do not invoke it, or only as its mappings do. */
const NO_INVOKER =
  /^AWS::(CloudWatch|Logs|IAM|SSM|CodeDeploy|ApplicationAutoScaling|Lambda::(Alias|Version|EventSourceMapping|EventInvokeConfig))(::|$)/
/** Events of SAM that become mappings. */
const POLLED = /^(SQS|Kinesis|DynamoDB|MSK|MQ|SelfManagedKafka|DocumentDB)$/

/**
 * Whether something other than mappings invokes a function: an event of SAM, a URL, or any other resource that refers to
 * it. A resource of which this is not known counts.
 */
export function isInvokedOtherwise(scope: Scope, { id, properties }: Written): boolean {
  const events = entriesOf(at(properties, 'Events'))
  const isPolled = ([, event]: [string, Tree]) =>
    POLLED.test(textIn(at(event, 'Type'))) || isMap(at(event, 'Properties', 'SqsSubscription'))
  if (at(properties, 'Events').state === 'unknown' || !events.every(isPolled)) return true
  if (at(properties, 'FunctionUrlConfig').state !== 'absent') return true
  scope.referrers ??= referrersIn(scope)
  const typeOf = (other: string) => knownText(mapAt(scope.resources.get(other) ?? absent, 'Type')) ?? ''
  return Array.from(scope.referrers.get(id) ?? []).some((other) => other !== id && !NO_INVOKER.test(typeOf(other)))
}

function isMap({ state }: Tree): boolean {
  return state !== 'absent' && state !== 'unknown'
}

/** The resources that name each resource in an intrinsic function. */
function referrersIn({ resources }: Scope): Map<string, Set<string>> {
  const referrers = new Map<string, Set<string>>()
  for (const [id, root] of resources) {
    for (const node of nodesIn(root)) {
      for (const name of namesIn(node)) cached(referrers, name, () => new Set<string>()).add(id)
    }
  }
  return referrers
}

/** The logical ids in a node that is an intrinsic function. */
function namesIn(node: Tree): string[] {
  return entriesOf(node).flatMap(([key, value]) => {
    const [first = value] = itemsOf(value)
    const text = knownText(first) ?? ''
    if (key === 'Ref' || key === 'Fn::GetAtt') return [resourceOf(text)]
    return key === 'Fn::Sub' ? Array.from(text.matchAll(/\$\{([^}]*)\}/g), ([, name]) => resourceOf(String(name))) : []
  })
}
