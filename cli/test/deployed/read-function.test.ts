import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type Test, test } from 'tap'
import { readFunction } from '../../src/deployed/read-function.ts'
import { unreadFunction, unreadQueue } from '../../src/model/model.ts'
import { absent, known, type Setting, unknown } from '../../src/model/setting.ts'
import { sameModel } from '../support/plain.ts'
import { environment, limitsOf, until } from '../support/runs.ts'
import { only } from '../support/templates.ts'

type Values = Record<string, unknown>

const ACCOUNT = '123456789012'
function arnOf(name: string) {
  return `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`
}
function functionArn(name: string) {
  return `arn:aws:lambda:us-east-1:${ACCOUNT}:function:${name}`
}
function urlOf(name: string) {
  return `http://sqs/${ACCOUNT}/${name}`
}

/** A response that is an error. */
class Failed {
  readonly status: number
  readonly type: string | undefined
  readonly body: unknown
  constructor(status: number, type: string | undefined, body: unknown) {
    this.status = status
    this.type = type
    this.body = body
  }
}
const DENIED = new Failed(403, 'AccessDeniedException', { Message: 'not authorized' })
const NO_QUEUE = new Failed(400, 'QueueDoesNotExist', { message: 'none' })

/** What a request asks for: `ListAliases orders`. The second and later pages have their marker after it. */
function nameOf(method: string, path: string, target: string, body: Values): string {
  const { pathname, searchParams } = new URL(path, 'http://aws')
  const [, operation] = target.split('.')
  if (body.AttributeNames) return `${operation} ${body.AttributeNames} of ${body.QueueUrl}`
  if (operation)
    return `${operation} ${body.QueueName ? `${body.QueueName} of ${body.QueueOwnerAWSAccountId}` : body.QueueUrl}`
  const page = searchParams.has('Marker') ? ` ${searchParams.get('Marker')}` : ''
  const of = searchParams.get('FunctionName') ?? searchParams.get('EventSourceArn')
  if (of) return `ListEventSourceMappings ${of}${page}`
  const [, , , name = '', last = ''] = pathname.split('/')
  const operations: Readonly<Record<string, string>> = {
    configuration: 'GetFunctionConfiguration',
    concurrency: 'GetFunctionConcurrency',
    aliases: 'ListAliases',
  }
  return `${operations[last] ?? method} ${decodeURIComponent(name)}${page}`
}

/** Imitates Lambda and SQS on loopback, with these responses by the names of the requests. */
async function serve(t: Test, responses: Readonly<Record<string, unknown>>) {
  const requests: string[] = []
  const keys = new Set<string | undefined>()
  const server = createServer(async (request, response) => {
    const target = String(request.headers['x-amz-target'] ?? '')
    const body = target === '' ? {} : await json(request)
    const name = nameOf(request.method ?? '', request.url ?? '', target, body as Values)
    requests.push(name)
    keys.add(
      /Credential=([^/]+)\/\d+\/([^/]+)/
        .exec(request.headers.authorization ?? '')
        ?.slice(1)
        .join(' '),
    )
    const found = responses[name] ?? {}
    const { status, type, body: content } = found instanceof Failed ? found : new Failed(200, undefined, found)
    response.writeHead(status, { 'content-type': 'application/json', ...(type ? { 'x-amzn-errortype': type } : {}) })
    response.end(typeof content === 'string' ? content : JSON.stringify(content))
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, keys, sockets }
}

async function withEnvironment<T>(changes: Record<string, string | undefined>, run: () => Promise<T>): Promise<T> {
  const { env: before } = process
  process.env = environment({ AWS_EC2_METADATA_DISABLED: 'true', AWS_MAX_ATTEMPTS: '1', ...changes })
  try {
    return await run()
  } finally {
    process.env = before
  }
}

/** The environment of a local substitute for AWS. */
function atEndpoint(endpoint: string) {
  const keys = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  return { ...keys, AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1' }
}

async function read(t: Test, responses: Readonly<Record<string, unknown>>, name = 'orders') {
  const { endpoint, requests } = await serve(t, responses)
  const model = await withEnvironment(atEndpoint(endpoint), () => readFunction(name))
  return { ...model, requests }
}

const FUNCTION = { FunctionName: 'orders', Timeout: 30, MemorySize: 256, Runtime: 'nodejs24.x' }
function mapping(queue: string, changes: Values = {}): Values {
  const FunctionArn = functionArn('orders')
  return {
    UUID: queue,
    BatchSize: 100,
    MaximumBatchingWindowInSeconds: 5,
    EventSourceArn: arnOf(queue),
    FunctionArn,
    State: 'Enabled',
    ...changes,
  }
}
/** The responses for a queue. */
function queue(name: string, attributes: Values = {}): Values {
  const Attributes = { VisibilityTimeout: '180', MessageRetentionPeriod: '345600', DelaySeconds: '0', ...attributes }
  return {
    [`GetQueueUrl ${name} of ${ACCOUNT}`]: { QueueUrl: urlOf(name) },
    [`GetQueueAttributes All of ${urlOf(name)}`]: { Attributes },
  }
}
/** The responses for a function with one mapping. */
function orders(ofMapping: Values = {}, configuration: Values = {}): Values {
  return {
    'GetFunctionConfiguration orders': { ...FUNCTION, ...configuration },
    'ListEventSourceMappings orders': { EventSourceMappings: [mapping('queue', ofMapping)] },
    ...queue('queue'),
  }
}

function withId<T>(id: string, setting: Setting<T>) {
  return { ...setting, id }
}
function byDefault<T>(value: T): Setting<T> {
  return { state: 'known', value, isDefault: true }
}
const READ_FUNCTION = {
  id: 'orders',
  managed: absent,
  timeout: withId('orders timeout', known(30)),
  memory: withId('orders memory', known(256)),
  runtime: withId('orders runtime', known('nodejs24.x')),
  reservedConcurrency: withId('orders reservedConcurrency', absent),
  tenantIsolation: absent,
  recursiveLoop: absent,
}
const READ_QUEUE = {
  id: 'queue',
  fifo: known(false),
  visibilityTimeout: withId('queue visibilityTimeout', known(180)),
  retention: withId('queue retention', known(345_600)),
  delay: withId('queue delay', known(0)),
  maximumMessageSize: withId('queue maximumMessageSize', byDefault(1_048_576)),
  contentBasedDeduplication: withId('queue contentBasedDeduplication', byDefault(false)),
  redrive: absent,
  isDeadLetterQueue: false,
}
function readMapping(id = 'orders/queue', uuid = 'queue') {
  const own = <T>(name: string, setting: Setting<T>) => withId(`${uuid} ${name} ${JSON.stringify(setting)}`, setting)
  return {
    id,
    batchSize: own('batchSize', known(100)),
    window: own('window', known(5)),
    maximumConcurrency: absent,
    minimumPollers: absent,
    maximumPollers: absent,
    function: READ_FUNCTION,
    queue: READ_QUEUE,
    runs: known(true),
    reportBatchItemFailures: own('reportBatchItemFailures', byDefault(false)),
    filters: absent,
  }
}

test('a function with one mapping', async (t) => {
  sameModel(t, await read(t, orders()), {
    mappings: [readMapping()],
    otherReaders: [],
    unreadResources: [],
    requests: [
      'GetFunctionConfiguration orders',
      'ListEventSourceMappings orders',
      'GetFunctionConcurrency orders',
      `GetQueueUrl queue of ${ACCOUNT}`,
      `GetQueueAttributes All of ${urlOf('queue')}`,
      `ListDeadLetterSourceQueues ${urlOf('queue')}`,
      'ListAliases orders',
      `ListEventSourceMappings ${arnOf('queue')}`,
    ],
  })
})

test('a reserved concurrency that may not be read', async (t) => {
  const responses = { ...orders({}, { FunctionName: undefined }), 'GetFunctionConcurrency orders': DENIED }
  const denied = 'HTTP 403: AccessDeniedException: not authorized'
  sameModel(t, only((await read(t, responses)).mappings).function, {
    ...READ_FUNCTION,
    reservedConcurrency: withId('orders reservedConcurrency', unknown(denied)),
  })
})

for (const [title, changes, expected] of [
  ['no filters', { FilterCriteria: {} }, absent],
  [
    'filters that may not be decrypted',
    { FilterCriteriaError: { ErrorCode: 'KMSAccessDeniedException', Message: 'not\nauthorized' } },
    unknown('KMSAccessDeniedException: not authorized'),
  ],
] as const) {
  test(`a mapping with ${title}`, async (t) => {
    sameModel(t, only((await read(t, orders(changes))).mappings).filters, expected)
  })
}

test('whether a mapping is on, and whether it has pollers', async (t) => {
  const found = async (changes: Values) => {
    const mapping = only((await read(t, orders(changes))).mappings)
    return [mapping.runs, mapping.minimumPollers, mapping.reportBatchItemFailures].map(
      (setting) => setting.state === 'known' && setting.value,
    )
  }
  for (const State of ['Enabled', 'Updating', undefined]) {
    sameModel(t, await found({ State, ProvisionedPollerConfig: {}, FunctionResponseTypes: ['Other'] }), [
      true,
      false,
      false,
    ])
  }
  for (const State of ['Disabled', 'Disabling']) sameModel(t, await found({ State }), [false, false, false])
})

test('which mappings belong to a function', async (t) => {
  const mappings = [
    mapping('stream', { EventSourceArn: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/sqs` }),
    mapping('none', { EventSourceArn: undefined }),
    mapping('deleted', { State: 'Deleting' }),
    mapping('version', { FunctionArn: functionArn('orders:7') }),
    mapping('latest', { FunctionArn: functionArn('orders:$LATEST') }),
  ]
  const responses = {
    ...orders(),
    'ListEventSourceMappings orders': { EventSourceMappings: mappings.slice(0, 4), NextMarker: '2' },
    'ListEventSourceMappings orders 2': { EventSourceMappings: mappings.slice(4), NextMarker: '3' },
  }
  const { mappings: found } = await read(t, responses)
  sameModel(
    t,
    found.map(({ queue }) => queue.id),
    ['version', 'latest'],
  )
})

/** The responses for an alias of the function, with a mapping of its own. */
function aliased(name: string, configuration: Values = {}): Values {
  const ofAlias = mapping('queue', { UUID: name, FunctionArn: functionArn(`orders:${name}`) })
  return {
    [`ListEventSourceMappings orders:${name}`]: { EventSourceMappings: [ofAlias] },
    [`GetFunctionConfiguration orders:${name}`]: { ...FUNCTION, ...configuration },
  }
}
test('the aliases of a function', async (t) => {
  const responses = {
    ...orders(),
    'ListAliases orders': { Aliases: [{ Name: 'next' }, { Name: 'live' }], NextMarker: '2' },
    'ListAliases orders 2': { Aliases: [{ Name: 'idle' }, { Name: 'denied' }], NextMarker: '3' },
    'ListAliases orders 3': {},
    ...aliased('next', { Timeout: 60 }),
    ...aliased('live'),
    'ListEventSourceMappings orders:denied': DENIED,
  }
  const { mappings, otherReaders, unreadResources, requests } = await read(t, responses)
  const aliasOf = (name: string, timeout: number) => ({
    ...READ_FUNCTION,
    id: `orders:${name}`,
    timeout: withId(`orders:${name} timeout`, known(timeout)),
    memory: withId(`orders:${name} memory`, known(256)),
    runtime: withId(`orders:${name} runtime`, known('nodejs24.x')),
    aliasOf: READ_FUNCTION,
  })
  sameModel(t, mappings, [
    readMapping(),
    { ...readMapping('orders:next/queue', 'next'), function: aliasOf('next', 60) },
    { ...readMapping('orders:live/queue', 'live'), function: aliasOf('live', 30) },
  ])
  sameModel(t, otherReaders, [])
  sameModel(t, unreadResources, [
    {
      id: 'orders:denied',
      what: undefined,
      unreadReason: 'HTTP 403: AccessDeniedException: not authorized',
    },
  ])
  sameModel(
    t,
    requests.filter((name) => /Alias|orders:/.test(name)),
    [
      'ListAliases orders',
      'ListAliases orders 2',
      'ListAliases orders 3',
      'ListEventSourceMappings orders:next',
      'GetFunctionConfiguration orders:next',
      'ListEventSourceMappings orders:live',
      'GetFunctionConfiguration orders:live',
      'ListEventSourceMappings orders:idle',
      'ListEventSourceMappings orders:denied',
    ],
  )
})

test('a function that is requested by its ARN', async (t) => {
  const arn = functionArn('orders')
  const { FunctionName, ...unnamed } = FUNCTION
  const responses = {
    ...orders(),
    [`GetFunctionConfiguration ${arn}`]: FUNCTION,
    [`ListEventSourceMappings ${arn}`]: { EventSourceMappings: [mapping('queue')] },
    [`ListAliases ${arn}`]: { Aliases: [{ Name: 'next' }] },
    [`ListEventSourceMappings ${arn}:next`]: {
      EventSourceMappings: [mapping('queue', { UUID: 'next', FunctionArn: functionArn('orders:next') })],
    },
    [`GetFunctionConfiguration ${arn}:next`]: unnamed,
  }
  const { mappings, unreadResources } = await read(t, responses, arn)
  sameModel(
    t,
    mappings.map(({ function: target, runs }) => [target.id, runs]),
    [
      ['orders', known(true)],
      ['orders:next', known(true)],
    ],
  )
  sameModel(t, unreadResources, [])
})

test('aliases that may not be listed', async (t) => {
  const { mappings, unreadResources } = await read(t, { ...orders(), 'ListAliases orders': DENIED })
  sameModel(t, mappings, [readMapping()])
  const unreadReason = 'HTTP 403: AccessDeniedException: not authorized'
  sameModel(t, unreadResources, [{ id: 'the aliases of orders', what: undefined, unreadReason }])
})

for (const name of ['orders:live', functionArn('orders:live'), 'orders:7', 'orders:$LATEST.PUBLISHED']) {
  test(`an alias or a version that is requested: ${name}`, async (t) => {
    const FunctionArn = name.includes('function:') ? name : functionArn(name)
    const responses = {
      ...orders(),
      [`GetFunctionConfiguration ${name}`]: FUNCTION,
      [`ListEventSourceMappings ${name}`]: { EventSourceMappings: [mapping('queue', { FunctionArn })] },
    }
    const { mappings, unreadResources, requests } = await read(t, responses, name)
    const { function: target } = only(mappings)
    sameModel(t, [target.id, target.unreadReason, unreadResources], ['orders', undefined, []])
    t.notOk(requests.some((request) => request.startsWith('ListAliases')))
  })
}

test('the version $LATEST is the function itself', async (t) => {
  const responses = {
    ...orders(),
    'GetFunctionConfiguration orders:$LATEST': FUNCTION,
    'ListEventSourceMappings orders:$LATEST': { EventSourceMappings: [mapping('queue')] },
  }
  const { mappings, requests } = await read(t, responses, 'orders:$LATEST')
  sameModel(t, mappings, [readMapping()])
  t.ok(requests.includes('ListAliases orders'))
})

test('other functions that read the same queue', async (t) => {
  const all = [
    mapping('queue'),
    mapping('queue', { UUID: 'v2', FunctionArn: functionArn('v2:live'), State: 'Disabled' }),
    mapping('queue', { UUID: 'v3', FunctionArn: functionArn('v3:$LATEST') }),
    mapping('queue', { UUID: 'deleted', State: 'Deleting' }),
  ]
  const responses = { ...orders(), [`ListEventSourceMappings ${arnOf('queue')}`]: { EventSourceMappings: all } }
  const { mappings, otherReaders } = await read(t, responses)
  sameModel(t, mappings, [readMapping()])
  const owner = (id: string) => unreadFunction(id, 'it was not requested')
  sameModel(t, otherReaders, [
    { ...readMapping('v2:live/queue', 'v2'), function: owner('v2:live'), runs: known(false) },
    { ...readMapping('v3/queue', 'v3'), function: owner('v3') },
  ])
})

test('other functions that may not be listed', async (t) => {
  const responses = { ...orders(), [`ListEventSourceMappings ${arnOf('queue')}`]: DENIED }
  const { mappings, otherReaders, unreadResources } = await read(t, responses)
  sameModel(t, [mappings, otherReaders], [[readMapping()], []])
  sameModel(t, unreadResources, [
    {
      id: 'queue',
      what: 'whether other functions read the queue',
      unreadReason: `HTTP 403: AccessDeniedException: not authorized`,
    },
  ])
})

/** The queue of a function with one mapping. */
async function queueOf(t: Test, responses: Values, name = 'queue') {
  const { mappings, requests } = await read(t, { ...orders({ EventSourceArn: arnOf(name) }), ...responses })
  return { queue: only(mappings).queue, requests }
}
const READ_DEAD = { id: 'dead', fifo: known(false), retention: withId('dead retention', known(345_600)) }
function withPolicy(policy: unknown) {
  return queue('queue', { RedrivePolicy: typeof policy === 'string' ? policy : JSON.stringify(policy) })
}
const POLICY = { deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 5 }

test('a queue with a dead-letter queue', async (t) => {
  const { queue: found, requests } = await queueOf(t, { ...withPolicy(POLICY), ...queue('dead') })
  sameModel(t, found, {
    ...READ_QUEUE,
    redrive: known({
      maxReceiveCount: withId('queue maxReceiveCount', known(5)),
      arn: withId('queue arn', known(arnOf('dead'))),
      deadLetterQueue: { ...READ_DEAD, position: undefined, unreadReason: undefined },
    }),
  })
  t.notOk(requests.some((name) => name.startsWith('ListDeadLetterSourceQueues')))
})

test('a FIFO queue, and a dead-letter queue that may not be read', async (t) => {
  const policy = { deadLetterTargetArn: arnOf('dead.fifo'), maxReceiveCount: 5 }
  const responses = {
    ...queue('queue.fifo', { RedrivePolicy: JSON.stringify(policy) }),
    [`GetQueueUrl dead.fifo of ${ACCOUNT}`]: DENIED,
  }
  const { queue: found } = await queueOf(t, responses, 'queue.fifo')
  const unreadReason = 'HTTP 403: AccessDeniedException: not authorized'
  sameModel(t, found, {
    ...READ_QUEUE,
    id: 'queue.fifo',
    fifo: known(true),
    visibilityTimeout: withId('queue.fifo visibilityTimeout', known(180)),
    retention: withId('queue.fifo retention', known(345_600)),
    delay: withId('queue.fifo delay', known(0)),
    maximumMessageSize: withId('queue.fifo maximumMessageSize', byDefault(1_048_576)),
    contentBasedDeduplication: withId('queue.fifo contentBasedDeduplication', byDefault(false)),
    redrive: known({
      maxReceiveCount: withId('queue.fifo maxReceiveCount', known(5)),
      arn: withId('queue.fifo arn', known(arnOf('dead.fifo'))),
      deadLetterQueue: {
        id: 'dead.fifo',
        fifo: known(true),
        unreadReason,
        position: undefined,
        retention: withId('dead.fifo retention', unknown(unreadReason)),
      },
    }),
  })
})

for (const [title, responses, reason] of [
  ['does not exist', { [`GetQueueUrl queue of ${ACCOUNT}`]: NO_QUEUE }, 'there is no such queue'],
  [
    'does not exist in the old protocol',
    { [`GetQueueUrl queue of ${ACCOUNT}`]: new Failed(400, 'AWS.SimpleQueueService.NonExistentQueue', {}) },
    'there is no such queue',
  ],
  [
    'may not be read',
    { [`GetQueueAttributes All of ${urlOf('queue')}`]: DENIED },
    `HTTP 403: AccessDeniedException: not authorized`,
  ],
] as const) {
  test(`a queue that ${title}`, async (t) => {
    sameModel(t, (await queueOf(t, responses)).queue, { ...unreadQueue('queue', reason), fifo: known(false) })
  })
}

test('a queue that is a dead-letter queue itself', async (t) => {
  const found = async (sources: unknown) => {
    const responses = { [`ListDeadLetterSourceQueues ${urlOf('queue')}`]: sources }
    return (await queueOf(t, responses)).queue.isDeadLetterQueue
  }
  t.equal(await found({ queueUrls: [urlOf('orders')] }), true)
  t.equal(await found({ queueUrls: [] }), false)
  t.equal(await found({}), false)
  t.equal(await found(DENIED), false)
})

/** The error of a function that cannot be read. */
async function errorOf(run: () => Promise<unknown>) {
  return run().then(
    () => 'no error',
    ({ name, message }: Error) => `${name}: ${message}`,
  )
}
for (const [title, responses, expected] of [
  [
    'does not exist',
    { 'GetFunctionConfiguration orders': new Failed(404, 'ResourceNotFoundException', { Message: 'x' }) },
    'there is no function orders: check the name, --region, and the account of your credentials',
  ],
  ['may not be read', { 'GetFunctionConfiguration orders': DENIED }, 'HTTP 403: AccessDeniedException: not authorized'],
  [
    'has no mappings that are found',
    { 'ListEventSourceMappings orders': new Failed(404, 'ResourceNotFoundException', { Message: 'x\ny' }) },
    'there is no function orders: check the name, --region, and the account of your credentials',
  ],
  [
    'another server returns',
    { 'GetFunctionConfiguration orders': new Failed(404, undefined, {}) },
    'the response does not come from AWS: check the endpoint',
  ],
  [
    'another server returns as text',
    { 'GetFunctionConfiguration orders': new Failed(502, undefined, '<html>') },
    'the response does not come from AWS: check the endpoint',
  ],
  [
    'another server refuses with a message',
    { 'GetFunctionConfiguration orders': new Failed(404, undefined, { message: 'no route' }) },
    'HTTP 404: Unknown: no route',
  ],
  [
    'is not returned in time',
    { 'GetFunctionConfiguration orders': new Failed(408, 'TimeoutError', { message: 'x' }) },
    'AWS cannot be reached: check AWS_ENDPOINT_URL and the network',
  ],
] as const) {
  test(`a function that ${title}`, async (t) => {
    t.equal(await errorOf(() => read(t, { ...orders(), ...responses })), `UsageError: ${expected}`)
  })
}

const NO_CREDENTIALS =
  'UsageError: no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
test('the region, the endpoint and the credentials', async (t) => {
  const { endpoint, keys } = await serve(t, orders())
  async function sent(region: string | undefined, env: Record<string, string | undefined>) {
    keys.clear()
    const error = await errorOf(() => withEnvironment(env, () => readFunction('orders', region)))
    return error === 'no error' ? [...keys].join() : error
  }
  const own = atEndpoint(endpoint)
  t.equal(await sent('eu-north-1', own), 'local eu-north-1')
  t.equal(await sent(undefined, own), 'local us-east-1')
  const { AWS_REGION: _, ...anywhere } = own
  t.equal(await sent(undefined, anywhere), 'UsageError: no AWS region is set: give --region, or set AWS_REGION')
  t.equal(await sent('eu-north-1', { AWS_ENDPOINT_URL: endpoint }), NO_CREDENTIALS)
  const invalid = { ...own, AWS_ENDPOINT_URL: 'nowhere' }
  t.equal(
    await sent('eu-north-1', invalid),
    'UsageError: AWS cannot be reached: check AWS_ENDPOINT_URL and the network',
  )
  t.equal(
    await sent(undefined, atEndpoint('http://127.0.0.1:1')),
    'UsageError: AWS cannot be reached: check AWS_ENDPOINT_URL and the network',
  )
  const noUrl = 'UsageError: AWS cannot be reached: check AWS_ENDPOINT_URL and the network'
  t.equal(await sent(undefined, atEndpoint('nonsense')), noUrl)
})

test('a queue is read from the endpoint of the environment, not from its own URL', async (t) => {
  const { endpoint } = await serve(t, orders())
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  sameModel(t, (await withEnvironment(env, () => readFunction('orders'))).mappings, [readMapping()])
})

test('Lambda and SQS may take 30 s for a response', async (t) => {
  const { endpoint } = await serve(t, orders())
  const limits = [LambdaClient, SQSClient].map((client) => limitsOf(t, client))
  await withEnvironment(atEndpoint(endpoint), () => readFunction('orders'))
  for (const limit of limits) t.match(limit(), { connectionTimeout: 5000, socketTimeout: 30_000 })
})

test('the connections are closed', async (t) => {
  const { endpoint, sockets } = await serve(t, orders())
  await withEnvironment(atEndpoint(endpoint), () => readFunction('orders'))
  await until(() => sockets.size === 0)
})
