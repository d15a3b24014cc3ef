import { dirname } from 'node:path'
import { test } from 'tap'
import { counts, handlerFile, notebook, runHandler } from '../../support/runs.ts'

test('a record has the same keys and attributes as on AWS', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('events.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: [
      {
        body: '{"order":1,"text":"ü 🎉"}',
        messageAttributes: {
          kind: { DataType: 'String', StringValue: 'new' },
          blob: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
        },
      },
    ],
  })
  t.match(counts(ledger), { processed: 1, lost: 0 })
  const [{ event }] = notes.read()
  t.strictSame(Object.keys(event), ['Records'])
  const [record] = event.Records
  t.strictSame(Object.keys(record), [
    'messageId',
    'receiptHandle',
    'body',
    'attributes',
    'messageAttributes',
    'md5OfBody',
    'eventSource',
    'eventSourceARN',
    'awsRegion',
  ])
  t.strictSame(JSON.parse(record.body), { order: 1, text: 'ü 🎉' })
  t.match(record, {
    messageId: /^[0-9a-f-]{36}$/,
    receiptHandle: /./,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: /^\d{13}$/,
      SenderId: /./,
      ApproximateFirstReceiveTimestamp: /^\d{13}$/,
    },
    md5OfBody: /^[0-9a-f]{32}$/,
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:local',
    awsRegion: 'us-east-1',
  })
  t.strictSame(record.messageAttributes, {
    kind: { stringValue: 'new', stringListValues: [], binaryListValues: [], dataType: 'String' },
    blob: { binaryValue: 'AP8=', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
  })
})

test('a message without attributes has an empty list of them', async (t) => {
  const notes = notebook(t)
  await runHandler('events.mjs', { function: { env: { RECORD_TO: notes.file } }, messages: [{ body: 'plain' }] })
  const [record] = notes.read()[0].event.Records
  t.strictSame(record.messageAttributes, {})
  t.notOk('MessageGroupId' in record.attributes)
})

test('the context has the properties of Lambda, and its remaining time decreases', async (t) => {
  const notes = notebook(t)
  await runHandler('events.mjs', {
    function: { env: { RECORD_TO: notes.file }, timeout: 70_000, memory: 256 },
    queue: { visibilityTimeout: 80, maxReceives: 3 },
    messages: [{ body: '1' }],
  })
  const [{ context, times, env, sqs }] = notes.read()
  t.match(context, {
    awsRequestId: /^[0-9a-f-]{36}$/,
    functionName: 'events',
    functionVersion: '$LATEST',
    invokedFunctionArn: /^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:events$/,
    memoryLimitInMB: '256',
    logGroupName: '/aws/lambda/events',
    logStreamName: /./,
  })
  const [before, after] = times
  t.ok(before > 40_000 && before <= 70_000, `${before} ms are left of 70,000`)
  t.ok(before - after >= 55 && before - after < 20_000, `${before - after} ms passed while it waited for 60`)
  t.match(env, {
    AWS_LAMBDA_RUNTIME_API: /^127\.0\.0\.1:\d+$/,
    AWS_LAMBDA_FUNCTION_NAME: 'events',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/events',
    AWS_LAMBDA_LOG_STREAM_NAME: /./,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    TZ: ':UTC',
    _HANDLER: /events\.handler$/,
  })
  t.ok(dirname(handlerFile('events.mjs')).startsWith(env.LAMBDA_TASK_ROOT))
  t.match(sqs, /^http:\/\/127\.0\.0\.1:\d+$/, "the function's own SQS clients find the queue of the run")
})
