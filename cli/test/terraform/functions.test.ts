import { resolve } from 'node:path'
import { test } from 'tap'
import { absent, known, type Setting } from '../../src/model/setting.ts'
import { sameModel } from '../support/plain.ts'
import { type PlannedModule, readShown, resource, shownPlan } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

const AFTER = 'it is known only after apply'
const ACCOUNT = 'arn:aws:lambda:eu-west-1:123456789012:function'
const ARN = `${ACCOUNT}:work`
const WORK = 'aws_lambda_function.work'

/** The function that a mapping invokes in a plan. The first resource of these is the mapping. */
function inPlan(mapping: Omit<Resource, 'address'>, ...others: readonly Resource[]) {
  const resources = [{ address: 'aws_lambda_event_source_mapping.one', ...mapping }, ...others]
  return functionIn(shownPlan({ resources }))
}
/** The function that a mapping with these values invokes in a state. */
function inState(mapping: Values, others: Readonly<Record<string, Values>>) {
  const all = { 'aws_lambda_event_source_mapping.one': mapping, ...others }
  const resources = Object.entries(all).map(([address, values]) => resource(address, values))
  return functionIn({ format_version: '1.0', values: { root_module: { resources } } })
}
function functionIn(shown: unknown) {
  const [mapping] = readShown(shown).mappings
  if (!mapping) throw new Error('there is no mapping')
  const { isInvokedOtherwise, mayDo, environment, ...lambdaFunction } = mapping.function
  return lambdaFunction
}

function withId<T>(name: string, setting: Setting<T>) {
  return { ...setting, id: `${WORK} ${name} ${JSON.stringify(setting)}` }
}

const SETTINGS = {
  managed: absent,
  timeout: withId('timeout', known(30)),
  memory: withId('memory', { state: 'known', value: 128, isDefault: true }),
  runtime: withId('runtime', known('nodejs24.x')),
  reservedConcurrency: absent,
  tenantIsolation: absent,
  recursiveLoop: absent,
  deadLetterConfig: absent,
  deadLetterQueue: absent,
  invokeConfig: absent,
}
const CODE = { places: [resolve('work.zip')], handler: 'index.handler', runtime: 'nodejs24.x' }
const VALUES = {
  function_name: 'work',
  arn: ARN,
  version: '4',
  timeout: 30,
  runtime: 'nodejs24.x',
  handler: 'index.handler',
  filename: 'work.zip',
  reserved_concurrent_executions: -1,
}
const READ = { id: WORK, ...SETTINGS, code: CODE }

test('the function of a state', async (t) => {
  sameModel(t, inState({ function_name: 'work' }, { [WORK]: VALUES }), READ)
})

test('mappings of one function get the same object', async (t) => {
  const mappings = ['one', 'two'].map((name) =>
    resource(`aws_lambda_event_source_mapping.${name}`, { function_name: 'work' }),
  )
  const [one, two] = readShown(shownPlan({ resources: [...mappings, resource(WORK, VALUES)] })).mappings
  t.equal(one?.function.id, WORK)
  t.equal(one?.function, two?.function)
})

const ALIAS = 'aws_lambda_alias.live'
const LIVE = { name: 'live', arn: `${ARN}:live`, function_name: 'work', function_version: '4', routing_config: [] }

/** What is known of the function of a mapping. */
function summary({ id, unreadReason, aliasOf }: ReturnType<typeof functionIn>) {
  return {
    id,
    ...(unreadReason ? { unreadReason } : {}),
    ...(aliasOf ? { of: aliasOf.id } : {}),
  }
}

const ELSEWHERE = 'it is not in this plan or state'
const OTHER = 'its versions may have other settings than aws_lambda_function.work'
for (const [name, expected] of [
  ['work', { id: WORK }],
  [ARN, { id: WORK }],
  ['work:4', { id: WORK }],
  [`${ARN}:3`, { id: `${WORK}:3`, unreadReason: OTHER, of: WORK }],
  ['work:old', { id: 'aws_lambda_alias.old', unreadReason: OTHER, of: WORK }],
  [`${ARN}:old`, { id: 'aws_lambda_alias.old', unreadReason: OTHER, of: WORK }],
  ['work:live', { id: WORK }],
  [`${ARN}:live`, { id: WORK }],
  [
    'other:old',
    {
      id: 'aws_lambda_function.other:old',
      unreadReason: OTHER.replace('3', 'old').replace(WORK, 'aws_lambda_function.other'),
      of: 'aws_lambda_function.other',
    },
  ],
  [ARN.replace('eu', 'us'), { id: ARN.replace('eu', 'us'), unreadReason: ELSEWHERE }],
] as const) {
  test(`a mapping in a state that invokes ${name}`, async (t) => {
    const resources = {
      'aws_x.first': { ...LIVE, name: 'old', arn: `${ARN}:old`, function_version: '2' },
      'aws_lambda_function.other': { ...VALUES, function_name: 'other', arn: `${ACCOUNT}:other` },
      [WORK]: VALUES,
      [ALIAS]: LIVE,
      'aws_lambda_alias.old': { ...LIVE, name: 'old', arn: `${ARN}:old`, function_version: '3' },
    }
    sameModel(t, summary(inState({ function_name: name }, resources)), expected)
  })
}

test('a mapping in a state whose function has its name in two regions', async (t) => {
  const other = { ...VALUES, arn: ARN.replace('eu', 'us') }
  const resources = { [WORK]: VALUES, 'aws_lambda_function.other': other }
  const unreadReason = 'aws_lambda_function.work and aws_lambda_function.other have the same name'
  sameModel(t, summary(inState({ function_name: 'work' }, resources)), { id: 'work', unreadReason })
})

test('a mapping in a state of an alias that has its name in two regions', async (t) => {
  const inUs = (values: { arn: string }) => ({ ...values, arn: values.arn.replace('eu', 'us') })
  const resources = {
    [WORK]: VALUES,
    'aws_lambda_function.other': inUs(VALUES),
    [ALIAS]: { ...LIVE, function_version: '3' },
    'aws_lambda_alias.other': inUs(LIVE),
  }
  const found = (arn: string) => summary(inState({ function_name: arn }, resources)).id
  sameModel(t, [LIVE.arn, inUs(LIVE).arn].map(found), [ALIAS, 'aws_lambda_alias.other'])
})

test('the ARN of the function of a mapping can be an old one', async (t) => {
  const other = { ...VALUES, function_name: 'other', arn: `${ACCOUNT}:other` }
  const mapping = { values: { function_name: 'work', function_arn: other.arn } }
  const functions = [
    { address: WORK, values: VALUES },
    { address: 'aws_lambda_function.other', values: other },
  ]
  sameModel(t, summary(inPlan(mapping, ...functions)), { id: WORK })
})

const PLANNED = { values: { function_name: 'work' }, unknown: ['arn', 'version'] }
const UNKNOWN_NAME = { values: {}, unknown: ['function_name'] }

test('a mapping in a plan that refers to its function', async (t) => {
  const found = (references: readonly string[], ...others: readonly Resource[]) =>
    summary(inPlan({ ...UNKNOWN_NAME, expressions: { function_name: { references } } }, ...others))
  const work = { address: WORK, ...PLANNED }
  sameModel(t, found(ref(`${WORK}.arn`), work), { id: WORK })
  sameModel(t, found(['local.name'], work), {
    id: 'its function',
    unreadReason: `${AFTER}, and depends on local.name, which a plan does not show`,
  })
})

test('a mapping in a plan whose function name is known: the reference decides between functions of one name', async (t) => {
  const mapping = (to: string) => ({
    values: { function_name: 'work' },
    expressions: { function_name: { references: ref(to) } },
  })
  const two = [
    { address: 'aws_lambda_function.first', ...PLANNED },
    { address: 'aws_lambda_function.second', ...PLANNED },
  ]
  const second = mapping('aws_lambda_function.second.function_name')
  sameModel(t, summary(inPlan(second, ...two)), { id: 'aws_lambda_function.second' })
  const unreadReason = 'aws_lambda_function.first and aws_lambda_function.second have the same name'
  sameModel(t, summary(inPlan(mapping('local.name'), ...two)), { id: 'work', unreadReason })
  const byArn = { values: { function_name: ARN } }
  sameModel(t, summary(inPlan(byArn, ...two.slice(0, 1))), { id: 'aws_lambda_function.first' })
  const renamed = { ...PLANNED, values: { function_name: 'renamed' } }
  const other = [two[0] as Resource, { address: 'aws_lambda_function.second', ...renamed }]
  sameModel(t, summary(inPlan(second, ...other)), { id: 'aws_lambda_function.first' })
  const alias = { address: ALIAS, values: { ...LIVE, arn: undefined }, unknown: ['arn'] }
  sameModel(t, summary(inPlan(mapping('aws_lambda_alias.live.function_name'), ...two.slice(0, 1), alias)), {
    id: 'aws_lambda_function.first',
  })
})

for (const [title, alias, expected] of [
  ['the newest version', { values: LIVE }, { id: WORK }],
  ['the newest version, without weights', { values: { ...LIVE, routing_config: undefined } }, { id: WORK }],
  [
    'several versions',
    { values: { ...LIVE, routing_config: [{ additional_version_weights: { 3: 0.1 } }] } },
    { id: ALIAS, unreadReason: OTHER, of: WORK },
  ],
  [
    'versions that are known only after apply',
    { values: LIVE, unknown: ['routing_config'] },
    { id: ALIAS, unreadReason: OTHER, of: WORK },
  ],
  [
    'a version that is known only after apply',
    { values: LIVE, unknown: ['function_version'] },
    { id: ALIAS, unreadReason: OTHER, of: WORK },
  ],
  [
    'the version that the plan publishes',
    {
      values: LIVE,
      unknown: ['function_version'],
      expressions: { function_version: { references: ref(`${WORK}.version`) } },
    },
    { id: WORK },
  ],
  [
    'the version that the plan publishes, or another one',
    {
      values: LIVE,
      unknown: ['function_version'],
      expressions: { function_version: { references: [...ref(`${WORK}.version`), 'local.pinned'] } },
    },
    { id: ALIAS, unreadReason: OTHER, of: WORK },
  ],
  [
    'the version of another function',
    {
      values: LIVE,
      unknown: ['function_version'],
      expressions: { function_version: { references: ref('aws_lambda_function.other.version') } },
    },
    { id: ALIAS, unreadReason: OTHER, of: WORK },
  ],
] as const) {
  test(`a mapping in a plan of an alias of ${title}`, async (t) => {
    const mapping = { ...UNKNOWN_NAME, expressions: { function_name: { references: ref(`${ALIAS}.arn`) } } }
    const resources = [
      { address: 'aws_lambda_function.other', values: { function_name: 'other' } },
      { address: WORK, values: VALUES },
      { address: ALIAS, ...alias },
    ]
    sameModel(t, summary(inPlan(mapping, ...resources)), expected)
  })
}

test('an alias that is named in a plan belongs to the function that it refers to', async (t) => {
  const alias = (name: string, to: string) => ({
    address: `aws_lambda_alias.${name}`,
    values: { ...LIVE, arn: undefined, function_name: undefined, function_version: '3' },
    unknown: ['arn', 'function_name'],
    expressions: { function_name: { references: ref(`aws_lambda_function.${to}.arn`) } },
  })
  const functions = ['other', 'work'].map((name) => ({
    address: `aws_lambda_function.${name}`,
    values: { function_name: name },
    unknown: ['arn'],
  }))
  const found = inPlan(
    { values: { function_name: 'work:live' } },
    ...functions,
    alias('first', 'other'),
    alias('second', 'work'),
  )
  t.equal(found.id, 'aws_lambda_alias.second')
})
