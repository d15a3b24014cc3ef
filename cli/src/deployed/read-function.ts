import {
  type AliasConfiguration,
  type EventSourceMappingConfiguration,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
  paginateListAliases,
  paginateListEventSourceMappings,
} from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import { link } from '../linker/link.ts'
import type { Declaration } from '../model/declaration.ts'
import type { Model, Unread } from '../model/model.ts'
import { unknown } from '../model/setting.ts'
import { textTree } from '../model/text.ts'
import { type Tree, toTree } from '../model/tree.ts'
import { oneLine } from '../shared/errors.ts'
import { explain, nameFailedCall, reasonOf } from './errors.ts'
import { addQueue, type QueueReading } from './queues.ts'

/** What was read so far. Each queue is read once. */
interface Reading extends QueueReading {
  lambda: LambdaClient
  unreadResources: Unread[]
  checkedIds: Set<string | undefined>
}

/** A mapping of a queue. */
type SqsMapping = EventSourceMappingConfiguration & { EventSourceArn: string; FunctionArn: string }

interface Alias {
  /** `NAME:ALIAS`. */
  name: string
  /** Whether it routes a share of the invocations to a second version. */
  isWeighted: boolean
}

function clientOptions(region: string | undefined) {
  return {
    ...({ region } as { region: string }), // the SDK ignores a value that is undefined
    // The SDK only warns after a `requestTimeout`.
    requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
  }
}

/**
 * Reads the SQS event source mappings of a deployed function and of its aliases, or of one alias. Rejects with a
 * UsageError if Lambda does not return the function itself.
 */
export async function readFunction(name: string, region?: string): Promise<Model> {
  const lambda = new LambdaClient(clientOptions(region))
  // A local substitute for SQS can return queue URLs whose host name this machine cannot resolve.
  const sqs = new SQSClient({ ...clientOptions(region), useQueueUrlAsEndpoint: false })
  lambda.middlewareStack.add(nameFailedCall)
  sqs.middlewareStack.add(nameFailedCall)
  const reading: Reading = {
    lambda,
    sqs,
    declarations: new Map(),
    sources: new Set(),
    deadLetterTargets: [],
    unreadResources: [],
    checkedIds: new Set(),
  }
  await readAll(reading, name)
  const { declarations, deadLetterTargets, unreadResources } = reading
  return link({
    format: 'api',
    declarations: [...declarations.values()],
    deadLetterTargets,
    elsewhere: 'it was not requested',
    unreadResources,
  })
}

async function readAll(reading: Reading, name: string): Promise<void> {
  const { lambda, declarations } = reading
  const { owner, own } = await readRequested(reading, name)
  if (qualifiedNameIn(name).includes(':')) await addQualified(reading, name, owner, own)
  else {
    const aliases = await listAliases(lambda, name).catch(skip(reading, `the aliases of ${name}`))
    await add(reading, owner, own)
    for (const alias of aliases) await addAlias(reading, alias, owner).catch(skip(reading, alias.name))
  }
  for (const arn of reading.sources) {
    const id = String(declarations.get(arn)?.id)
    const what = 'whether other functions read the queue'
    await addOtherReaders(reading, arn).catch(skip(reading, id, what))
  }
}

/** The function, alias or version of this name, with its mappings. Without these, there is nothing to check. */
async function readRequested(reading: Reading, name: string) {
  try {
    const owner = await readConfiguration(reading, name)
    return { owner, own: await listMappings(reading.lambda, { FunctionName: name }) }
  } catch (error) {
    throw explain(error, name)
  }
}

/** Handles a failed call: lists what it would have returned as not checked. */
function skip({ unreadResources }: Reading, id: string, what?: string) {
  return (error: unknown) => {
    unreadResources.push({ id, what, unreadReason: reasonOf(error) })
    return []
  }
}

async function add(reading: Reading, owner: Declaration, configurations: readonly SqsMapping[]): Promise<void> {
  for (const configuration of configurations) {
    const { UUID, EventSourceArn: arn } = configuration
    await addQueue(reading, arn)
    reading.checkedIds.add(UUID)
    addMapping(reading, configuration, owner.id)
  }
}

/** Adds the mappings of the alias or the version that was requested. A version is a number, or begins with `$`. */
async function addQualified(reading: Reading, name: string, owner: Declaration, own: readonly SqsMapping[]) {
  const id = qualifiedNameIn(name)
  const isAlias = !/:(\d+|\$[^:]*)$/.test(name)
  const what = 'whether it routes invocations to several versions'
  const unqualified = name.replace(/:[^:]*$/, '')
  const aliases = isAlias ? await listAliases(reading.lambda, unqualified).catch(skip(reading, id, what)) : []
  const isWeighted = aliases.find((one) => qualifiedNameIn(one.name) === id)?.isWeighted
  await add(reading, isWeighted ? weightedAlias(reading, id, owner) : owner, own)
}

async function addAlias(reading: Reading, { name, isWeighted }: Alias, owner: Declaration): Promise<void> {
  const own = await listMappings(reading.lambda, { FunctionName: name })
  if (own.length === 0) return
  const id = `${owner.id}:${name.split(':').at(-1)}`
  await add(reading, isWeighted ? weightedAlias(reading, id, owner) : await readAlias(reading, name, id, owner), own)
}

/** An alias that routes to several versions, whose settings can differ. */
function weightedAlias({ declarations }: Reading, id: string, owner: Declaration): Declaration {
  const properties: [string, Tree][] = [
    ['FunctionName', referenceTo(owner.id)],
    ['RoutingConfig', toTree({ AdditionalVersionWeights: { 1: 1 } }, textTree)],
  ]
  const alias: Declaration = { kind: 'alias', type: 'alias', id, properties: mapOf(properties), names: {} }
  declarations.set(id, alias)
  return alias
}

function mapOf(entries: readonly [string, Tree][]): Tree {
  return { state: 'map', entries: new Map(entries) }
}

function referenceTo(id: string): Tree {
  return { ...unknown(''), refersTo: { to: [{ id }], unresolved: [] } }
}

/** Adds the mappings of other functions, and of other aliases if only one was requested. */
async function addOtherReaders(reading: Reading, arn: string): Promise<void> {
  for (const configuration of await listMappings(reading.lambda, { EventSourceArn: arn })) {
    if (reading.checkedIds.has(configuration.UUID)) continue
    addMapping(reading, configuration, qualifiedNameIn(configuration.FunctionArn), { isElsewhere: true })
  }
}

/** Lists mappings of queues. */
async function listMappings(
  lambda: LambdaClient,
  of: { FunctionName: string } | { EventSourceArn: string },
): Promise<SqsMapping[]> {
  const mappings: SqsMapping[] = []
  const isOfQueue = (one: EventSourceMappingConfiguration): one is SqsMapping =>
    one.EventSourceArn?.split(':')[2] === 'sqs' && one.State !== 'Deleting'
  for await (const page of paginateListEventSourceMappings({ client: lambda }, of)) {
    mappings.push(...(page.EventSourceMappings ?? []).filter(isOfQueue))
  }
  return mappings
}

/** `NAME`, or `NAME:ALIAS`. */
function qualifiedNameIn(arn: string): string {
  return arn.replace(/.*:function:/, '').replace(/:\$LATEST$/, '')
}

async function listAliases(lambda: LambdaClient, name: string): Promise<Alias[]> {
  const toAlias = ({ Name, RoutingConfig }: AliasConfiguration) => ({
    name: `${name}:${Name}`,
    isWeighted: Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {}).length > 0,
  })
  const aliases: Alias[] = []
  for await (const page of paginateListAliases({ client: lambda }, { FunctionName: name })) {
    aliases.push(...(page.Aliases ?? []).map(toAlias))
  }
  return aliases
}

function toFunction(id: string, configuration: unknown, more: readonly [string, Tree][] = []): Declaration {
  const response = toTree(configuration, textTree)
  const entries = response.state === 'map' ? response.entries : new Map<string, Tree>()
  const own = Array.from(entries.keys(), (name): [string, Tree] => [name, entries.get(name) as Tree])
  const properties = mapOf([...own, ...more])
  return { kind: 'function', type: 'function', id, properties, names: {}, omitted: 'Lambda does not return it' }
}

async function readAlias({ lambda, declarations }: Reading, name: string, id: string, aliasOf: Declaration) {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  const alias = { ...toFunction(id, configuration), aliasOf }
  declarations.set(id, alias)
  return alias
}

async function readConfiguration({ lambda, declarations }: Reading, name: string): Promise<Declaration> {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  const { FunctionName: id = name } = configuration
  // It belongs to the function, even if an alias or a version was requested.
  const reserved = await lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: id })).then(
    ({ ReservedConcurrentExecutions: value }) => toTree(value, textTree),
    (error): Tree => unknown(reasonOf(error)),
  )
  const owner = toFunction(id, configuration, [['ReservedConcurrentExecutions', reserved]])
  declarations.set(id, owner)
  return owner
}

/** Adds a mapping of a function, whose name may be that of a function that was not requested. */
function addMapping(
  { declarations }: Reading,
  configuration: SqsMapping,
  functionId: string,
  more: Partial<Declaration> = {},
): void {
  const { State, FilterCriteriaError: error, EventSourceArn: arn } = configuration
  const id = `${functionId}/${declarations.get(arn)?.id}`
  // If the caller may not decrypt the filters, Lambda returns an error instead of them.
  const filters = error && mapOf([['Filters', unknown(oneLine(`${error.ErrorCode}: ${error.Message}`))]])
  const isRunning = !['Disabling', 'Disabled'].includes(String(State))
  const isRead = [...declarations.values()].some((one) => one.id === functionId)
  const { properties } = toFunction(id, configuration, [
    ['FunctionName', isRead ? referenceTo(functionId) : textTree(functionId)],
    ['Enabled', toTree(isRunning, textTree)],
    ...(filters ? [['FilterCriteria', filters] as [string, Tree]] : []),
  ])
  // Several mappings can have the same function and the same queue.
  const index = [...declarations.values()].filter(({ kind }) => kind === 'mapping').length
  const uniqueId = `${id} ${index}`
  const omitted = 'Lambda does not return it'
  const base = { kind: 'mapping' as const, type: 'mapping', names: {}, omitted }
  declarations.set(uniqueId, { ...base, id, uniqueId, properties, ...more })
}
