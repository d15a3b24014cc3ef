// The examples of this repository work on Lambda, so a run at the defaults passes and warns of nothing.
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Test, test } from 'tap'
import { inProcess } from '../../support/in-process.ts'
import { folder } from '../../support/runs.ts'

const EXAMPLES = join(import.meta.dirname, '../../../../examples')
/** How often each example runs. */
const RUNS = Number(process.env.EXAMPLE_RUNS ?? 1)

/** A service that accepts every request, also those of AWS SDK clients. */
async function startService(t: Test): Promise<string> {
  const server = createServer(async (request, response) => {
    await text(request)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"country":"NZ"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Example {
  file: string
  /** The variable with the URL of the service. */
  url?: string
  env?: Record<string, string>
  body?: (number: number) => unknown
  flags?: string[]
}

const examples: Example[] = [
  { file: 'http-fanout', url: 'DOWNSTREAM_URL' },
  { file: 'fifo-orders', url: 'ORDERS_URL', flags: ['--fifo'] },
  { file: 'validated-body', url: 'MAIL_URL', body: (n) => ({ email: `${n}@example.com`, plan: 'team', seats: 3 }) },
  { file: 'aws-sdk', env: { TABLE_NAME: 'payments' }, body: (n) => ({ paymentId: `p${n}`, cents: n }) },
  {
    file: 'dynamodb-chunks',
    env: { TABLE_NAME: 'readings' },
    body: (n) => ({ readingId: `r${n}`, celsius: n, takenAt: '2026-01-01T00:00:00Z' }),
  },
  { file: 'sqs-forward', url: 'TARGET_QUEUE_URL' },
  {
    file: 'enrich-then-write',
    url: 'PROFILES_URL',
    env: { TABLE_NAME: 'orders' },
    body: (n) => ({ orderId: `o${n}`, customer: `c${n}` }),
  },
  { file: 'large-bodies', url: 'DOCUMENTS_URL', env: { BUCKET_NAME: 'bodies' } },
  {
    file: 'sns-envelope',
    url: 'ORDERS_URL',
    body: (n) => ({
      Type: 'Notification',
      MessageId: `m${n}`,
      Message: JSON.stringify({ orderId: `o${n}`, cents: 5 }),
    }),
  },
  { file: 'start-durable', env: { DURABLE_FUNCTION: 'arn:aws:lambda:eu-west-1:123456789012:function:orders:1' } },
  { file: 'rate-limited', url: 'MAIL_URL' },
  { file: 'dead-letters', url: 'ORDERS_URL' },
  { file: 'circuit-breaker', url: 'PAYMENTS_URL' },
  { file: 'powertools-metrics', url: 'DOWNSTREAM_URL' },
  { file: 'powertools-logger', url: 'DOWNSTREAM_URL' },
  { file: 'open-telemetry', url: 'DOWNSTREAM_URL' },
]

for (const { file, url, env = {}, body, flags = [] } of examples) {
  test(`${file}.ts passes at the defaults, without a warning`, async (t) => {
    const service = await startService(t)
    const messages = join(folder(t), 'messages.jsonl')
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1)
    if (body) writeFileSync(messages, numbers.map((number) => JSON.stringify(body(number))).join('\n'))
    const input = body ? ['--messages-file', messages] : ['--messages', '20']
    for (let run = 1; run <= RUNS; run++) {
      const args = ['local', join(EXAMPLES, `${file}.ts`), ...input, ...flags, '--quiet', '--json', '--idle', '0']
      const { code, stdout, stderr } = await inProcess(args, {
        env: {
          ...env,
          ...(url === undefined ? {} : { [url]: service }),
          AWS_REGION: 'eu-west-1',
          AWS_ENDPOINT_URL_DYNAMODB: service,
          AWS_ENDPOINT_URL_LAMBDA: service,
          AWS_ENDPOINT_URL_S3: service,
        },
      })
      t.match(JSON.parse(stdout || '{}'), { verdict: 'passed', sent: 20, processed: 20 }, `${stdout}${stderr}`)
      t.equal(stderr.match(/^warning.*$/m)?.[0], undefined)
      t.equal(code, 0)
    }
  })
}
