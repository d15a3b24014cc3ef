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

async function listen(
  t: Test,
  respond: (request: IncomingMessage) => { status?: number; type?: string; body: unknown },
) {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const { status = 200, type, body } = respond(request)
    response.writeHead(status, { 'content-type': 'application/json', ...(type ? { 'x-amzn-errortype': type } : {}) })
    response.end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
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
    UUID: 'a1b2c3d4-5678-90ab-cdef-11111EXAMPLE',
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
  reserved?: number | 'denied'
  /** The names of its aliases, one page each. */
  aliases?: string[] | 'denied'
  /** The mappings that are listed for a queue. */
  readers?: unknown[] | 'denied'
  /** The mappings of an alias, on one page, and the configuration of its version. */
  alias?: Record<
    string,
    { mappings?: unknown[]; configuration?: Record<string, unknown>; routing?: unknown } | 'denied'
  >
}

const DENIED = { status: 403, type: 'AccessDeniedException', body: { Message: 'not authorized' } }

/** Imitates the REST API of Lambda for one function, on loopback. */
function lambda(
  t: Test,
  { pages = [[mapping('orders')]], configuration = {}, reserved, aliases = [], alias = {}, readers = [] }: Lambda = {},
) {
  return listen(t, ({ url = '' }) => {
    const { pathname, searchParams } = new URL(decodeURIComponent(url), 'http://lambda')
    const page = Number(searchParams.get('Marker') ?? 0)
    function toAlias(Name: string) {
      const { [Name]: settings = {} } = alias
      return { Name, FunctionVersion: '7', RoutingConfig: settings === 'denied' ? undefined : settings.routing }
    }
    const next = (pages: readonly unknown[]) => (page + 1 < pages.length ? { NextMarker: String(page + 1) } : {})
    const [, name = ''] = /(?:functions\/|^.*:)orders:([^/]+)\/configuration$/.exec(pathname) ?? []
    const version = alias[name] ?? {}
    if (version === 'denied') return DENIED
    if (/^\/2015-03-31\/functions\/(\S+:)?orders(:[\w$.]+)?\/configuration$/.test(pathname)) {
      return { body: { ...FUNCTION, ...configuration, ...version.configuration } }
    }
    if (/^\/2015-03-31\/functions\/(\S+:)?orders\/aliases$/.test(pathname)) {
      if (aliases === 'denied') return DENIED
      const Aliases = aliases.slice(page, page + 1).map(toAlias)
      return { body: { Aliases, ...next(aliases) } }
    }
    if (pathname === '/2019-09-30/functions/orders/concurrency') {
      if (reserved === 'denied') return DENIED
      return { body: reserved === undefined ? {} : { ReservedConcurrentExecutions: reserved } }
    }
    if (/^\/2015-03-31\/event-source-mappings\/?$/.test(pathname)) {
      const source = searchParams.get('EventSourceArn')
      if (source !== null && readers === 'denied') return DENIED
      if (source !== null) return { body: { EventSourceMappings: readers } }
      const of = alias[/orders:(\w+)$/.exec(searchParams.get('FunctionName') ?? '')?.[1] ?? '']
      if (of && of !== 'denied') return { body: { EventSourceMappings: of.mappings ?? [] } }
      return { body: { EventSourceMappings: pages[page], ...next(pages) } }
    }
    const missing = /functions\/([^/]+)/.exec(pathname)?.[1]
    const Message = `Function not found: arn:aws:lambda:us-east-1:${ACCOUNT}:function:${missing}`
    return { status: 404, type: 'ResourceNotFoundException', body: { Type: 'User', Message } }
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

/** Runs the function of the command in this process, because a process for each test is slow. */
async function findingsOf(t: Test, flags: Partial<DoctorFlags>, env: Record<string, string | undefined>) {
  const { env: before } = process
  const log = t.capture(console, 'log')
  process.env = environment({ ...ENV, ...env })
  try {
    const code = await doctor([], { format: 'json', ...flags })
    const printed = JSON.parse(String(log.args()[0]))
    const findings: Record<string, string>[] = printed.findings
    const notChecked: string[] = printed.notChecked
    return { code, findings, notChecked, ids: findings.map(({ rule, resource }) => `${rule} ${resource}`) }
  } finally {
    log.restore()
    process.env = before
  }
}

/** The request for the mappings of the queue. */
const READERS = `GET /2015-03-31/event-source-mappings?EventSourceArn=${encodeURIComponent(arn('orders'))}`

async function check(t: Test, functions: Lambda, queues: Record<string, Record<string, string>>, name = 'orders') {
  const { url, requests } = await lambda(t, functions)
  const env = { AWS_ENDPOINT_URL_LAMBDA: url, AWS_ENDPOINT_URL_SQS: await sqs(t, queues) }
  return { requests, ...(await findingsOf(t, { function: name }, env)) }
}

test('a function without problems has no findings', async (t) => {
  const { code, ids, requests } = await check(t, {}, QUEUES)
  t.strictSame([code, ids], [0, []])
  t.strictSame(requests, [
    'GET /2015-03-31/functions/orders/configuration',
    'GET /2019-09-30/functions/orders/concurrency',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders',
    'GET /2015-03-31/functions/orders/aliases',
    READERS,
  ])
})

test('settings of function, mapping and queues are read from the responses, and checked', async (t) => {
  const { code, findings, ids } = await check(
    t,
    {
      configuration: { Timeout: 60, Runtime: 'nodejs18.x' },
      reserved: 8,
      pages: [
        [mapping('orders', { FunctionResponseTypes: [], BatchSize: 20_000 })],
        [
          mapping('stream', {
            EventSourceArn: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/orders`,
            StartingPosition: 'LATEST',
          }),
          mapping('invoices', { State: 'Enabled', ScalingConfig: { MaximumConcurrency: 9 } }),
        ],
        [
          mapping('refunds.fifo', {
            FunctionResponseTypes: undefined,
            BatchSize: 10,
            MaximumBatchingWindowInSeconds: 0,
          }),
          mapping('returns', {
            ScalingConfig: { MaximumConcurrency: 2 },
            ProvisionedPollerConfig: { MinimumPollers: 2 },
          }),
        ],
      ],
    },
    {
      ...QUEUES,
      'short-dead': { MessageRetentionPeriod: '86400' },
      orders: { VisibilityTimeout: '59' },
      invoices: { VisibilityTimeout: '60', ...redrive('orders-dead', 2) },
      'refunds-dead.fifo': { FifoQueue: 'true', MessageRetentionPeriod: String(14 * DAY) },
      'refunds.fifo': { FifoQueue: 'true', VisibilityTimeout: '360', ...redrive('refunds-dead.fifo') },
      returns: { VisibilityTimeout: '365', ...redrive('short-dead') },
    },
  )
  t.equal(code, 1)
  t.strictSame(ids, [
    'batch-size orders/orders',
    'concurrency-above-reserved orders',
    'visibility-below-timeout orders',
    'concurrency-and-provisioned orders/returns',
    'report-batch-item-failures orders/orders',
    'reserved-concurrency orders/orders',
    'no-redrive-policy orders',
    'visibility-headroom invoices',
    'max-receive-count invoices',
    'report-batch-item-failures orders/refunds.fifo',
    'reserved-concurrency orders/refunds.fifo',
    'reserved-concurrency orders/returns',
    'dead-letter-retention short-dead',
  ])
  t.ok(findings.every((finding) => !('file' in finding) && !('line' in finding)))
})

test('what is not read of a deployed function is listed', async (t) => {
  const { notChecked } = await check(t, {}, QUEUES)
  t.equal(notChecked.at(-1), 'code and SNS subscriptions of a deployed function')
})

test('for an alias, its own mappings and the reserved concurrency of its function are read', async (t) => {
  const { ids, requests } = await check(t, {}, QUEUES, 'orders:live')
  t.strictSame(ids, [])
  t.strictSame(requests, [
    'GET /2015-03-31/functions/orders%3Alive/configuration',
    'GET /2019-09-30/functions/orders/concurrency',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders%3Alive',
    'GET /2015-03-31/functions/orders/aliases',
    READERS,
  ])
})

test('if the aliases cannot be listed, the versions of an alias are listed as not checked', async (t) => {
  const { code, findings } = await check(t, { aliases: 'denied' }, QUEUES, 'orders:live')
  const reason = 'ListAliases for orders: HTTP 403: AccessDeniedException: not authorized'
  t.strictSame(
    [code, findings.map(({ rule, resource, message }) => [rule, resource, message])],
    [
      0,
      [
        [
          'not-checked',
          'orders:live',
          `Not checked: whether it routes invocations to several versions. Reason: ${reason}.`,
        ],
      ],
    ],
  )
})

test('a version that is given has no aliases to read', async (t) => {
  for (const name of ['orders:7', 'orders:$LATEST.PUBLISHED']) {
    const { ids } = await check(t, { aliases: 'denied' }, QUEUES, name)
    t.strictSame(ids, [], name)
  }
})

test('disabled mappings are checked, but do not count for the sum of the maximum concurrencies', async (t) => {
  const limited = (State: string) => mapping('orders', { State, ScalingConfig: { MaximumConcurrency: 5 } })
  async function reserved(states: string[]) {
    const { findings } = await check(t, { reserved: 5, pages: [states.map(limited)] }, QUEUES)
    return findings.map(({ rule, message }) => `${rule}: ${message}`)
  }
  const [above, shared, ...more] = await reserved(['Enabled', 'Updating'])
  t.match(above, /^concurrency-above-reserved: The maximum concurrency of its 2 mappings together is 10,/)
  t.match(shared, /^shared-queue: /)
  t.strictSame(more, [])
  const off =
    'disabled-mapping: The mapping is disabled. Lambda does not receive the messages. They wait in the queue until they expire.'
  t.strictSame(await reserved(['Enabled', 'Disabled']), [off])
  t.strictSame(
    await reserved(['Disabling', 'Disabled']),
    [off],
    'equal texts of mappings with one name are one finding',
  )
})

test('the mappings of all aliases are checked, each with its own version', async (t) => {
  const limited = { ScalingConfig: { MaximumConcurrency: 4 } }
  const { code, ids, findings, requests } = await check(
    t,
    {
      reserved: 11,
      pages: [[mapping('orders', limited)]],
      aliases: ['idle', 'live', 'next'],
      alias: {
        idle: {},
        live: { mappings: [mapping('orders', { ...limited, FunctionResponseTypes: [] })] },
        next: { mappings: [mapping('orders', limited)], configuration: { Timeout: 60, Runtime: 'nodejs18.x' } },
      },
    },
    QUEUES,
  )
  t.equal(code, 1)
  t.strictSame(ids, [
    'concurrency-above-reserved orders',
    'visibility-headroom orders',
    'shared-queue orders',
    'report-batch-item-failures orders:live/orders',
  ])
  t.match(
    findings[0]?.message,
    'The maximum concurrency of its 3 mappings together is 12, above the reserved concurrency of 11.',
  )
  t.match(findings[1]?.message, 'below 6 times the timeout of orders:next (60 s)')
  t.strictSame(requests, [
    'GET /2015-03-31/functions/orders/configuration',
    'GET /2019-09-30/functions/orders/concurrency',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders',
    'GET /2015-03-31/functions/orders/aliases',
    'GET /2015-03-31/functions/orders/aliases?Marker=1',
    'GET /2015-03-31/functions/orders/aliases?Marker=2',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders%3Aidle',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders%3Alive',
    'GET /2015-03-31/functions/orders%3Alive/configuration',
    'GET /2015-03-31/event-source-mappings?FunctionName=orders%3Anext',
    'GET /2015-03-31/functions/orders%3Anext/configuration',
    READERS,
  ])
})

for (const [title, name] of [
  ['found through its function', 'orders'],
  ['that is given', 'orders:live'],
] as const) {
  test(`an alias that routes to two versions, ${title}: its settings are not checked`, async (t) => {
    async function found(routing: unknown) {
      const live = { mappings: [mapping('orders', { FunctionResponseTypes: [] })], routing }
      const configuration = { Timeout: 60, Runtime: 'nodejs18.x' }
      const functions = { pages: [[]], reserved: 2, aliases: ['live'], alias: { live: { ...live, configuration } } }
      const { findings } = await check(t, functions, QUEUES, name)
      return findings.map(({ rule, resource, message }) => (rule === 'not-checked' ? message : `${rule} ${resource}`))
    }
    const rules = ['report-batch-item-failures orders:live/orders', 'reserved-concurrency orders:live/orders']
    const ofVersion = [...rules, 'visibility-headroom orders']
    t.strictSame(await found({ AdditionalVersionWeights: { 3: 0.1 } }), [
      ...rules,
      'Not checked: the settings of orders:live. Reason: its versions may have other settings than orders.',
    ])
    for (const routing of [undefined, {}, { AdditionalVersionWeights: {} }]) {
      const expected = name === 'orders' ? ofVersion : ofVersion.map((id) => id.replace(':live', ''))
      t.strictSame(await found(routing), expected)
    }
  })
}

test('the mappings of an alias are found if the function itself has none', async (t) => {
  const alias = { live: { mappings: [mapping('orders')] } }
  const { code, ids } = await check(t, { pages: [[]], aliases: ['live'], alias }, QUEUES)
  t.strictSame([code, ids], [0, []])
})

test('a function given by its ARN: its aliases are found too', async (t) => {
  const alias = { live: { mappings: [mapping('orders', { FunctionResponseTypes: [] })] } }
  const { ids } = await check(t, { aliases: ['live'], alias }, QUEUES, FUNCTION.FunctionArn)
  t.strictSame(ids, ['shared-queue orders', 'report-batch-item-failures orders:live/orders'])
})

test('aliases to which access is denied are listed as not checked', async (t) => {
  async function said(functions: Lambda) {
    const { code, findings } = await check(t, functions, QUEUES)
    return [code, findings.map(({ severity, resource, message }) => [severity, resource, message])]
  }
  const message = (call: string) =>
    `Not checked: this item. Reason: ${call}: HTTP 403: AccessDeniedException: not authorized.`
  t.strictSame(await said({ aliases: 'denied' }), [
    0,
    [['info', 'the aliases of orders', message('ListAliases for orders')]],
  ])
  t.strictSame(await said({ aliases: ['live'], alias: { live: 'denied' } }), [
    0,
    [['info', 'orders:live', message('GetFunctionConfiguration for orders:live')]],
  ])
})

test('a dead-letter queue that a function reads does not need a redrive policy', async (t) => {
  /** Imitates AWS for a function that reads a queue without a redrive policy. */
  async function rules(sources: { status?: number; type?: string; body: unknown }) {
    const responses: Record<string, { status?: number; type?: string; body: unknown }> = {
      'AmazonSQS.GetQueueUrl': { body: { QueueUrl: 'http://sqs/0/orders-dead' } },
      'AmazonSQS.GetQueueAttributes': {
        body: { Attributes: { VisibilityTimeout: '185', MessageRetentionPeriod: '345600', DelaySeconds: '0' } },
      },
      'AmazonSQS.ListDeadLetterSourceQueues': sources,
    }
    const { url } = await listen(t, ({ url = '', headers }) => {
      const response = responses[String(headers['x-amz-target'])]
      if (response) return response
      if (url.includes('/configuration')) return { body: FUNCTION }
      if (url.includes('/event-source')) return { body: { EventSourceMappings: [mapping('orders-dead')] } }
      return { body: {} }
    })
    return (await findingsOf(t, { function: 'orders' }, { AWS_ENDPOINT_URL: url })).ids
  }
  t.strictSame(await rules({ body: { queueUrls: ['http://sqs/0/orders'] } }), [])
  t.strictSame(await rules({ body: { queueUrls: [] } }), ['no-redrive-policy orders-dead'])
  t.strictSame(await rules(DENIED), ['no-redrive-policy orders-dead'])
})

test('a queue or dead-letter queue of several mappings is read once, and reported once', async (t) => {
  const pages = [[mapping('orders'), mapping('invoices'), mapping('returns')]]
  const sources = (dead: string) => ({
    orders: { VisibilityTimeout: '185', ...redrive(dead) },
    invoices: { VisibilityTimeout: '185', ...redrive(dead) },
    returns: { VisibilityTimeout: '185', ...redrive(dead) },
  })
  const short = { 'short-dead': { MessageRetentionPeriod: '60' } }
  t.strictSame((await check(t, { pages }, { ...short, ...sources('short-dead') })).ids, [
    'dead-letter-retention short-dead',
  ])
  const { findings } = await check(t, { pages }, sources('nowhere'))
  t.strictSame(
    findings.map(({ rule, resource, message }) => [rule, resource, message]),
    [
      [
        'not-checked',
        'orders',
        'Not checked: the retention of nowhere. Reason: there is no such queue. It applies to orders, invoices, returns.',
      ],
    ],
  )
})

test('a function and its alias that read the same queue: their filters are compared', async (t) => {
  const filtered = (Pattern: string) => mapping('orders', { FilterCriteria: { Filters: [{ Pattern }] } })
  const severe = async (own: unknown, ofAlias: unknown) => {
    const alias = { live: { mappings: [ofAlias] } }
    const { findings } = await check(t, { pages: [[own]], aliases: ['live'], alias }, QUEUES)
    return findings.filter(({ severity }) => severity !== 'info').map(({ rule, resource }) => `${rule} ${resource}`)
  }
  const [a, b] = ['{"body":{"kind":["a"]}}', '{"body":{"kind":["b"]}}'] as const
  t.strictSame(await severe(filtered(a), filtered(b)), ['competing-filters orders'])
  t.strictSame(await severe(mapping('orders'), filtered(b)), ['competing-filters orders'])
  t.strictSame(await severe(filtered(a), filtered(a.replace(':', ' : '))), ['shared-queue orders'])
  t.strictSame(await severe(mapping('orders', { State: 'Disabled' }), filtered(b)), [])
})

test('mappings of other functions that read the same queue: their filters are compared', async (t) => {
  const other = (changes: Record<string, unknown> = {}) =>
    mapping('orders', { UUID: 'other', FunctionArn: `${FUNCTION.FunctionArn}-v2`, ...changes })
  const filtered = { FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["a"]}}' }] } }
  const found = async (...readers: unknown[]) => {
    const { findings } = await check(t, { readers: [mapping('orders'), ...readers] }, QUEUES)
    return findings.map(({ rule, resource, message = '' }) => [rule, resource, message.split('. ')[0]])
  }
  const names = 'orders/orders, orders-v2/orders'
  t.strictSame(await found(), [])
  t.strictSame(await found(other()), [['shared-queue', 'orders', `2 mappings read the queue: ${names}`]])
  t.strictSame(await found(other(filtered)), [
    ['competing-filters', 'orders', `Mappings with different filters read the queue: ${names}`],
  ])
  for (const State of ['Disabled', 'Deleting']) t.strictSame(await found(other({ ...filtered, State })), [])
  const { code, findings } = await check(t, { readers: 'denied' }, QUEUES)
  t.strictSame(
    [code, findings.map(({ rule, resource, message }) => [rule, resource, message])],
    [
      0,
      [
        [
          'not-checked',
          'orders',
          `Not checked: whether other functions read the queue. Reason: ListEventSourceMappings for ${arn('orders')}: HTTP 403: AccessDeniedException: not authorized.`,
        ],
      ],
    ],
  )
})

test('resources that are missing, or to which access is denied, are listed as not checked', async (t) => {
  const pages = [[mapping('orders', { ScalingConfig: { MaximumConcurrency: 5 } }), mapping('gone'), mapping('half')]]
  const { code, findings } = await check(
    t,
    { reserved: 'denied', pages },
    { ...QUEUES, half: { VisibilityTimeout: '185', ...redrive('nowhere') } },
  )
  t.equal(code, 0)
  t.strictSame(
    findings.map(({ rule, resource, message }) => [rule, resource, message]),
    [
      [
        'not-checked',
        'orders',
        'Not checked: ReservedConcurrentExecutions. Reason: GetFunctionConcurrency for orders: HTTP 403: ' +
          'AccessDeniedException: not authorized.',
      ],
      [
        'not-checked',
        'orders/gone',
        'Not checked: the visibility timeout, redrive policy and retention of gone. Reason: there is no such queue.',
      ],
      ['not-checked', 'half', 'Not checked: the retention of nowhere. Reason: there is no such queue.'],
    ],
  )
})

test('settings that AWS always returns are not checked if they are missing', async (t) => {
  const { url } = await listen(t, ({ url = '', headers }) => {
    const target = headers['x-amz-target']
    if (target === 'AmazonSQS.GetQueueUrl') return { body: { QueueUrl: 'http://sqs/0/orders' } }
    if (target === 'AmazonSQS.GetQueueAttributes') return { body: { Attributes: redrive('orders-dead') } }
    const { Timeout, ...configuration } = FUNCTION
    if (url.includes('/configuration')) return { body: configuration }
    const missing = { BatchSize: undefined, MaximumBatchingWindowInSeconds: undefined }
    if (url.includes('/event-source')) return { body: { EventSourceMappings: [mapping('orders', missing)] } }
    return { body: {} }
  })
  const { code, findings } = await findingsOf(t, { function: 'orders' }, { AWS_ENDPOINT_URL: url })
  t.equal(code, 0)
  t.strictSame(
    findings.map(({ rule, resource, message }) => `${rule} ${resource} ${message}`),
    [
      ['orders/orders', 'BatchSize', 'Lambda'],
      ['orders/orders', 'MaximumBatchingWindowInSeconds', 'Lambda'],
      ['orders', 'Timeout', 'Lambda'],
      ['orders', 'VisibilityTimeout', 'SQS'],
      ['orders', 'MessageRetentionPeriod', 'SQS'],
      ['orders-dead', 'MessageRetentionPeriod', 'SQS'],
    ].map(([resource, name, by]) => `not-checked ${resource} Not checked: ${name}. Reason: ${by} does not return it.`),
  )
})

/** The findings for a function and one mapping with these settings. */
async function found(t: Test, configuration: Record<string, unknown>, changes: Record<string, unknown> = {}) {
  return (await check(t, { configuration, pages: [[mapping('orders', changes)]] }, QUEUES)).findings.map(
    ({ rule, resource, message }) => [`${rule} ${resource}`, message?.split(/\. (?!Reason: )/)[0]],
  )
}

test('a function on Managed Instances may have a timeout of 5,400 s and 32,768 MB of memory', async (t) => {
  const LambdaManagedInstancesCapacityProviderConfig = {
    CapacityProviderArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:capacity-provider:orders`,
  }
  const CapacityProviderConfig = { LambdaManagedInstancesCapacityProviderConfig }
  const managed = { CapacityProviderConfig, Timeout: 5400, MemorySize: 32_768 }
  const queues = { ...QUEUES, orders: { VisibilityTimeout: '32405', ...redrive('orders-dead') } }
  t.strictSame((await check(t, { configuration: managed }, queues)).ids, [])
  t.strictSame((await check(t, { configuration: { Timeout: 5400 } }, queues)).ids, ['invalid-value orders'])
  t.strictSame((await check(t, { configuration: { MemorySize: 32_768 } }, queues)).ids, ['invalid-value orders'])
})

test('the filters and the pollers of a mapping are checked', async (t) => {
  const Filters = [{ Pattern: '{ "body": ["a"] }' }, { Pattern: '{ "attributes": ["a"] }' }, {}]
  t.strictSame(await found(t, {}, { FilterCriteria: { Filters } }), [
    [
      'filter-pattern orders/orders',
      'Filter 2 cannot match: it has the key "attributes", but Lambda filters SQS messages only by "body"',
    ],
    ['filter-pattern orders/orders', 'Filter 3 cannot match: it has no Pattern'],
    ['filter-criteria orders/orders', 'Lambda deletes messages that do not match any of the 3 filters'],
  ])
  // More than five filters are possible if AWS has raised the quota: Lambda has accepted these.
  t.strictSame(await found(t, {}, { FilterCriteria: { Filters: Array(6).fill(Filters[0]) } }), [
    [
      'filter-criteria orders/orders',
      'Lambda deletes messages that do not match any of the 6 filters, and all messages whose body is JSON',
    ],
  ])
  const FilterCriteriaError = { ErrorCode: 'KMSAccessDeniedException', Message: 'not authorized' }
  t.strictSame(await found(t, {}, { FilterCriteriaError }), [
    ['not-checked orders/orders', 'Not checked: Filters. Reason: KMSAccessDeniedException: not authorized.'],
  ])
  t.strictSame(await found(t, {}, { ProvisionedPollerConfig: { MinimumPollers: 3, MaximumPollers: 2 } }), [
    ['poller-range orders/orders', 'MinimumPollers (3) is above MaximumPollers (2)'],
  ])
})

/** Checks that the function of the command rejects with an error of one line. */
function fails(
  title: string,
  flags: Partial<DoctorFlags>,
  message: RegExp,
  prepare: (t: Test) => Promise<Record<string, string | undefined>>,
) {
  return test(title, async (t) => {
    const printed = t.capture(console, 'error')
    const error = await findingsOf(t, { function: 'orders', ...flags }, await prepare(t)).then(
      ({ code }) => ({ name: `exit code ${code}`, message: String(printed.args().join('\n')) }),
      (error) => error,
    )
    printed.restore()
    t.ok(['UsageError', 'exit code 2'].includes(error.name), error.name)
    t.match(error.message.replace(/^bounded-sqs-batch: /, ''), message)
    t.notMatch(error.message, '\n')
  })
}

async function at(t: Test, functions?: Lambda) {
  return { AWS_ENDPOINT_URL_LAMBDA: (await lambda(t, functions)).url }
}

fails('a function that does not exist', { function: 'nope' }, /^there is no function nope: check the name/, at)
fails(
  'a function without mappings',
  {},
  /^orders has no SQS event source mapping, so nothing was checked\. To check the mappings of a version, /,
  (t) => at(t, { pages: [[]] }),
)
fails(
  'a function without mappings, and aliases that may not be listed',
  {},
  /nothing was checked\. .+\. Not read: the aliases of orders: ListAliases for orders: HTTP 403: AccessDeniedException: /,
  (t) => at(t, { pages: [[]], aliases: 'denied' }),
)
fails(
  'a function that reads other services',
  {},
  /orders has no SQS event source mapping, so nothing was checked/,
  (t) => at(t, { pages: [[mapping('', { EventSourceArn: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/orders` })]] }),
)
fails('no credentials', {}, /no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID/, async (t) => ({
  ...(await at(t)),
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
  AWS_CONFIG_FILE: '/nowhere',
}))
fails('no region', {}, /no AWS region is set: give --region, or set AWS_REGION$/, async (t) => ({
  ...(await at(t)),
  AWS_REGION: undefined,
  AWS_DEFAULT_REGION: undefined,
  AWS_CONFIG_FILE: '/nowhere',
}))
fails('an endpoint that does not respond', {}, /Lambda does not respond \(ECONNREFUSED\): check/, async () => ({
  AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
}))
fails('access denied', {}, /^GetFunctionConfiguration for orders: HTTP 403: AccessDeniedException: no$/, async (t) => ({
  AWS_ENDPOINT_URL_LAMBDA: (
    await listen(t, () => ({ status: 403, type: 'AccessDeniedException', body: { Message: 'no' } }))
  ).url,
}))

for (const [title, body, line] of [
  [
    'of another server',
    {},
    /^ListEventSourceMappings for orders: HTTP 404: the response does not come from AWS: check the endpoint$/,
  ],
  ['with a message', { message: 'no route' }, /^ListEventSourceMappings for orders: HTTP 404: no route$/],
] as const) {
  fails(`a response ${title}`, {}, line, async (t) => {
    const { url } = await listen(t, ({ url = '' }) =>
      url.includes('/event-source') ? { status: 404, body } : { body: url.includes('/configuration') ? FUNCTION : {} },
    )
    return { AWS_ENDPOINT_URL_LAMBDA: url }
  })
}
fails(
  'a response that is not JSON',
  {},
  /^GetFunctionConfiguration for orders: HTTP 502: the response does not come from AWS: check the endpoint$/,
  async (t) => {
    const server = createServer((_request, response) => response.writeHead(502).end('<html>Bad gateway</html>'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => server.close())
    return { AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  },
)
fails(
  'a function that exists, and mappings that are not found',
  {},
  /^ListEventSourceMappings for orders: HTTP 404: ResourceNotFoundException: none$/,
  async (t) => {
    const missing = { status: 404, type: 'ResourceNotFoundException', body: { Message: 'none' } }
    const { url } = await listen(t, ({ url = '' }) => (url.includes('/event-source') ? missing : { body: FUNCTION }))
    return { AWS_ENDPOINT_URL_LAMBDA: url }
  },
)

test('the command prints an error in one line, and exits with 2', async (t) => {
  const { code, stdout, stderr } = await command(['doctor', '--function', 'nope'], {
    env: { ...ENV, ...(await at(t)) },
  })
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
  const { url } = await listen(t, ({ url = '', headers }) => {
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

test('a finding of a deployed function is accepted with --accept', async (t) => {
  const { url } = await lambda(t, {})
  const queues = { ...QUEUES, orders: { VisibilityTimeout: '59', ...redrive('orders-dead') } }
  const env = { AWS_ENDPOINT_URL_LAMBDA: url, AWS_ENDPOINT_URL_SQS: await sqs(t, queues) }
  const { ids, code } = await findingsOf(t, { function: 'orders', strict: true }, env)
  t.strictSame([ids, code], [['visibility-headroom orders'], 1])
  const accept = ids.map((id) => `${id.replace(' ', '@')}=agreed`)
  const accepted = await findingsOf(t, { function: 'orders', strict: true, accept }, env)
  t.strictSame([accepted.ids, accepted.code], [[], 0])
})
