import type { Acceptance, Unread } from '../model/model.ts'
import { at, entriesOf, knownText, type Tree, textIn } from '../model/tree.ts'
import type { Written } from './declarations.ts'
import { mapAt } from './document.ts'
import { evaluate, GENERATOR } from './evaluate.ts'
import { nestedAt, type Scope } from './scope.ts'

const KNOWN_MACROS = /^AWS::(Serverless-|LanguageExtensions$|CodeDeployBlueGreen$|SecretsManager-)/
const NESTED = /^AWS::(CloudFormation::Stack(Set)?|Serverless::Application)$|::MODULE$/
const CHECKED = /^AWS::(Lambda::(Function|EventSourceMapping)|Serverless::Function|SQS::Queue)$/
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

function macrosIn(scope: Scope, key: string): Unread[] {
  const macros = evaluate(scope, mapAt(scope.document, key))
  const { position } = macros
  return (macros.state === 'list' ? macros.items : [macros]).flatMap((macro) => {
    const name = macro.state === 'map' ? at(macro, 'Name') : macro
    if (name.state === 'absent' || KNOWN_MACROS.test(String(knownText(name)))) return []
    return [{ id: knownText(name) ?? key, position, unreadReason: 'a macro may change the template' }]
  })
}

/** A macro receives all entries next to it, and may change them all. */
function hasMacro(tree: Tree): boolean {
  return tree.state === 'map' && tree.entries.has('Fn::Transform')
}

function unreadOf(scope: Scope, { id, type, attributes, properties, position }: Written): Unread[] {
  const unread = (unreadReason: string): Unread => ({ id, position, unreadReason })
  const isChanged = CHECKED.test(type) && (hasMacro(attributes) || hasMacro(at(attributes, 'Properties')))
  const found = isChanged ? [unread('a macro may change it')] : []
  const declared = at(attributes, 'Type')
  if (GENERATOR.test(id)) found.push(unread(GENERATED))
  else if (declared.state === 'unknown') found.push(unread(`its Type is not known: ${declared.reason}`))
  else if (NESTED.test(type) && !nestedAt(scope, id)) found.push({ id, position, ...SEPARATE })
  return type === 'AWS::Serverless::Function' ? [...found, ...unreadEvents(id, at(properties, 'Events'))] : found
}

function unreadEvents(id: string, events: Tree): Unread[] {
  if (events.state === 'unknown') {
    return [{ id, position: events.position, unreadReason: `its Events are not known: ${events.reason}` }]
  }
  return entriesOf(events).flatMap(([name, event]): Unread[] => {
    const [type, subscription] = [at(event, 'Type'), at(event, 'Properties', 'SqsSubscription')]
    const own = { id: `${id}/${name}`, position: event.position }
    if (GENERATOR.test(name)) return [{ ...own, unreadReason: GENERATED }]
    if (type.state === 'unknown') return [{ ...own, unreadReason: `its Type is not known: ${type.reason}` }]
    if (knownText(type) !== 'SNS' || subscription.state !== 'unknown') return []
    const { position, reason } = subscription
    return [{ ...own, position, unreadReason: `its SqsSubscription is not known: ${reason}` }]
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
