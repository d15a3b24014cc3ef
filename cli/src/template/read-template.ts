import { dirname, resolve as resolvePath } from 'node:path'
import { patternSetting, tooManyFilters } from '../model/filters.ts'
import type { Acceptance, ChosenValue } from '../model/model.ts'
import {
  type LambdaFunction,
  type Mapping,
  type Model,
  type Pattern,
  type Queue,
  type Unread,
  unreadFunction,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS, QUEUE_SETTINGS } from '../model/settings.ts'
import { UsageError } from '../shared/errors.ts'
import { readText } from '../shared/text-file.ts'
import { casesOf, chosenValues, type TemplateCase } from './cases.ts'
import { entriesOf, type Node, parseDocument } from './document.ts'
import { createFunctions } from './functions.ts'
import { createLookup } from './lookup.ts'
import { refuseConfiguration } from './other-tools.ts'
import { createQueues } from './queues.ts'
import { createReader, GENERATOR, type Reader } from './reader.ts'
import { createResolver, isOfOtherStack, itemsOf, type Links, type Resolved, rawText } from './resolve.ts'
import { formOf, PSEUDO_PARAMETERS } from './text.ts'

/** Parses `NAME=VALUE` from the command line. */
export function parseParameters(texts: readonly string[] = []): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--parameter ${text}: write --parameter NAME=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** Properties that only mappings of other services have: streams, brokers and clusters. */
const OTHER_SERVICES = ['StartingPosition', 'Queues', 'Topics', 'SelfManagedEventSource']
const KNOWN_MACROS = /^AWS::(Serverless-|LanguageExtensions$|CodeDeployBlueGreen$|SecretsManager-)/
const NESTED = /^AWS::(CloudFormation::Stack(Set)?|Serverless::Application)$|::MODULE$/
const CHECKED = /^AWS::(Lambda::(Function|EventSourceMapping)|Serverless::Function|SQS::Queue)$/
const GENERATED = 'the resources that it generates are known only after deployment'

/** Explains what a file without Resources probably is. */
function noTemplateError(file: string, document: Node): UsageError {
  const keys = entriesOf(document)
  if (keys.has('terraform_version')) {
    return new UsageError(`${file} is a plan or a state of Terraform, but this command can read only templates`)
  }
  return new UsageError(`${file}:1:1: there is no Resources map, so this is not a SAM or CloudFormation template`)
}

/** A template that was parsed. */
export interface Template {
  file: string
  document: Node
  syntax: 'yaml' | 'json'
  /** Only set for a stack of a CDK app. */
  links?: Links
}

/** Parses a SAM or CloudFormation template. Throws a UsageError that names the position if the text is something else. */
export function parseTemplate(file: string, content: string): Template {
  const document = parseDocument(file, content)
  if (entriesOf(document).get('Resources')?.kind === 'map') {
    return { file, document, syntax: content.trimStart().startsWith('{') ? 'json' : 'yaml' }
  }
  throw noTemplateError(file, document)
}

/** The names of the parameters of a template, with the pseudo parameters. */
export function parametersOf({ document }: Template): string[] {
  return [...entriesOf(entriesOf(document).get('Parameters')).keys(), ...PSEUDO_PARAMETERS]
}

/** Throws a UsageError if no template has a parameter of a given name. `file` is the only template, if there is only one. */
export function checkParameters(
  given: ReadonlyMap<string, string>,
  names: Iterable<string>,
  file?: string,
  option = '--parameter',
): void {
  const all = [...new Set(names)]
  for (const name of given.keys()) {
    if (all.includes(name)) continue
    const own = all.filter((one) => !PSEUDO_PARAMETERS.includes(one)).join(', ') || 'none'
    const what =
      file === undefined ? 'no input has a parameter of this name. Their' : `${file} has no parameter of this name. Its`
    throw new UsageError(`${option} ${name}: ${what} parameters: ${own}`)
  }
}

/**
 * Reads the SQS event source mappings of a SAM or CloudFormation template, as far as they are known without deployment.
 * A parameter with allowed values and without a default has the first one. Rejects with a UsageError that names the
 * position if the file is not a template.
 */
export async function readTemplate(file: string, given: ReadonlyMap<string, string>): Promise<Model> {
  refuseConfiguration(file)
  const template = parseTemplate(file, readText(file))
  checkParameters(given, parametersOf(template), file)
  const chosen = chosenValues(template.document)
  const model = readModel(template, { given, label: '' }, chosen)
  return { ...model, chosen: (model.defaulted ?? []).flatMap((name) => chosen.get(name) ?? []) }
}

/** Reads each case of a template. If no parameter varies, there is only one. */
export function readCases(template: Template, given: ReadonlyMap<string, string>): Model[] {
  return casesOf(template.document, given, template.links).map((one) => readModel(template, one))
}

function readModel(
  template: Template,
  { given, parameter, label }: TemplateCase,
  chosen?: ReadonlyMap<string, ChosenValue>,
): Model {
  const { file, document, links, syntax } = template
  const resolver = createResolver(document, given, links, chosen)
  const reader = createReader(resolver, dirname(resolvePath(file)))
  return {
    file,
    syntax,
    constructOf: constructIn(reader),
    label,
    ...(parameter === undefined ? {} : { parameter }),
    ...collect(reader, file, links?.nested),
    defaulted: [...resolver.defaulted],
  }
}

/** Returns the path of the construct that makes a resource: `Shop/Queue` for the resource `Shop/Queue/Resource`. */
function constructIn({ property, metadataOf, text }: Reader) {
  return (id: string): string | undefined =>
    valueIn(text(property(metadataOf(id), 'aws:cdk:path')))?.replace(/\/(Resource|Default)$/, '')
}

/** Reads the settings of a mapping from its properties, apart from its queue and its function. */
function createSettings({ resolve, property, at, settings, text }: Reader) {
  function reportBatchItemFailuresOf(types: Resolved): Setting<boolean> {
    if (types.kind === 'absent') return known(false)
    if (types.kind === 'unknown') return unknown(types.reason, types.position)
    const fix = 'Set FunctionResponseTypes to [ReportBatchItemFailures].'
    if (types.kind !== 'list') return invalid(`it is a ${formOf(types)}, but must be a list`, fix, types.position)
    const items = types.items.map((item) => text(resolve(item)))
    const on = items.some((item) => valueIn(item) === 'ReportBatchItemFailures')
    const unresolved = items.find((item) => item.state === 'unknown')
    return unresolved && !on ? { ...unresolved, position: types.position } : known(on, types.position)
  }
  function otherTypesOf(types: Resolved): string[] {
    const items = itemsOf(types).map((item) => valueIn(text(resolve(item))))
    return items.filter((item) => item !== undefined && item !== 'ReportBatchItemFailures') as string[]
  }
  function provisionedOf(pollers: Resolved): Setting<boolean> {
    const settings = ['MinimumPollers', 'MaximumPollers'].map((name) => text(property(pollers, name)))
    const on = settings.some(({ state }) => state === 'known')
    const unresolved = settings.find((setting) => setting.state === 'unknown')
    return unresolved && !on ? unresolved : known(on, pollers.position)
  }
  function patternOf(filter: Resolved): Setting<Pattern> {
    const pattern = property(filter, 'Pattern')
    if (pattern.kind !== 'map' && pattern.kind !== 'list') return patternSetting(text(pattern))
    return known<Pattern>({ error: `it is a ${pattern.kind}, but must be JSON text` }, pattern.position)
  }
  function filtersOf(criteria: Resolved): Setting<readonly Setting<Pattern>[]> {
    const filters = property(criteria, 'Filters')
    const { position } = filters
    const fix = 'Set FilterCriteria to { Filters: [{ Pattern: JSON text }] }.'
    if (filters.kind === 'unknown') return unknown(filters.reason, position)
    if (filters.kind === 'absent') {
      const isEmpty = criteria.kind !== 'map' || criteria.entries.size === 0
      return isEmpty ? absent : invalid('it has no Filters', fix, criteria.position)
    }
    if (filters.kind !== 'list') return invalid(`it is a ${formOf(filters)}, but must be a list`, fix, position)
    const items = filters.items.map(resolve).filter(({ kind }) => kind !== 'absent')
    const count = items.filter(({ kind }) => kind !== 'unknown').length
    return tooManyFilters(count, position) ?? known(items.map(patternOf), position)
  }

  return function settingsOf(id: string, properties: Resolved) {
    const types = at(properties, MAPPING_SETTINGS.reportBatchItemFailures)
    return {
      ...settings(MAPPING_SETTINGS, id, properties),
      reportBatchItemFailures: reportBatchItemFailuresOf(types),
      otherResponseTypes: otherTypesOf(types),
      provisioned: provisionedOf(property(properties, 'ProvisionedPollerConfig')),
      filters: filtersOf(at(properties, MAPPING_SETTINGS.filters)),
    }
  }
}

type MappingBase = Pick<Mapping, 'id' | 'position' | 'condition'>

/** Finds the mappings, and lists what may add others. `nested` are the nested stacks of a CDK app, which are read apart. */
function collect(reader: Reader, file: string, nested?: ReadonlySet<string>): Omit<Model, 'file' | 'label'> {
  const { resolve, resources, property, propertiesOf, metadataOf, typeOf, conditionOf, text } = reader
  const lookup = createLookup(reader)
  const { functionOf, findFunction } = createFunctions(reader, lookup)
  const { findQueue, arnOf } = createQueues(reader, lookup)
  const settingsOf = createSettings(reader)
  const mappings: Mapping[] = []
  const otherReaders: Mapping[] = []
  const unreadResources: Unread[] = []
  const absentResources: Unread[] = []
  const acceptances: Acceptance[] = []
  const addUnread = (id: string, reason: string, position?: Position, fix?: string) =>
    unreadResources.push({ id, position, unreadReason: reason, fix })

  /**
   * Whether a macro is in a resource or in its properties. A macro receives all entries next to it, and may change them
   * all.
   */
  function hasMacro(id: string): boolean {
    const properties = propertiesOf(id)
    return properties.kind === 'map' && properties.entries.has('Fn::Transform')
  }

  /** The condition of a resource, if it is not known whether it holds. */
  function openConditionOf(id: string): Mapping['condition'] {
    const condition = conditionOf(id)
    if (typeof condition?.verdict !== 'object') return undefined
    const { name, verdict } = condition
    return { name, reason: `the condition ${name} of ${id}: ${verdict.reason}` }
  }

  function queueAt(arn: Resolved): Queue {
    return findQueue(arn) ?? unreadQueue('its queue', 'it is not a queue', arn.position)
  }

  function addSqs(base: MappingBase, properties: Resolved, lambdaFunction: LambdaFunction) {
    const arn = property(properties, 'Queue')
    const queue = queueAt(arn)
    mappings.push({ ...base, ...settingsOf(base.id, properties), arn: arnOf(arn), queue, function: lambdaFunction })
  }

  /**
   * With `SqsSubscription: true`, SAM creates a queue between a topic and a function. With an object, it uses the queue
   * in `QueueArn`. The batch size is the only setting of the mapping that SAM sets.
   */
  function addSns(base: MappingBase, properties: Resolved, lambdaFunction: LambdaFunction) {
    const subscription = property(properties, 'SqsSubscription')
    const { kind, position } = subscription
    if (kind === 'unknown')
      return addUnread(base.id, `its SqsSubscription is not known: ${subscription.reason}`, position)
    if (kind === 'absent' || rawText(subscription) === 'false') return
    const arn = property(subscription, 'QueueArn')
    // Without a position: doctor merges findings with the same position, and reportBatchItemFailures has this one.
    const made = samQueue(`the queue of ${base.id}`, base.position)
    const queue = kind === 'map' ? queueAt(arn) : made
    const batchSize = kind === 'map' ? subscription.entries.get('BatchSize') : undefined
    const taken: Resolved = { kind: 'map', entries: new Map(batchSize ? [['BatchSize', batchSize]] : []), position }
    mappings.push({
      ...base,
      ...settingsOf(base.id, taken),
      arn: arnOf(arn),
      queue,
      function: lambdaFunction,
      reportBatchItemFailures: known(false, position),
      isFromSnsEvent: true,
    })
  }

  /** The queue that SAM creates has the defaults of AWS, and no redrive policy. */
  function samQueue(id: string, position: Position | undefined): Queue {
    const settings = reader.settings(QUEUE_SETTINGS, id, { kind: 'absent' })
    return { id, position, ...settings, fifo: known(false), redrive: absent, isMadeBySam: true }
  }

  function addEvents(id: string) {
    const events = property(propertiesOf(id), 'Events')
    if (events.kind === 'unknown') addUnread(id, `its Events are not known: ${events.reason}`, events.position)
    if (events.kind === 'list' || events.kind === 'scalar') addUnread(id, 'its Events are not a map', events.position)
    if (events.kind !== 'map') return
    for (const [name, declaration] of events.entries) {
      const base = { id: `${id}/${name}`, position: declaration.position, condition: openConditionOf(id) }
      const event = resolve(declaration)
      const type = text(property(event, 'Type'))
      if (GENERATOR.test(name)) addUnread(base.id, GENERATED, base.position)
      else if (event.kind === 'unknown') addUnread(base.id, event.reason, base.position)
      else if (type.state === 'unknown') addUnread(base.id, `its Type is not known: ${type.reason}`, base.position)
      else if (valueIn(type) === 'SQS') addSqs(base, property(event, 'Properties'), functionOf(id))
      else if (valueIn(type) === 'SNS') addSns(base, property(event, 'Properties'), functionOf(id))
      else if (type.state === 'absent') addUnread(base.id, 'it has no Type', base.position)
      else if (/^s[qn]s$/i.test(type.value))
        addUnread(base.id, `its Type is ${type.value}, but SAM accepts only ${type.value.toUpperCase()}`, base.position)
    }
  }

  function addMapping(id: string, position: Position) {
    const properties = propertiesOf(id)
    const arn = property(properties, 'EventSourceArn')
    const queue = findQueue(arn)
    if (!queue) return
    // An unknown ARN counts as that of a queue, unless the mapping has a property that only other services have.
    if (queue.fifo.state === 'unknown' && queue.unreadReason !== undefined) {
      const others = OTHER_SERVICES.map((name) => property(properties, name))
      const unresolved = others.find((other) => other.kind === 'unknown')
      if (others.some(({ kind }) => kind !== 'absent' && kind !== 'unknown')) return
      if (unresolved) return addUnread(id, `whether it reads SQS is not known: ${unresolved.reason}`, position)
    }
    const lambdaFunction = findFunction(property(properties, 'FunctionName'))
    const settings = settingsOf(id, properties)
    const condition = openConditionOf(id)
    // If the mapping has the same condition as its function, both exist together.
    const mayNotExist = condition && condition.name !== conditionOf(lambdaFunction.id)?.name && valueIn(settings.runs)
    const runs = mayNotExist ? unknown(condition.reason) : settings.runs
    mappings.push({ id, position, condition, ...settings, runs, arn: arnOf(arn), queue, function: lambdaFunction })
  }

  function addMacros(key: 'Transform' | 'Fn::Transform') {
    const declaration = entriesOf(reader.root).get(key)
    if (!declaration) return
    const macros = resolve(declaration)
    for (const macro of macros.kind === 'list' ? macros.items.map(resolve) : [macros]) {
      const name = text(macro.kind === 'map' ? property(macro, 'Name') : macro)
      if (name.state === 'absent' || KNOWN_MACROS.test(String(valueIn(name)))) continue
      addUnread(name.state === 'known' ? name.value : key, 'a macro may change the template', macros.position)
    }
  }

  function addResource(id: string, declaration: Node) {
    const { position } = declaration
    const type = text(property(resolve(declaration), 'Type'))
    const typeName = String(valueIn(type))
    const condition = conditionOf(id)
    if (CHECKED.test(typeName) && hasMacro(id)) addUnread(id, 'a macro may change it', position)
    if (GENERATOR.test(id)) addUnread(id, GENERATED, position)
    else if (type.state === 'unknown') addUnread(id, `its Type is not known: ${type.reason}`, position)
    else if (typeName === 'AWS::Pipes::Pipe' && condition?.verdict !== false) addPipe(id, position)
    else if (NESTED.test(typeName) && !nested?.has(id))
      addUnread(id, 'its resources are in a separate template', position, 'Run doctor on that template.')
    else if (!['AWS::Serverless::Function', 'AWS::Lambda::EventSourceMapping'].includes(typeName)) return
    else if (condition?.verdict === false) {
      const unreadReason = `its condition ${condition.name} is false with these parameters`
      absentResources.push({ id, position, unreadReason })
    } else if (typeName === 'AWS::Serverless::Function') addEvents(id)
    else addMapping(id, position)
  }

  /** Adds a pipe of EventBridge, which reads its queue like a mapping does. */
  function addPipe(id: string, position: Position) {
    const properties = propertiesOf(id)
    const source = property(properties, 'Source')
    const queue = findQueue(source)
    if (!queue || queue.unreadReason !== undefined) return
    const state = valueIn(text(property(properties, 'DesiredState')))
    const settings = settingsOf(id, property(properties, 'SourceParameters'))
    otherReaders.push({
      id,
      position,
      condition: openConditionOf(id),
      ...settings,
      runs: known(state !== 'STOPPED'),
      arn: arnOf(source),
      queue,
      function: unreadFunction(id, 'it is a pipe'),
    })
  }

  /** Adds a mapping of another stack of the CDK app, which may read the same queue. */
  function addOther(id: string, { position }: Node) {
    const before = mappings.length
    addMapping(id, position)
    otherReaders.push(...mappings.splice(before))
  }

  /** The findings that the metadata of a resource accepts, or those of the template, for all resources. */
  function addAcceptances(id: string, metadata: Resolved) {
    const accepted = property(property(metadata, 'bounded-sqs-batch'), 'accept')
    if (accepted.kind !== 'map') return
    for (const [rule, node] of accepted.entries) {
      const reason = valueIn(text(resolve(node))) ?? ''
      const { position } = node
      acceptances.push({
        rule,
        resource: id,
        reason: reason.trim(),
        place: { file: position.file ?? file, line: position.line },
      })
    }
  }

  addMacros('Transform')
  addMacros('Fn::Transform')
  for (const [id, declaration] of resources) {
    if (!isOfOtherStack(id)) addResource(id, declaration)
    else if (typeOf(id) === 'AWS::Lambda::EventSourceMapping' && conditionOf(id)?.verdict !== false)
      addOther(id, declaration)
    addAcceptances(id, metadataOf(id))
  }
  addAcceptances('*', property(resolve(reader.root), 'Metadata'))
  return { mappings, otherReaders, unreadResources, absentResources, acceptances }
}
