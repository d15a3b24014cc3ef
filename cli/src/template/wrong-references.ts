import type { Rejected } from '../model/model.ts'
import type { Position } from '../model/setting.ts'
import { closest } from '../shared/closest.ts'
import { entriesOf, misspelledFunction, type Node, nodesIn, scalarText } from './document.ts'
import type { Reader } from './reader.ts'
import { namesIn, namesWithConditions, readParts, variablesIn } from './relevant.ts'
import { isOfOtherStack, type Resolved, rawText } from './resolve.ts'
import { PSEUDO_PARAMETERS, resourceOf } from './text.ts'

const EXPANDED = /^AWS::Serverless::|::MODULE$/
/** Names of resources that SAM adds, and that do not begin with the name of a resource of the template. */
const ADDED_BY_SAM = /^(Serverless|CodeDeploy|ApiGateway|RecordSet)/
/** Properties whose value is a name or an ARN. RedrivePolicy can be JSON text that contains an ARN. */
const NAMES = ['EventSourceArn', 'FunctionName', 'QueueName', 'RedrivePolicy']

const SOURCE = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html'

/** A call of an intrinsic function. */
function callIn(node: Node): { name: string; argument: Node } | undefined {
  const [entry, ...more] = entriesOf(node)
  if (!entry || more.length > 0) return undefined
  const [name, argument] = entry
  return /^(Ref$|Condition$|Fn::|!)/.test(name) ? { name, argument } : undefined
}

/** Returns whether SAM or a module may add a resource with a name. */
function addedNames({ resources, typeOf }: Reader): (name: string) => boolean {
  const expanded = [...resources.keys()].filter((id) => EXPANDED.test(typeOf(id)) || hasConnectors(resources.get(id)))
  return (name) => (expanded.length > 0 && ADDED_BY_SAM.test(name)) || expanded.some((id) => name.startsWith(id))
}

/**
 * The references that CloudFormation rejects: to names that the template does not define, to resources that do not
 * exist, by a misspelled function, or in a text without Fn::Sub. The template must be final, because a macro, a loop or
 * another tool can define names and replace text.
 */
export function wrongReferences(reader: Reader): Rejected[] {
  const { root, resources, parameters, conditions, resolve, property, propertiesOf, conditionOf } = reader
  const found: Rejected[] = []
  const mayBeAdded = addedNames(reader)

  function reject(id: string, position: Position, reason: string, fix: string) {
    found.push({ id, position, reason, fix, source: SOURCE })
  }

  function collect(id: string, declaration: Node, isCondition = false): void {
    function add(reference: string, kind: string, position: Position, ...defined: ReadonlyMap<string, Node>[]) {
      const name = resourceOf(reference)
      if (!/^\w+$/.test(name) || defined.some((names) => names.has(name))) return
      if (kind !== 'condition' && mayBeAdded(name)) return
      const meant = closest(name, new Set(defined.flatMap((names) => [...names.keys()])))
      const fix = meant === undefined ? 'Correct the name, or define it.' : `Correct the name. Did you mean ${meant}?`
      reject(id, position, `${name}: there is no ${kind} with this name in the template`, fix)
    }
    /** Reports a resource whose condition is false, if the resource that refers to it exists. */
    function addMissing(reference: string, position: Position): void {
      const name = resourceOf(reference)
      const condition = conditionOf(name)
      if (condition?.verdict !== false || (conditionOf(id)?.verdict ?? true) !== true) return
      const reason = `${name}: its condition ${condition.name} is false with these parameters, so it does not exist`
      reject(id, position, reason, `Give ${id} the same condition, or use Fn::If.`)
    }
    for (const [node, around] of nodesIn(declaration)) {
      const call = callIn(node)
      if (!call) continue
      const { name, argument } = call
      // The position of the outermost function is also that of the setting.
      const { position } = around.find(callIn) ?? node
      const [first] = argument.kind === 'list' ? argument.items : [argument]
      const meant = misspelledFunction(name)
      if (meant !== undefined) {
        reject(id, position, `there is no function ${name}`, `Correct the name. Did you mean ${meant}?`)
      }
      const isOptional = around.some((outer) => callIn(outer)?.name === 'Fn::If')
      const names =
        name === 'Fn::Sub' ? variablesIn(argument) : [scalarText(first)].filter((text) => text !== undefined)
      for (const one of names) {
        if (name === 'Fn::If' || (name === 'Condition' && isCondition)) add(one, 'condition', position, conditions)
        if (!['Ref', 'Fn::Sub', 'Fn::GetAtt'].includes(name)) continue
        if (name === 'Fn::GetAtt') add(one, 'resource', position, resources)
        else add(one, 'parameter or resource', position, parameters, resources)
        if (!isOptional) addMissing(one, position)
      }
    }
    const condition = isCondition ? undefined : entriesOf(declaration).get('Condition')
    if (condition?.kind === 'scalar') add(String(condition.value), 'condition', condition.position, conditions)
  }

  /** The properties of a resource, and of its events in SAM, whose values are names or ARNs. */
  function namesOf(id: string): [name: string, value: Resolved][] {
    const properties = propertiesOf(id)
    const events = property(properties, 'Events')
    const own: [string, Resolved][] = [
      ...NAMES.map((name): [string, Resolved] => [name, property(properties, name)]),
      ['deadLetterTargetArn', property(property(properties, 'RedrivePolicy'), 'deadLetterTargetArn')],
    ]
    if (events.kind !== 'map') return own
    const ofEvents = Array.from(events.entries.values()).flatMap((event): [string, Resolved][] => {
      const ofEvent = property(resolve(event), 'Properties')
      const subscription = property(ofEvent, 'SqsSubscription')
      return [
        ['Queue', property(ofEvent, 'Queue')],
        ['QueueArn', property(subscription, 'QueueArn')],
      ]
    })
    return [...own, ...ofEvents]
  }
  /** Other text in ${…} may be replaced by another tool, so only names that Fn::Sub would replace are errors. */
  function collectUnreplaced(id: string): void {
    for (const [property, value] of namesOf(id)) {
      const variables = Array.from(rawText(value).matchAll(/\$\{\s*([\w:]+)[^}]*\}/g))
      const found = variables.find(([, name]) => isReplacedBySub(String(name)))
      if (!found || !value.position) continue
      const reason = `${property} contains ${found[0]}, which CloudFormation replaces only in Fn::Sub`
      reject(id, value.position, reason, 'Write !Sub before the text.')
    }
  }
  function isReplacedBySub(name: string) {
    return PSEUDO_PARAMETERS.includes(name) || parameters.has(name) || resources.has(name)
  }

  const parts = readParts(root)
  const used = namesWithConditions(parts.values(), conditions)
  for (const [id, declaration] of conditions) {
    if (used.has(id) && !isOfOtherStack(id)) collect(id, declaration, true)
  }
  for (const [id, declaration] of parts) {
    if (isOfOtherStack(id)) continue
    collect(id, declaration)
    collectUnreplaced(id)
  }
  return found
}

/** Whether SAM adds resources for the connectors of this resource. */
function hasConnectors(declaration: Node | undefined) {
  return entriesOf(declaration).has('Connectors')
}

/** The fewest undefined names that show that a file is part of a template. One may be a mistake. */
const MIN_UNDEFINED = 2

/**
 * The names that a file does not define, if it is part of a template that a build puts together: it has no parameters,
 * and refers to several names that it does not define. Such a file cannot be deployed alone.
 */
export function undefinedNames(reader: Reader): string[] {
  const { parameters, resources, conditions } = reader
  if (parameters.size > 0) return []
  const mayBeAdded = addedNames(reader)
  const defined = (name: string) => resources.has(name) || conditions.has(name) || !/^\w+$/.test(name)
  const names = new Set(Array.from(resources.values()).flatMap(namesIn))
  const missing = [...names].filter((name) => !defined(name) && !mayBeAdded(name))
  return missing.length >= MIN_UNDEFINED ? missing : []
}
