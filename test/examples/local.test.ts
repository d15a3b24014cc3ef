import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { buildApp } from 'fauxqs'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
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
    const downstream = await startDownstream(t, () => 200)
    const file = join(temporaryFolder(t), 'messages.jsonl')
    writeFileSync(file, (bodies ?? []).map((body) => `${JSON.stringify(body)}\n`).join(''))
    const input = bodies ? ['--messages-file', file] : ['--messages', String(count)]
    const { code, ledger, stderr } = await local(example, [...input, ...args], { [variable]: downstream })
    t.equal(code, 0, stderr)
    t.match(ledger, { sent: count, processed: count, lost: 0, dropped: 0, outOfOrder: 0, deadLettered: 0 })
  })
}

t.test('dead-letters.ts passes with the flag that allows its dead letters, and fails without it', async (t) => {
  const downstream = await startDownstream(t, ({ body }) => (JSON.parse(body).number % 10 === 0 ? 422 : 200))
  const env = { ORDERS_URL: downstream }
  const allowed = await local('dead-letters', ['--messages', '30', '--max-dead-lettered', '3'], env)
  t.match(allowed, { code: 0, ledger: { sentDeadLetters: 3, dropped: 0, lost: 0, processed: 30 } })
  t.equal((await local('dead-letters', ['--messages', '30'], env)).code, 1)
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
