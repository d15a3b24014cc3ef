import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { printed } from '../support/compat.ts'
import { sqsRecord } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { failed } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream, startDynamoDb, useEndpoint } from '../support/services.ts'
import { startSqs } from '../support/sqs.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const samples = new Map(
  Array.from(readme.matchAll(/<!-- sample: ([\w-]+) -->\n```ts\n([\s\S]*?)```/g), ([, name, code]) => [
    name as string,
    code as string,
  ]),
)

const folder = temporaryFolder(t, Object.fromEntries([...samples].map(([name, code]) => [`${name}.ts`, code])))

type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

async function run(name: string, bodies: string[], receiveCount = 1): Promise<string[]> {
  const { handler } = (await import(pathToFileURL(`${folder}/${name}.ts`).href)) as { handler: Handler }
  const attributes = { ...sqsRecord('').attributes, ApproximateReceiveCount: String(receiveCount) }
  const Records = bodies.map((body, index) => sqsRecord(`m${index}`, { body, attributes }))
  return failed(await handler({ Records }, {} as Context))
}

t.test('every TypeScript sample of the README is run here', (t) => {
  t.equal(readme.match(/```ts\n/g)?.length, samples.size)
  t.strictSame(
    [...samples.keys()],
    [
      ...['start', 'prepare', 'schema', 'chunks', 'failure-handler', 'channels'],
      ...['powertools', 'idempotency', 'migration', 'testing'],
    ],
  )
  t.end()
})

t.test('the samples compile in strict mode', (t) => {
  const compilerOptions = { noUnusedParameters: false } // a sample shows the parameters that there are
  const tsconfig = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(tsconfig))
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  // The shell removes NODE_OPTIONS, because tap's hooks break the compiler.
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, tsc, '-p', folder]
  const compile = () => execFileSync('sh', shell, { encoding: 'utf8', stdio: 'pipe' })
  t.doesNotThrow(compile)
  t.end()
})

t.test('start: posts each record', async (t) => {
  const downstream = await startDownstream(({ body }) => (body === 'refuse' ? 503 : 200))
  t.teardown(downstream.close)
  process.env.DOWNSTREAM_URL = downstream.url
  const [text] = await logged(async () => {
    t.strictSame(await run('start', ['a', 'refuse', 'b', 'refuse']), ['m1', 'm3'])
  })
  t.match(text, /2 of 4 records failed[^\n]*\n {2}2 × Error: downstream said 503 \[m1, m3\]/)
})

t.test('prepare: sets up for the batch', async (t) => {
  await logged(async () => t.strictSame(await run('prepare', ['apple', 'pear']), ['m1']))
})

t.test('schema: validates', async (t) => {
  const order = JSON.stringify({ id: '7f1d6a0e-4f3b-4c1e-9d55-0a9c5f2f9b11', amount: 3 })
  const { log } = console
  const lines: unknown[][] = []
  console.log = (...parts) => lines.push(parts)
  t.teardown(() => {
    console.log = log
  })
  await logged(async () =>
    t.strictSame(await run('schema', [order, '{"id":"x","amount":-1}', 'no JSON']), ['m1', 'm2']),
  )
  t.strictSame(lines, [['7f1d6a0e-4f3b-4c1e-9d55-0a9c5f2f9b11', '3.00']])
})

t.test('chunks: reports refused entries', async (t) => {
  const sqs = await startSqs(t, {
    entry: ({ MessageBody }) => (MessageBody === 'refuse' ? 'InternalError' : undefined),
  })
  const { url } = sqs.queue('target')
  useEndpoint('SQS', sqs.endpoint)
  process.env.TARGET_QUEUE_URL = url
  const bodies = Array.from({ length: 12 }, (_, index) => (index % 5 === 3 ? 'refuse' : `body ${index}`))
  await logged(async () => t.strictSame(await run('chunks', bodies), ['m3', 'm8']))
  const delivered = (await sqs.receiveAll(url)).map(({ Body }) => Body).toSorted()
  t.strictSame(delivered, bodies.filter((body) => body !== 'refuse').toSorted())
  t.strictSame(sqs.calls.map(({ input }) => input.Entries.length).toSorted(), [10, 2])
})

t.test('failure-handler: handles records that failed five times, unless the ticket service fails', async (t) => {
  const tickets: unknown[] = []
  let status = 201
  const downstream = await startDownstream(({ body }) => {
    tickets.push(JSON.parse(body))
    return status
  })
  t.teardown(downstream.close)
  process.env.TICKETS_URL = downstream.url
  await logged(async () => t.strictSame(await run('failure-handler', ['a', '', ''], 4), ['m1', 'm2']))
  t.strictSame(tickets, [])
  await logged(async () => t.strictSame(await run('failure-handler', ['a', '', ''], 5), []))
  t.match(tickets, [[{ record: { messageId: 'm1' }, reason: 'Error: empty' }, { record: { messageId: 'm2' } }]])
  status = 503
  const log = await logged(async () => t.strictSame(await run('failure-handler', ['a', '', ''], 5), ['m1', 'm2']))
  t.match(log[0], /onFailure: Error: the ticket service said 503/)
})

t.test('powertools: each log line has its record, and the metrics count the batch', async (t) => {
  const lines = await printed(() => logged(async () => t.strictSame(await run('powertools', ['a', '', 'b']), ['m1'])))
  t.match(lines, [
    { message: 'handled', messageId: 'm0' },
    { message: 'handled', messageId: 'm2' },
    { handled: [1, 1] },
  ])
  t.equal(lines.length, 3)
})

t.test('idempotency: does again what failed, and nothing else', async (t) => {
  await startDynamoDb(t, 'idempotency', 'id')
  const { log } = console
  const charged: unknown[] = []
  console.log = (_text, id) => charged.push(id)
  t.teardown(() => {
    console.log = log
  })
  for (const expected of [['m0', 'm1', 'm2'], ['m1']]) {
    await logged(async () => t.strictSame(await run('idempotency', ['a', '', 'b']), ['m1']))
    t.strictSame(charged.splice(0).sort(), expected)
  }
})

t.test('migration: a handler with Promise.allSettled() works unchanged', async (t) => {
  await logged(async () => t.strictSame(await run('migration', ['a', '', 'b']), ['m1']))
})

t.test('testing: its assertion holds', async (t) => {
  await t.resolves(import(pathToFileURL(`${folder}/testing.ts`).href))
})

// This sample runs last, because its subscription stays.
t.test('channels: prints the summary of each batch', async (t) => {
  await import(pathToFileURL(`${folder}/channels.ts`).href)
  const lines = await printed(() => logged(() => run('prepare', ['apple', 'pear'])))
  t.match(lines, [{ batch: { records: 2, succeeded: 1, failed: 1, reported: 1, durations: { p95: Number } } }])
  t.equal(lines.length, 1)
})

t.test('the README has the two commands exactly', (t) => {
  for (const command of ['npm ci && npm run demo', 'npm ci && npm test']) {
    t.match(readme, `\`\`\`sh\n${command}\n\`\`\`\n`)
  }
  t.end()
})

t.test('the README lists every option, and the errors and files that it names exist', async (t) => {
  const { boundedSqsBatch, ...exported } = await import('../../src/index.ts')
  const message = (() => {
    try {
      boundedSqsBatch({ none: 1 } as never)
    } catch (error) {
      return (error as Error).message
    }
  })()
  const options = message?.split('expected one of ')[1]?.split(', ')
  const section = readme.slice(readme.indexOf('\n## Options\n'), readme.indexOf('\n## What is reported\n'))
  const table = Array.from(section.matchAll(/^\| `(\w+)` \| /gm), ([, option]) => option)
  t.strictSame(table, options)
  for (const [name] of readme.matchAll(/\b[A-Z]\w+Error\b/g)) t.ok(name === 'TypeError' || name in exported, name)
  for (const [, path] of readme.matchAll(/\]\(([\w./-]+)\)/g))
    t.ok(readFileSync(path as string).length > 0, String(path))
})
