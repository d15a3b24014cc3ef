import {
  type EventSourceMappingConfiguration,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
  type ListEventSourceMappingsCommandInput,
  paginateListAliases,
  paginateListEventSourceMappings,
} from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import { link } from '../linker/link.ts'
import type { Declaration, Unread } from '../model/declaration.ts'
import type { Model } from '../model/model.ts'
import { textTree } from '../model/partial-text.ts'
import { unknown } from '../model/setting.ts'
import { type Tree, toTree, withEntries } from '../model/tree.ts'
import { oneLine } from '../shared/errors.ts'
import { explain, reasonOf } from './errors.ts'
import { addQueue, type QueueReading } from './queues.ts'

/** What was read so far. Each queue is read once. */
interface Reading extends QueueReading {
  lambda: LambdaClient
  unreadResources: Unread[]
  checkedIds: Set<string | undefined>
}

type SqsMapping = EventSourceMappingConfiguration & { EventSourceArn: string; FunctionArn: string }

/** Reads the mappings of a function and its aliases, or of one alias. Rejects if it cannot read the function. */
export async function readFunction(name: string, region?: string): Promise<Model> {
  const options = {
    ...({ region } as { region: string }), // the SDK ignores a value that is undefined
    // The SDK only warns after a `requestTimeout`.
    requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
  }
  const lambda = new LambdaClient(options)
  // A local substitute for SQS can return queue URLs whose host name this machine cannot resolve.
  const sqs = new SQSClient({ ...options, useQueueUrlAsEndpoint: false })
  const all = { declarations: new Map(), sources: new Set<string>(), deadLetterTargets: [], unreadResources: [] }
  const reading: Reading = { ...all, lambda, sqs, checkedIds: new Set() }
  await readRequested(reading, name)
  for (const arn of reading.sources) {
    const id = String(reading.declarations.get(arn)?.id)
    await addOtherReaders(reading, arn).catch(skip(reading, id, 'whether other functions read the queue'))
  }
  const declarations = [...reading.declarations.values()]
  return link({ ...reading, declarations, format: 'api', elsewhere: 'it was not requested' })
}

async function readRequested(reading: Reading, name: string): Promise<void> {
  const { lambda } = reading
  const explained = (error: unknown): never => {
    throw explain(error, name)
  }
  const owner = await addFunction(reading, name).catch(explained)
  const own = await listMappings(lambda, { FunctionName: name }).catch(explained)
  // It belongs to the function, even if an alias or a version was requested.
  const command = new GetFunctionConcurrencyCommand({ FunctionName: owner.id })
  const ReservedConcurrentExecutions = await lambda.send(command).then(
    ({ ReservedConcurrentExecutions: value }) => toTree(value, textTree),
    (error): Tree => unknown(reasonOf(error)),
  )
  owner.properties = withEntries(owner.properties, { ReservedConcurrentExecutions })
  await addMappings(reading, owner, own)
  if (qualifiedNameIn(name).includes(':')) return
  const functionName = name.replace(/:\$LATEST$/, '')
  const pages = await allOf(paginateListAliases({ client: lambda }, { FunctionName: functionName })).catch(
    skip(reading, `the aliases of ${functionName}`),
  )
  for (const { Name } of pages.flatMap(({ Aliases = [] }) => Aliases)) {
    const alias = `${functionName}:${Name}`
    await addAlias(reading, alias, `${owner.id}:${Name}`, owner).catch(skip(reading, alias))
  }
}

/** Handles a failed call: lists what it would have returned as not checked. */
function skip({ unreadResources }: Reading, id: string, what?: string) {
  return (error: unknown) => {
    unreadResources.push({ id, what, unreadReason: reasonOf(error) })
    return []
  }
}

/** Adds the mappings of an alias, if it has any, with the settings of its version. */
async function addAlias(reading: Reading, name: string, id: string, aliasOf: Declaration): Promise<void> {
  const own = await listMappings(reading.lambda, { FunctionName: name })
  if (own.length > 0) await addMappings(reading, await addFunction(reading, name, { id, aliasOf }), own)
}

/** Adds the mappings of other functions, and of other aliases if only one was requested. */
async function addOtherReaders(reading: Reading, arn: string): Promise<void> {
  for (const configuration of await listMappings(reading.lambda, { EventSourceArn: arn })) {
    if (reading.checkedIds.has(configuration.UUID)) continue
    addMapping(reading, configuration, qualifiedNameIn(configuration.FunctionArn), true)
  }
}

async function allOf<Page>(pages: AsyncIterable<Page>): Promise<Page[]> {
  const all: Page[] = []
  for await (const page of pages) all.push(page)
  return all
}

async function listMappings(client: LambdaClient, of: ListEventSourceMappingsCommandInput): Promise<SqsMapping[]> {
  const pages = await allOf(paginateListEventSourceMappings({ client }, of))
  return pages
    .flatMap(({ EventSourceMappings = [] }) => EventSourceMappings as SqsMapping[])
    .filter(({ EventSourceArn, State }) => EventSourceArn?.split(':')[2] === 'sqs' && State !== 'Deleting')
}

/** `NAME`, or `NAME:ALIAS`. */
function qualifiedNameIn(arn: string): string {
  return arn.replace(/.*:function:/, '').replace(/:\$LATEST$/, '')
}

async function addFunction({ lambda, declarations }: Reading, FunctionName: string, more: Partial<Declaration> = {}) {
  const response = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))
  const own = { id: response.FunctionName ?? FunctionName, properties: toTree(response, textTree) }
  const declaration: Declaration = { kind: 'function', type: 'function', names: {}, ...own, ...more }
  declarations.set(declaration.id, declaration)
  return declaration
}

async function addMappings(reading: Reading, owner: Declaration, mappings: readonly SqsMapping[]): Promise<void> {
  for (const mapping of mappings) {
    await addQueue(reading, mapping.EventSourceArn)
    reading.checkedIds.add(mapping.UUID)
    addMapping(reading, mapping, owner.id)
  }
}

/** Adds a mapping of a function, whose name may be that of a function that was not requested. */
function addMapping({ declarations }: Reading, mapping: SqsMapping, functionId: string, isElsewhere = false) {
  const { UUID, State, FilterCriteriaError: error, EventSourceArn: arn } = mapping
  const id = `${functionId}/${declarations.get(arn)?.id}`
  const isRunning = !['Disabling', 'Disabled'].includes(String(State))
  const reference: Tree = { ...unknown(''), refersTo: { to: [{ id: functionId }], unresolved: [] } }
  // If the caller may not decrypt the filters, Lambda returns an error instead of them.
  const filters = error && unknown(oneLine(`${error.ErrorCode}: ${error.Message}`))
  const properties = withEntries(toTree(mapping, textTree), {
    FunctionName: declarations.get(functionId) ? reference : textTree(functionId),
    Enabled: toTree(isRunning, textTree),
    ...(filters ? { FilterCriteria: filters } : {}),
  })
  const own = { id, declaredAs: String(UUID), properties, isElsewhere }
  declarations.set(own.declaredAs, { kind: 'mapping', type: 'mapping', names: {}, ...own })
}
