import { formatNumber } from '../shared/format.ts'
import { filtersSetting } from './filters.ts'
import { absent, type Items, invalid, known, type Setting, unknown, valueIn } from './setting.ts'

type Path = readonly (string | number)[]

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

const PROVISIONED = 'provisioned_poller_config'

export const MAPPING_SETTINGS = {
  reportBatchItemFailures: row('list', 'FunctionResponseTypes', ['function_response_types'], {
    toSetting: reportsFailures,
    isOptional: true, // if it is unknown, its rule reports a warning
  }),
  batchSize: number('BatchSize', ['batch_size'], { default: 10, limits: [1], unset: 0 }),
  window: number('MaximumBatchingWindowInSeconds', ['maximum_batching_window_in_seconds'], {
    default: 0,
    limits: [0, 300],
    unset: 0,
  }),
  maximumConcurrency: number('ScalingConfig.MaximumConcurrency', ['scaling_config', 0, 'maximum_concurrency'], {
    unset: 0,
  }),
  // The limits are from API_ProvisionedPollerConfig. The developer guide gives a maximum of 2,000.
  minimumPollers: number('ProvisionedPollerConfig.MinimumPollers', [PROVISIONED, 0, 'minimum_pollers'], {
    limits: [2, 200],
    unset: 0,
  }),
  maximumPollers: number('ProvisionedPollerConfig.MaximumPollers', [PROVISIONED, 0, 'maximum_pollers'], {
    limits: [2, 10_000],
    unset: 0,
  }),
  filters: row('list', 'FilterCriteria.Filters', ['filter_criteria', 0, 'filter'], {
    item: ['Pattern', 'pattern'],
    toSetting: filtersSetting,
  }),
  runs: boolean('Enabled', ['enabled'], { default: true, isOptional: true }),
} satisfies Table

export const FUNCTION_SETTINGS = {
  /** Whether the function runs on Lambda Managed Instances. */
  managed: row<boolean>('presence', 'CapacityProviderConfig', ['capacity_provider_config', 0], { isOptional: true }),
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
  }),
  /** The mode of tenant isolation. Absent if tenants are not isolated. */
  tenantIsolation: text('TenancyConfig.TenantIsolationMode', ['tenancy_config', 0, 'tenant_isolation_mode']),
  recursiveLoop: text('RecursiveLoop', undefined, { isOptional: true }), // only `local` needs it
} satisfies Table

export const QUEUE_SETTINGS = {
  fifo: boolean('FifoQueue', ['fifo_queue'], { default: false }),
  visibilityTimeout: number('VisibilityTimeout', ['visibility_timeout_seconds'], { default: 30, limits: [0, 43_200] }),
  retention: number('MessageRetentionPeriod', ['message_retention_seconds'], {
    default: 345_600,
    limits: [60, 1_209_600],
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
  isRaw: boolean('RawMessageDelivery', ['raw_message_delivery'], { default: false }),
} satisfies Table

/** The keys of a redrive policy, which is JSON text in Terraform and in the API. */
export const REDRIVE_SETTINGS = {
  // If it is unknown, the dead-letter queue is listed as not checked.
  arn: text('deadLetterTargetArn', ['deadLetterTargetArn'], { isOptional: true }),
  maxReceiveCount: number('maxReceiveCount', ['maxReceiveCount'], { limits: [1, 1000] }),
} satisfies Table

/** All settings of a table. */
export type SettingsOf<T extends Table> = { [K in keyof T]: Setting<T[K] extends Row<infer V> ? V : never> }

/** Whether ReportBatchItemFailures is on. It can be on although another item is not known. */
function reportsFailures(items: Items): Setting<boolean> {
  if (items.state !== 'known') return items.state === 'unknown' ? items : known(false)
  const { value: types, position } = items
  const isOn = types.some((type) => valueIn(type) === 'ReportBatchItemFailures')
  const unresolved = types.find(({ state }) => state === 'unknown')
  return unresolved?.state === 'unknown' && !isOn ? unknown(unresolved.reason, position) : known(isOn, position)
}

/**
 * Reads the settings of a resource. `get` returns the value that the input has, as any type. For a list, it is the list
 * of its items.
 *
 * @param identify returns the id of a setting without a position, from its name
 */
export function readTable<T extends Table>(
  table: T,
  get: (row: Row) => Setting<unknown>,
  identify: (name: string, setting: Setting<unknown>) => string,
): SettingsOf<T> {
  const { managed } = table
  const isManaged = managed !== undefined && get(managed).state !== 'absent'
  const entries = Object.entries(table).map(([key, row]): [string, Setting<unknown>] => {
    const { managedLimits } = row
    const given = get(row)
    const read = convert(isManaged && managedLimits ? { ...row, limits: managedLimits } : row, given)
    if (read.state === 'absent') return [key, absent]
    const { section, id = identify(key, read) } = given
    return [key, { ...read, ...(section === undefined ? {} : { section }), ...(read.position ? {} : { id }) }]
  })
  return Object.fromEntries(entries) as SettingsOf<T>
}

function convert(row: Row, setting: Setting<unknown>): Setting<unknown> {
  const { position } = setting
  const value = valueIn(setting)
  const isList = Array.isArray(value)
  if (row.toSetting && (isList || setting.state !== 'known')) return row.toSetting(setting as Items)
  if (setting.state === 'unknown') return setting
  if (row.toSetting) return invalid('it is not a list', 'Set it to a list.', position)
  if (row.kind === 'presence') return setting.state === 'known' ? known(true, position) : absent
  if (typeof value === 'object') return unknown(`it is a ${isList ? 'list' : 'map'}`, position)
  if (row.kind === 'number') return numberSetting(row, value, position)
  if (value === undefined) return defaultOf(row)
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
