// The command with a deployed function. read-function.test.ts has what is read, and doctor/ what is found in it.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { type Test, test } from 'tap'
import { type DoctorFlags, doctor } from '../../src/doctor/doctor.ts'
import { command, environment } from '../support/runs.ts'
import { DAY } from '../support/templates.ts'

const ACCOUNT = '000000000000'
function arn(name: string) {
  return `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`
}

const ENV = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'x',
  AWS_SECRET_ACCESS_KEY: 'x',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_MAX_ATTEMPTS: '1',
}

interface Response {
  status?: number
  type?: string
  body: unknown
}

/** Starts a server on loopback, and returns its address. */
async function listen(t: Test, respond: (request: IncomingMessage) => Response) {
  const server = createServer((request, response) => {
    const { status = 200, type, body } = respond(request)
    response.writeHead(status, { 'content-type': 'application/json', ...(type ? { 'x-amzn-errortype': type } : {}) })
    response.end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Responses of GetFunctionConfiguration and ListEventSourceMappings, as in the documentation of AWS. */
const FUNCTION = {
  FunctionName: 'orders',
  FunctionArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:orders`,
  Runtime: 'provided.al2023',
  Role: `arn:aws:iam::${ACCOUNT}:role/orders`,
  Handler: 'index.handler',
  CodeSize: 5_797_206,
  Description: '',
  Timeout: 30,
  MemorySize: 256,
  LastModified: '2026-09-24T18:20:35.054+0000',
  CodeSha256: 'U+zDvK+jhN4mPXCcFYGTbRxEqQxGyf3gUzSQ7zUwsOo=',
  Version: '$LATEST',
  TracingConfig: { Mode: 'PassThrough' },
  RevisionId: '88ebe1e1-bfdf-4dc3-84de-3017268fa1ff',
  State: 'Active',
  LastUpdateStatus: 'Successful',
  PackageType: 'Zip',
  Architectures: ['arm64'],
}

function mapping(name: string, changes: Record<string, unknown> = {}) {
  return {
    UUID: `uuid of ${name}`,
    BatchSize: 100,
    MaximumBatchingWindowInSeconds: 5,
    EventSourceArn: arn(name),
    FunctionArn: FUNCTION.FunctionArn,
    LastModified: 1_569_284_520.333,
    State: 'Enabled',
    StateTransitionReason: 'USER_INITIATED',
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ...changes,
  }
}

interface Lambda {
  pages?: unknown[][]
  configuration?: Record<string, unknown>
  reserved?: number
  aliases?: Response
}

/** Imitates the REST API of Lambda for one function. */
function lambda(t: Test, { pages = [[mapping('orders')]], configuration, reserved, aliases }: Lambda = {}) {
  return listen(t, ({ url = '' }) => {
    const { pathname, searchParams } = new URL(url, 'http://lambda')
    const page = Number(searchParams.get('Marker') ?? 0)
    const NextMarker = page + 1 < pages.length ? String(page + 1) : undefined
    if (pathname.endsWith('/orders/configuration')) return { body: { ...FUNCTION, ...configuration } }
    if (pathname.endsWith('/orders/concurrency')) return { body: { ReservedConcurrentExecutions: reserved } }
    if (pathname.endsWith('/orders/aliases')) return aliases ?? { body: { Aliases: [] } }
    if (searchParams.has('EventSourceArn')) return { body: { EventSourceMappings: [] } }
    if (searchParams.has('FunctionName')) return { body: { EventSourceMappings: pages[page], NextMarker } }
    return { status: 404, type: 'ResourceNotFoundException', body: { Type: 'User', Message: 'Function not found' } }
  })
}

/** Imitates the wire protocol of SQS, with queues of these attributes. */
async function sqs(t: Test, queues: Record<string, Record<string, string>>) {
  const app = buildApp({ logger: false })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  const client = new SQSClient({ endpoint, region: 'us-east-1', credentials })
  for (const [QueueName, Attributes] of Object.entries(queues)) {
    await client.send(new CreateQueueCommand({ QueueName, Attributes }))
  }
  client.destroy()
  return endpoint
}

function redrive(name: string, maxReceiveCount = 5) {
  return {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn(name), maxReceiveCount }),
  }
}

const QUEUES = {
  'orders-dead': { MessageRetentionPeriod: String(14 * DAY) },
  orders: { VisibilityTimeout: '185', ...redrive('orders-dead') },
}

/** The addresses of services with this function and these queues. */
async function deployed(t: Test, functions: Lambda = {}, queues: Record<string, Record<string, string>> = QUEUES) {
  return { AWS_ENDPOINT_URL_LAMBDA: await lambda(t, functions), AWS_ENDPOINT_URL_SQS: await sqs(t, queues) }
}

/** Runs the function of the command in this process, because a process for each test is slow. */
async function run(t: Test, flags: Partial<DoctorFlags>, env: Record<string, string>) {
  const { env: before } = process
  const [log, error] = [t.capture(console, 'log'), t.capture(console, 'error')]
  process.env = environment({ ...ENV, ...env })
  try {
    const code = await doctor([], { format: 'json', function: 'orders', ...flags })
    const { findings, notChecked } = JSON.parse(String(log.args()[0]))
    const ids = findings.map(({ rule, resource }: Record<string, string>) => `${rule} ${resource}`)
    return { code, findings, notChecked, ids, stderr: error.args().join('\n') }
  } finally {
    log.restore()
    error.restore()
    process.env = before
  }
}

test('a function without problems has no findings, and what is not read of it is listed', async (t) => {
  const { code, ids, notChecked } = await run(t, {}, await deployed(t))
  t.strictSame([code, ids], [0, []])
  t.ok(notChecked.includes('code, other invokers and alias weights of a deployed function'))
})

const DENIED = { status: 403, type: 'AccessDeniedException', body: { Message: 'not authorized' } }
for (const [title, aliases, end] of [
  ['', undefined, ''],
  [
    ', and aliases that may not be listed',
    DENIED,
    '. Not read: the aliases of orders: HTTP 403: AccessDeniedException: not authorized',
  ],
] as const) {
  test(`a function without mappings${title}: nothing was checked`, async (t) => {
    const env = await deployed(t, { pages: [[]], ...(aliases ? { aliases } : {}) })
    const { code, stderr } = await run(t, {}, env)
    t.equal(code, 2)
    t.equal(
      stderr,
      'bounded-sqs-batch: orders has no SQS event source mapping, so nothing was checked. To check the mappings of a ' +
        `version, use --function NAME:VERSION${end}`,
    )
  })
}

test('the command prints an error in one line, and exits with 2', async (t) => {
  const env = { ...ENV, AWS_ENDPOINT_URL_LAMBDA: await lambda(t) }
  const { code, stdout, stderr } = await command(['doctor', '--function', 'nope'], { env })
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^bounded-sqs-batch: there is no function nope: [^\n]+\n$/)
})

test('AWS_ENDPOINT_URL applies to both services, and --region is sent', async (t) => {
  const regions = new Set<string>()
  const responses: Record<string, unknown> = {
    'AmazonSQS.GetQueueUrl': { QueueUrl: 'http://sqs/0/orders' },
    'AmazonSQS.GetQueueAttributes': {
      Attributes: { VisibilityTimeout: '29', MessageRetentionPeriod: '345600', ...redrive('dead') },
    },
  }
  const url = await listen(t, ({ url = '', headers }) => {
    regions.add(/\/(eu-[a-z]+-\d)\//.exec(headers.authorization ?? '')?.[1] ?? '')
    const target = String(headers['x-amz-target'])
    if (target in responses) return { body: responses[target] }
    if (url.includes('/configuration')) return { body: FUNCTION }
    if (url.includes('/aliases')) return { body: {} }
    return { body: url.includes('/concurrency') ? {} : { EventSourceMappings: [mapping('orders')] } }
  })
  const args = ['doctor', '--function', 'orders', '--region', 'eu-north-1', '--format', 'json']
  const { stdout } = await command(args, { env: { ...ENV, AWS_ENDPOINT_URL: url } })
  t.match(JSON.parse(stdout).findings, [{ rule: 'visibility-below-timeout' }])
  t.strictSame([...regions], ['eu-north-1'])
})
