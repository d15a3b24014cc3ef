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
import {
  type LambdaFunction,
  type Mapping,
  type Model,
  otherVersion,
  type Queue,
  type Unread,
  unreadFunction,
} from '../model/model.ts'
import { known, type Setting, unknown, withId } from '../model/setting.ts'
import { FUNCTION_SETTINGS, MAPPING_SETTINGS, numberSetting } from '../model/settings.ts'
import { oneLine } from '../shared/errors.ts'
import { explain, nameFailedCall, reasonOf } from './errors.ts'
import { readQueue } from './queues.ts'
import { returned } from './returned.ts'

/** What was read so far. Each queue is read once. */
interface Reading {
  lambda: LambdaClient
  sqs: SQSClient
  /** By their ARNs. */
  queues: Map<string, Queue>
  mappings: Mapping[]
  otherReaders: Mapping[]
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
  const lists = { mappings: [], otherReaders: [], unreadResources: [] }
  const reading: Reading = { lambda, sqs, queues: new Map(), checkedIds: new Set(), ...lists }
  await readAll(reading, name)
  return lists
}

async function readAll(reading: Reading, name: string): Promise<void> {
  const { lambda } = reading
  const { lambdaFunction, own } = await readRequested(lambda, name)
  if (qualifiedNameIn(name).includes(':')) await addQualified(reading, name, lambdaFunction, own)
  else {
    const aliases = await listAliases(lambda, name).catch(skip(reading, `the aliases of ${name}`))
    await add(reading, lambdaFunction, own)
    for (const alias of aliases) await addAlias(reading, alias, lambdaFunction).catch(skip(reading, alias.name))
  }
  for (const [arn, queue] of reading.queues) {
    const what = 'whether other functions read the queue'
    await addOtherReaders(reading, queue, arn).catch(skip(reading, queue.id, what))
  }
}

/** The function, alias or version of this name, with its mappings. Without these, there is nothing to check. */
async function readRequested(lambda: LambdaClient, name: string) {
  try {
    const lambdaFunction = await readConfiguration(lambda, name)
    return { lambdaFunction, own: await listMappings(lambda, { FunctionName: name }) }
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

async function add(reading: Reading, owner: LambdaFunction, configurations: readonly SqsMapping[]): Promise<void> {
  for (const configuration of configurations) {
    const { UUID, EventSourceArn: arn } = configuration
    const queue = reading.queues.get(arn) ?? (await readQueue(reading.sqs, arn))
    reading.queues.set(arn, queue)
    reading.checkedIds.add(UUID)
    reading.mappings.push(toMapping(configuration, owner, queue, reading.mappings.length))
  }
}

/** Adds the mappings of the alias or the version that was requested. A version is a number, or begins with `$`. */
async function addQualified(reading: Reading, name: string, owner: LambdaFunction, own: readonly SqsMapping[]) {
  const id = qualifiedNameIn(name)
  const isAlias = !/:(\d+|\$[^:]*)$/.test(name)
  const what = 'whether it routes invocations to several versions'
  const unqualified = name.replace(/:[^:]*$/, '')
  const aliases = isAlias ? await listAliases(reading.lambda, unqualified).catch(skip(reading, id, what)) : []
  const isWeighted = aliases.find((one) => qualifiedNameIn(one.name) === id)?.isWeighted
  await add(reading, isWeighted ? otherVersion(id, owner) : owner, own)
}

async function addAlias(reading: Reading, { name, isWeighted }: Alias, aliasOf: LambdaFunction): Promise<void> {
  const { lambda } = reading
  const own = await listMappings(lambda, { FunctionName: name })
  if (own.length === 0) return
  const id = `${aliasOf.id}:${name.split(':').at(-1)}`
  await add(reading, isWeighted ? otherVersion(id, aliasOf) : await readAlias(lambda, name, id, aliasOf), own)
}

/** Adds the mappings of other functions, and of other aliases if only one was requested. */
async function addOtherReaders({ lambda, checkedIds, otherReaders }: Reading, queue: Queue, arn: string) {
  for (const configuration of await listMappings(lambda, { EventSourceArn: arn })) {
    if (checkedIds.has(configuration.UUID)) continue
    const owner = unreadFunction(qualifiedNameIn(configuration.FunctionArn), 'it was not requested')
    otherReaders.push(toMapping(configuration, owner, queue))
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

async function readAlias(lambda: LambdaClient, name: string, id: string, aliasOf: LambdaFunction) {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  const { reservedConcurrency } = aliasOf
  return { id, ...returned(FUNCTION_SETTINGS, id, configuration, 'Lambda'), reservedConcurrency, aliasOf }
}

async function readConfiguration(lambda: LambdaClient, name: string): Promise<LambdaFunction> {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  const { FunctionName: id = name } = configuration
  // It belongs to the function, even if an alias or a version was requested.
  const reserved = await lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: id })).then(
    ({ ReservedConcurrentExecutions: value }) => numberSetting(FUNCTION_SETTINGS.reservedConcurrency, value),
    (error): Setting<number> => unknown(reasonOf(error)),
  )
  const settings = returned(FUNCTION_SETTINGS, id, configuration, 'Lambda')
  return { id, ...settings, reservedConcurrency: withId(`${id} reservedConcurrency`, reserved) }
}

function toMapping(configuration: SqsMapping, lambdaFunction: LambdaFunction, queue: Queue, index = 0): Mapping {
  const id = `${lambdaFunction.id}/${queue.id}`
  const { State, FilterCriteriaError: error } = configuration
  // Several mappings can have the same function and the same queue.
  const settings = returned(MAPPING_SETTINGS, `${id} ${index}`, configuration, 'Lambda')
  // If the caller may not decrypt the filters, Lambda returns an error instead of them.
  const filters = error ? unknown(oneLine(`${error.ErrorCode}: ${error.Message}`)) : settings.filters
  const runs = known(!['Disabling', 'Disabled'].includes(String(State)))
  return { id, ...settings, filters, runs, function: lambdaFunction, queue }
}
