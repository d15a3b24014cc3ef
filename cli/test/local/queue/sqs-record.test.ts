import { test } from 'tap'
import { toEvent, toReceived } from '../../../src/local/queue/sqs-record.ts'

const ARN = 'arn:aws:sqs:eu-west-1:123456789012:orders.fifo'

test('a message becomes a record with the keys and in the order of Lambda', async (t) => {
  const { json, bytes, ...received } = toReceived(
    {
      MessageId: 'm1',
      ReceiptHandle: 'r1',
      Body: 'ü',
      MD5OfBody: 'b5',
      Attributes: { ApproximateReceiveCount: '3', MessageGroupId: 'g' },
      MD5OfMessageAttributes: 'a5',
      MessageAttributes: {
        kind: { DataType: 'String', StringValue: 'new' },
        blob: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) },
        bare: {} as never,
      },
    },
    ARN,
  )
  t.strictSame(received, { messageId: 'm1', receiptHandle: 'r1', receiveCount: 3, group: 'g', byClients: {} })
  const lists = '"stringListValues":[],"binaryListValues":[]'
  t.equal(
    json,
    '{"messageId":"m1","receiptHandle":"r1","body":"ü","attributes":{"ApproximateReceiveCount":"3","MessageGroupId":"g"},' +
      `"messageAttributes":{"kind":{"stringValue":"new",${lists},"dataType":"String"},` +
      `"blob":{"binaryValue":"AP8=",${lists},"dataType":"Binary"},"bare":{${lists},"dataType":"String"}},` +
      `"md5OfMessageAttributes":"a5","md5OfBody":"b5","eventSource":"aws:sqs","eventSourceARN":"${ARN}","awsRegion":"eu-west-1"}`,
  )
  t.equal(bytes, Buffer.byteLength(json) + 1, 'the record and a comma')
})

test('what a message does not have is empty, and it counts as received once', async (t) => {
  const { json, bytes, ...received } = toReceived({}, 'orders')
  t.strictSame(received, { messageId: '', receiptHandle: '', receiveCount: 1, group: undefined, byClients: {} })
  t.strictSame(JSON.parse(json), {
    messageId: '',
    receiptHandle: '',
    body: '',
    attributes: {},
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'orders',
    awsRegion: '',
  })
})

test('an event has the records of a batch in their order', async (t) => {
  t.equal(toEvent([]), '{"Records":[]}')
  const [first, second] = ['a', 'b'].map((MessageId) => toReceived({ MessageId }, ARN)) as [never, never]
  t.strictSame(
    JSON.parse(toEvent([first, second])).Records.map(({ messageId }: { messageId: string }) => messageId),
    ['a', 'b'],
  )
})
