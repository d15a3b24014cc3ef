import { test } from 'tap'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import {
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  numberSetting,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  type Row,
  readTable,
  SUBSCRIPTION_SETTINGS,
  type Table,
} from '../../src/model/settings.ts'

const position = { line: 3, column: 5 }
const row = { kind: 'number', name: 'Name', path: ['Name'] } as const
const size = { ...row, kind: 'number', default: 10, limits: [1, 1000] } as const

/** Reads one row from its value. */
function read(it: Row, value: Setting<unknown>, managed: Setting<unknown> = absent): Setting<unknown> {
  const isManaged = { ...row, kind: 'presence' } as const
  const get = (one: Row) => (one === isManaged ? managed : value)
  return readTable({ it, managed: isManaged }, get, (name) => `id of ${name}`).it
}

const NOT_WHOLE = 'Set a whole number.'
const RANGE = 'outside of the range that AWS accepts (1 to 1,000)'
const IN_RANGE = 'Set a whole number in this range: 1 to 1,000.'
for (const [value, expected] of [
  [5, known(5, position)],
  [1, known(1, position)],
  [1000, known(1000, position)],
  ['5', known(5, position)],
  [' +5 ', known(5, position)],
  ['5.0', known(5, position)],
  ['5.00', known(5, position)],
  ['123', known(123, position)],
  ['  12.00  ', known(12, position)],
  [0, invalid(`0 is ${RANGE}`, IN_RANGE, position)],
  ['-1', invalid(`-1 is ${RANGE}`, IN_RANGE, position)],
  [1001, invalid(`1001 is ${RANGE}`, IN_RANGE, position)],
  [1.5, invalid('1.5 is not a whole number', NOT_WHOLE, position)],
  [true, invalid('true is not a whole number', NOT_WHOLE, position)],
  ...['', ' ', '1.5', '5.', '5.1', '5.0x', 'x5', '5x', '0x1f', '1e2', '5 5', '+-5', 'five'].map(
    (text) => [text, invalid(`"${text}" is not a whole number`, NOT_WHOLE, position)] as const,
  ),
] as const) {
  test(`a number: ${JSON.stringify(value)}`, async (t) => {
    t.strictSame(numberSetting(size, value, position), expected)
    t.strictSame(read(size, known<unknown>(value, position)), expected)
  })
}

test('a number that is not set', async (t) => {
  const byDefault = { state: 'known', value: 10, isDefault: true }
  t.strictSame(numberSetting(size, undefined), byDefault)
  t.strictSame(read(size, absent), { ...byDefault, id: 'id of it' })
  t.strictSame(read({ ...row, kind: 'number' }, absent), absent)
})

test('a number without an upper or a lower limit', async (t) => {
  t.strictSame(
    numberSetting({ ...row, limits: [2] }, 1),
    invalid('1 is outside of the range that AWS accepts (2 or more)', 'Set a whole number in this range: 2 or more.'),
  )
  t.strictSame(numberSetting({ ...row, limits: [2] }, 1e9), known(1e9))
  t.strictSame(numberSetting(row, -1e9), known(-1e9))
})

test('on Managed Instances, the limit of some numbers is higher', async (t) => {
  const timeout = { ...row, kind: 'number', limits: [1, 900], managedLimits: [1, 5400] } as const
  const is = (value: number) => known<unknown>(value, position)
  const on = known(true)
  const perhaps = unknown('why')
  t.strictSame(read(timeout, is(5400), on), known(5400, position))
  t.strictSame(read(timeout, is(5401), on), numberSetting({ ...timeout, limits: [1, 5400] }, 5401, position))
  t.strictSame(read(timeout, is(901), absent), numberSetting(timeout, 901, position))
  t.strictSame(read(timeout, is(901)), numberSetting(timeout, 901, position))
  t.strictSame(read(timeout, is(901), perhaps), known(901, position))
  t.strictSame(read(size, is(1001), on), numberSetting(size, 1001, position))
})

test('a boolean', async (t) => {
  const boolean = { ...row, kind: 'boolean', default: false } as const
  const toBoolean = (value: unknown) => read(boolean, known<unknown>(value, position))
  for (const value of ['true', 'True', 'TRUE', true]) t.strictSame(toBoolean(value), known(true, position))
  for (const value of ['false', 'False', 'FALSE', false]) t.strictSame(toBoolean(value), known(false, position))
  for (const text of ['yes', '', 'xtrue', 'truex', 'xfalse', 'falsex']) {
    t.strictSame(toBoolean(text), invalid(`"${text}" is not a boolean`, 'Set it to true or false.', position))
  }
  t.strictSame(read(boolean, absent), { state: 'known', value: false, isDefault: true, id: 'id of it' })
})

test('whether there is a value', async (t) => {
  const presence = { ...row, kind: 'presence' } as const
  for (const value of [{}, [], 'x', false])
    t.strictSame(read(presence, known<unknown>(value, position)), known(true, position))
  t.strictSame(read(presence, absent), absent)
})

test('a list: whether ReportBatchItemFailures is one of its items', async (t) => {
  const types = (value: unknown) => read(MAPPING_SETTINGS.reportBatchItemFailures, known(value, position))
  const [on, other, open] = [known('ReportBatchItemFailures'), known('Other'), unknown('why')]
  t.strictSame(types([other, on]), known(true, position))
  t.strictSame(types([open, on]), known(true, position))
  t.strictSame(types([open, other]), unknown('why', position))
  t.strictSame(types([other, open]), unknown('why', position))
  for (const items of [[], [other], [absent]]) t.strictSame(types(items), known(false, position))
  for (const value of ['ReportBatchItemFailures', {}]) {
    t.strictSame(types(value), invalid('it is not a list', 'Set it to a list.', position))
  }
})

test('a text', async (t) => {
  const text = { ...row, kind: 'text' } as const
  t.strictSame(read(text, known<unknown>(5, position)), known('5', position))
  t.strictSame(read(text, absent), absent)
})

test('a list or a map is not a number, a boolean or a text', async (t) => {
  for (const kind of ['number', 'boolean', 'text'] as const) {
    t.strictSame(read({ ...row, kind }, known<unknown>([], position)), unknown('it is a list', position))
    t.strictSame(read({ ...row, kind }, known<unknown>({}, position)), unknown('it is a map', position))
  }
  t.strictSame(numberSetting(size, [5], position), invalid('[5] is not a whole number', NOT_WHOLE, position))
})

test('an unknown value stays unknown', async (t) => {
  for (const kind of ['number', 'boolean', 'text', 'presence'] as const) {
    t.strictSame(read({ ...row, kind }, unknown('why', position)), unknown('why', position))
  }
})

test('a setting without a position has an id, and keeps its own id and its section', async (t) => {
  t.strictSame(read(size, known<unknown>(5)), { ...known(5), id: 'id of it' })
  t.strictSame(read(size, { ...known<unknown>(5), id: 'own' }), { ...known(5), id: 'own' })
  t.strictSame(read(size, { ...known<unknown>(5, position), section: 'Globals' }), {
    ...known(5, position),
    section: 'Globals',
  })
})

test('the id of a setting can depend on its value', async (t) => {
  const names = (name: string, { state }: Setting<unknown>) => `${name} ${state}`
  t.strictSame(readTable({ it: size }, () => unknown('why'), names).it, { ...unknown('why'), id: 'it unknown' })
})

/** The rows of each table: the path in CloudFormation, the name, the kind, and where other inputs have the setting. */
const TABLES = {
  MAPPING_SETTINGS: `
reportBatchItemFailures: FunctionResponseTypes (FunctionResponseTypes), list, terraform=function_response_types, isOptional=true
batchSize: BatchSize (BatchSize), number, terraform=batch_size, default=10, limits=1, unset=0
window: MaximumBatchingWindowInSeconds (MaximumBatchingWindowInSeconds), number, terraform=maximum_batching_window_in_seconds, default=0, limits=0.300, unset=0
maximumConcurrency: ScalingConfig.MaximumConcurrency (MaximumConcurrency), number, terraform=scaling_config.0.maximum_concurrency, unset=0
minimumPollers: ProvisionedPollerConfig.MinimumPollers (MinimumPollers), number, terraform=provisioned_poller_config.0.minimum_pollers, limits=2.200, unset=0
maximumPollers: ProvisionedPollerConfig.MaximumPollers (MaximumPollers), number, terraform=provisioned_poller_config.0.maximum_pollers, limits=2.10000, unset=0
filters: FilterCriteria.Filters (Filters), list, terraform=filter_criteria.0.filter, item=Pattern.pattern
runs: Enabled (Enabled), boolean, terraform=enabled, default=true, isOptional=true
`,
  FUNCTION_SETTINGS: `
managed: CapacityProviderConfig (CapacityProviderConfig), presence, terraform=capacity_provider_config.0, isOptional=true
timeout: Timeout (Timeout), number, terraform=timeout, default=3, limits=1.900, managedLimits=1.5400
memory: MemorySize (MemorySize), number, terraform=memory_size, default=128, limits=128.10240, managedLimits=128.32768, isOptional=true
runtime: Runtime (Runtime), text, terraform=runtime, isOptional=true
reservedConcurrency: ReservedConcurrentExecutions (ReservedConcurrentExecutions), number, terraform=reserved_concurrent_executions, limits=0, unset=-1
tenantIsolation: TenancyConfig.TenantIsolationMode (TenantIsolationMode), text, terraform=tenancy_config.0.tenant_isolation_mode
recursiveLoop: RecursiveLoop (RecursiveLoop), text, isOptional=true
`,
  QUEUE_SETTINGS: `
fifo: FifoQueue (FifoQueue), boolean, terraform=fifo_queue, default=false
visibilityTimeout: VisibilityTimeout (VisibilityTimeout), number, terraform=visibility_timeout_seconds, default=30, limits=0.43200
retention: MessageRetentionPeriod (MessageRetentionPeriod), number, terraform=message_retention_seconds, default=345600, limits=60.1209600
delay: DelaySeconds (DelaySeconds), number, terraform=delay_seconds, default=0, limits=0.900
maximumMessageSize: MaximumMessageSize (MaximumMessageSize), number, terraform=max_message_size, default=1048576, limits=1024.1048576, isOptional=true
contentBasedDeduplication: ContentBasedDeduplication (ContentBasedDeduplication), boolean, terraform=content_based_deduplication, default=false, isOptional=true
`,
  SUBSCRIPTION_SETTINGS: `
isRaw: RawMessageDelivery (RawMessageDelivery), boolean, terraform=raw_message_delivery, default=false
`,
  REDRIVE_SETTINGS: `
arn: deadLetterTargetArn (deadLetterTargetArn), text, terraform=deadLetterTargetArn, isOptional=true
maxReceiveCount: maxReceiveCount (maxReceiveCount), number, terraform=maxReceiveCount, limits=1.1000
`,
}
const SETTINGS: Record<string, Table> = {
  MAPPING_SETTINGS,
  FUNCTION_SETTINGS,
  QUEUE_SETTINGS,
  SUBSCRIPTION_SETTINGS,
  REDRIVE_SETTINGS,
}
for (const [table, text] of Object.entries(TABLES)) {
  test(`where each input has a setting, its default and its limits: ${table}`, async (t) => {
    const rows = Object.entries(SETTINGS[table] ?? {}).map(([key, { name, path, kind, toSetting: _, ...more }]) => {
      const others = Object.entries(more).map(([what, value]) => `${what}=${[value].flat().join('.')}`)
      return `${key}: ${path.join('.')} (${name}), ${[kind, ...others].join(', ')}`
    })
    t.strictSame(rows, text.trim().split('\n'))
  })
}
