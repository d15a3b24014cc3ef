import type { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import t from 'tap'
import type { RecordFailure } from '../../src/index.ts'
import { deadLetter } from '../../src/sqs/index.ts'
import { permanent, reasons, SOURCE, setUp, text } from '../support/dead-letters.ts'
import { ids, sqsRecord } from '../support/events.ts'
import { idsOf } from '../support/failures.ts'
import { failure, failureRequest } from '../support/sqs.ts'

t.test('records of permanent errors are sent with the reason, and the others stay failed', async (t) => {
  const { handle, received } = await setUp(t)
  const failures = [
    failure('m0', new Error('downstream returned 503')),
    failure('m1', permanent, { receiveCount: 3 }),
    failure('m2', 'no'),
    failure('m3', { code: 'ERR_PERMANENT', name: 'Bundled', message: 'another copy' }),
  ]
  const { remaining, lines } = await handle(failures)
  t.equal(remaining.length, 2)
  t.equal(remaining[0], failures[0])
  t.equal(remaining[1], failures[2])
  t.strictSame(lines, [])
  const messages = await received()
  t.strictSame([...messages.keys()], ['body of m1', 'body of m3'])
  t.strictSame(messages.get('body of m1')?.MessageAttributes, reasons('m1', { receiveCount: '3' }))
  t.strictSame(
    messages.get('body of m3')?.MessageAttributes,
    reasons('m3', { name: 'Bundled', message: 'another copy' }),
  )
})

t.test('without a record to send, SQS is not called', async (t) => {
  const { handle, calls } = await setUp(t)
  t.strictSame((await handle([])).remaining, [])
  t.strictSame(idsOf((await handle([failure('m0', new Error('no'))])).remaining), ['m0'])
  t.strictSame(calls, [])
})

t.test('`when` selects the failures to send, and any value but true keeps a record failed', async (t) => {
  const results: Record<string, unknown> = { m0: true, m1: false, m2: undefined, m3: Promise.resolve(true), m4: 1 }
  function when({ record, receiveCount }: RecordFailure) {
    if (record.messageId === 'm5') throw new Error('cannot tell')
    if (record.messageId === 'm6') return Promise.reject(new Error('too late')) as never
    return receiveCount > 1 && (results[record.messageId] as boolean)
  }
  const { handle, received } = await setUp(t, { options: { when } })
  const { remaining, lines } = await handle([
    ...ids(7).map((id) => failure(id, new Error('no'), { receiveCount: 2 })),
    failure('m7', permanent),
  ])
  t.strictSame(idsOf(remaining), ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7'])
  t.strictSame([...(await received()).keys()], ['body of m0'])
  t.strictSame(lines, [
    'deadLetter(): 4 of 5 records could not be sent to dead and stay failed: 2 × TypeError: expected when() to return true or false, got an object; 1 × TypeError: expected when() to return true or false, got 1; 1 × Error: cannot tell',
  ])
})

t.test('only the entries that SQS refuses stay failed', async (t) => {
  const refused = ['m2', 'm5', 'm8', 'm11', 'm14', 'm17', 'm20', 'm23']
  const bodies = refused.map((id) => `body of ${id}`)
  const faults = {
    entry: ({ MessageBody }: Record<string, unknown>) =>
      bodies.includes(`${MessageBody}`) ? 'InternalError' : undefined,
  }
  const { handle, received } = await setUp(t, { faults })
  const { remaining, lines } = await handle(ids(25).map((id) => failure(id, permanent)))
  t.strictSame(idsOf(remaining), refused)
  t.strictSame(
    [...(await received()).keys()].sort(),
    ids(25)
      .filter((id) => !refused.includes(id))
      .map((id) => `body of ${id}`)
      .sort(),
  )
  t.strictSame(lines, [
    'deadLetter(): 8 of 25 records could not be sent to dead and stay failed: 8 × InternalError: try again',
  ])
})

t.test('a message in a FIFO dead-letter queue has its message group, and is stored once per message id', async (t) => {
  const { handle, received, calls } = await setUp(t, { name: 'dead.fifo', attributes: { FifoQueue: 'true' } })
  function grouped(id: string, group: string) {
    const { attributes } = sqsRecord(id)
    const ofSender = { ...attributes, MessageGroupId: group, MessageDeduplicationId: 'of the sender' }
    return failure(id, permanent, { attributes: ofSender, eventSourceARN: `${SOURCE}.fifo` })
  }
  // Two messages of a FIFO queue, one of which is delivered a second time, and a message of a standard queue.
  t.strictSame((await handle([grouped('a1', 'a'), grouped('b1', 'b'), failure('c1', permanent)])).remaining, [])
  t.strictSame((await handle([grouped('a1', 'a')])).remaining, [])
  t.strictSame(
    calls
      .flatMap(({ input }) => input.Entries)
      .map(({ MessageGroupId, MessageDeduplicationId }) => [MessageGroupId, MessageDeduplicationId]),
    [
      ['a', 'a1'],
      ['b', 'b1'],
      ['c1', 'c1'],
      ['a', 'a1'],
    ],
  )
  t.strictSame([...(await received()).keys()], ['body of a1', 'body of b1', 'body of c1'])
})

t.test(
  'a standard dead-letter queue gets the group of a fair queue and the trace header, and no deduplication id',
  async (t) => {
    const { handle, calls } = await setUp(t)
    const { attributes } = sqsRecord('m0')
    const AWSTraceHeader = 'Root=1-5759e988-bd862e3fe1be46a994272793'
    const all = { ...attributes, MessageGroupId: 'tenant-7', MessageDeduplicationId: 'x', AWSTraceHeader }
    await handle([failure('m0', permanent, { attributes: all }), failure('m1', permanent)])
    const [first, second] = calls[0]?.input.Entries ?? []
    t.equal(first.MessageGroupId, 'tenant-7')
    t.strictSame(first.MessageSystemAttributes, { AWSTraceHeader: text(AWSTraceHeader) })
    t.notOk('MessageDeduplicationId' in first)
    t.strictSame(Object.keys(second).sort(), ['Id', 'MessageAttributes', 'MessageBody'])
  },
)

const CAME_FROM_QUEUE = 'queueUrl may be the queue that the record came from: set it to another queue'

/** Runs `deadLetter()` with a client that accepts each entry. Returns the ids of the records that were sent. */
async function sentTo(queueUrl: string, failures: readonly RecordFailure[], sourceQueueUrl?: string) {
  const sent: unknown[] = []
  async function send({ input: { Entries = [] } }: SendMessageBatchCommand) {
    sent.push(
      ...Entries.map(({ MessageAttributes }) => MessageAttributes?.['DeadLetter.OriginalMessageId']?.StringValue),
    )
    return { Successful: Entries.map(({ Id }) => ({ Id })) }
  }
  const { request, lines } = failureRequest()
  const client = { send } as unknown as SQSClient
  const remaining = await deadLetter({ client, queueUrl, sourceQueueUrl })(failures, request)
  return { sent, remaining: idsOf(remaining), lines }
}

const EU = 'arn:aws:sqs:eu-west-1:123456789012:orders'
const CN = 'arn:aws-cn:sqs:cn-north-1:123456789012:orders'
const GOV = 'arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders'
const LOCAL = 'arn:aws:sqs:us-east-1:000000000000:orders'

const SAME_QUEUE: [queueUrl: string, arn: string][] = [
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', EU],
  ['https://SQS.EU-WEST-1.amazonaws.com:443/123456789012/orders', EU],
  ['http://sqs.eu-west-1.amazonaws.com/123456789012/orders', EU],
  ['https://sqs.eu-west-1.amazonaws.com//123456789012/orders/?a=b#c', EU],
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo', `${EU}.fifo`],
  ['https://eu-west-1.queue.amazonaws.com/123456789012/orders', EU],
  ['https://queue.amazonaws.com/123456789012/orders', EU], // the region is not in the host
  ['https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/orders', GOV],
  ['https://sqs.eu-west-1.api.aws/123456789012/orders', EU],
  ['https://vpce-0a1-b2.sqs.eu-west-1.vpce.amazonaws.com/123456789012/orders', EU],
  ['https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders', CN],
  ['https://cn-north-1.queue.amazonaws.com.cn/123456789012/orders', CN],
  ['https://sqs.cn-north-1.api.amazonwebservices.com.cn/123456789012/orders', CN],
  // LocalStack's forms
  ['http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/orders', LOCAL],
  ['http://us-east-1.queue.localhost.localstack.cloud:4566/000000000000/orders', LOCAL],
  ['http://localhost:4566/queue/us-east-1/000000000000/orders', LOCAL],
  ['http://localhost:4566/000000000000/orders', LOCAL],
  // ElasticMQ's forms
  ['http://localhost:9324/queue/orders', 'arn:aws:sqs:elasticmq:000000000000:orders'],
  ['http://localhost:9324/orders', 'arn:aws:sqs:elasticmq:000000000000:orders'],
  ['http://localhost:9324/000000000000/orders', 'arn:aws:sqs:elasticmq:000000000000:orders'],
  // These paths have no account.
  ['http://localhost:9324/v111111111111/orders', LOCAL],
  ['http://localhost:9324/111111111111v/orders', LOCAL],
  // Other hosts can serve any region, even if their names look as if they had one.
  ['https://a1.execute-api.us-east-1.amazonaws.com/123456789012/orders', EU],
  ['https://my-sqs-1.us-east-1.elb.amazonaws.com/123456789012/orders', EU],
  ['http://localhost:4566/sqs/queue/us-east-2/000000000000/orders', LOCAL],
  ['http://localhost:4566/queue/prod/000000000000/orders', LOCAL],
  ['http://sqs.my-cluster-1.internal:9324/000000000000/orders', LOCAL],
  ['https://sqs.eu-west-1.amazonaws.com.proxy.internal/123456789012/orders', EU.replace('eu-west-1', 'us-east-1')],
  // ARNs without an account or a region
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', 'arn:aws:sqs:eu-west-1::orders'],
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', 'arn:aws:sqs::123456789012:orders'],
]

t.test('a record is not sent to the queue that it came from, stays failed, and the log says why', async (t) => {
  for (const [queueUrl, eventSourceARN] of SAME_QUEUE) {
    const failures = ids(3).map((id) => failure(id, permanent, { eventSourceARN }))
    const { sent, remaining, lines } = await sentTo(queueUrl, failures)
    t.strictSame(sent, [], `${queueUrl} ${eventSourceARN}`)
    t.strictSame(remaining, ids(3))
    t.match(lines, [/^deadLetter\(\): 3 of 3 records could not be sent to orders(\.fifo)? and stay failed: /])
    t.match(lines, [`stay failed: 3 × ${CAME_FROM_QUEUE}`])
  }
})

const OTHER_QUEUE: [queueUrl: string, arn: string][] = [
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dead', EU],
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/Orders', EU],
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo', EU],
  ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', `${EU}.fifo`],
  ['https://sqs.eu-west-1.amazonaws.com/210987654321/orders', EU],
  ['https://sqs.eu-west-2.amazonaws.com/123456789012/orders', EU],
  ['https://eu-west-2.queue.amazonaws.com/123456789012/orders', EU],
  ['https://sqs-fips.us-east-2.amazonaws.com/123456789012/orders', EU],
  ['https://sqs.eu-west-2.api.aws/123456789012/orders', EU],
  ['https://vpce-0a1-b2.sqs.eu-west-2.vpce.amazonaws.com/123456789012/orders', EU],
  ['https://sqs.cn-northwest-1.amazonaws.com.cn/123456789012/orders', CN],
  ['https://cn-northwest-1.queue.amazonaws.com.cn/123456789012/orders', CN],
  ['https://sqs.cn-northwest-1.api.amazonwebservices.com.cn/123456789012/orders', CN],
  ['http://sqs.us-east-2.localhost.localstack.cloud:4566/000000000000/orders', LOCAL],
  ['http://us-east-2.queue.localhost.localstack.cloud:4566/000000000000/orders', LOCAL],
  ['http://localhost:4566/queue/us-east-2/000000000000/orders', LOCAL],
  ['http://localhost:4566/111111111111/orders', LOCAL],
  ['http://localhost:4566/000000000000/orders/dead', LOCAL],
  ['http://localhost:9324/queue/dead', LOCAL],
]

t.test('a record is sent to a queue that differs in its name, its account or its region', async (t) => {
  for (const [queueUrl, eventSourceARN] of OTHER_QUEUE) {
    const { sent, remaining, lines } = await sentTo(queueUrl, [failure('m0', permanent, { eventSourceARN })])
    t.strictSame(
      { sent, remaining, lines },
      { sent: ['m0'], remaining: [], lines: [] },
      `${queueUrl} ${eventSourceARN}`,
    )
  }
})

t.test(
  'a record without the ARN of a queue is sent, because only sourceQueueUrl says where it came from',
  async (t) => {
    const arns = [undefined, null, '', 'orders', 'arn:aws:sqs', 'arn:aws:kinesis:eu-west-1:123456789012:orders']
    const queueUrl = 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders'
    for (const arn of arns) {
      const failures = [failure('m0', permanent, { eventSourceARN: arn as never })]
      t.strictSame((await sentTo(queueUrl, failures)).sent, ['m0'], `${arn}`)
      t.strictSame((await sentTo(queueUrl, failures, `${queueUrl}-source`)).sent, ['m0'], `${arn}`)
      t.strictSame((await sentTo('http://localhost:9324', failures)).sent, ['m0'], `${arn}`)
    }
  },
)
