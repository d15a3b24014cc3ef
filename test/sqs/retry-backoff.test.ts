import type { SQSRecord } from 'aws-lambda'
import t, { type Test } from 'tap'
import type { FailureRequest, RecordFailure } from '../../src/index.ts'
import { isolateCrashes, type RetryBackoffOptions, retryBackoff } from '../../src/sqs/index.ts'
import { ids, sqsRecord } from '../support/events.ts'
import { timedContext } from '../support/handlers.ts'
import { unhandledRejections } from '../support/output.ts'
import { createClient, type Faults, failure, failureRequest, REGION, startSqs } from '../support/sqs.ts'

const no = new Error('no')

/** Starts SQS with a source queue and the failure handler that sets the visibility timeouts of its messages. */
async function setUp(t: Test, options: Partial<RetryBackoffOptions> = {}, faults?: Faults) {
  const sqs = await startSqs(t, faults)
  const { url, arn } = sqs.queue('orders', { VisibilityTimeout: '3600' })
  const handle = retryBackoff({ client: sqs.client(), ...options })
  return {
    ...sqs,
    url,
    arn,
    /** Sends and receives a message for each receive count, and returns a failure for each. */
    async inFlight(...receiveCounts: number[]): Promise<RecordFailure[]> {
      for (const id of ids(receiveCounts.length)) sqs.fauxqs.sendMessage('orders', id, { region: REGION })
      const messages = await sqs.receiveAll(url)
      return receiveCounts.map((receiveCount, index) => {
        const receiptHandle = messages[index]?.ReceiptHandle as string
        return failure(`m${index}`, no, { receiveCount, receiptHandle, eventSourceARN: arn })
      })
    },
    async handle(failures: readonly RecordFailure[], blocked?: FailureRequest['blocked']) {
      const { request, lines } = failureRequest(undefined, blocked)
      return { remaining: await handle(failures, request), lines }
    },
    delays: () => sqs.calls.flatMap(({ input }) => input.Entries).map(({ VisibilityTimeout }) => VisibilityTimeout),
  }
}

t.test('by default the delay starts at 30 s and doubles with each receive, up to 900 s', async (t) => {
  const { handle, inFlight, delays, calls, fauxqs } = await setUp(t, { jitter: 'none' })
  const failures = await inFlight(1, 2, 3, 4, 5, 6, 7, 1000)
  const before = Date.now()
  const { remaining, lines } = await handle(failures)
  const after = Date.now()
  t.equal(remaining, failures)
  t.strictSame(lines, [])
  const expected = [30, 60, 120, 240, 480, 900, 900, 900]
  t.strictSame(delays(), expected)
  t.strictSame(
    calls.map(({ operation }) => operation),
    ['ChangeMessageVisibilityBatch'],
  )
  // The messages become visible again at these times.
  const due = new Map(
    fauxqs.inspectQueue('orders')?.messages.inflight.map((entry) => [entry.receiptHandle, entry.visibilityDeadline]),
  )
  for (const [index, { record }] of failures.entries()) {
    const at = due.get(record.receiptHandle) ?? 0
    const delay = 1000 * (expected[index] ?? 0)
    t.ok(at >= before + delay && at <= after + delay, `m${index}`)
  }
})

t.test('base, factor and max set the delay, in whole seconds rounded up', async (t) => {
  const { handle, inFlight, delays } = await setUp(t, { jitter: 'none', base: 0.4, factor: 3, max: 42_000 })
  await handle(await inFlight(1, 2, 3, 4, 5, 6, 11, 12))
  t.strictSame(delays(), [1, 2, 4, 11, 33, 98, 23_620, 42_000])
})

t.test('by default the delay is any whole second from half of the longest delay to all of it', async (t) => {
  const { handle, inFlight, delays } = await setUp(t, { base: 4.5 })
  await handle(await inFlight(...Array(400).fill(2)))
  // The probability that 400 draws miss one of five values is below 5 × (4/5)^400, which is less than 10^-38.
  t.strictSame([...new Set(delays())].sort(), [5, 6, 7, 8, 9])
})

t.test('with equal jitter, half of an odd delay is rounded up, and the delay is never 0', async (t) => {
  const least = (longest: number) => Math.ceil(longest / 2)
  for (const [random, expected] of [
    [0, [least(1), least(3), 15, 30, 450]],
    [1 - 2 ** -53, [1, 3, 30, 60, 900]],
  ] as const) {
    t.intercept(Math, 'random', { value: () => random })
    const cases: [options: object, receiveCount: number][] = [
      [{ base: 0.1 }, 1],
      [{ base: 3 }, 1],
      [{}, 1],
      [{ jitter: 'equal' }, 2],
      [{}, 1000],
    ]
    const seen: unknown[] = []
    for (const [options, receiveCount] of cases) {
      const { handle, inFlight, delays } = await setUp(t, options)
      await handle(await inFlight(receiveCount))
      seen.push(...delays())
    }
    t.strictSame(seen, expected)
  }
})

t.test('full jitter gives every whole second from 1 to the longest delay', async (t) => {
  const { handle, inFlight, delays } = await setUp(t, { base: 4, jitter: 'full' })
  await handle(await inFlight(...Array(400).fill(2)))
  // The probability that 400 draws miss one of the eight values is below 8 × (7/8)^400, which is less than 10^-22.
  t.strictSame([...new Set(delays())].sort(), [1, 2, 3, 4, 5, 6, 7, 8])
})

t.test('delay() lengthens the backoff to the returned time plus the backoff of a first delivery', async (t) => {
  const cases: [options: object, receiveCount: number, asked: number | undefined, seconds: number][] = [
    [{}, 1, undefined, 30],
    [{}, 1, 0, 30],
    [{}, 1, 0.4, 31],
    [{}, 1, 100, 130],
    [{}, 3, 89, 120],
    [{}, 3, 90, 120],
    [{}, 3, 91, 121],
    [{}, 6, 100, 900],
    [{}, 6, 5000, 5030],
    [{ max: 10 }, 4, 100, 110],
    [{ base: 0.2 }, 1, 1.5, 3],
    [{}, 1, 41_969, 41_999],
    [{}, 1, 41_971, 42_000],
    [{}, 1, Number.MAX_VALUE, 42_000],
    [{}, 3, Infinity, 42_000],
  ]
  for (const [options, receiveCount, asked, seconds] of cases) {
    const delay = () => asked
    const { handle, inFlight, delays } = await setUp(t, { jitter: 'none', delay, ...options })
    const { lines } = await handle(await inFlight(receiveCount))
    t.strictSame(delays(), [seconds], `receive ${receiveCount}, asked for ${asked}`)
    t.strictSame(lines, [])
  }
})

t.test('records that ask for the same time are redelivered at different times, also later deliveries', async (t) => {
  const { handle, inFlight, delays } = await setUp(t, { base: 8, delay: () => 1000 })
  await handle(await inFlight(...Array(400).fill(5)))
  // The probability that 400 draws miss one of the five values is less than 10^-38.
  t.strictSame([...new Set(delays())].sort(), [1004, 1005, 1006, 1007, 1008])
})

t.test('if delay() throws or returns no usable time, the record gets the backoff, and one line says why', async (t) => {
  const secret = 'body of m0'
  const results: [result: () => unknown, reason: string][] = [
    [() => -1, '-1'],
    [() => NaN, 'NaN'],
    [() => secret, 'a string'],
    [() => null, 'null'],
    [() => true, 'a boolean'],
    [() => 5n, 'a bigint'],
    [() => ({ seconds: secret }), 'an object'],
    [async () => 5, 'an object'],
    [() => Promise.reject(new Error('must not become an unhandled rejection')), 'an object'],
  ]
  const unhandled = unhandledRejections(t)
  for (const [result, got] of results) {
    const { handle, inFlight, delays } = await setUp(t, { jitter: 'none', delay: result as never })
    const failures = await inFlight(1, 2)
    const { remaining, lines } = await handle(failures)
    t.equal(remaining, failures)
    t.strictSame(delays(), [30, 60])
    t.strictSame(lines, [
      `retryBackoff(): delay() failed for 2 of 2 records. They get the backoff: 2 × TypeError: expected delay() to return undefined or a number of seconds, 0 or more, got ${got}`,
    ])
  }
  const delay = ({ receiveCount }: RecordFailure) => {
    if (receiveCount === 2) throw new RangeError('no header')
    return receiveCount === 3 ? 1000 : undefined
  }
  const { handle, inFlight, delays } = await setUp(t, { jitter: 'none', delay })
  const { lines } = await handle(await inFlight(1, 2, 3, 2))
  t.strictSame(delays(), [30, 60, 1030, 60])
  t.strictSame(lines, [
    'retryBackoff(): delay() failed for 2 of 4 records. They get the backoff: 2 × RangeError: no header',
  ])
  await new Promise(setImmediate)
  t.strictSame(unhandled, [])
})

t.test('refusals of SQS are logged in one line without receipt handles, and change nothing', async (t) => {
  let count = 0
  const handle = 'AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a'.repeat(30) // longer than the part of a message that is logged
  function respond(result: { Failed: { Message: string }[] }) {
    for (const entry of result.Failed) {
      entry.Message = `Value ${handle}${count++} for parameter ReceiptHandle is invalid. Reason: it has expired.`
    }
    return result
  }
  const sqs = await setUp(t, {}, { respond })
  const inFlight = await sqs.inFlight(1, 1, 1)
  const gone = ids(12).map((id) =>
    failure(id, no, { receiptHandle: 'gone', eventSourceARN: inFlight[0]?.record.eventSourceARN as string }),
  )
  const failures = [...inFlight, ...gone]
  const { remaining, lines } = await sqs.handle(failures)
  t.equal(remaining, failures)
  t.strictSame(lines, [
    'retryBackoff(): SQS did not confirm the delay of 12 of 15 records. They may keep the visibility timeout of their queue: 12 × ReceiptHandleIsInvalid: Value … for parameter ReceiptHandle is invalid. Reason: it has expired.',
  ])
})

t.test('with sourceQueueUrl, calls go to that queue', async (t) => {
  const sqs = await startSqs(t)
  sqs.queue('elsewhere')
  const sourceQueueUrl = `${sqs.endpoint}/000000000000/elsewhere`
  const { request } = failureRequest()
  await retryBackoff({ client: sqs.client(), sourceQueueUrl })([failure('m0', no)], request)
  t.strictSame(
    sqs.calls.map(({ input }) => input.QueueUrl),
    [sourceQueueUrl],
  )
})

t.test("without sourceQueueUrl, calls go to the queue of the record's ARN at the client's endpoint", async (t) => {
  const { endpoint, client, calls } = await startSqs(t)
  const arn = 'arn:aws:sqs:eu-west-1:123456789012:orders'
  const { request } = failureRequest()
  async function run(config: Parameters<typeof client>[0]) {
    await retryBackoff({ client: client(config) })([failure('m0', no, { eventSourceARN: arn })], request)
    return calls.splice(0).map(({ input }) => input.QueueUrl)
  }
  t.strictSame(await run({ endpoint }), [`${endpoint}/123456789012/orders`])
  t.strictSame(await run({ endpoint, useQueueUrlAsEndpoint: false }), [`${endpoint}/123456789012/orders`])
  t.teardown(() => delete process.env.AWS_ENDPOINT_URL_SQS)
  process.env.AWS_ENDPOINT_URL_SQS = endpoint
  t.strictSame(
    await run({ endpoint: undefined as never }),
    [`${endpoint}/123456789012/orders`],
    'the endpoint of the environment variable',
  )
})

t.test(
  "on AWS, calls go to the host of the partition and region, with the client's FIPS or dual-stack setting",
  async (t) => {
    const cases: [region: string, partition: string, config: object, host: string][] = [
      ['eu-west-1', 'aws', {}, 'sqs.eu-west-1.amazonaws.com'],
      ['cn-north-1', 'aws-cn', {}, 'sqs.cn-north-1.amazonaws.com.cn'],
      ['us-gov-west-1', 'aws-us-gov', {}, 'sqs.us-gov-west-1.amazonaws.com'],
      ['us-east-1', 'aws', { useFipsEndpoint: true }, 'sqs-fips.us-east-1.amazonaws.com'],
      ['us-east-1', 'aws', { useDualstackEndpoint: true }, 'sqs.us-east-1.api.aws'],
    ]
    for (const [region, partition, config, host] of cases) {
      const requests: [hostname: string, queueUrl: string][] = []
      const warnings: unknown[] = []
      const client = createClient(t, {
        region,
        ...config,
        logger: { debug() {}, info() {}, error() {}, warn: (...parts) => warnings.push(parts) },
        maxAttempts: 1,
        requestHandler: {
          async handle({ hostname, body }: { hostname: string; body: Uint8Array }) {
            requests.push([hostname, JSON.parse(new TextDecoder().decode(body)).QueueUrl])
            throw new Error('not sent')
          },
        },
      })
      const { request, lines } = failureRequest()
      const eventSourceARN = `arn:${partition}:sqs:${region}:123456789012:orders.fifo`
      await retryBackoff({ client })([failure('m0', no, { eventSourceARN })], request)
      t.strictSame(requests, [[host, `https://${host}/123456789012/orders.fifo`]])
      t.strictSame(warnings, [])
      t.match(lines, [/1 × Error: not sent$/])
    }
  },
)

t.test('records of two queues are sent in separate calls, and a record without a queue is logged', async (t) => {
  const sqs = await startSqs(t)
  const arnOf = (name: string) => sqs.queue(name).arn
  const failures = [
    failure('m0', no, { eventSourceARN: arnOf('one') }),
    failure('m1', no, { eventSourceARN: arnOf('two') }),
    failure('m2', no, { eventSourceARN: undefined as never }),
    failure('m3', no, { eventSourceARN: 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders' }),
    failure('m4', no, { eventSourceARN: arnOf('one') }),
  ]
  const { request, lines } = failureRequest()
  await retryBackoff({ client: sqs.client() })(failures, request)
  t.strictSame(
    sqs.calls.map(({ input }) => [
      input.QueueUrl,
      input.Entries.map((entry: { ReceiptHandle: string }) => entry.ReceiptHandle),
    ]),
    [
      [`${sqs.endpoint}/000000000000/one`, ['receipt-of-m0', 'receipt-of-m4']],
      [`${sqs.endpoint}/000000000000/two`, ['receipt-of-m1']],
    ],
  )
  t.match(
    lines[0],
    /2 × TypeError: the eventSourceARN of the record is not the ARN of an SQS queue: set sourceQueueUrl/,
  )
})

t.test(
  'records behind a failure get its delay in the same call, and those of a failure that was taken over do not',
  async (t) => {
    const { handle, inFlight, calls } = await setUp(t, { jitter: 'none' })
    const all = await inFlight(1, 2, 1, 1, 5)
    const [a1, b1, a2, a3, b2] = all as [RecordFailure, ...RecordFailure[]]
    const recordsOf = (...failures: (RecordFailure | undefined)[]) => failures.map((one) => one?.record as SQSRecord)
    const taken = failure('c1', no)
    const { lines } = await handle(
      [a1, b1 as RecordFailure],
      [
        { failure: taken, records: [sqsRecord('c2')] },
        { failure: a1, records: recordsOf(a2, a3) },
        { failure: b1 as RecordFailure, records: recordsOf(b2) },
      ],
    )
    t.strictSame(lines, [])
    t.equal(calls.length, 1)
    const entries = calls[0]?.input.Entries as { ReceiptHandle: string; VisibilityTimeout: number }[]
    t.strictSame(
      entries.map(({ ReceiptHandle, VisibilityTimeout }) => [
        all.find(({ record }) => record.receiptHandle === ReceiptHandle)?.record.messageId,
        VisibilityTimeout,
      ]),
      [
        ['m0', 30],
        ['m2', 30],
        ['m3', 30],
        ['m1', 60],
        ['m4', 60],
      ],
    )
  },
)

t.test('after isolateCrashes(), the line about a refused delay names the delay that the messages keep', async (t) => {
  const faults: Faults = {
    entry: ({ VisibilityTimeout }) => (Number(VisibilityTimeout) < 100 ? 'InternalError' : undefined),
  }
  const { inFlight, client, arn } = await setUp(t, {}, faults)
  const failures = await inFlight(1, 2)
  const records = failures.map(({ record, receiveCount }) => ({
    ...record,
    eventSourceARN: arn,
    attributes: { ...record.attributes, ApproximateReceiveCount: String(receiveCount) },
  }))
  async function lineFor(...indexes: number[]): Promise<string | undefined> {
    const { request, lines } = failureRequest()
    const event = { Records: records }
    await isolateCrashes({ client: client() }).before({ event, context: timedContext(60_000) })
    const given = indexes.map((index) => ({
      ...(failures[index] as RecordFailure),
      record: records[index] as SQSRecord,
    }))
    await retryBackoff({ client: client(), base: 1 })(given, request)
    return lines[0]?.split(': 1 ×')[0]?.split(': 2 ×')[0]
  }
  const line = (count: number) =>
    `retryBackoff(): SQS did not confirm the delay of ${count} of ${count} records. They may keep`
  t.equal(await lineFor(0), `${line(1)} the visibility timeout of their queue`)
  t.equal(await lineFor(1), `${line(1)} the delay that isolateCrashes() has set`)
  t.equal(
    await lineFor(0, 1),
    `${line(2)} the visibility timeout of their queue or the delay that isolateCrashes() has set`,
  )
})
