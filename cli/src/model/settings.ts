import { formatNumber } from '../shared/format.ts'
import type { Declaration } from './declaration.ts'
import { filtersSetting } from './patterns.ts'
import { absent, type Items, invalid, known, type Setting, unknown, valueIn, withId } from './setting.ts'
import { at, type Path, type Tree } from './tree.ts'

/** A setting, and where each input has it. A new setting needs one row in a table below. */
export interface Row<T = unknown> {
  /** `presence` rows only say whether there is a value. */
  kind: 'number' | 'boolean' | 'text' | 'presence' | 'list'
  /** The name in templates and in findings. */
  name: string
  /** The path in the properties of CloudFormation, and in the responses of the API of AWS. */
  path: Path
  /** The path in the attributes of Terraform. Missing if its provider has no such attribute. */
  terraform?: readonly [argument: string, ...path: Path]
  /** The default of AWS. Missing if there is none. */
  default?: number | boolean
  /** The limits of AWS. A missing limit is infinite, or belongs to a rule whose message says more. */
  limits?: readonly [least: number, most?: number]
  /** The limits on Lambda Managed Instances, if they are others. */
  managedLimits?: readonly [least: number, most: number]
  /** The property of a construct of the CDK, with `%` for the value. */
  cdk?: string
  /** What Terraform shows for a value that is not set. */
  unset?: number
  /** No rule needs the value, so an unknown value is not listed as not checked. */
  isOptional?: true
  /** Of a list: the key of an item that has its value, in CloudFormation and the API, and in Terraform. */
  item?: readonly [cloudFormation: string, terraform: string]
  /** Of a list: what its items mean. */
  toSetting?: (items: Items) => Setting<T>
}
export type Table = Readonly<Record<string, Row>>

type More = Omit<Row, 'kind' | 'name' | 'path' | 'terraform' | 'toSetting'>

function row<T>(
  kind: Row['kind'],
  name: string,
  terraform: Row['terraform'],
  more: Pick<Row<T>, 'toSetting'> & More = {},
): Row<T> {
  const path = name.split('.')
  return { kind, name: String(path.at(-1)), path, ...(terraform ? { terraform } : {}), ...more }
}
const number = (name: string, terraform: Row['terraform'], more: More = {}) =>
  row<number>('number', name, terraform, more)
const boolean = (name: string, terraform: Row['terraform'], more: More = {}) =>
  row<boolean>('boolean', name, terraform, more)
const text = (name: string, terraform: Row['terraform'], more: More = {}) => row<string>('text', name, terraform, more)

const presence = (name: string, terraform?: Row['terraform']) =>
  row<boolean>('presence', name, terraform, { isOptional: true })

const PROVISIONED = 'provisioned_poller_config'

export const MAPPING_SETTINGS = {
  reportBatchItemFailures: row('list', 'FunctionResponseTypes', ['function_response_types'], {
    toSetting: reportsFailures,
    cdk: 'reportBatchItemFailures: true',
    isOptional: true, // if it is unknown, its rule reports a warning
  }),
  batchSize: number('BatchSize', ['batch_size'], { default: 10, limits: [1], unset: 0, cdk: 'batchSize: %' }),
  window: number('MaximumBatchingWindowInSeconds', ['maximum_batching_window_in_seconds'], {
    default: 0,
    limits: [0, 300],
    unset: 0,
    cdk: 'maxBatchingWindow: Duration.seconds(%)',
  }),
  maximumConcurrency: number('ScalingConfig.MaximumConcurrency', ['scaling_config', 0, 'maximum_concurrency'], {
    unset: 0,
    cdk: 'maxConcurrency: %',
  }),
  // The developer guide and CloudFormation have a maximum of 2,000. Only API_ProvisionedPollerConfig has 10,000.
  minimumPollers: number('ProvisionedPollerConfig.MinimumPollers', [PROVISIONED, 0, 'minimum_pollers'], {
    limits: [2, 200],
    unset: 0,
    cdk: 'provisionedPollerConfig: { minimumPollers: % }',
  }),
  maximumPollers: number('ProvisionedPollerConfig.MaximumPollers', [PROVISIONED, 0, 'maximum_pollers'], {
    limits: [2, 2000],
    unset: 0,
    cdk: 'provisionedPollerConfig: { maximumPollers: % }',
  }),
  filters: row('list', 'FilterCriteria.Filters', ['filter_criteria', 0, 'filter'], {
    item: ['Pattern', 'pattern'],
    toSetting: filtersSetting,
  }),
  runs: boolean('Enabled', ['enabled'], { default: true, isOptional: true }),
} satisfies Table

/** Settings that only mappings of streams have. Without a known source, the first ones show that it is not a queue. */
export const STREAM_SETTINGS = {
  startingPosition: presence('StartingPosition', ['starting_position']),
  queues: presence('Queues', ['queues', 0]),
  topics: presence('Topics', ['topics', 0]),
  selfManaged: presence('SelfManagedEventSource', ['self_managed_event_source', 0]),
  retryAttempts: presence('MaximumRetryAttempts', ['maximum_retry_attempts']),
  recordAge: presence('MaximumRecordAgeInSeconds', ['maximum_record_age_in_seconds']),
  bisect: presence('BisectBatchOnFunctionError', ['bisect_batch_on_function_error']),
  destination: presence('DestinationConfig', ['destination_config', 0]),
  parallelization: presence('ParallelizationFactor', ['parallelization_factor']),
  tumblingWindow: presence('TumblingWindowInSeconds', ['tumbling_window_in_seconds']),
} satisfies Table
export const OTHER_SOURCES = ['startingPosition', 'queues', 'topics', 'selfManaged'] as const

/** Where a resource names another one, or has something else that only the linker reads. */
export const PLACES = {
  function: text('FunctionName', ['function_name']),
  source: text('EventSourceArn', ['event_source_arn']),
  version: text('FunctionVersion', ['function_version']),
  weights: text('RoutingConfig.AdditionalVersionWeights', ['routing_config', 0, 'additional_version_weights']),
  redrive: text('RedrivePolicy', ['redrive_policy']),
  queueOfPolicy: text('QueueUrl', ['queue_url']),
  protocol: text('Protocol', ['protocol']),
  endpoint: text('Endpoint', ['endpoint']),
  variables: text('Environment.Variables', ['environment', 0, 'variables']),
  publishedAlias: text('AutoPublishAlias', undefined),
  role: text('Role', ['role']),
  managedPolicies: text('ManagedPolicyArns', ['managed_policy_arns']),
  inlinePolicies: text('Policies', ['inline_policy']),
  /** Of a policy, or of its attachment. */
  roleOfPolicy: text('RoleName', ['role']),
  roles: text('Roles', ['roles']),
  policyDocument: text('PolicyDocument', ['policy']),
  attachedPolicy: text('PolicyArn', ['policy_arn']),
} satisfies Table

export const FUNCTION_SETTINGS = {
  /** Whether the function runs on Lambda Managed Instances. */
  managed: presence('CapacityProviderConfig', ['capacity_provider_config', 0]),
  // On Managed Instances, 5,400 s since September 2026.
  timeout: number('Timeout', ['timeout'], { default: 3, limits: [1, 900], managedLimits: [1, 5400] }),
  memory: number('MemorySize', ['memory_size'], {
    default: 128,
    limits: [128, 10_240],
    managedLimits: [128, 32_768], // since March 2026, from the documentation of `memory_size` in Terraform's AWS provider
    isOptional: true, // only `local` and `tune` need it
  }),
  runtime: text('Runtime', ['runtime'], { isOptional: true }),
  reservedConcurrency: number('ReservedConcurrentExecutions', ['reserved_concurrent_executions'], {
    limits: [0],
    unset: -1,
    cdk: 'reservedConcurrentExecutions: %',
  }),
  /** The mode of tenant isolation. Absent if tenants are not isolated. */
  tenantIsolation: text('TenancyConfig.TenantIsolationMode', ['tenancy_config', 0, 'tenant_isolation_mode']),
  recursiveLoop: text('RecursiveLoop', undefined, { isOptional: true }), // only `local` needs it
  /** What only asynchronous invocations use. SAM has the second name. */
  deadLetterConfig: presence('DeadLetterConfig', ['dead_letter_config', 0]),
  deadLetterQueue: presence('DeadLetterQueue'),
  invokeConfig: presence('EventInvokeConfig'),
} satisfies Table

export const QUEUE_SETTINGS = {
  fifo: boolean('FifoQueue', ['fifo_queue'], { default: false }),
  visibilityTimeout: number('VisibilityTimeout', ['visibility_timeout_seconds'], {
    default: 30,
    limits: [0, 43_200],
    cdk: 'visibilityTimeout: Duration.seconds(%)',
  }),
  retention: number('MessageRetentionPeriod', ['message_retention_seconds'], {
    default: 345_600,
    limits: [60, 1_209_600],
    cdk: 'retentionPeriod: Duration.seconds(%)',
  }),
  delay: number('DelaySeconds', ['delay_seconds'], { default: 0, limits: [0, 900] }),
  maximumMessageSize: number('MaximumMessageSize', ['max_message_size'], {
    default: 1_048_576,
    limits: [1024, 1_048_576],
    isOptional: true, // only `local` needs it
  }),
  contentBasedDeduplication: boolean('ContentBasedDeduplication', ['content_based_deduplication'], {
    default: false,
    isOptional: true, // only `local` needs it
  }),
} satisfies Table

export const SUBSCRIPTION_SETTINGS = {
  isRaw: boolean('RawMessageDelivery', ['raw_message_delivery'], { default: false, cdk: 'rawMessageDelivery: %' }),
} satisfies Table

/** The keys of a redrive policy, which is JSON text in Terraform and in the API. */
export const REDRIVE_SETTINGS = {
  // If it is unknown, the dead-letter queue is listed as not checked.
  arn: text('deadLetterTargetArn', ['deadLetterTargetArn'], { isOptional: true }),
  maxReceiveCount: number('maxReceiveCount', ['maxReceiveCount'], { limits: [1, 1000], cdk: 'maxReceiveCount: %' }),
} satisfies Table

/** All settings of a table. */
export type SettingsOf<T extends Table> = { [K in keyof T]: Setting<T[K] extends Row<infer V> ? V : never> }

const REPORTS = 'ReportBatchItemFailures'

/** Whether ReportBatchItemFailures is on. It can be on although another item is not known. */
function reportsFailures(items: Items): Setting<boolean> {
  if (items.state !== 'known') return items.state === 'unknown' ? items : known(false)
  const { value: types, position } = items
  const wrong = types.map(valueIn).find((type) => type !== undefined && type !== REPORTS)
  if (wrong !== undefined) {
    return invalid(`"${wrong}" is not a value of FunctionResponseTypes`, `Set it to [${REPORTS}].`, position)
  }
  const isOn = types.some((type) => valueIn(type) === REPORTS)
  const unresolved = types.find(({ state }) => state === 'unknown')
  return unresolved?.state === 'unknown' && !isOn ? unknown(unresolved.reason, position) : known(isOn, position)
}

/** How an input names the properties of a resource. */
export type Format = 'cloudFormation' | 'terraform' | 'api'

/** The value of a row, as the input has it. */
export function valueAt({ path, terraform, unset, kind }: Row, properties: Tree, format: Format): Tree {
  if (format !== 'terraform') return at(properties, ...path)
  if (!terraform) return absent
  const value = at(properties, ...terraform)
  // Terraform also shows numbers and booleans that are not set.
  const isUnset = value.state === 'known' && (value.value === unset || (kind === 'presence' && !value.value))
  return isUnset ? absent : value
}

/** What a table is read from. */
type Source = Pick<Declaration, 'id' | 'declaredAs' | 'uniqueId' | 'omitted' | 'properties'>

/** A setting with an id, if it has no position. Instances of one declaration share it if their values are equal. */
export function identified<T>(source: Omit<Source, 'properties'>, key: string, setting: Setting<T>): Setting<T> {
  if (setting.state === 'absent' || setting.position) return setting
  const { id, declaredAs, uniqueId = id } = source
  return withId(
    declaredAs === undefined ? `${uniqueId} ${key}` : `${declaredAs} ${key} ${JSON.stringify(setting)}`,
    setting,
  )
}

/** The settings of a resource. */
export function settingsIn<T extends Table>(table: T, source: Source, format: Format): SettingsOf<T> {
  const { omitted, properties } = source
  const { managed } = table
  const isManaged = managed !== undefined && valueAt(managed, properties, format).state !== 'absent'
  const entries = Object.entries(table).map(([key, row]): [string, Setting<unknown>] => {
    const tree = valueAt(row, properties, format)
    const isOmitted = tree.state === 'absent' && omitted !== undefined && row.default !== undefined
    const given: Tree = isOmitted ? unknown(omitted) : tree
    const read = convert(isManaged && row.managedLimits ? { ...row, limits: row.managedLimits } : row, given, format)
    if (read.state === 'absent') return [key, absent]
    const { section, id } = given
    const setting = id === undefined ? identified(source, key, read) : { ...read, id }
    return [key, section === undefined ? setting : { ...setting, section }]
  })
  return Object.fromEntries(entries) as SettingsOf<T>
}

/** A value that is not a list or a map. */
function single(tree: Tree): Setting<unknown> {
  const { position } = tree
  if (tree.state === 'list' || tree.state === 'map') return unknown(`it is a ${tree.state}`, position)
  return tree.state === 'unknown'
    ? unknown(tree.reason, position)
    : tree.state === 'known'
      ? known(tree.value, position)
      : absent
}

function convert(row: Row, tree: Tree, format: Format): Setting<unknown> {
  const { position } = tree
  if (row.toSetting) {
    if (tree.state === 'known' || tree.state === 'map')
      return invalid('it is not a list', 'Set it to a list.', position)
    const [cloudFormation, terraform] = row.item ?? []
    const step = format === 'terraform' ? terraform : cloudFormation
    const ofItem = (item: Tree): Setting<unknown> => {
      const value = step === undefined ? item : at(item, step)
      const form = value.state === 'map' ? {} : value.state === 'list' ? [] : undefined
      return form ? known(form, value.position) : single(value)
    }
    const items = tree.state === 'list' ? tree.items.filter(({ state }) => state !== 'absent').map(ofItem) : undefined
    return row.toSetting(items ? known(items, position) : (single(tree) as Items))
  }
  if (row.kind === 'presence' && ['known', 'list', 'map'].includes(tree.state)) return known(true, position)
  const setting = single(tree)
  if (setting.state === 'unknown') return setting
  const value = valueIn(setting)
  if (value === undefined) return defaultOf(row)
  if (row.kind === 'number') return numberSetting(row, value, position)
  return row.kind === 'boolean' ? toBoolean(String(value), position) : known(String(value), position)
}

function defaultOf({ default: value }: Row): Setting<number | boolean> {
  return value === undefined ? absent : { state: 'known', value, isDefault: true }
}

/** A boolean. CloudFormation accepts one as text. */
function toBoolean(value: string, position?: Setting<unknown>['position']): Setting<boolean> {
  const text = value.toLowerCase()
  return text === 'true' || text === 'false'
    ? known(text === 'true', position)
    : invalid(`"${value}" is not a boolean`, 'Set it to true or false.', position)
}

/** A whole number as text, which AWS accepts. `Number` also accepts other forms, such as 0x1f and 1e3. */
const WHOLE_NUMBER = /^\s*[+-]?\d+(\.0+)?\s*$/

/**
 * Checks a number. Returns it if AWS accepts it, and otherwise why AWS rejects it. If it is not set, returns the
 * default of AWS, or absent if there is no default.
 */
export function numberSetting(row: Row, value: unknown, position?: Setting<unknown>['position']): Setting<number> {
  const [least, most = Number.POSITIVE_INFINITY] = row.limits ?? [Number.NEGATIVE_INFINITY]
  if (value === undefined) return defaultOf(row) as Setting<number>
  const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value
  if (!Number.isInteger(number)) {
    return invalid(`${JSON.stringify(value)} is not a whole number`, 'Set a whole number.', position)
  }
  if ((number as number) >= least && (number as number) <= most) return known(number as number, position)
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${formatNumber(most)}`
  return invalid(
    `${number} is outside of the range that AWS accepts (${range})`,
    `Set a whole number in this range: ${range}.`,
    position,
  )
}
