import { formatNumber } from '../shared/format.ts'
import type { Declaration, Format } from './declaration.ts'
import { filtersSetting } from './patterns.ts'
import { absent, invalid, known, type Position, type Scalar, type Setting, unknown, withId } from './setting.ts'
import { at, formOf, knownText, type Path, type Tree } from './tree.ts'

/** A setting, and where each input has it. A new setting needs one row in a table below. */
export interface Row<T = unknown> {
  /** `presence` rows only say whether there is a value. */
  kind: 'number' | 'boolean' | 'text' | 'presence' | 'list'
  /** The name in templates and in findings. */
  name: string
  /** The path in the properties of CloudFormation, and in the responses of the API of AWS. */
  path: Path
  /** The path in the attributes of Terraform. */
  terraform: Path
  /** The default of AWS. Missing if there is none. */
  default?: number | boolean
  /** The limits of AWS. A missing limit is infinite, or belongs to a rule whose message says more. */
  limits?: readonly [least: number, most?: number]
  /** The limits on Lambda Managed Instances, if they are others. */
  managedLimits?: readonly [least: number, most: number]
  /** What Terraform shows for a value that is not set. */
  unset?: number
  /** No rule needs the value, so an unknown value is not listed as not checked. */
  isOptional?: true
  /** Of a list: the key of an item that has its value. */
  item?: string
  /** Of a list: what its items mean. */
  ofItems?: (items: readonly Tree[], position?: Position) => Setting<T>
}
export type Table = Readonly<Record<string, Row>>

/** What a row has beside its name. `terraform` is the last name in its path, if it is another one. */
type More = Omit<Row, 'kind' | 'name' | 'path' | 'terraform' | 'ofItems'> & { terraform?: string }

export function snakeCase(name: string): string {
  return name.replaceAll(/(?<!^)(?=[A-Z])/g, '_').toLowerCase()
}

/** In Terraform, `ScalingConfig.MaximumConcurrency` is `scaling_config[0].maximum_concurrency`. */
function row<T>(kind: Row['kind'], fullName: string, more: Pick<Row<T>, 'ofItems'> & More = {}): Row<T> {
  const path = fullName.split('.')
  const name = String(path.at(-1))
  const blocks = path.slice(0, -1).flatMap((block) => [snakeCase(block), 0])
  return { ...more, kind, name, path, terraform: [...blocks, more.terraform ?? snakeCase(name)] }
}
const number = (name: string, more?: More) => row<number>('number', name, more)
const boolean = (name: string, more?: More) => row<boolean>('boolean', name, more)
const text = (name: string, more?: More) => row<string>('text', name, more)
const presence = (name: string) => row<boolean>('presence', name, { isOptional: true })

export const MAPPING_SETTINGS = {
  reportBatchItemFailures: row('list', 'FunctionResponseTypes', {
    default: false,
    ofItems: reportsFailures,
    isOptional: true, // if it is unknown, its rule reports a warning
  }),
  batchSize: number('BatchSize', { default: 10, limits: [1, 10_000], unset: 0 }),
  window: number('MaximumBatchingWindowInSeconds', { default: 0, limits: [0, 300], unset: 0 }),
  maximumConcurrency: number('ScalingConfig.MaximumConcurrency', {
    limits: [2], // accounts can raise the maximum
    unset: 0,
  }),
  // The developer guide and CloudFormation allow 2,000. Only API_ProvisionedPollerConfig allows 10,000.
  minimumPollers: number('ProvisionedPollerConfig.MinimumPollers', { limits: [2, 200], unset: 0 }),
  maximumPollers: number('ProvisionedPollerConfig.MaximumPollers', { limits: [2, 2000], unset: 0 }),
  filters: row('list', 'FilterCriteria.Filters', { terraform: 'filter', item: 'Pattern', ofItems: filtersSetting }),
  runs: boolean('Enabled', { default: true, isOptional: true }),
} satisfies Table

/** Settings that only mappings of streams have. If the source is unknown, the first four show its kind. */
export const OTHER_SOURCES = ['StartingPosition', 'Queues', 'Topics', 'SelfManagedEventSource']
const OF_STREAMS = [
  ...['MaximumRetryAttempts', 'MaximumRecordAgeInSeconds', 'BisectBatchOnFunctionError', 'DestinationConfig'],
  ...['ParallelizationFactor', 'TumblingWindowInSeconds', 'StartingPositionTimestamp'],
]
export const STREAM_SETTINGS = Object.fromEntries(
  [...OTHER_SOURCES, ...OF_STREAMS].map((name) => [name, presence(name)]),
)

/** Where a resource names another one, or has something else that only the linker reads. */
export const PLACES = {
  function: text('FunctionName'),
  source: text('EventSourceArn'),
  version: text('FunctionVersion'),
  weights: text('RoutingConfig.AdditionalVersionWeights'),
  redrive: text('RedrivePolicy'),
  queueOfPolicy: text('QueueUrl'),
  redriveAllow: text('RedriveAllowPolicy'),
  variables: text('Environment.Variables'),
  publishedAlias: text('AutoPublishAlias'),
  role: text('Role'),
  managedPolicies: text('ManagedPolicyArns'),
  inlinePolicies: text('Policies', { terraform: 'inline_policy' }),
  /** Of a policy, or of its attachment. */
  roleOfPolicy: text('RoleName', { terraform: 'role' }),
  roles: text('Roles'),
  policyDocument: text('PolicyDocument', { terraform: 'policy' }),
  attachedPolicy: text('PolicyArn'),
  queuePolicy: text('Policy'),
  queuesOfPolicy: text('Queues', { terraform: 'queue_url' }),
  queueOfInlinePolicy: text('Queue'),
  key: text('KmsMasterKeyId'),
  keyPolicy: text('KeyPolicy', { terraform: 'policy' }),
  keyOfPolicy: text('KeyId'),
  keyOfAlias: text('TargetKeyId'),
} satisfies Table

export const FUNCTION_SETTINGS = {
  /** Whether the function runs on Lambda Managed Instances. */
  managed: presence('CapacityProviderConfig'),
  // On Managed Instances, 5,400 s since September 2026.
  timeout: number('Timeout', { default: 3, limits: [1, 900], managedLimits: [1, 5400] }),
  memory: number('MemorySize', {
    default: 128,
    limits: [128, 10_240],
    managedLimits: [128, 32_768], // since March 2026: see `memory_size` in Terraform's AWS provider
    isOptional: true, // only `local` and `tune` need it
  }),
  runtime: text('Runtime', { isOptional: true }),
  reservedConcurrency: number('ReservedConcurrentExecutions', { limits: [0], unset: -1 }),
  /** The mode of tenant isolation. Absent if tenants are not isolated. */
  tenantIsolation: text('TenancyConfig.TenantIsolationMode'),
  recursiveLoop: text('RecursiveLoop', { isOptional: true }), // only `local` needs it
  /** What only asynchronous invocations use. SAM has the second name. */
  deadLetterConfig: presence('DeadLetterConfig'),
  deadLetterQueue: presence('DeadLetterQueue'),
  invokeConfig: presence('EventInvokeConfig'),
} satisfies Table

export const QUEUE_SETTINGS = {
  queueName: text('QueueName', { terraform: 'name', isOptional: true }),
  fifo: boolean('FifoQueue', { default: false }),
  visibilityTimeout: number('VisibilityTimeout', {
    terraform: 'visibility_timeout_seconds',
    default: 30,
    limits: [0, 43_200],
  }),
  retention: number('MessageRetentionPeriod', {
    terraform: 'message_retention_seconds',
    default: 345_600,
    limits: [60, 1_209_600],
  }),
  delay: number('DelaySeconds', { default: 0, limits: [0, 900] }),
  maximumMessageSize: number('MaximumMessageSize', {
    terraform: 'max_message_size',
    default: 1_048_576,
    limits: [1024, 1_048_576],
    isOptional: true, // only `local` needs it
  }),
  contentBasedDeduplication: boolean('ContentBasedDeduplication', {
    default: false,
    isOptional: true, // only `local` needs it
  }),
} satisfies Table

/** The keys of a redrive policy, which is JSON text in Terraform and in the API. */
export const REDRIVE_SETTINGS = {
  // If it is unknown, the dead-letter queue is listed as not checked.
  arn: text('deadLetterTargetArn', { terraform: 'deadLetterTargetArn', isOptional: true }),
  maxReceiveCount: number('maxReceiveCount', { terraform: 'maxReceiveCount', limits: [1, 1000] }),
} satisfies Table

export type SettingsOf<T extends Table> = { [K in keyof T]: Setting<T[K] extends Row<infer V> ? V : never> }

const REPORTS = 'ReportBatchItemFailures'

/** Whether ReportBatchItemFailures is on. It can be on although another item is not known. */
function reportsFailures(items: readonly Tree[], position?: Position): Setting<boolean> {
  const unresolved = items.find(({ state }) => state === 'unknown')
  const wrong = items.find((item) => item.state !== 'unknown' && knownText(item) !== REPORTS)
  if (wrong) {
    const what = `"${knownText(wrong) ?? formOf(wrong)}" is not a value of FunctionResponseTypes`
    return invalid(what, `Set it to [${REPORTS}].`, position)
  }
  const isOn = items.some((item) => knownText(item) === REPORTS)
  return unresolved?.state === 'unknown' && !isOn ? unknown(unresolved.reason, position) : known(isOn, position)
}

export function valueAt({ path, terraform, unset, kind }: Row, properties: Tree, format: Format): Tree {
  if (format !== 'terraform') return at(properties, ...path)
  const value = at(properties, ...terraform)
  // Terraform also shows numbers, booleans and blocks that are not set.
  const isUnset = value.state === 'known' && value.value === unset
  const isEmpty = value.state === 'list' ? value.items.length === 0 : value.state === 'known' && !value.value
  return isUnset || (kind === 'presence' && isEmpty) ? absent : value
}

type Source = Pick<Declaration, 'id' | 'declaredAs' | 'properties'>

/** A setting with an id, if it has no position. Equal settings of instances of one declaration share it. */
export function identified<T>(source: Omit<Source, 'properties'>, key: string, setting: Setting<T>): Setting<T> {
  if (setting.state === 'absent' || setting.position) return setting
  const { id, declaredAs } = source
  const own = declaredAs === undefined ? `${id} ${key}` : `${declaredAs} ${key} ${JSON.stringify(setting)}`
  return withId(own, setting)
}

export function settingsIn<T extends Table>(table: T, source: Source, format: Format): SettingsOf<T> {
  const { properties } = source
  const { managed } = table
  const isManaged = managed !== undefined && valueAt(managed, properties, format).state !== 'absent'
  const entries = Object.entries(table).map(([key, row]): [string, Setting<unknown>] => {
    const tree = valueAt(row, properties, format)
    const read = convert(isManaged && row.managedLimits ? { ...row, limits: row.managedLimits } : row, tree, format)
    const { section, id } = tree
    const setting = id === undefined ? identified(source, key, read) : { ...read, id }
    return [key, section === undefined || read.state === 'absent' ? setting : { ...setting, section }]
  })
  return Object.fromEntries(entries) as SettingsOf<T>
}

function convert(row: Row, tree: Tree, format: Format): Setting<unknown> {
  const { kind, default: standard, item, ofItems } = row
  const { position } = tree
  if (tree.state === 'unknown') return unknown(tree.reason, position)
  if (tree.state === 'absent')
    return standard === undefined ? absent : { state: 'known', value: standard, isDefault: true }
  if (kind === 'presence') return known(true, position)
  if (ofItems) {
    if (tree.state !== 'list') return invalid('it is not a list', 'Set it to a list.', position)
    const items = tree.items.filter(({ state }) => state !== 'absent')
    const key = item !== undefined && format === 'terraform' ? snakeCase(item) : item
    return ofItems(key === undefined ? items : items.map((one) => at(one, key)), position)
  }
  if (tree.state !== 'known') return unknown(`it is a ${tree.state}`, position)
  const { value } = tree
  if (kind === 'number') return toNumber(row, value, position)
  return kind === 'boolean' ? toBoolean(String(value), position) : known(String(value), position)
}

function toBoolean(value: string, position?: Position): Setting<boolean> {
  const text = value.toLowerCase()
  return text === 'true' || text === 'false'
    ? known(text === 'true', position)
    : invalid(`"${value}" is not a boolean`, 'Set it to true or false.', position)
}

/** A whole number as text, which AWS accepts. `Number` also accepts other forms, such as 0x1f and 1e3. */
const WHOLE_NUMBER = /^\s*[+-]?\d+(\.0+)?\s*$/

function toNumber({ limits }: Row, value: Scalar, position?: Position): Setting<number> {
  const [least, most = Number.POSITIVE_INFINITY] = limits ?? [Number.NEGATIVE_INFINITY]
  const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    return invalid(`${JSON.stringify(value)} is not a whole number`, 'Set a whole number.', position)
  }
  if (number >= least && number <= most) return known(number, position)
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${formatNumber(most)}`
  const what = `${number} is outside of the range that AWS accepts (${range})`
  return invalid(what, `Set a whole number in this range: ${range}.`, position)
}
