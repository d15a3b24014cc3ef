import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as powertools from '@aws-lambda-powertools/batch'
import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { App, Stack } from 'aws-cdk-lib'
import { CfnEventSourceMapping, CfnFunction } from 'aws-cdk-lib/aws-lambda'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import * as engine from 'bounded-sqs-batch/engine'
import t, { type Test } from 'tap'
import * as exports from '../../src/index.ts'
import { invoke } from '../../src/testing/index.ts'
import { passingClock } from '../support/clock.ts'
import { printed } from '../support/compat.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream, startDynamoDb, startServer, useEndpoint } from '../support/services.ts'
import { startSqs, toRecord } from '../support/sqs.ts'

// The READMEs, the skill for coding agents, and each page of docs/. A block of TypeScript is a sample that is compiled and
// run here, or a fragment with the reason why it is not a sample. The line before the block is `<!-- sample: name -->` or
// `<!-- fragment: reason -->`.
const root = new URL('../../', import.meta.url)
const SKILL = 'skills/middy-bounded-sqs-batch/SKILL.md'
const paths = ['README.md', 'cli/README.md', SKILL, ...globSync('docs/*.md', { cwd: root })]
const pages = new Map(paths.map((path) => [path, readFileSync(new URL(path, root), 'utf8')]))
const BLOCK = /^<!-- (sample|fragment): (.+) -->\n```ts\n([\s\S]*?)^```$/gm
const FENCE = /^[ >]*(?:```|~~~) *(?:[cm]?[jt]sx?|javascript|typescript)\b/gim

const blocks = [...pages].flatMap(([path, text]) =>
  Array.from(text.matchAll(BLOCK), ([, kind, name, code]) => ({
    path,
    kind,
    name: name as string,
    code: code as string,
  })),
)
const samples = blocks.filter(({ kind }) => kind === 'sample')
const names = new Set(samples.map(({ name }) => name))

const folder = temporaryFolder(t, Object.fromEntries(samples.map(({ name, code }) => [`${name}.ts`, code])))

const tested: string[] = []

/** Runs a test of the sample with this name. */
function testSample(name: string, title: string, test: (t: Test) => Promise<void>): void {
  tested.push(name)
  t.test(`${name}: ${title}`, test)
}

type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

async function importSample<T = { handler: Handler }>(name: string, query = ''): Promise<T> {
  return import(pathToFileURL(`${folder}/${name}.ts`).href + query)
}

/** `query` loads the sample once more. */
async function run(
  name: string,
  bodies: string[],
  receiveCount = 1,
  query = '',
  context = {} as Context,
): Promise<string[]> {
  const { handler } = await importSample(name, query)
  const attributes = { ...sqsRecord('').attributes, ApproximateReceiveCount: String(receiveCount) }
  const Records = bodies.map((body, index) => sqsRecord(`m${index}`, { body, attributes }))
  return failed(await handler({ Records }, context))
}

/** What `run` prints with `console.log()`. */
async function consoleLines(run: () => unknown): Promise<unknown[][]> {
  const { log } = console
  const lines: unknown[][] = []
  console.log = (...parts) => lines.push(parts)
  try {
    await run()
  } finally {
    console.log = log
  }
  return lines
}

/** Makes the folder of the samples the working directory until the test ends. */
function useFolder(t: Test): void {
  const cwd = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(cwd))
}

t.test('every block of TypeScript is marked as a sample or a fragment', async (t) => {
  for (const [path, text] of pages) {
    t.equal(blocks.filter((block) => block.path === path).length, text.match(FENCE)?.length ?? 0, path)
  }
})

t.test('samples with the same name are the same', async (t) => {
  for (const { path, name, code } of samples) {
    t.equal(code, samples.find((sample) => sample.name === name)?.code, `${name} in ${path}`)
  }
})

/** Compiles samples. */
function compile(tsconfig: object, include = ['*.ts']): void {
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ ...tsconfig, include }))
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  // The shell removes NODE_OPTIONS, because tap's hooks break the compiler.
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, tsc, '-p', folder]
  execFileSync('sh', shell, { encoding: 'utf8', stdio: 'pipe' })
}

t.test('the samples compile in strict mode', async (t) => {
  const compilerOptions = { noUnusedParameters: false } // a sample also shows parameters that it does not use
  t.doesNotThrow(() => compile({ extends: '../../../tsconfig.json', compilerOptions }))
})

t.test('samples compile with the tsconfig.json of docs/modules.md', async (t) => {
  const [, tsconfig = ''] = /^```json\n([\s\S]*?)^```$/m.exec(pages.get('docs/modules.md') as string) ?? []
  t.doesNotThrow(() => compile(JSON.parse(tsconfig), ['start.ts', 'validation.ts', 'dead-letters.ts', 'testing.ts']))
})

/** Bundles a sample with the esbuild command of the README, and imports the bundle. */
async function bundleSample(name: string, flags = ''): Promise<{ handler: Handler }> {
  const [, command = ''] = /^npx (esbuild src\/handler\.ts .+)$/m.exec(pages.get('README.md') as string) ?? []
  const bin = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url))
  const file = `dist/${name}${flags ? '-with-flags' : ''}`
  const line = `${bin}${command}`.replace('src/handler.ts', `${name}.ts`).replace('dist/handler', file)
  execFileSync('sh', ['-c', `${line} --log-level=error ${flags}`], { cwd: folder })
  return import(pathToFileURL(`${folder}/${file}.mjs`).href)
}

t.test('the esbuild command of the README bundles its handlers, also with the AWS SDK', async (t) => {
  process.env.DEAD_LETTER_QUEUE_URL = 'http://127.0.0.1:1/queue'
  for (const name of ['start', 'validation', 'dead-letters', 'rate-limit', 'fifo']) {
    const { handler } = await bundleSample(name)
    t.type(handler, 'function', name)
  }
})

t.test('a bundle with pino needs the banner of docs/observability.md', async (t) => {
  await t.rejects(bundleSample('log-ids-pino'), { message: 'Dynamic require of "node:os" is not supported' })
  const [, banner = ''] = /^(--banner:js="[^"]*")$/m.exec(pages.get('docs/observability.md') as string) ?? []
  const { handler } = await bundleSample('log-ids-pino', banner)
  t.type(handler, 'function')
})

testSample('start', 'posts each record', async (t) => {
  const downstream = await startDownstream(t, ({ body }) => (body === 'refuse' ? 503 : 200))
  const { fetch: trueFetch } = globalThis
  globalThis.fetch = (_url, init) => trueFetch(downstream, init)
  t.teardown(() => {
    globalThis.fetch = trueFetch
  })
  const [text] = await logged(async () => {
    t.strictSame(await run('start', ['a', 'refuse', 'b', 'refuse']), ['m1', 'm3'])
  })
  t.match(text, /2 of 4 records of orders failed[^\n]*\n {2}2 × Error: downstream returned 503 \[m1, m3\]/)
})

testSample('flush', 'flushes what succeeded, and fails the invocation if it cannot flush', async (t) => {
  const lines = await consoleLines(() => logged(async () => t.strictSame(await run('flush', ['a', '', 'b']), ['m1'])))
  t.strictSame(lines, [['a b']])
  await consoleLines(async () => {
    console.log = () => {
      throw new Error('no connection')
    }
    await logged(() => t.rejects(run('flush', ['a', '', 'b']), { message: 'no connection' }))
  })
})

testSample('validation', 'reports records with an invalid body', async (t) => {
  const bodies = ['{"amount":3}', '{"amount":-1}', 'not JSON']
  const lines = await consoleLines(() =>
    logged(async () => t.strictSame(await run('validation', bodies), ['m1', 'm2'])),
  )
  t.strictSame(lines, [['3.00']])
})

testSample(
  'dead-letters',
  'dead-letters a record with a PermanentError or an invalid body, and delays the other failed record',
  async (t) => {
    const sqs = await startSqs(t)
    const source = sqs.queue('orders', { VisibilityTimeout: '600' })
    const dead = sqs.queue('orders-dead')
    useEndpoint('SQS', sqs.endpoint)
    process.env.DEAD_LETTER_QUEUE_URL = dead.url
    for (const body of ['{"amount":1}', '{"amount":-1}', 'not JSON', '{"amount":10000}']) {
      sqs.fauxqs.sendMessage('orders', body)
    }
    const messages = await sqs.receiveAll(source.url)
    const { handler } = await importSample('dead-letters')
    await logged(async () => {
      const Records = messages.map((message) => toRecord(message, source.arn))
      const expected = messages.filter(({ Body }) => Body === '{"amount":10000}').map(({ MessageId }) => MessageId)
      t.strictSame(failed(await handler({ Records }, timedContext(LONG))), expected)
    })
    const buried = await sqs.receiveAll(dead.url)
    t.strictSame(
      buried
        .map(({ Body, MessageAttributes }) => [Body, MessageAttributes?.['DeadLetter.ErrorName']?.StringValue])
        .sort(),
      [
        ['not JSON', 'InvalidBodyError'],
        ['{"amount":-1}', 'PermanentError'],
      ],
    )
    const changed = sqs.calls.filter(({ input }) => 'VisibilityTimeout' in (input.Entries[0] ?? {}))
    t.strictSame(
      changed.map(({ input }) => input.Entries.length),
      [1],
    )
  },
)

testSample('rate-limit', 'starts seven records, and the eighth a second later', async (t) => {
  const { handler } = await importSample('rate-limit')
  const { now, until } = passingClock(t)
  const starts: number[] = []
  await consoleLines(async () => {
    console.log = () => starts.push(now())
    t.strictSame(failed(await until(handler(standardEvent(...ids(8)), {} as Context))), [])
  })
  t.strictSame(starts, [0, 0, 0, 0, 0, 0, 0, 1001])
})

testSample('fifo', 'processes the records of each message group in order', async (t) => {
  const { handler } = await importSample('fifo')
  const lines = await consoleLines(async () =>
    t.strictSame(failed(await handler(fifoEvent('a1', 'b1', 'a2', 'a3'), {} as Context)), []),
  )
  t.strictSame(
    lines.filter(([group]) => group === 'a'),
    ['a1', 'a2', 'a3'].map((id) => ['a', `body of ${id}`]),
  )
  t.equal(lines.length, 4)
})

// test/integrations/toolchains synthesises these.
tested.push('cdk', 'cdk-accept')

testSample(
  'cdk-doctor',
  'fails the synthesis of a mapping without ReportBatchItemFailures whose function reports failures',
  async (t) => {
    const { addDoctor } = await importSample<{ addDoctor: (app: App) => void }>('cdk-doctor')
    const app = new App({ outdir: temporaryFolder(t), context: { '@aws-cdk/core:appMode': 'inmemory' } })
    const eventSourceArn = 'arn:aws:sqs:eu-west-1:123456789012:orders'
    const stack = new Stack(app, 'Shop')
    const zipFile =
      'exports.handler = async ({ Records }) => ({ batchItemFailures: [{ itemIdentifier: Records[0].messageId }] })'
    const role = 'arn:aws:iam::123456789012:role/orders'
    const orders = new CfnFunction(stack, 'Orders', {
      code: { zipFile },
      handler: 'index.handler',
      runtime: 'nodejs24.x',
      role,
    })
    new CfnEventSourceMapping(stack, 'Mapping', { functionName: orders.ref, eventSourceArn })
    addDoctor(app)
    t.throws(() => app.synth(), { message: /ERROR ReportBatchItemFailures is off.*\n {3}Shop\/Mapping/ })
  },
)

testSample('envelopes', 'reads orders from SNS, and reports what is not an order', async (t) => {
  const messages = ['{"id":"o1","amount":3}', 'not JSON', '{"id":"o2"}']
  const bodies = messages.map((Message) => JSON.stringify({ Type: 'Notification', Message }))
  const lines = await consoleLines(() => logged(async () => t.strictSame(await run('envelopes', bodies), ['m1', 'm2'])))
  t.strictSame(lines, [['o1']])
})

testSample(
  'log-ids-powertools',
  'each line has the ids of its record, and a failure that of the failed record',
  async (t) => {
    const bodies = ['{"id":"o0"}', '{"id":"o1"}', 'not JSON']
    const lines = await printed(async () => t.strictSame(await run('log-ids-powertools', bodies), ['m2']))
    t.match(lines, [
      { message: 'saved', messageId: 'm0', orderId: 'o0' },
      { message: 'saved', messageId: 'm1', orderId: 'o1' },
      { message: 'record failed', messageId: 'm2', error: { name: 'InvalidBodyError' } },
    ])
    t.equal(lines.length, 3)
  },
)

t.test('with appendKeys(), 49 of 50 lines have the id of another record', async (t) => {
  const logger = new Logger()
  const all = Promise.withResolvers<void>()
  const handle = exports.eachRecord(async ({ messageId }, _context, { index }) => {
    logger.appendKeys({ messageId })
    if (index === 49) all.resolve() // the last record has started
    await all.promise
    logger.info('done', { expected: messageId })
  })
  const handler = middy().use(exports.boundedSqsBatch()).handler(handle)
  const lines = await printed(() => handler(standardEvent(...ids(50)), {} as Context))
  t.equal(lines.length, 50)
  t.equal(lines.filter(({ messageId, expected }) => messageId !== expected).length, 49)
})

testSample('log-ids-pino', 'each line has the ids of its record', async (t) => {
  // In a process of its own, because pino writes directly to stdout.
  const code = "const { handler } = await import('./log-ids-pino.ts'); await handler(JSON.parse(process.env.EVENT), {})"
  const env = { ...process.env, NODE_OPTIONS: '', EVENT: JSON.stringify(standardEvent('m0', 'm1')) }
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(lines, [
    { msg: 'saved', messageId: 'm0' },
    { msg: 'saved', messageId: 'm1' },
  ])
  t.equal(lines.length, 2)
})

testSample('idempotency', 'does again what failed, and nothing else', async (t) => {
  await startDynamoDb(t, 'idempotency', 'id')
  for (const expected of [['m0', 'm1', 'm2'], ['m1']]) {
    const lines = await consoleLines(() =>
      logged(async () => t.strictSame(await run('idempotency', ['a', '', 'b']), ['m1'])),
    )
    t.strictSame(lines.map(([_text, id]) => id).sort(), expected)
  }
})

testSample('migration', 'a handler with Promise.allSettled() works unchanged', async (t) => {
  await logged(async () => t.strictSame(await run('migration', ['a', '', 'b']), ['m1']))
})

for (const [name, fullBatchFailure, idsOfLines] of [
  // All records share the keys, so each line has the id of the record that started last.
  ['powertools-batch-before', 'FullBatchFailureError', ['m2', 'm2']],
  ['powertools-batch-after', 'FullBatchFailureError', ['m0', 'm2']],
] as const) {
  testSample(name, 'reports the failed record, and throws if every record failed', async (t) => {
    const lines = await printed(() =>
      logged(async () => t.strictSame(await run(name, ['a', '', 'b'], 1, '?keys', timedContext(LONG)), ['m1'])),
    )
    t.strictSame(
      lines.map(({ messageId }) => messageId),
      idsOfLines,
    )
    t.ok(lines.every(({ timeLeft }) => Number(timeLeft) > 0))
    await logged(() => t.rejects(run(name, ['', ''], 1, '?all'), { name: fullBatchFailure }))
  })
}

testSample('attributes', 'calls the handler of the queue with an attribute', async (t) => {
  const lines = await consoleLines(() =>
    logged(async () => {
      const { handler } = await importSample('attributes')
      const messageAttributes = { tenant: { stringValue: 'acme', dataType: 'String' } }
      const of = (id: string, queue: string, rest = {}) =>
        sqsRecord(id, { body: id, eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:${queue}`, ...rest })
      const Records = [of('m0', 'orders', { messageAttributes }), of('m1', 'other'), of('m2', 'refunds')]
      t.strictSame(failed(await handler({ Records }, {} as Context)), ['m1'])
    }),
  )
  t.strictSame(lines, [
    ['order of', 'acme', 'm0'],
    ['refund for', undefined, 'm2'],
  ])
})

testSample('permanent-statuses', 'throws a PermanentError for statuses that a retry cannot change', async (t) => {
  const statuses = [200, 400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 425, 429, 500, 503]
  process.env.DOWNSTREAM_URL = await startDownstream(t, ({ body }) => Number(body))
  const { handler } = await importSample('permanent-statuses')
  const event = { Records: statuses.map((status) => sqsRecord(`m${status}`, { body: String(status) })) }
  await logged(async () => {
    const { failures } = await invoke(handler as never, event)
    const permanent = failures.filter(({ error }) => (error as { code?: string }).code === 'ERR_PERMANENT')
    t.strictSame(
      permanent.map(({ record }) => record.body),
      ['400', '410', '413', '415', '422'],
    )
    t.equal(failures.length, statuses.length - 1)
  })
})

testSample('ssm', 'has the parameter and the secret in the context', async (t) => {
  const received: unknown[] = []
  const downstream = await startDownstream(t, ({ body }) => (body === 'refuse' ? 503 : 200))
  const endpoint = await startServer(t, async (request, response) => {
    const target = String(request.headers['x-amz-target'])
    const input = JSON.parse(await text(request))
    received.push([target, input])
    const SecretString = JSON.stringify({ key: 'k1' })
    const Parameters = [{ Name: '/orders/url', Value: downstream, Type: 'String' }]
    response.setHeader('content-type', 'application/x-amz-json-1.1')
    response.end(JSON.stringify(target.startsWith('secretsmanager') ? { SecretString } : { Parameters }))
  })
  for (const service of ['SSM', 'SECRETS_MANAGER'] as const) useEndpoint(service, endpoint)
  await logged(async () => t.strictSame(await run('ssm', ['a', 'refuse'], 1, '', timedContext(LONG)), ['m1']))
  t.match(received.sort(), [
    ['AmazonSSM.GetParameters', { Names: ['/orders/url'] }],
    ['secretsmanager.GetSecretValue', { SecretId: 'orders/token' }],
  ])
})

t.test('examples/simulation.ts runs a handler file, and its assertions hold', async (t) => {
  useFolder(t)
  mkdirSync('src')
  writeFileSync('src/handler.ts', 'export const handler = async () => ({ batchItemFailures: [] })')
  await t.resolves(import('../../examples/simulation.ts'))
})

testSample('testing', 'its assertion holds', async (t) => {
  await t.resolves(import(pathToFileURL(`${folder}/testing.ts`).href))
})

testSample('tracer', 'makes a subsegment for each record, or none without tracing', async (t) => {
  // Receives what Lambda's X-Ray daemon would receive.
  const daemon = createSocket('udp4').bind(0, '127.0.0.1')
  await once(daemon, 'listening')
  t.teardown(() => daemon.close())
  const { env } = process
  t.teardown(() => {
    process.env = env
  })
  process.env = {
    ...env,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
    LAMBDA_TASK_ROOT: '/var/task',
    POWERTOOLS_TRACER_CAPTURE_HTTPS_REQUESTS: 'false',
    _HANDLER: 'index.handler',
    _X_AMZN_TRACE_ID: 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
  }
  await logged(async () => {
    const received = Promise.withResolvers<void>()
    const segments: { name: string; id: string; parent_id: string }[] = []
    daemon.on('message', (message) => {
      segments.push(JSON.parse(String(message).split('\n')[1] as string))
      if (segments.length === 3) received.resolve()
    })
    t.strictSame(await run('tracer', ['a', '']), ['m1'])
    await received.promise
    const id = segments.find(({ name }) => name === '## index.handler')?.id
    const ofRecords = segments.filter(({ parent_id }) => parent_id === id)
    t.match(ofRecords, [
      { name: 'record', annotations: { messageId: 'm0' }, fault: undefined },
      { name: 'record', annotations: { messageId: 'm1' }, fault: true, cause: { exceptions: [{ message: 'empty' }] } },
    ])
    t.equal(ofRecords.length, 2)
    process.env.POWERTOOLS_TRACE_ENABLED = 'false'
    t.strictSame(await run('tracer', ['a', ''], 1, '?off'), ['m1'])
    delete process.env.POWERTOOLS_TRACE_ENABLED
    delete process.env.AWS_EXECUTION_ENV
    t.strictSame(await run('tracer', ['a', ''], 1, '?outside'), ['m1'])
  })
})

// This sample runs last, because its subscription stays.
testSample('channels', 'prints the summary of each batch', async (t) => {
  await import(pathToFileURL(`${folder}/channels.ts`).href)
  const context = timedContext(LONG)
  const all = await printed(() => logged(() => run('powertools-batch-after', ['a', ''], 1, '?traced', context)))
  const lines = all.filter(({ batch }) => batch !== undefined) // without those of the handler
  t.match(lines, [{ batch: { records: 2, succeeded: 1, failed: 1, reported: 1, durations: { p95: Number } } }])
  t.equal(lines.length, 1)
})

t.test('every sample is run', async (t) => {
  t.strictSame(tested.toSorted(), [...names].sort())
})

/** The code of the first block of a language on a page. */
function blockOf(page: string, language: string): string {
  const [, text = ''] =
    new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(pages.get(page) as string) ?? []
  return text
}

t.test('docs/index.md has the first sample and the esbuild command of the README', async (t) => {
  const [first] = samples.filter(({ path }) => path === 'README.md')
  t.equal(blocks.find(({ path }) => path === 'docs/index.md')?.code, first?.code)
  const [, command = ''] = /^(npx esbuild .+)$/m.exec(pages.get('README.md') as string) ?? []
  t.equal(blockOf('docs/index.md', 'sh') !== '' && pages.get('docs/index.md')?.includes(`\n${command}\n`), true)
})

t.test('the README has the two commands exactly, and at most 120 lines', async (t) => {
  const lines = pages.get('README.md')?.trimEnd().split('\n')
  t.ok((lines?.length ?? 0) <= 120)
  for (const command of ['npm ci && npm run demo', 'npm ci && npm test']) t.ok(lines?.includes(command), command)
})

t.test('the skill for coding agents is short, and has the formula of docs/outages.md', async (t) => {
  const skill = pages.get(SKILL) as string
  t.ok(skill.trimEnd().split('\n').length <= 60)
  const formula = '7.5 minutes × (`maxReceiveCount` − 5)'
  t.ok(skill.includes(formula) && pages.get('docs/outages.md')?.includes(formula))
})

t.test('the errors that the pages name exist', async (t) => {
  const known = {
    ...exports,
    ...engine,
    ...powertools,
    TypeError,
    AggregateError,
    TimeoutError: 'of Middy',
    DatabaseError: 'of pg',
  }
  for (const [path, text] of pages) {
    for (const [name] of text.matchAll(/\b[A-Z]\w+Error\b/g)) t.ok(name in known, `${name} in ${path}`)
  }
})
