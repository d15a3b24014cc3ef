import type { Pattern, RedrivePolicy } from './model.ts'
import { absent, invalid, known, type Setting, unknown, valueIn } from './setting.ts'

type Path = readonly (string | number)[]
type TerraformPath = readonly [argument: string, ...path: Path]

/** A setting, and where each input has it. A new setting needs one row in a table below. */
export interface Row {
  /** The name in templates and in findings. */
  name: string
  /** How findings name it, if not by its name. */
  title?: string
  /** The path in the properties of CloudFormation, and in the answers of the API of AWS. */
  path: Path
  /** The path in SAM, if it differs. */
  sam?: Path
  /** The path in the attributes of Terraform. Missing if its provider has no such attribute, or computes its value. */
  terraform?: TerraformPath
  /** The default of AWS. Missing if there is none. */
  default?: number | boolean
  /** The limits of AWS. A missing limit is infinite, or belongs to a rule whose message says more. */
  least?: number
  most?: number
  /** The limit on Lambda Managed Instances. */
  mostManaged?: number
  unit?: 's' | 'MB'
  /** What Terraform shows for a value that is not set. */
  unset?: number
  /** No rule needs the value, so an unknown value is not listed as not checked. */
  isOptional?: true
}

/** Rows by the type of their values. `other` rows have a form of their own, which each reader reads itself. */
interface NumberRow extends Row {
  kind: 'number'
}
interface BooleanRow extends Row {
  kind: 'boolean'
}
interface TextRow extends Row {
  kind: 'text'
}
interface OtherRow<T> extends Row {
  kind: 'other'
  /** Only for the type checker. */
  of?: T
}
export type AnyRow = NumberRow | BooleanRow | TextRow | OtherRow<unknown>
export type Table = Readonly<Record<string, AnyRow>>

type More = Omit<Row, 'name' | 'path'>
function pathOf(name: string) {
  const path = name.split('.')
  return { name: String(path.at(-1)), path }
}
function number(name: string, more: More): NumberRow {
  return { kind: 'number', ...pathOf(name), ...more }
}
function boolean(name: string, more: More): BooleanRow {
  return { kind: 'boolean', ...pathOf(name), ...more }
}
function text(name: string, more: More): TextRow {
  return { kind: 'text', ...pathOf(name), ...more }
}
function other<T>(name: string, more: More): OtherRow<T> {
  return { kind: 'other', ...pathOf(name), ...more }
}

const pollers = (name: string): TerraformPath => ['provisioned_poller_config', 0, name]

export const MAPPING_SETTINGS = {
  // If it is unknown, the queue itself is listed as not checked.
  arn: other<string>('EventSourceArn', {
    title: 'The ARN of its queue',
    sam: ['Queue'],
    terraform: ['event_source_arn'],
    isOptional: true,
  }),
  reportBatchItemFailures: other<boolean>('FunctionResponseTypes', {
    terraform: ['function_response_types'],
    isOptional: true, // if it is unknown, its rule reports a warning
  }),
  batchSize: number('BatchSize', {
    terraform: ['batch_size'],
    default: 10,
    least: 1,
    unset: 0,
  }),
  window: number('MaximumBatchingWindowInSeconds', {
    terraform: ['maximum_batching_window_in_seconds'],
    default: 0,
    least: 0,
    most: 300,
    unset: 0,
  }),
  maximumConcurrency: number('ScalingConfig.MaximumConcurrency', {
    terraform: ['scaling_config', 0, 'maximum_concurrency'],
    unset: 0,
  }),
  // The limits are from API_ProvisionedPollerConfig. The developer guide gives a maximum of 2,000.
  minimumPollers: number('ProvisionedPollerConfig.MinimumPollers', {
    terraform: pollers('minimum_pollers'),
    least: 2,
    most: 200,
    unset: 0,
  }),
  maximumPollers: number('ProvisionedPollerConfig.MaximumPollers', {
    terraform: pollers('maximum_pollers'),
    least: 2,
    most: 10_000,
    unset: 0,
  }),
  filters: other<readonly Setting<Pattern>[]>('FilterCriteria', { terraform: ['filter_criteria'] }),
  runs: boolean('Enabled', { terraform: ['enabled'], default: true, isOptional: true }),
} satisfies Table

export const FUNCTION_SETTINGS = {
  timeout: number('Timeout', {
    terraform: ['timeout'],
    default: 3,
    least: 1,
    most: 900,
    mostManaged: 5400, // since September 2026
    unit: 's',
  }),
  memory: number('MemorySize', {
    terraform: ['memory_size'],
    default: 128,
    least: 128,
    most: 10_240,
    mostManaged: 32_768, // since March 2026, from the documentation of `memory_size` in Terraform's AWS provider
    unit: 'MB',
    isOptional: true, // only `local` and `tune` need it
  }),
  runtime: text('Runtime', { terraform: ['runtime'], isOptional: true }),
  reservedConcurrency: number('ReservedConcurrentExecutions', {
    terraform: ['reserved_concurrent_executions'],
    unset: -1,
    least: 0,
  }),
  /** The mode of tenant isolation. Absent if tenants are not isolated. */
  tenantIsolation: text('TenancyConfig.TenantIsolationMode', {
    terraform: ['tenancy_config', 0, 'tenant_isolation_mode'],
  }),
  recursiveLoop: text('RecursiveLoop', { isOptional: true }), // only `local` needs it
} satisfies Table

export const QUEUE_SETTINGS = {
  fifo: other<boolean>('FifoQueue', { terraform: ['fifo_queue'] }),
  visibilityTimeout: number('VisibilityTimeout', {
    terraform: ['visibility_timeout_seconds'],
    default: 30,
    least: 0,
    most: 43_200,
  }),
  retention: number('MessageRetentionPeriod', {
    terraform: ['message_retention_seconds'],
    default: 345_600,
    least: 60,
    most: 1_209_600,
  }),
  delay: number('DelaySeconds', {
    terraform: ['delay_seconds'],
    default: 0,
    least: 0,
    most: 900,
  }),
  maximumMessageSize: number('MaximumMessageSize', {
    terraform: ['max_message_size'],
    default: 1_048_576,
    least: 1024,
    most: 1_048_576,
    isOptional: true, // only `local` needs it
  }),
  contentBasedDeduplication: boolean('ContentBasedDeduplication', {
    terraform: ['content_based_deduplication'],
    default: false,
    isOptional: true, // only `local` needs it
  }),
  redrive: other<RedrivePolicy>('RedrivePolicy', { terraform: ['redrive_policy'] }),
} satisfies Table

export const SUBSCRIPTION_SETTINGS = {
  isRaw: boolean('RawMessageDelivery', {
    terraform: ['raw_message_delivery'],
    default: false,
  }),
} satisfies Table

/** The keys of a redrive policy, which is JSON text in Terraform and in the API. */
export const REDRIVE_SETTINGS = {
  arn: other<string>('deadLetterTargetArn', { terraform: ['deadLetterTargetArn'], isOptional: true }),
  maxReceiveCount: number('maxReceiveCount', {
    terraform: ['maxReceiveCount'],
    least: 1,
    most: 1000,
  }),
} satisfies Table

type ValueOf<R> = R extends NumberRow
  ? number
  : R extends BooleanRow
    ? boolean
    : R extends TextRow
      ? string
      : R extends OtherRow<infer T>
        ? T
        : never

/** All settings of a table. */
export type SettingsOf<T extends Table> = { [K in keyof T]: Setting<ValueOf<T[K]>> }
/** The settings that `readTable()` reads: all but those with a form of their own. */
export type ReadSettings<T extends Table> = {
  [K in keyof T as T[K] extends OtherRow<unknown> ? never : K]: Setting<ValueOf<T[K]>>
}

/**
 * Reads the settings of a resource, as far as they are numbers, booleans or texts. `get` returns the value that the
 * input has, as any type.
 *
 * @param identify returns the id of a setting without a position, from its name
 * @param managed whether the function runs on Lambda Managed Instances
 */
export function readTable<T extends Table>(
  table: T,
  get: (row: AnyRow) => Setting<unknown>,
  identify: (name: string, setting: Setting<unknown>) => string,
  managed: Setting<unknown> = absent,
): ReadSettings<T> {
  const entries = Object.entries(table).flatMap(([key, row]): [string, Setting<unknown>][] => {
    if (row.kind === 'other') return []
    const given = get(row)
    const read = convert(row, given, managed)
    if (read.state === 'absent') return [[key, absent]]
    const { section, id = identify(key, read) } = given
    return [[key, { ...read, ...(section === undefined ? {} : { section }), ...(read.position ? {} : { id }) }]]
  })
  return Object.fromEntries(entries) as ReadSettings<T>
}

function convert(row: AnyRow, setting: Setting<unknown>, managed: Setting<unknown>): Setting<unknown> {
  if (setting.state === 'unknown') return setting
  const { position } = setting
  const value = valueIn(setting)
  if (typeof value === 'object') return unknown(`it is a ${Array.isArray(value) ? 'list' : 'map'}`, position)
  if (row.kind === 'number') return numberIn(row, value, position, managed)
  if (value === undefined) {
    return row.default === undefined ? absent : { state: 'known', value: row.default, isDefault: true }
  }
  return row.kind === 'boolean' ? toBoolean(String(value), position) : known(String(value), position)
}

/** A boolean. CloudFormation accepts one as text. */
export function toBoolean(value: string, position?: Setting<unknown>['position']): Setting<boolean> {
  const text = value.toLowerCase()
  return text === 'true' || text === 'false'
    ? known(text === 'true', position)
    : invalid(`"${value}" is not a boolean`, 'Set it to true or false.', position)
}

/** A number, whose limit can depend on whether the function runs on Lambda Managed Instances. */
function numberIn(
  row: NumberRow,
  value: unknown,
  position: Setting<unknown>['position'],
  managed: Setting<unknown>,
): Setting<number> {
  const setting = numberSetting(row, value, position)
  if (row.mostManaged === undefined || managed.state === 'absent') return setting
  const onInstances = numberSetting({ ...row, most: row.mostManaged }, value, position)
  if (managed.state === 'known') return onInstances
  if (setting.state === 'known' || onInstances.state !== 'known') return setting
  const what = `${value} ${row.unit} is valid only on Managed Instances, and the function's CapacityProviderConfig is not known`
  return unknown(`${what}: ${managed.reason}`, position)
}

/** A whole number as text, which AWS accepts. `Number` also accepts other forms, such as 0x1f and 1e3. */
const WHOLE_NUMBER = /^\s*[+-]?\d+(\.0+)?\s*$/

/**
 * Checks a number. Returns it if AWS accepts it, and otherwise why AWS rejects it. If it is not set, returns the
 * default of AWS, or absent if there is no default.
 */
export function numberSetting(
  { default: defaultValue, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }: Row,
  value: unknown,
  position?: Setting<unknown>['position'],
): Setting<number> {
  if (value === undefined) {
    return typeof defaultValue === 'number' ? { state: 'known', value: defaultValue, isDefault: true } : absent
  }
  const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value
  if (!Number.isInteger(number)) {
    return invalid(`${JSON.stringify(value)} is not a whole number`, 'Set a whole number.', position)
  }
  if ((number as number) >= least && (number as number) <= most) return known(number as number, position)
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most.toLocaleString('en-US')}`
  return invalid(
    `${number} is outside of the range that AWS accepts (${range})`,
    `Set a whole number in this range: ${range}.`,
    position,
  )
}
