import { test } from 'tap'
import { createSample } from '../../src/tune/sample.ts'

test('the sample is repeated, and each record has a new id', async (t) => {
  const sample = createSample([{ body: 'a' }, { body: 'b' }, { body: 'c' }], 4, false)
  const batches = [sample.batch(), sample.batch()]
  const records = batches.map((batch) => batch.map(({ json }) => JSON.parse(json)))
  t.strictSame(
    records.map((batch) => batch.map(({ body }) => body).join('')),
    ['abca', 'bcab'],
  )
  t.equal(new Set(records.flat().map(({ messageId }) => messageId)).size, 8)
  t.match(records[0]?.[0], {
    md5OfBody: '0cc175b9c0f1b6a831c399e269772661',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:tune',
    attributes: { ApproximateReceiveCount: '1' },
  })
  t.equal(sample.batchSize, 4)
  t.equal(sample.bodyBytes, 1)
})

test('message groups and attributes are kept, and the ARN of a FIFO queue ends in .fifo', async (t) => {
  const message = {
    body: 'a',
    messageGroupId: 'g',
    messageAttributes: { n: { DataType: 'Number', StringValue: '4' } },
  }
  const [received] = createSample([message], 1, true).batch()
  t.match(JSON.parse(received?.json ?? ''), {
    eventSourceARN: /\.fifo$/,
    attributes: { MessageGroupId: 'g', SequenceNumber: /^\d{20}$/ },
    messageAttributes: { n: { dataType: 'Number', stringValue: '4' } },
  })
})

test('the taken records are counted, and a repeated record has a new deduplication id', async (t) => {
  const sample = createSample([{ body: 'a', messageGroupId: 'g', messageDeduplicationId: 'd' }], 3, true)
  const ids = sample.batch().map(({ json }) => JSON.parse(json).attributes.MessageDeduplicationId)
  t.match(ids, [/^[0-9a-f-]{36}$/, /^[0-9a-f-]{36}$/, /^[0-9a-f-]{36}$/])
  t.equal(new Set(ids).size, 3)
  sample.batch(2)
  t.equal(sample.delivered(), 5)
})

test('a batch has at most 6 MB', async (t) => {
  const sample = createSample([{ body: 'x'.repeat(1024 * 1024) }], 100, false)
  t.equal(sample.batch().length, 5)
  t.equal(sample.batchSize, 5)
  const mixed = createSample([{ body: 'x'.repeat(1024 * 1024) }, { body: 'small' }], 100, false)
  t.equal(mixed.batchSize, 11, 'twelve messages of half a MB on average, without the metadata')
  t.strictSame(
    Array.from({ length: 4 }, () => mixed.batch().length),
    [10, 10, 10, 10],
    'the sixth large message does not fit',
  )
})
