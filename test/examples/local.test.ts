import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { buildApp } from 'fauxqs'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { CLI, project, run } from '../support/pages.ts'
import { startDownstream } from '../support/services.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Runs `local` with an example, as a user would, and returns its exit code and its ledger. */
async function local(example: string, args: readonly string[], env: Record<string, string>) {
  const command = [join(ROOT, 'cli/src/bin.ts'), 'local', join(ROOT, `examples/${example}.ts`), '--json', '--quiet']
  const child = spawn(process.execPath, [...command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', POWERTOOLS_METRICS_NAMESPACE: 'test', ...env },
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stderr, ledger: stdout === '' ? undefined : JSON.parse(stdout) }
}

// A run waits for SQS and its clocks during much of its time.
t.jobs = 3

const signup = { email: 'a@example.com', plan: 'free' }
const order = { orderId: 'o-1', cents: 100 }
const runs: { example: string; count: number; args?: string[]; bodies?: object[]; variable: string }[] = [
  { example: 'http-fanout', count: 200, variable: 'DOWNSTREAM_URL' },
  { example: 'fifo-orders', count: 60, args: ['--fifo', '--groups', '6'], variable: 'ORDERS_URL' },
  { example: 'powertools-batch', count: 50, variable: 'DOWNSTREAM_URL' },
  { example: 'powertools-logger', count: 50, variable: 'DOWNSTREAM_URL' },
  { example: 'powertools-metrics', count: 50, variable: 'DOWNSTREAM_URL' },
  { example: 'open-telemetry', count: 50, variable: 'DOWNSTREAM_URL' },
  { example: 'rate-limited', count: 10, variable: 'MAIL_URL' },
  { example: 'circuit-breaker', count: 50, variable: 'PAYMENTS_URL' },
  { example: 'dead-letters', count: 50, variable: 'ORDERS_URL' },
  { example: 'validated-body', count: 20, bodies: Array(20).fill(signup), variable: 'MAIL_URL' },
  {
    example: 'sns-envelope',
    count: 20,
    bodies: Array(20).fill({ Type: 'Notification', MessageId: 'm', Message: JSON.stringify(order) }),
    variable: 'ORDERS_URL',
  },
]
for (const { example, count, args = [], bodies, variable } of runs) {
  t.test(`${example}.ts passes in local at the defaults`, { buffered: true }, async (t) => {
    const downstream = await startDownstream(() => 200)
    t.teardown(downstream.close)
    const file = join(temporaryFolder(t), 'messages.jsonl')
    writeFileSync(file, (bodies ?? []).map((body) => `${JSON.stringify(body)}\n`).join(''))
    const input = bodies ? ['--messages-file', file] : ['--messages', String(count)]
    const { code, ledger, stderr } = await local(example, [...input, ...args], { [variable]: downstream.url })
    t.equal(code, 0, stderr)
    t.match(ledger, { sent: count, processed: count, lost: 0, dropped: 0, outOfOrder: 0, deadLettered: 0 })
  })
}

t.test('dead-letters.ts passes with the flag that allows its dead letters, and fails without it', async (t) => {
  const downstream = await startDownstream(({ body }) => (JSON.parse(body).number % 10 === 0 ? 422 : 200))
  t.teardown(downstream.close)
  const env = { ORDERS_URL: downstream.url }
  const allowed = await local('dead-letters', ['--messages', '30', '--max-dead-lettered', '3'], env)
  t.match(allowed, { code: 0, ledger: { sentDeadLetters: 3, dropped: 0, lost: 0, processed: 30 } })
  t.equal((await local('dead-letters', ['--messages', '30'], env)).code, 1)
})

t.test('powertools-batch.ts: local accounts for each message that fails once', async (t) => {
  const failedOnce = new Set<string>()
  const downstream = await startDownstream(({ body }) => {
    if (JSON.parse(body).number % 10 !== 0 || failedOnce.has(body)) return 200
    failedOnce.add(body)
    return 503
  })
  t.teardown(downstream.close)
  const { code, ledger } = await local('powertools-batch', ['--messages', '30'], { DOWNSTREAM_URL: downstream.url })
  t.match({ code, ledger }, { code: 0, ledger: { processed: 30, delivered: 33, redelivered: 3, lost: 0 } })
})

t.test('doctor knows that powertools-batch.ts reports failures', async (t) => {
  const template = `Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./
      Handler: powertools-batch.handler
      Runtime: nodejs24.x
      Events: { Queue: { Type: SQS, Properties: { Queue: 'arn:aws:sqs:eu-west-1:123456789012:orders' } } }
`
  const code = readFileSync(join(ROOT, 'examples/powertools-batch.ts'), 'utf8')
  const folder = project(t, { 'template.yaml': template, 'powertools-batch.ts': code })
  const { stdout } = await run(folder, process.execPath, [CLI, 'doctor', '--json', 'template.yaml'])
  const { findings } = JSON.parse(stdout)
  const { severity, message } = findings.find(({ rule }: { rule: string }) => rule === 'report-batch-item-failures')
  t.equal(severity, 'error')
  t.match(message, 'powertools/batch in powertools-batch.ts')
})

t.test('sqs-forward.ts passes in local', async (t) => {
  const app = buildApp({ logger: false })
  t.teardown(() => app.close())
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.CreateQueue' },
    payload: JSON.stringify({ QueueName: 'target' }),
  })
  const env = { TARGET_QUEUE_URL: `${endpoint}/000000000000/target` }
  const { code, ledger, stderr } = await local('sqs-forward', ['--messages', '50'], env)
  t.equal(code, 0, stderr)
  t.match(ledger, { processed: 50, lost: 0 })
})
