import type { Acceptance, Unread } from '../model/declaration.ts'
import { at, each, entriesOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { nestedTemplate } from './assembly.ts'
import type { Written } from './declarations.ts'
import { mapAt } from './document.ts'
import { evaluate, isGenerator } from './evaluate.ts'
import type { Scope } from './scope.ts'

/** Macros that add no resources, apart from SAM. */
const KNOWN_MACROS = /^AWS::(Serverless-|LanguageExtensions$|CodeDeployBlueGreen$|SecretsManager-)/
const NESTED = /^AWS::(CloudFormation::Stack(Set)?|Serverless::Application)$|::MODULE$/
const GENERATED = 'the resources that it generates are known only after deployment'
const SEPARATE = { unreadReason: 'its resources are in a separate template', fix: 'Run doctor on that template.' }

/** What may add or change mappings, functions and queues, and is not read. */
export function unreadIn(scope: Scope, resources: readonly Written[]): Unread[] {
  const own = resources.filter(({ isElsewhere }) => !isElsewhere)
  return [
    ...['Transform', 'Fn::Transform'].flatMap((key) => macrosIn(scope, key)),
    ...own.flatMap((one) => unreadOf(scope, one)),
  ]
}

/** Why the template may have resources or policies that it does not show. */
export function whyOpen(resources: readonly Written[], unread: readonly Unread[]): string | undefined {
  const connector = resources.find(
    ({ type, attributes }) => type === 'AWS::Serverless::Connector' || at(attributes, 'Connectors').state !== 'absent',
  )
  if (connector) return `SAM makes policies for ${connector.id}`
  return unread.find(({ fix }) => fix === undefined)?.unreadReason
}

function macrosIn(scope: Scope, key: string): Unread[] {
  const macros = evaluate(scope, mapAt(scope.document, key))
  const { position } = macros
  return each(macros).flatMap((macro) => {
    const name = macro.state === 'map' ? at(macro, 'Name') : macro
    if (name.state === 'absent' || KNOWN_MACROS.test(String(knownText(name)))) return []
    return [{ id: knownText(name) ?? key, position, unreadReason: 'a macro may change the template' }]
  })
}

function unreadOf(scope: Scope, { kind, id, type, attributes, properties, position }: Written): Unread[] {
  const found = generated(id, id, attributes)
  if (NESTED.test(type) && !(scope.links && nestedTemplate(attributes))) return [{ id, position, ...SEPARATE }]
  // A macro receives all entries next to it, and may change them all.
  const isChanged = [attributes, properties].some((tree) => tree.state === 'map' && tree.entries.has('Fn::Transform'))
  if (isChanged && kind !== 'other') found.push({ id, position, unreadReason: 'a macro may change it' })
  return type === 'AWS::Serverless::Function' ? [...found, ...unreadEvents(id, at(properties, 'Events'))] : found
}

/** A resource or an event that a loop or a macro generates, or whose type is not known. */
function generated(id: string, name: string, declared: Tree): Unread[] {
  const { position } = declared
  const type = at(declared, 'Type')
  if (isGenerator(name)) return [{ id, position, unreadReason: GENERATED }]
  return type.state === 'unknown' ? [{ id, position, unreadReason: `its Type is not known: ${type.reason}` }] : []
}

function unreadEvents(id: string, events: Tree): Unread[] {
  const { position } = events
  if (events.state === 'unknown') return [{ id, position, unreadReason: `its Events are not known: ${events.reason}` }]
  return entriesOf(events).flatMap(([name, event]): Unread[] => {
    const own = `${id}/${name}`
    const subscription = at(event, 'Properties', 'SqsSubscription')
    const isOfTopic = knownText(at(event, 'Type')) === 'SNS'
    if (!isOfTopic || subscription.state !== 'unknown') return generated(own, name, event)
    const unreadReason = `its SqsSubscription is not known: ${subscription.reason}`
    return [{ id: own, position: event.position, unreadReason }]
  })
}

export function acceptancesIn(scope: Scope, resources: readonly Written[], file: string): Acceptance[] {
  const all = [...resources, { id: '*', attributes: scope.document }]
  return all.flatMap(({ id: resource, attributes }) => {
    return entriesOf(at(attributes, 'Metadata', 'bounded-sqs-batch', 'accept')).map(([rule, reason]): Acceptance => {
      const { line = 1, file: ownFile = file } = reason.position ?? {}
      return { rule, resource, reason: textIn(reason).trim(), place: { file: ownFile, line } }
    })
  })
}
