import type { Reader } from './reader.ts'
import { partsOf, placeholder, placeholdersIn, resourceOf, whyUnknown } from './text.ts'

export const ELSEWHERE = 'it is not in this template'
export const FUNCTION = /^AWS::(Lambda|Serverless)::Function$/
export const QUEUE = /^AWS::SQS::Queue$/
export const ALIAS = /^AWS::Lambda::Alias$/
export const VERSION = /^AWS::Lambda::Version$/

/** A resource of this template, or the reason why it is not known. */
type ResourceLookup = { id: string } | { reason: string }

/** The only resource of that name. Names with placeholders are equal if their placeholders are equal. */
export function byName(ids: ReadonlyMap<string | undefined, readonly string[]>, name: string): ResourceLookup {
  const [id, ...more] = ids.get(name) ?? []
  if (id === undefined) return { reason: whyUnknown(name) ?? ELSEWHERE }
  return more.length === 0 ? { id } : { reason: `${[id, ...more].join(' and ')} have the same name` }
}

/** Finds functions, aliases and queues by their names, or by references to them. */
export function createLookup({ resources, typeOf, nameOf, conditionOf }: Reader) {
  const ofType = (type: RegExp) =>
    [...resources.keys()].filter((id) => type.test(typeOf(id)) && conditionOf(id)?.verdict !== false)
  const queues = ofType(QUEUE)
  const aliases = ofType(ALIAS)
  const functionsByName = Map.groupBy(ofType(FUNCTION), (id) => nameOf(id, 'FunctionName'))
  const queuesByName = Map.groupBy(queues, (id) => nameOf(id, 'QueueName'))

  /**
   * The resource that a name or an ARN refers to. Empty if there is none. If it refers to several resources, the result
   * is the first one that has one of the `types` or, if none has, the first one. A name that merely contains the name
   * of a resource does not refer to it.
   */
  function resourceIn(value: string, ...types: readonly RegExp[]): string {
    const names = partsOf(value).flatMap((part) => placeholdersIn(part).filter((name) => part === placeholder(name)))
    const ids = names.map(resourceOf).filter((id) => resources.has(id))
    return ids.find((id) => types.some((type) => type.test(typeOf(id)))) ?? ids[0] ?? ''
  }

  return { queues, aliases, functionsByName, queuesByName, resourceIn }
}

export type Lookup = ReturnType<typeof createLookup>
