// Rules on a mapping that is written as a model, without a template.
import { join, relative } from 'node:path'
import { test } from 'tap'
import { RULES } from '../../src/doctor/check.ts'
import { patternSetting } from '../../src/model/filters.ts'
import type { LambdaFunction, Mapping, Queue } from '../../src/model/model.ts'
import { absent, invalid, known, type Setting, unknown, valueIn } from '../../src/model/setting.ts'
import { refusesRequire } from '../../src/rules/function-rules.ts'
import { formatSeconds, joinNames, type Problem, sourceOf } from '../../src/rules/rule.ts'
import { filesIn } from '../support/files.ts'
import { functionOf, mappingOf, queueOf, redriveOf } from '../support/models.ts'
import { OPTIONS } from '../support/templates.ts'

function problemsOf(id: string, mapping: Mapping): Problem[] {
  const rule = RULES.find((one) => one.id === id)
  return [rule?.check(mapping, OPTIONS, { ofFunction: [mapping], ofQueue: [mapping] }) ?? []].flat()
}

/** What a problem says, and the setting that its fix changes. */
function said({ what, fix, change }: Problem) {
  const changes = [change ?? []].flat().map((one) => (one.kind === 'set' ? [one.row.name, one.value] : one.kind))
  return [what, fix, ...changes]
}

function inFunction(id: string, settings: Partial<LambdaFunction>) {
  return problemsOf(id, mappingOf({ function: functionOf(settings) })).map(said)
}

test('the severities of the rules that search the code', (t) => {
  const ids = ['commonjs-handler', 'metrics-log-level', 'dead-letter-memory']
  t.strictSame(
    ids.map((id) => RULES.find((rule) => rule.id === id)?.severity),
    ['error', 'warning', 'info'],
  )
  t.end()
})

const METRICS = { inline: "import { Metrics } from '@aws-lambda-powertools/metrics'" }
for (const level of ['WARN', 'ERROR', 'FATAL']) {
  test(`metrics in the log, and the level ${level}: the text, and the level INFO as the fix`, (t) => {
    t.strictSame(inFunction('metrics-log-level', { logLevel: known(level), code: METRICS }), [
      [
        `ApplicationLogLevel is ${level}, but the code writes metrics to the log: powertools/metrics in the code in the template`,
        'Set ApplicationLogLevel to INFO.',
        ['ApplicationLogLevel', 'INFO'],
      ],
    ])
    t.end()
  })
}

test('metrics in the log and another level or none, or no metrics: no finding', (t) => {
  for (const logLevel of [known('DEBUG'), known('INFO'), unknown('x'), absent]) {
    t.strictSame(inFunction('metrics-log-level', { logLevel, code: METRICS }), [])
  }
  t.strictSame(inFunction('metrics-log-level', { logLevel: known('WARN'), code: { inline: '' } }), [])
  t.end()
})

test('deadLetter() with 511 MB: the text, and 512 MB as the fix; with 512 MB, or an unknown memory: no finding', (t) => {
  const code = { inline: "import { deadLetter } from 'middy-bounded-sqs-batch/sqs'\ndeadLetter({ queueUrl })" }
  t.strictSame(inFunction('dead-letter-memory', { memory: known(511), code }), [
    [
      'The function has 511 MB, and uses deadLetter in the code in the template',
      'Set MemorySize to 512 or more.',
      ['MemorySize', 512],
    ],
  ])
  t.strictSame(inFunction('dead-letter-memory', { memory: known(512), code }), [])
  t.strictSame(inFunction('dead-letter-memory', { memory: unknown('x'), code }), [])
  t.end()
})

const LOADS = "require('middy-bounded-sqs-batch')"
const IMPORTS = "import { boundedSqsBatch } from 'middy-bounded-sqs-batch'"
const COMMONJS = { 'tsconfig.json': '{ "compilerOptions": { "module": "commonjs" } }' }
const USE_IMPORT = 'Use import in an ES module, or bundle the function, for example with esbuild.'
const COMPILE = 'Compile the function to an ES module, or bundle it, for example with esbuild.'
for (const [file, code, how, fix] of [
  ['index.cjs', LOADS, 'loads', USE_IMPORT],
  ['orders.ts-files/index.cjs', LOADS, 'loads', USE_IMPORT],
  ['index.ts', IMPORTS, 'is compiled to CommonJS, so it loads', COMPILE],
  ['index.cts', IMPORTS, 'is compiled to CommonJS, so it loads', COMPILE],
  ['index.tsx', IMPORTS, 'is compiled to CommonJS, so it loads', COMPILE],
] as const) {
  test(`${file} loads this package with require(): the text and the fix`, (t) => {
    // The compiler and doctor would otherwise read the package.json above the folder of the tests.
    const root = filesIn(t, { 'package.json': '{}', ...COMMONJS, [file]: code })
    const place = { places: [root], handler: file.replace(/\.\w+$/, '.handler') }
    t.strictSame(inFunction('commonjs-handler', { code: place }), [
      [`${join(relative(process.cwd(), root), file)} ${how} this package with require()`, fix],
    ])
    t.end()
  })
}

test('a function whose Node.js accepts require() of an ES module may load this package with it', (t) => {
  const code = { inline: LOADS }
  t.equal(inFunction('commonjs-handler', { code }).length, 1)
  t.strictSame(inFunction('commonjs-handler', { code, nodeOptions: '--experimental-require-module' }), [])
  t.end()
})

test('whether require() of an ES module fails, by the runtime and NODE_OPTIONS', (t) => {
  for (const [runtime, nodeOptions, fails] of [
    [known('nodejs24.x'), undefined, true],
    [unknown('x'), undefined, true],
    [absent, undefined, true],
    [known('python3.14'), undefined, false],
    [known('nodejs24.x'), '--experimental-require-module', false],
    [known('nodejs24.x'), '--enable-source-maps --experimental-require-module --inspect', false],
    [known('nodejs24.x'), '--no-experimental-require-module', true],
  ] as const) {
    t.equal(refusesRequire(functionOf({ runtime, nodeOptions })), fails, `${JSON.stringify(runtime)} ${nodeOptions}`)
  }
  t.end()
})

test('a function without a runtime, or with one that is not known, is not deprecated', (t) => {
  t.strictSame(inFunction('runtime-deprecated', {}), [])
  t.strictSame(inFunction('runtime-deprecated', { runtime: unknown('x') }), [])
  t.end()
})

test('an EventInvokeConfig that is not known, or that another service may use, is no problem', (t) => {
  const found = (eventInvokeConfig: Setting<true>, hasOtherInvokers?: boolean) =>
    inFunction('event-invoke-config', {
      eventInvokeConfig,
      ...(hasOtherInvokers === undefined ? {} : { hasOtherInvokers }),
    }).length
  t.equal(found(known(true), false), 1)
  t.equal(found(known(true), true), 0)
  t.equal(found(known(true)), 0)
  t.equal(found(unknown('x'), false), 0)
  t.equal(found(absent, false), 0)
  t.end()
})

test('the code of a function: its own, that of the function of an alias, or why there is none', (t) => {
  const code = { inline: '' }
  const unreadReason = 'it is version 3'
  const aliasOf = functionOf({ code })
  t.strictSame(
    [
      functionOf({ code, unreadReason }),
      functionOf({ aliasOf, unreadReason }),
      functionOf({ aliasOf: functionOf(), unreadReason }),
      functionOf(),
    ].map((one) => [sourceOf(one).searched, sourceOf(one).missing]),
    [
      ['the code in the template', undefined],
      ['the code in the template', undefined],
      [undefined, 'it is version 3'],
      [undefined, 'the input does not show where the code is'],
    ],
  )
  t.end()
})

test('up to four names are all shown, of five names the first three', (t) => {
  t.equal(joinNames(['A']), 'A')
  t.equal(joinNames(['A', 'B', 'C', 'D']), 'A, B, C, D')
  t.equal(joinNames(['A', 'B', 'C', 'D', 'E']), 'A, B, C and 2 more')
  t.end()
})

test('a number of seconds: a value, the default, or not known', (t) => {
  t.equal(formatSeconds(known(43_200)), '43,200 s')
  t.equal(formatSeconds({ state: 'known', value: 30, isDefault: true }), '30 s, the default')
  t.equal(formatSeconds(unknown('x')), 'not known')
  t.end()
})

/** A mapping with these filters, whose queue is subscribed to a topic. SNS wraps the messages. */
function wrapped(...patterns: (string | Setting<string>)[]): Mapping {
  const filters = patterns.map((one) => patternSetting(typeof one === 'string' ? known(one) : one))
  const subscription = { id: 'Subscription', isRaw: known(false), isAllowed: known(true) }
  return mappingOf({ filters: known(filters), queue: queueOf({ subscriptions: [subscription] }) })
}
function body(pattern: unknown): string {
  return JSON.stringify({ body: pattern })
}

const KEYS = [
  ...['Type', 'MessageId', 'SequenceNumber', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'SignatureVersion'],
  ...['Signature', 'SigningCertURL', 'UnsubscribeURL'],
]
const WITHOUT = [{ exists: false }]
const NOT_KNOWN = unknown('x')

for (const [title, patterns, canMatch] of [
  ...KEYS.map((key) => [`the key ${key}`, [body({ [key]: ['x'] })], true] as const),
  ['a key of the message', [body({ type: ['order'] })], false],
  ['a key that must exist', [body({ type: [{ exists: true }] })], false],
  ['a key that must be null', [body({ type: [null] })], false],
  ['a key that must be missing', [body({ type: WITHOUT })], true],
  ['a key that must be missing, or null', [body({ type: [null, ...WITHOUT] })], true],
  ['a key that must be missing, and a key of the message', [body({ type: WITHOUT, kind: ['a'] })], false],
  ['a key of the envelope, and a key of the message', [body({ Type: ['Notification'], kind: ['a'] })], false],
  ['a key inside of the message', [body({ Message: { type: ['order'] } })], false],
  ['a key inside of the message that must be missing', [body({ Message: { type: WITHOUT } })], true],
  ['a key inside of the message with the name of one outside', [body({ Message: { Type: ['a'] } })], false],
  ['the name of an attribute', [body({ MessageAttributes: { type: { Value: ['order'] } } })], true],
  ['attributes inside of the message', [body({ data: { MessageAttributes: { type: ['order'] } } })], false],
  ['alternatives, of which one is a key of the envelope', [body({ $or: [{ kind: ['a'] }, { Type: ['b'] }] })], true],
  ['alternatives of the message', [body({ $or: [{ kind: ['a'] }, { type: ['b'] }] })], false],
  [
    'alternatives inside of the message, of which one must be missing',
    [body({ data: { $or: [{ kind: ['a'] }, { type: WITHOUT }] } })],
    true,
  ],
  ['a body that is a text', [body(['order'])], false],
  ['alternatives of bodies', [JSON.stringify({ $or: [{ body: ['a'] }, { body: { Type: ['b'] } }] })], true],
  ['alternatives of bodies of the message', [JSON.stringify({ $or: [{ body: ['a'] }, { body: ['b'] }] })], false],
  [
    'a body of the message, and alternatives of bodies',
    [JSON.stringify({ body: { kind: ['a'] }, $or: [{ body: ['a'] }, { body: { Type: ['b'] } }] })],
    false,
  ],
  ['a pattern that is not known', [NOT_KNOWN], true],
  ['a key of the message, and a pattern that is not known', [body({ kind: ['a'] }), NOT_KNOWN], true],
  ['a key of the message, and a pattern that is not valid', [body({ kind: ['a'] }), '{'], false],
  ['only patterns that are not valid, which have an error of their own', ['{', '['], true],
  ['no pattern', [], true],
] as const) {
  test(`SNS wraps the messages, and a filter has ${title}: ${canMatch ? 'no finding' : 'sns-envelope-filter'}`, (t) => {
    t.equal(problemsOf('sns-envelope-filter', wrapped(...patterns)).length, canMatch ? 0 : 1)
    t.end()
  })
}

test('sns-envelope-filter names the subscriptions whose messages SNS wraps', (t) => {
  const subscription = (id: string, isRaw: Setting<boolean>) => ({ id, isRaw, isAllowed: known(true) })
  const mapping = wrapped(body({ kind: ['a'] }))
  const found = (...raw: Setting<boolean>[]) => {
    const subscriptions = raw.map((isRaw, index) => subscription(`S${index}`, isRaw))
    return problemsOf('sns-envelope-filter', { ...mapping, queue: queueOf({ subscriptions }) }).map(said)
  }
  t.strictSame(found(known(true), known(false), unknown('x'), known(false)), [
    [
      'The filters match the message itself, but S1, S3 does not set RawMessageDelivery',
      'Set RawMessageDelivery of S1, S3 to true, or filter with keys of the envelope of SNS.',
      ['RawMessageDelivery', true],
    ],
  ])
  t.strictSame(found(known(true), unknown('x')), [])
  t.strictSame(found(), [])
  t.strictSame(problemsOf('sns-envelope-filter', { ...mapping, queue: queueOf() }), [])
  t.end()
})

test('sns-envelope-filter shows the line of the filters', (t) => {
  const mapping = wrapped(body({ kind: ['a'] }))
  const position = { line: 7, column: 3 }
  const filters = known(valueIn(mapping.filters) ?? [], position)
  t.strictSame(problemsOf('sns-envelope-filter', { ...mapping, filters })[0]?.position, position)
  t.end()
})

test('sns-queue-policy shows each subscription that no policy allows', (t) => {
  const position = { line: 3, column: 1 }
  const subscriptions = [known(false), known(true), unknown('x')].map((isAllowed, index) => {
    return { id: `S${index}`, position, isRaw: known(true), isAllowed }
  })
  const found = (queue: Partial<Queue>) => problemsOf('sns-queue-policy', mappingOf({ queue: queueOf(queue) }))
  t.strictSame(found({ subscriptions }), [
    {
      resource: queueOf({ subscriptions }),
      position,
      what: 'Queue is subscribed to a topic by S0, but no queue policy allows it',
      fix: 'Add a queue policy that allows the service sns.amazonaws.com to call sqs:SendMessage, if aws:SourceArn is the topic.',
    },
  ])
  t.strictSame(found({}), [])
  t.end()
})

const WRONG = invalid('it is wrong', 'Correct it.')
const LAMBDA_API = 'https://docs.aws.amazon.com/lambda/latest/api'
const QUEUE_API = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html'
for (const [mapping, resource, name, source] of [
  [mappingOf({ batchSize: WRONG }), 'Orders', 'BatchSize', `${LAMBDA_API}/API_CreateEventSourceMapping.html`],
  [mappingOf({ arn: WRONG }), 'Orders', 'The ARN of its queue', `${LAMBDA_API}/API_CreateEventSourceMapping.html`],
  [mappingOf({ filters: known([WRONG]) }), 'Orders', 'Pattern', `${LAMBDA_API}/API_CreateEventSourceMapping.html`],
  [
    mappingOf({ function: functionOf({ timeout: WRONG }) }),
    'Handler',
    'Timeout',
    `${LAMBDA_API}/API_CreateFunction.html`,
  ],
  [mappingOf({ queue: queueOf({ visibilityTimeout: WRONG }) }), 'Queue', 'VisibilityTimeout', QUEUE_API],
  [
    mappingOf({ queue: queueOf({ redrive: redriveOf({ maxReceiveCount: WRONG }) }) }),
    'Queue',
    'maxReceiveCount',
    QUEUE_API,
  ],
  [
    mappingOf({ queue: queueOf({ redrive: redriveOf({}, { retention: WRONG }) }) }),
    'Dead',
    'MessageRetentionPeriod',
    QUEUE_API,
  ],
] as const) {
  test(`a value of ${name} that AWS rejects: the text, and the page of AWS`, (t) => {
    t.strictSame(
      problemsOf('invalid-value', mapping).map((one) => [one.resource.id, one.what, one.fix, one.source]),
      [[resource, `${name}: it is wrong`, 'Correct it.', source]],
    )
    t.end()
  })
}

test('the settings of a queue or dead-letter queue that could not be read are not checked one by one', (t) => {
  const queue = queueOf({
    unreadReason: 'x',
    visibilityTimeout: WRONG,
    redrive: redriveOf({}, { retention: WRONG, unreadReason: 'x' }),
  })
  t.strictSame(problemsOf('invalid-value', mappingOf({ queue })), [])
  t.end()
})
