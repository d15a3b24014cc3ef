import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type LocalFlags, toRunOptions } from '../../../src/local/command/options.ts'
import { withTemplate } from '../../../src/local/command/template-flags.ts'
import { UsageError } from '../../../src/shared/errors.ts'
import { filesIn } from '../../support/files.ts'
import { inProcess } from '../../support/in-process.ts'
import { handlerFile, notebook } from '../../support/runs.ts'
import { cloudFormation, getAtt, sam, templateFile } from '../../support/templates.ts'

const HANDLER = handlerFile('settings.mjs')

const FLAGS: LocalFlags = {
  reportBatchItemFailures: true,
  freeze: true,
  maxDeadLettered: 0,
  maxFailedInvocations: 0,
  idle: 0,
}

/** Sends a message without a deduplication id to its own queue, once. */
const SENDS = `export const handler = async ({ Records: [record] }) => {
  if (record.body === 'again') return
  const url = process.env.AWS_ENDPOINT_URL_SQS
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'x-amz-target': 'AmazonSQS.SendMessage' },
    body: JSON.stringify({ QueueUrl: url + '/000000000000/local.fifo', MessageBody: 'again', MessageGroupId: 'g' }),
  })
  await response.text()
  console.log(response.status)
}`

const small = {
  mapping: { BatchSize: 20, MaximumBatchingWindowInSeconds: 1 },
  function: { Timeout: 100, MemorySize: 256 },
  queue: { VisibilityTimeout: 601, RedrivePolicy: { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 2 } },
}

test('a run takes batch size, timeouts, memory and max deliveries from the template', async (t) => {
  const notes = notebook(t)
  const args = ['local', HANDLER, '--messages', '40', '--idle', '0', '--retry-after', '0', '--max-dead-lettered', '4']
  const { code, stdout, stderr } = await inProcess([...args, '--json', '--template', templateFile(t, sam(small))], {
    env: { RECORD_TO: notes.file },
  })
  t.match(
    stderr,
    /^settings of Handler\/Orders in \S+template\.yaml: batch size 20, window 1 s, timeout 100 s, memory 256 MB, FIFO false, visibility timeout 601 s, max deliveries 2, ReportBatchItemFailures true$/m,
  )
  t.match(JSON.parse(stdout), { sent: 40, processed: 36, deadLettered: 4, delivered: 44, lost: 0, remaining: 0 })
  t.equal(code, 0)
  const events: { records: number; memory: string; remaining: number }[] = notes.read()
  t.equal(Math.max(...events.map(({ records }) => records)), 20)
  t.strictSame(new Set(events.map(({ memory }) => memory)), new Set(['256']))
  t.ok(events.every(({ remaining }) => remaining > 50_000 && remaining <= 100_000))
})

test('a template without ReportBatchItemFailures: failed messages are lost, as on AWS', async (t) => {
  const notes = notebook(t)
  const accept = { 'report-batch-item-failures': 'to see what is lost' }
  const template = templateFile(t, {
    Metadata: { 'bounded-sqs-batch': { accept } },
    ...sam({ ...small, mapping: { ...small.mapping, FunctionResponseTypes: undefined } }),
  })
  const args = ['local', HANDLER, '--messages', '20', '--idle', '0', '--template', template]
  const { code, stdout } = await inProcess(args, { env: { RECORD_TO: notes.file } })
  t.equal(code, 1)
  t.match(stdout, /, ReportBatchItemFailures false$/m)
  t.match(stdout, /^failed: 2 messages were lost; /m)
})

async function taken(t: Test, template: unknown, flags: Partial<LocalFlags> = {}) {
  const file = templateFile(t, template)
  const { flags: all, notes } = await withTemplate({ ...FLAGS, template: file, ...flags })
  const { freeze, idle, maxDeadLettered, maxFailedInvocations, template: _, ...more } = all
  const { concurrency, notInTemplate, templateEnv = {}, templateFilters, ...rest } = more
  return {
    flags: rest,
    filters: templateFilters,
    variables: templateEnv,
    notes: notes.map((line) => line.replaceAll(file, 'T')),
  }
}

test('flags override the template', async (t) => {
  const given = { batchSize: 7, window: 0, timeout: 9, memory: 512, fifo: true, visibilityTimeout: 60, maxReceives: 9 }
  const { flags, notes } = await taken(t, sam(small), { ...given, reportBatchItemFailures: false })
  t.strictSame(flags, { ...given, reportBatchItemFailures: false })
  t.strictSame(notes, ['settings of Handler/Orders in T: none is used'])
})

test('a value that AWS rejects is refused, also if a flag overrides it', async (t) => {
  const change = { mapping: { BatchSize: 0 } }
  await t.rejects(taken(t, sam(change), { batchSize: 7 }), { message: /BatchSize: 0 is outside of/ })
})

test('settings that the template omits have the defaults of AWS', async (t) => {
  const { flags } = await taken(
    t,
    sam({
      mapping: { BatchSize: undefined, MaximumBatchingWindowInSeconds: undefined },
      function: { Timeout: undefined, MemorySize: undefined },
      queue: { VisibilityTimeout: undefined },
    }),
  )
  t.strictSame(flags, {
    batchSize: 10,
    window: 0,
    timeout: 3,
    memory: 128,
    fifo: false,
    visibilityTimeout: 30,
    maxReceives: 5,
    reportBatchItemFailures: true,
  })
})

test('settings whose value is not known are listed, and have the defaults of the command', async (t) => {
  const Import = { 'Fn::ImportValue': 'x' }
  const change = {
    mapping: { BatchSize: Import, FunctionResponseTypes: Import },
    function: { Timeout: Import },
    queue: { RedrivePolicy: undefined },
  }
  const { flags, notes } = await taken(t, sam(change))
  t.strictSame(flags, {
    window: 5,
    memory: 512,
    fifo: false,
    visibilityTimeout: 185,
    reportBatchItemFailures: true,
  })
  const reason = 'Fn::ImportValue x comes from another stack'
  t.strictSame(notes, [
    'settings of Handler/Orders in T: window 5 s, memory 512 MB, FIFO false, visibility timeout 185 s',
    `the setting batch size in T is not known (${reason}), so the default of this command is used`,
    `the setting timeout in T is not known (${reason}), so the default of this command is used`,
    'T has no redrive policy for the queue: messages have 5 deliveries (default)',
    `the setting ReportBatchItemFailures in T is not known (${reason}), so the default of this command is used`,
  ])
})

test('without a batch size in the template, a missing window keeps the default of the command', async (t) => {
  const window = async (change: Record<string, unknown>, given: Partial<LocalFlags> = {}) =>
    (await taken(t, sam({ mapping: { MaximumBatchingWindowInSeconds: undefined, ...change } }), given)).flags.window
  t.equal(await window({ BatchSize: { 'Fn::ImportValue': 'x' } }), undefined)
  t.equal(await window({ BatchSize: 10 }, { batchSize: 1000 }), undefined, 'one of the command line')
  t.equal(await window({ BatchSize: 10 }), 0)
  t.equal(await window({ BatchSize: { 'Fn::ImportValue': 'x' }, MaximumBatchingWindowInSeconds: 3 }), 3)
})

test('the maximum concurrency of the template is used, unless --concurrency is given', async (t) => {
  const template = sam({ mapping: { ScalingConfig: { MaximumConcurrency: 5 } } })
  const { flags, notes } = await taken(t, template)
  t.match(flags, { maximumConcurrency: 5 })
  t.match(notes[0], /, maximum concurrency 5$/)
  t.notMatch((await taken(t, template, { concurrency: 3 })).notes[0], 'maximum concurrency')
})

test('filters of the template are applied; if one is not known, none is, and a line says so', async (t) => {
  const takenWith = async (FilterCriteria: unknown) => {
    const { filters, notes } = await taken(t, sam({ mapping: { FilterCriteria } }))
    return { filters, notes: notes.slice(1) }
  }
  const order = { Pattern: '{ "body": { "type": ["order"] } }' }
  t.strictSame(await takenWith({ Filters: [order] }), { filters: [{ body: { type: ['order'] } }], notes: [] })
  const note = (reason: string) =>
    `warning: the filters in T are not known (${reason}), so this run delivers all messages. Lambda deletes messages that match no filter`
  const reason = 'Fn::ImportValue x comes from another stack'
  const unknown = { 'Fn::ImportValue': 'x' }
  t.strictSame(await takenWith(unknown), { filters: [], notes: [note(reason)] })
  t.strictSame(await takenWith({ Filters: [order, { Pattern: unknown }] }), {
    filters: [],
    notes: [note(reason)],
  })
  t.strictSame(await takenWith({ Filters: [] }), { filters: [], notes: [] })
  t.strictSame(await takenWith(undefined), { filters: [], notes: [] })
})

test('a parameter without a default: the run says how to set it', async (t) => {
  const read = async (declaration: object, parameter: string[] = []) => {
    const template = { ...sam({ mapping: { BatchSize: { Ref: 'Size' } } }), Parameters: { Size: declaration } }
    const { flags, notes } = await taken(t, template, { parameter })
    return { batchSize: flags.batchSize, notes: notes.slice(1) }
  }
  const declared = { Type: 'Number', AllowedValues: [7, 9] }
  const expected = [/batch size .* \(the parameter Size has no default \(set it with --parameter Size=…\)\)/]
  t.match(await read(declared), { batchSize: undefined, notes: expected })
  t.strictSame(await read({ ...declared, Default: 9 }), { batchSize: 9, notes: [] })
  t.strictSame(await read(declared, ['Size=9']), { batchSize: 9, notes: [] })
})

for (const [title, properties, metadata, folder] of [
  ['CodeUri', { CodeUri: 'dist' }, {}, 'dist'],
  ['no CodeUri', {}, {}, '.'],
  ['a build of SAM that copies the folder', { CodeUri: 'dist' }, { BuildMethod: 'nodejs24.x' }, 'dist'],
  ['a folder that does not exist', { CodeUri: 'out' }, {}, undefined],
  ['an archive', { CodeUri: 'build/orders.zip' }, {}, undefined],
  ['the folder of an archive, in the CDK', { CodeUri: { Bucket: 'b', Key: 'ab.zip' } }, {}, 'asset.ab'],
  ['a Makefile', { CodeUri: 'dist' }, { BuildMethod: 'makefile' }, undefined],
  ['a bundler', { CodeUri: 'dist' }, { BuildProperties: { EntryPoints: ['app.ts'] } }, undefined],
] as const) {
  test(`an ES module by a package.json above the folder that is deployed: ${title}`, async (t) => {
    const template = sam({ function: properties })
    const root = filesIn(t, {
      'package.json': '{ "type": "module" }',
      'service/template.json': JSON.stringify({
        ...template,
        Resources: { ...template.Resources, Handler: { ...template.Resources.Handler, Metadata: metadata } },
      }),
      'service/dist/app.js': '',
      'service/asset.ab/app.js': '',
      'service/build/orders.zip': '',
    })
    const service = join(root, 'service')
    const { flags, mapping } = await withTemplate({ ...FLAGS, messages: 1, template: join(service, 'template.json') })
    const refused = (file: string) =>
      toRunOptions(file, flags, mapping).then(
        () => undefined,
        ({ message }) => message,
      )
    const inFolder = join(service, folder === 'asset.ab' ? folder : 'dist')
    const file = join(inFolder, 'app.js')
    const why =
      `${file} is an ES module only because of ${join(root, 'package.json')}, and the template deploys only ${join(service, folder ?? '')}. ` +
      'Name the file .mjs, or .cjs if it is CommonJS'
    t.equal(await refused(file), folder && why)
    t.equal(await refused(join(root, 'other/app.js')), undefined, 'a file elsewhere')
    t.equal(await refused(join(inFolder, 'app.mjs')), undefined, 'a file whose name says its type')
    writeFileSync(join(root, 'package.json'), '{}')
    t.equal(await refused(file), undefined, 'a package.json of CommonJS')
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(inFolder, 'package.json'), '{ "type": "module" }')
    t.equal(await refused(file), undefined, 'a package.json that is deployed')
  })
}

test('clients need no deduplication id if the queue of the template has ContentBasedDeduplication', async (t) => {
  const file = join(filesIn(t, { 'h.mjs': SENDS }), 'h.mjs')
  const run = async (ContentBasedDeduplication: boolean) => {
    const queue = { FifoQueue: true, ContentBasedDeduplication }
    const mapping = { BatchSize: 1, MaximumBatchingWindowInSeconds: undefined }
    const template = templateFile(t, sam({ mapping, queue, dead: { FifoQueue: true } }))
    const args = ['local', file, '--messages', '1', '--idle', '0', '--json', '--template', template]
    const { code, stdout, stderr } = await inProcess(args)
    t.equal(code, 0, stderr)
    return { sentByFunction: JSON.parse(stdout).sentByFunction, status: /function \| (\d+)/.exec(stderr)?.[1] }
  }
  t.strictSame(await run(true), { sentByFunction: 1, status: '200' })
  t.strictSame(await run(false), { sentByFunction: 0, status: '400' })
})

test('if no environment variable is known, one line says so', async (t) => {
  const Environment = { Variables: { 'Fn::Transform': { Name: 'Variables' } } }
  const { notes, variables } = await taken(t, sam({ function: { Environment } }))
  t.strictSame(variables, {})
  t.strictSame(notes.slice(1), [
    'the environment variables in T: not known (Fn::Transform is not evaluated), so not set. Use --env NAME=…',
  ])
})

test('an existing queue keeps its own settings', async (t) => {
  const { flags } = await taken(t, sam(small), { queueUrl: 'http://127.0.0.1:1/0/orders' })
  t.strictSame(flags, {
    queueUrl: 'http://127.0.0.1:1/0/orders',
    batchSize: 20,
    window: 1,
    timeout: 100,
    memory: 256,
    reportBatchItemFailures: true,
  })
})

test('--template-function selects one of several functions, or one of several mappings', async (t) => {
  const { Resources } = cloudFormation()
  const Other = { ...Resources.Handler, Properties: { Runtime: 'nodejs24.x', Timeout: 7 } }
  const mapping = (FunctionName: unknown, BatchSize: number) => ({
    ...Resources.Orders,
    Properties: { ...Resources.Orders.Properties, FunctionName, BatchSize },
  })
  const Two = mapping({ Ref: 'Other' }, 2)
  const Three = mapping({ Ref: 'Handler' }, 3)
  const template = { Resources: { ...Resources, Other, Two, Three } }
  t.match((await taken(t, template, { templateFunction: 'Other' })).flags, { batchSize: 2, timeout: 7 })
  t.match((await taken(t, template, { templateFunction: 'Three' })).flags, { batchSize: 3, timeout: 30 })
  const refused = (templateFunction?: string) =>
    taken(t, template, templateFunction ? { templateFunction } : {}).then(
      () => '',
      (error) => (error instanceof UsageError ? error.message : String(error)),
    )
  t.match(
    await refused(),
    /several SQS event source mappings\. Choose one with --template-function ID: Orders, Two, Three$/,
  )
  t.match(await refused('Handler'), /Choose one with --template-function ID: Orders, Three$/)
  t.match(
    await refused('Nope'),
    /^\S+ has no function or mapping Nope that reads SQS\. Its mappings are: Orders, Two, Three$/,
  )
})

const refused: [title: string, template: unknown, flags: Partial<LocalFlags>, line: RegExp][] = [
  [
    'a template without a mapping',
    { Resources: {} },
    {},
    /has no SQS event source mapping, so it has no settings for a run$/,
  ],
  [
    'a value that AWS rejects',
    sam({ queue: { VisibilityTimeout: 43_201 } }),
    {},
    /^doctor finds an error in \S+\. Queue \(line \d+\): VisibilityTimeout: 43201 is outside of the range .* To see all problems, run bounded-sqs-batch doctor \S+$/,
  ],
  [
    'a filter that is not JSON',
    sam({ mapping: { FilterCriteria: { Filters: [{ Pattern: '{' }] } } }),
    {},
    /^doctor finds an error in \S+\. Handler\/Orders \(line \d+\): Filter 1 cannot match: it is not valid JSON\. /,
  ],
  [
    'a parameter that the template does not have',
    sam(),
    { parameter: ['A=1'] },
    /--parameter A: no template has a parameter of this name\. The parameters are: none$/,
  ],
]
for (const [title, template, flags, message] of refused) {
  test(`refused: ${title}`, async (t) => {
    await t.rejects(taken(t, template, flags), { name: 'UsageError', message })
  })
}

test('a warning of doctor does not refuse the template, nor does an error of another mapping or an accepted one', async (t) => {
  const queue = { VisibilityTimeout: 60, RedrivePolicy: undefined }
  t.match((await taken(t, sam({ queue }))).flags, { timeout: 30, visibilityTimeout: 60 })
  const other = sam({ second: { BatchSize: 20_000 } })
  t.match((await taken(t, other, { templateFunction: 'Handler/Orders' })).flags, { batchSize: 100 })
  const accepted = sam({
    function: { ReservedConcurrentExecutions: 1 },
    mapping: { ScalingConfig: { MaximumConcurrency: 5 } },
  })
  await t.rejects(taken(t, accepted), {
    message: /The maximum concurrency is 5, above the reserved concurrency of 1\. /,
  })
  const rules = { 'concurrency-above-reserved': 'agreed' }
  const Metadata = { 'bounded-sqs-batch': { accept: rules } }
  Object.assign(accepted.Resources.Handler, { Metadata })
  t.match((await taken(t, accepted)).flags, { maximumConcurrency: 5 })
})

test('a parameter without a template is refused', async (t) => {
  const message = '--parameter and --template-function need --template'
  await t.rejects(withTemplate({ ...FLAGS, parameter: ['A=1'] }), { message })
  await t.rejects(withTemplate({ ...FLAGS, templateFunction: 'A' }), { message })
})

test('settings whose value is not known are listed before an error about options', async (t) => {
  const change = { mapping: { BatchSize: { 'Fn::ImportValue': 'x' }, MaximumBatchingWindowInSeconds: 0 } }
  const template = templateFile(t, sam(change))
  const args = ['local', HANDLER, '--messages', '1', '--template', template]
  const { code, stdout, stderr } = await inProcess(args)
  t.equal(code, 2)
  t.ok(
    stdout.includes(
      `the setting batch size in ${template} is not known (Fn::ImportValue x comes from another stack), so `,
    ),
  )
  t.match(stderr, '--batch-size 10000 needs a --window of at least 1')
})
