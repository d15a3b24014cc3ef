import {
  type AliasConfiguration,
  type EventSourceMappingConfiguration,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  type GetFunctionConfigurationCommandOutput,
  LambdaClient,
  paginateListAliases,
  paginateListEventSourceMappings,
} from '@aws-sdk/client-lambda'
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { patternSetting } from '../model/filters.ts'
import {
  type LambdaFunction,
  type Mapping,
  type Model,
  type Pattern,
  type Queue,
  type RedrivePolicy,
  redriveDenied,
  type Unread,
  unreadFunction,
  unreadQueue,
  weightedAlias,
} from '../model/model.ts'
import { absent, known, type Setting, unknown, valueIn, withId } from '../model/setting.ts'
import {
  type AnyRow,
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  numberSetting,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  type ReadSettings,
  readTable,
  type Table,
} from '../model/settings.ts'
import { oneLine, UsageError } from '../shared/errors.ts'
import { isObject, parseObject } from '../shared/json.ts'
import { memoize } from '../shared/memoize.ts'

const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|TimeoutError/

/** An error of the SDK, with the call that failed. */
interface CallError {
  name: string
  message: string
  code?: string
  call?: string
  $metadata?: { httpStatusCode?: number }
}

/** A middleware of the SDK. It adds the failed call to an error, because errors of the SDK do not name it. */
function nameFailedCall<Args extends { input: object }, Result>(
  next: (args: Args) => Promise<Result>,
  { commandName }: { commandName?: string },
) {
  return async (args: Args): Promise<Result> => {
    try {
      return await next(args)
    } catch (error) {
      const { FunctionName, EventSourceArn, QueueName, QueueUrl } = args.input as Record<string, string | undefined>
      const resource = FunctionName ?? EventSourceArn ?? QueueName ?? QueueUrl
      const call = `${String(commandName).replace('Command', '')} for ${resource}`
      throw Object.assign(error as Error, { call })
    }
  }
}

/** `ListAliases for orders: HTTP 403: AccessDeniedException: not authorized`. */
function failureOf(error: unknown): string {
  const { name, message, call, $metadata } = error as CallError
  const status = $metadata?.httpStatusCode
  // If a response does not come from AWS, the SDK reports `Unknown: UnknownError` or an error of JSON.parse.
  const isForeign = message === 'UnknownError' || name === 'SyntaxError'
  const said = isForeign ? 'the response does not come from AWS: check the endpoint' : message
  const isNamed = !isForeign && name !== 'Unknown'
  const parts = [call, status && `HTTP ${status}`, isNamed && name, said].filter(Boolean)
  return oneLine(parts.join(': '))
}

/** Converts an error of the SDK to one line that says what to do. */
function explain(error: unknown, name: string): UsageError {
  const { name: type, message, code, call } = error as CallError
  const said = `${type} ${code} ${message}`
  const unreachable = UNREACHABLE.exec(said)?.[0]
  if (type === 'ResourceNotFoundException' && String(call).startsWith('GetFunctionConfiguration ')) {
    return new UsageError(`there is no function ${name}: check the name, --region, and the account of your credentials`)
  }
  if (/Region is missing/.test(said)) return new UsageError('no AWS region is set: give --region, or set AWS_REGION')
  if (/CredentialsProvider|Could not load credentials/.test(said)) {
    return new UsageError(
      'no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    )
  }
  if (unreachable)
    return new UsageError(`Lambda does not respond (${unreachable}): check AWS_ENDPOINT_URL and the network`)
  return new UsageError(failureOf(error))
}

function reasonOf(error: unknown) {
  const { name } = error as CallError
  return /NonExistentQueue|QueueDoesNotExist/.test(name) ? 'there is no such queue' : failureOf(error)
}

function clientOptions(region: string | undefined) {
  return {
    ...({ region } as { region: string }), // the SDK ignores a value that is undefined
    // The SDK only warns after a `requestTimeout`.
    requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
  }
}

/** Whether a name, or the end of an ARN, is that of an alias or a version. */
function isQualified(name: string): boolean {
  return qualifiedNameIn(name).includes(':')
}

/** Whether a qualified name is that of an alias, and not of a version. A version is a number, or begins with `$`. */
function isAlias(name: string): boolean {
  return !/:(\d+|\$[^:]*)$/.test(name)
}

/** The name or ARN of the function, without an alias or a version. */
function unqualified(name: string): string {
  return name.replace(/:[^:]*$/, '')
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
  try {
    return await readModel(lambda, createQueueReader(sqs), name)
  } finally {
    lambda.destroy()
    sqs.destroy()
  }
}

async function readModel(
  lambda: LambdaClient,
  readQueue: (arn: string) => Promise<Queue>,
  name: string,
): Promise<Model> {
  const mappings: Mapping[] = []
  const otherReaders: Mapping[] = []
  const unreadResources: Unread[] = []
  const checkedIds = new Set<string | undefined>()
  const { lambdaFunction, configurations } = await readRequested(lambda, name)

  async function add(owner: LambdaFunction, ofOwner: readonly SqsMapping[]) {
    for (const configuration of ofOwner) {
      checkedIds.add(configuration.UUID)
      const queue = await readQueue(configuration.EventSourceArn)
      mappings.push(toMapping(configuration, owner, queue, mappings.length))
    }
  }
  async function addAlias({ name: alias, isWeighted }: Alias) {
    const ofAlias = await listSqsMappings(lambda, alias)
    if (ofAlias.length === 0) return
    const id = `${lambdaFunction.id}:${alias.split(':').at(-1)}`
    const owner = isWeighted ? weightedAlias(id, lambdaFunction) : await readAlias(lambda, alias, id, lambdaFunction)
    await add(owner, ofAlias)
  }
  /** Adds the mappings of other functions, and of other aliases if only one was requested. */
  async function addOtherReaders(queue: Queue, arn: string) {
    for (const configuration of await listReaders(lambda, arn)) {
      if (checkedIds.has(configuration.UUID)) continue
      const owner = unreadFunction(qualifiedNameIn(configuration.FunctionArn), 'it was not requested')
      otherReaders.push(toMapping(configuration, owner, queue))
    }
  }
  /** Handles a failed call: lists what it would have returned as not checked. */
  function skip(id: string, what?: string) {
    return (error: unknown) => {
      unreadResources.push({ id, what, unreadReason: reasonOf(error) })
      return []
    }
  }

  if (isQualified(name)) {
    const id = qualifiedNameIn(name)
    const what = 'whether it routes invocations to several versions'
    const aliases = isAlias(name) ? await listAliases(lambda, unqualified(name)).catch(skip(id, what)) : []
    const alias = aliases.find((one) => qualifiedNameIn(one.name) === id)
    await add(alias?.isWeighted ? weightedAlias(id, lambdaFunction) : lambdaFunction, configurations)
  } else {
    const aliases = await listAliases(lambda, name).catch(skip(`the aliases of ${name}`))
    // AWS lists the mappings of a function without those of its aliases. Some local substitutes list both.
    const isOfAlias = (arn: string) => aliases.some((alias) => qualifiedNameIn(alias.name) === qualifiedNameIn(arn))
    const own = configurations.filter(({ FunctionArn }) => !isOfAlias(FunctionArn))
    await add(lambdaFunction, own)
    for (const alias of aliases) await addAlias(alias).catch(skip(alias.name))
  }
  const queues = new Map(mappings.map(({ queue, arn }) => [queue, String(valueIn(arn))]))
  for (const [queue, arn] of queues) {
    await addOtherReaders(queue, arn).catch(skip(queue.id, 'whether other functions read the queue'))
  }
  return { mappings, otherReaders, unreadResources }
}

/** The function, alias or version of this name, with its mappings. Without these, there is nothing to check. */
async function readRequested(lambda: LambdaClient, name: string) {
  try {
    const lambdaFunction = await readConfiguration(lambda, name)
    return { lambdaFunction, configurations: await listSqsMappings(lambda, name) }
  } catch (error) {
    throw explain(error, name)
  }
}

/** A mapping of a queue. */
type SqsMapping = EventSourceMappingConfiguration & { EventSourceArn: string; FunctionArn: string }

/** Lists mappings of queues. `unnamed` is the function of those for which a local substitute for Lambda returns none. */
async function listMappings(
  lambda: LambdaClient,
  of: { FunctionName: string } | { EventSourceArn: string },
  unnamed: string,
): Promise<SqsMapping[]> {
  const mappings: SqsMapping[] = []
  for await (const { EventSourceMappings } of paginateListEventSourceMappings({ client: lambda }, of)) {
    if (!EventSourceMappings) continue
    for (const { EventSourceArn, FunctionArn = unnamed, ...configuration } of EventSourceMappings) {
      const isOfQueue = EventSourceArn?.split(':')[2] === 'sqs'
      if (isOfQueue && configuration.State !== 'Deleting')
        mappings.push({ ...configuration, EventSourceArn, FunctionArn })
    }
  }
  return mappings
}

/** The mappings of a function or an alias. A local substitute for Lambda may ignore the name, and return all mappings. */
async function listSqsMappings(lambda: LambdaClient, name: string): Promise<SqsMapping[]> {
  const mappings = await listMappings(lambda, { FunctionName: name }, name)
  return mappings.filter(({ FunctionArn }) => functionIn(FunctionArn) === functionIn(name))
}

/** The mappings that read a queue. A local substitute for Lambda may ignore the ARN, and return all mappings. */
async function listReaders(lambda: LambdaClient, arn: string): Promise<SqsMapping[]> {
  const mappings = await listMappings(lambda, { EventSourceArn: arn }, 'another function')
  return mappings.filter(({ EventSourceArn }) => EventSourceArn === arn)
}

/** `NAME`, or `NAME:ALIAS`. */
function qualifiedNameIn(arn: string): string {
  return arn.replace(/.*:function:/, '').replace(/:\$LATEST$/, '')
}

function functionIn(arn: string): string | undefined {
  return qualifiedNameIn(arn).split(':')[0]
}

interface Alias {
  /** `NAME:ALIAS`. */
  name: string
  /** Whether it routes a share of the invocations to a second version. */
  isWeighted: boolean
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

/** A value that Lambda returned. If it returned none, the setting is absent. */
function toSetting<T>(value: T | undefined | null): Setting<T> {
  return value === undefined || value === null ? absent : known<T>(value)
}

function valueAt(answer: unknown, path: AnyRow['path']): unknown {
  return path.reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), answer)
}

/**
 * The settings of a table in the answer of a call. AWS always returns a setting that has a default. A local substitute
 * may not return it, and may use another default. The value is then unknown.
 */
function returned<T extends Table>(
  table: T,
  id: string,
  answer: unknown,
  by: 'Lambda' | 'SQS',
  managed?: Setting<unknown>,
): ReadSettings<T> {
  function get(row: AnyRow): Setting<unknown> {
    const value = toSetting(valueAt(answer, row.path))
    const isMissing = value.state === 'absent' && row.default !== undefined
    return isMissing ? unknown(`${by} does not return it`) : value
  }
  return readTable(table, get, (name) => `${id} ${name}`, managed)
}

function toFunction(
  id: string,
  configuration: GetFunctionConfigurationCommandOutput,
  reservedConcurrency: Setting<number>,
): LambdaFunction {
  const managed = toSetting(configuration.CapacityProviderConfig)
  return { id, ...returned(FUNCTION_SETTINGS, id, configuration, 'Lambda', managed), reservedConcurrency }
}

async function readAlias(
  lambda: LambdaClient,
  name: string,
  id: string,
  aliasOf: LambdaFunction,
): Promise<LambdaFunction> {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  return { ...toFunction(id, configuration, aliasOf.reservedConcurrency), aliasOf }
}

async function readConfiguration(lambda: LambdaClient, name: string): Promise<LambdaFunction> {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  const { FunctionName = name } = configuration
  // It belongs to the function, even if an alias or a version was requested.
  const reserved = await lambda.send(new GetFunctionConcurrencyCommand({ FunctionName })).then(
    ({ ReservedConcurrentExecutions: value }) => numberSetting(FUNCTION_SETTINGS.reservedConcurrency, value),
    (error): Setting<number> => unknown(reasonOf(error)),
  )
  return toFunction(FunctionName, configuration, withId(`${FunctionName} reservedConcurrency`, reserved))
}

function toMapping(configuration: SqsMapping, lambdaFunction: LambdaFunction, queue: Queue, index = 0): Mapping {
  const id = `${lambdaFunction.id}/${queue.id}`
  const key = `${id} ${index}` // several mappings can have the same function and the same queue
  return {
    id,
    ...returned(MAPPING_SETTINGS, key, configuration, 'Lambda'),
    function: lambdaFunction,
    queue,
    arn: known(configuration.EventSourceArn),
    runs: known(!['Disabling', 'Disabled'].includes(String(configuration.State))),
    reportBatchItemFailures: withId(
      `${key} reportBatchItemFailures`,
      known(configuration.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false),
    ),
    provisioned: known(Object.keys(configuration.ProvisionedPollerConfig ?? {}).length > 0),
    filters: filtersOf(configuration),
  }
}

/** If the caller may not decrypt the filters, Lambda returns an error instead of them. */
function filtersOf({
  FilterCriteria,
  FilterCriteriaError: error,
}: EventSourceMappingConfiguration): Setting<readonly Setting<Pattern>[]> {
  if (error) return unknown(oneLine(`${error.ErrorCode}: ${error.Message}`))
  return toSetting(FilterCriteria?.Filters?.map(({ Pattern }) => patternSetting(toSetting(Pattern))))
}

type DeadLetterQueue = RedrivePolicy['deadLetterQueue'] & { allowPolicy?: Record<string, unknown> | undefined }

/** Reads queues by their ARNs. If access to a queue is denied, the queue is listed as not checked. */
function createQueueReader(sqs: SQSClient) {
  async function attributesOf(arn: string) {
    const [, , , , account, name] = arn.split(':')
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }))
    const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
    return { ...Attributes, QueueUrl }
  }
  /**
   * If SQS does not return the list, the queue counts as an ordinary queue. It then gets the warning that it has no
   * redrive policy.
   */
  async function isDeadLetterQueue(QueueUrl: string | undefined): Promise<boolean> {
    const list = new ListDeadLetterSourceQueuesCommand({ QueueUrl, MaxResults: 1 })
    const response = await sqs.send(list).catch(() => undefined)
    return (response?.queueUrls ?? []).length > 0
  }
  const nameOf = (arn: string) => arn.split(':').at(-1) ?? arn
  function returnedBySqs<T extends Table>(table: T, id: string, answer: unknown): ReadSettings<T> {
    return returned(table, id, answer, 'SQS')
  }

  const deadLetterQueueOf = memoize(async (arn: string): Promise<DeadLetterQueue> => {
    const id = nameOf(arn)
    const fifo = known(arn.endsWith('.fifo'))
    try {
      const attributes = await attributesOf(arn)
      const { retention } = returnedBySqs(QUEUE_SETTINGS, id, attributes)
      return { id, fifo, retention, allowPolicy: parseObject(String(attributes.RedriveAllowPolicy)) }
    } catch (error) {
      return { id, fifo, unreadReason: reasonOf(error), retention: withId(id, unknown(reasonOf(error))) }
    }
  })
  async function redriveOf(id: string, queueArn: string, policy: string | undefined): Promise<Setting<RedrivePolicy>> {
    if (!policy) return absent
    const keys = JSON.parse(policy)
    const arn = String(keys.deadLetterTargetArn)
    const deadLetterQueue = await deadLetterQueueOf(arn)
    const { redrivePermission: permission, sourceQueueArns } = deadLetterQueue.allowPolicy ?? {}
    const isListed = [sourceQueueArns].flat().includes(queueArn)
    const denied = redriveDenied(id, deadLetterQueue.id, permission as string | undefined, isListed)
    const checked = withId(`${id} redrive`, denied ?? known(arn))
    return known({ ...returnedBySqs(REDRIVE_SETTINGS, id, keys), arn: checked, deadLetterQueue })
  }
  return memoize(async (arn: string): Promise<Queue> => {
    const id = nameOf(arn)
    const fifo = known(arn.endsWith('.fifo'))
    try {
      const attributes = await attributesOf(arn)
      return {
        id,
        fifo,
        ...returnedBySqs(QUEUE_SETTINGS, id, attributes),
        redrive: await redriveOf(id, arn, attributes.RedrivePolicy),
        isDeadLetterQueue: !attributes.RedrivePolicy && (await isDeadLetterQueue(attributes.QueueUrl)),
      }
    } catch (error) {
      return { ...unreadQueue(id, reasonOf(error)), fifo }
    }
  })
}
