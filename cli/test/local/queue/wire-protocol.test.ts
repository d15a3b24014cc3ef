import { request } from 'node:http'
import * as newest from '@aws-sdk/client-sqs'
import * as oldest from 'client-sqs-3-734'
import { startFauxqs } from 'fauxqs'
import { test } from 'tap'
import { call, compare, startOwnSqs } from '../../support/sqs-steps.ts'

test('the own SQS responds as fauxqs does, except where fauxqs differs from the documentation', async (t) => {
  const fauxqs = await startFauxqs({ port: 0, logger: false, defaultRegion: 'us-east-1' })
  t.teardown(() => fauxqs.stop())
  await compare(t, 'fauxqs', fauxqs.address)
})

/** The clients compare the MD5 sums of the bodies that they have sent and received. */
for (const [version, sdk] of [
  ['3.734.0', oldest as unknown as typeof newest],
  ['newest', newest],
] as const) {
  test(`the client of the AWS SDK, ${version}: each action, and the names of errors`, async (t) => {
    const endpoint = await startOwnSqs(t)
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
    const client = new sdk.SQSClient({ endpoint, region: 'us-east-1', credentials })
    t.teardown(() => client.destroy())
    const { QueueUrl } = await client.send(new sdk.GetQueueUrlCommand({ QueueName: 'orders' }))
    t.equal(QueueUrl, `${endpoint}/000000000000/orders`)
    const MessageAttributes = {
      kind: { DataType: 'String', StringValue: 'ä€😀' },
      blob: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) },
    }
    const sent = await client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody: 'ä€😀', MessageAttributes }))
    const { Successful, Failed } = await client.send(
      new sdk.SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'a', MessageBody: 'b', MessageGroupId: 'g' },
          { Id: 'b', MessageBody: '\u0000' },
        ],
      }),
    )
    t.strictSame(
      Successful?.map(({ Id }) => Id),
      ['a'],
    )
    t.match(Failed, [{ Id: 'b', SenderFault: true, Code: 'InvalidMessageContents' }])
    t.equal(Failed?.length, 1)
    const { Messages = [] } = await client.send(
      new sdk.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    )
    const [first, second] = Messages
    t.strictSame([Messages.length, first?.MessageId, first?.Body, second?.Body], [2, sent.MessageId, 'ä€😀', 'b'])
    t.strictSame({ ...first?.MessageAttributes?.blob }, MessageAttributes.blob)
    t.strictSame({ ...first?.MessageAttributes?.kind }, MessageAttributes.kind)
    t.equal(second?.Attributes?.MessageGroupId, 'g')

    const { ReceiptHandle } = first ?? {}
    await client.send(new sdk.ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 60 }))
    const deleted = { Id: 'x', ReceiptHandle: second?.ReceiptHandle }
    await client.send(
      new sdk.ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: [{ ...deleted, VisibilityTimeout: 60 }],
      }),
    )
    await client.send(new sdk.DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
    await client.send(new sdk.DeleteMessageBatchCommand({ QueueUrl, Entries: [deleted] }))
    const { Attributes } = await client.send(new sdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
    t.match(Attributes, { ApproximateNumberOfMessages: '0', ApproximateNumberOfMessagesNotVisible: '0' })

    const change = { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }
    await t.rejects(client.send(new sdk.ChangeMessageVisibilityCommand(change)), sdk.MessageNotInflight)
    const wrong = { ...change, ReceiptHandle: 'x' }
    await t.rejects(client.send(new sdk.ChangeMessageVisibilityCommand(wrong)), sdk.ReceiptHandleIsInvalid)
    const unknown = { QueueUrl: `${endpoint}/000000000000/unknown` }
    await t.rejects(client.send(new sdk.ReceiveMessageCommand(unknown)), sdk.QueueDoesNotExist)
    const empty = { QueueUrl, Entries: [] }
    await t.rejects(client.send(new sdk.DeleteMessageBatchCommand(empty)), sdk.EmptyBatchRequest)
    await t.rejects(client.send(new sdk.PurgeQueueCommand({ QueueUrl })), {
      message: /^this queue supports SendMessage, .*GetQueueAttributes in the JSON protocol of SQS$/,
      $metadata: { httpStatusCode: 400 },
    })
  })
}

async function errorOf(endpoint: string, headers: Record<string, string>, body: string) {
  const response = await fetch(endpoint, { method: 'POST', headers, body })
  const header = response.headers.get('x-amzn-query-error')
  return { status: response.status, header, type: response.headers.get('content-type'), body: await response.text() }
}

test('what the own SQS does not support: a status of 400 and a text that says what it supports', async (t) => {
  const endpoint = await startOwnSqs(t)
  const json = 'application/x-amz-json-1.0'
  const supported =
    'this queue supports SendMessage, SendMessageBatch, ReceiveMessage, DeleteMessage, DeleteMessageBatch, ChangeMessageVisibility, ChangeMessageVisibilityBatch, GetQueueUrl, GetQueueAttributes in the JSON protocol of SQS'
  for (const target of ['AmazonSQS.CreateQueue', 'DynamoDB_20120810.GetItem', 'AmazonSQS.constructor']) {
    t.strictSame(await errorOf(endpoint, { 'content-type': json, 'x-amz-target': target }, '{}'), {
      status: 400,
      header: 'InvalidAction;Sender',
      type: json,
      body: JSON.stringify({ __type: 'com.amazonaws.sqs#UnknownOperationException', message: supported }),
    })
  }
  // Clients from before 2023 send forms.
  const old = await errorOf(endpoint, { 'content-type': 'application/x-www-form-urlencoded' }, 'Action=SendMessage')
  t.match(old, { status: 400, header: 'InvalidAction;Sender', body: supported })
})

test('a request that is not valid: an error, and the own SQS goes on', async (t) => {
  const endpoint = await startOwnSqs(t)
  const QueueUrl = `${endpoint}/000000000000/orders`
  const MessageBody = 'x'
  for (const [action, input, code] of [
    ['SendMessage', '', 'MalformedInput'],
    ['SendMessage', '[]', 'MalformedInput'],
    ['SendMessage', '{"MessageBody":', 'MalformedInput'],
    ['SendMessage', { MessageBody }, 'MissingParameter'],
    ['SendMessage', { QueueUrl, MessageBody: 1 }, 'InvalidParameterValue'],
    ['SendMessage', { QueueUrl, MessageBody, MessageAttributes: [] }, 'InvalidParameterValue'],
    ['SendMessage', { QueueUrl, MessageBody, MessageAttributes: { a: 'x' } }, 'InvalidParameterValue'],
    ['SendMessage', { QueueUrl, MessageBody, MessageAttributes: { a: { StringValue: 'x' } } }, 'MissingParameter'],
    ['SendMessage', { QueueUrl, MessageBody, DelaySeconds: 1.5 }, 'InvalidParameterValue'],
    ['SendMessage', { QueueUrl, MessageBody, DelaySeconds: '1' }, 'InvalidParameterValue'],
    ['SendMessageBatch', { QueueUrl, Entries: {} }, 'InvalidParameterValue'],
    ['SendMessageBatch', { QueueUrl, Entries: ['x'] }, 'InvalidParameterValue'],
    ['SendMessageBatch', { QueueUrl, Entries: [{ MessageBody }] }, 'MissingParameter'],
    ['ReceiveMessage', { QueueUrl, AttributeNames: 'All' }, 'InvalidParameterValue'],
    ['ReceiveMessage', { QueueUrl, MessageAttributeNames: [1] }, 'InvalidParameterValue'],
    ['GetQueueUrl', {}, 'MissingParameter'],
  ] as const) {
    const { status, code: received } = await call(endpoint, action, input)
    t.strictSame([status, received], [400, code], `${action} ${JSON.stringify(input)}`)
  }
  const { output } = await call(endpoint, 'ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 })
  t.strictSame(output, {}, 'nothing was sent')
})

test('null is like an omitted parameter', async (t) => {
  const QueueUrl = `${await startOwnSqs(t)}/000000000000/orders`
  const input = { QueueUrl, MessageBody: 'x', MessageAttributes: null, DelaySeconds: null, MessageGroupId: null }
  t.equal((await call(QueueUrl, 'SendMessage', input)).status, 200)
})

test('a waiting call receives a message that is sent later', async (t) => {
  const endpoint = await startOwnSqs(t)
  const QueueUrl = `${endpoint}/000000000000/orders`
  const waiting = call(endpoint, 'ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20 })
  const first = await call(endpoint, 'SendMessage', { QueueUrl, MessageBody: 'x' })
  const { output } = await waiting
  t.strictSame(
    output.Messages.map(({ MessageId }: { MessageId: string }) => MessageId),
    [first.output.MessageId],
  )
})

test('a client that ends while it waits receives nothing, and the message stays for another one', async (t) => {
  const endpoint = await startOwnSqs(t)
  const QueueUrl = `${endpoint}/000000000000/orders`
  const headers = { 'x-amz-target': 'AmazonSQS.ReceiveMessage' }
  const client = request(endpoint, { method: 'POST', headers }).on('error', () => {})
  await new Promise<void>((resolve) => client.end(JSON.stringify({ QueueUrl, WaitTimeSeconds: 20 }), resolve))
  // A second client, whose request arrives after that of the first one.
  await call(endpoint, 'GetQueueUrl', { QueueName: 'orders' })
  await new Promise((resolve) => client.on('close', resolve).destroy())
  await call(endpoint, 'GetQueueUrl', { QueueName: 'orders' })
  await call(endpoint, 'SendMessage', { QueueUrl, MessageBody: 'x' })
  const { output } = await call(endpoint, 'ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20 })
  t.equal(output.Messages?.length, 1)
})
