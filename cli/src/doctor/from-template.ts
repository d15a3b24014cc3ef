import { UsageError } from '../errors.ts'
import { type Place, readDocument } from '../template/document.ts'
import { createReader, type Reader } from '../template/reader.ts'
import { createResolver, type Resolved } from '../template/resolve.ts'
import { PSEUDO_PARAMETERS } from '../template/text.ts'
import {
  known,
  type LambdaFunction,
  type Mapping,
  type Model,
  type Queue,
  type Resource,
  type Setting,
  unknown,
} from './model.ts'
import { createResources } from './template-resources.ts'

/** `NAME=VALUE` of the command line. */
export const parseParameters = (texts: readonly string[] = []): Map<string, string> =>
  new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--parameter ${text}: write NAME=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )

/** What only the mappings of other services have: streams start somewhere, brokers and clusters have names. */
const OTHER_SERVICES = ['StartingPosition', 'Queues', 'Topics', 'SelfManagedEventSource']
const KNOWN_MACROS = /^AWS::(Serverless-|LanguageExtensions$|CodeDeployBlueGreen$|SecretsManager-)/
const NESTED = /^AWS::(CloudFormation::Stack|Serverless::Application)$/

/**
 * The SQS event source mappings of a SAM or CloudFormation template, as far as they can be known without deploying it.
 * Rejects with a UsageError that says where the text is no template.
 */
export const readTemplate = async (file: string, given: ReadonlyMap<string, string>): Promise<Model> => {
  const document = await readDocument(file)
  if (document.kind !== 'map' || document.entries.get('Resources')?.kind !== 'map') {
    throw new UsageError(`${file}:1:1: there is no map Resources in it: is it a SAM or CloudFormation template?`)
  }
  const resolver = createResolver(document, given)
  for (const name of given.keys()) {
    if (resolver.parameters.has(name) || PSEUDO_PARAMETERS.includes(name)) continue
    const names = [...resolver.parameters.keys()].join(', ') || 'none'
    throw new UsageError(`--parameter ${name}: ${file} has no such parameter; it has ${names}`)
  }
  const reader = createReader(resolver)
  return { file, ...collect(reader) }
}

const collect = (reader: Reader): Pick<Model, 'mappings' | 'unread'> => {
  const { resolve, holds, resources, property, propertiesOf, typeOf, text, number } = reader
  const { functionOf, findFunction, findQueue } = createResources(reader)
  const mappings: Mapping[] = []
  const unread: Resource[] = []
  const skip = (id: string, reason: string, place?: Place) => unread.push({ id, place, unread: reason })

  const reportsOf = (types: Resolved): Setting<boolean> => {
    if (types.kind === 'absent') return known(false)
    if (types.kind === 'unknown') return unknown(types.reason, types.place)
    const items = types.kind === 'list' ? types.items.map((item) => text(resolve(item))) : [text(types)]
    const on = items.some((item) => item.state === 'known' && item.value === 'ReportBatchItemFailures')
    const gap = items.find((item) => item.state === 'unknown')
    return gap && !on ? gap : known(on, types.place)
  }
  const provisionedOf = (pollers: Resolved): Setting<boolean> => {
    if (pollers.kind === 'unknown') return unknown(pollers.reason, pollers.place)
    return known(pollers.kind === 'map' && pollers.entries.size > 0, pollers.place)
  }

  const add = (base: Resource, queue: Queue, properties: Resolved, target: LambdaFunction) => {
    const scaling = property(properties, 'ScalingConfig')
    mappings.push({
      ...base,
      queue,
      function: target,
      batchSize: number('batchSize', property(properties, 'BatchSize')),
      window: number('window', property(properties, 'MaximumBatchingWindowInSeconds')),
      reports: reportsOf(property(properties, 'FunctionResponseTypes')),
      maximumConcurrency: number('maximumConcurrency', property(scaling, 'MaximumConcurrency')),
      provisioned: provisionedOf(property(properties, 'ProvisionedPollerConfig')),
    })
  }

  const addEvents = (id: string) => {
    const events = property(propertiesOf(id), 'Events')
    if (events.kind === 'unknown') skip(id, `its Events are not known: ${events.reason}`, events.place)
    if (events.kind !== 'map') return
    for (const [name, declaration] of events.entries) {
      const base = { id: `${id}/${name}`, place: declaration.place }
      const event = resolve(declaration)
      const type = text(property(event, 'Type'))
      if (event.kind === 'unknown') skip(base.id, event.reason, base.place)
      else if (type.state === 'unknown') skip(base.id, `its Type is not known: ${type.reason}`, base.place)
      else if (type.state === 'known' && type.value === 'SQS') {
        const properties = property(event, 'Properties')
        const queue = findQueue(property(properties, 'Queue'))
        if (queue) add(base, queue, properties, functionOf(id))
      }
    }
  }

  const addMapping = (id: string, place: Place) => {
    const properties = propertiesOf(id)
    const queue = findQueue(property(properties, 'EventSourceArn'))
    const others = properties.kind === 'map' && OTHER_SERVICES.some((name) => properties.entries.has(name))
    // An ARN that is not known is a queue's, unless there is something that queues do not have.
    if (!queue || (others && queue.fifo.state === 'unknown' && queue.unread !== undefined)) return
    add({ id, place }, queue, properties, findFunction(property(properties, 'FunctionName')))
  }

  const macros = property(resolve(reader.root), 'Transform')
  for (const macro of macros.kind === 'list' ? macros.items.map(resolve) : [macros]) {
    const name = text(macro.kind === 'map' ? property(macro, 'Name') : macro)
    if (name.state === 'absent' || (name.state === 'known' && KNOWN_MACROS.test(name.value))) continue
    skip(name.state === 'known' ? name.value : 'Transform', 'a macro may change the template', macros.place)
  }
  for (const [id, declaration] of resources) {
    const { place } = declaration
    const type = typeOf(id)
    if (id.startsWith('Fn::')) skip(id, 'what it makes is known only to a deployment', place)
    if (NESTED.test(type)) skip(id, 'a nested stack has a template of its own: check that one too', place)
    const sam = type === 'AWS::Serverless::Function'
    if (!sam && type !== 'AWS::Lambda::EventSourceMapping') continue
    const condition = text(property(resolve(declaration), 'Condition'))
    if (condition.state === 'known' && holds(condition.value) === false) {
      skip(id, `its condition ${condition.value} does not hold with these parameters`, place)
    } else if (sam) addEvents(id)
    else addMapping(id, place)
  }
  return { mappings, unread }
}
