import assert from 'node:assert/strict'
import { z } from 'zod'

const EXPORTS = [
  'DurableContextError',
  'FullBatchFailureError',
  'InvalidBodyError',
  'InvalidSqsEventError',
  'PermanentError',
  'RecordAbortedError',
  'RecordBlockedError',
  'RecordNotStartedError',
  'RecordTimeoutError',
  'boundedSqsBatch',
  'default',
  'eachChunk',
  'eachRecord',
]

/** Uses the library as an application does, and checks the exact responses. */
export async function useLibrary(middy, library) {
  const { boundedSqsBatch, eachRecord, InvalidSqsEventError } = library
  assert.deepEqual(Object.keys(library).sort(), EXPORTS)
  assert.equal(library.default, boundedSqsBatch)

  const failures = []
  const logger = (error, { messageId }) => failures.push([messageId, error?.name, error?.code])

  const standard = middy()
    .use(boundedSqsBatch({ concurrency: 2, recordTimeout: 1000, logger }))
    .handler(eachRecord(handleJob, { body: job }))
  assert.deepEqual(await standard(standardEvent(), context()), {
    batchItemFailures: [
      { itemIdentifier: 'throws' },
      { itemIdentifier: 'rejects' },
      { itemIdentifier: 'hangs' },
      { itemIdentifier: 'no-json' },
      { itemIdentifier: 'no-job' },
    ],
  })
  assert.deepEqual(failures.splice(0), [
    ['throws', 'RangeError', undefined],
    ['rejects', undefined, undefined],
    ['hangs', 'RecordTimeoutError', 'ERR_RECORD_TIMEOUT'],
    ['no-json', 'InvalidBodyError', 'ERR_INVALID_BODY'],
    ['no-job', 'InvalidBodyError', 'ERR_INVALID_BODY'],
  ])
  assert.deepEqual(await standard({ Records: [] }, context()), { batchItemFailures: [] })
  await assert.rejects(standard({ Records: [{ eventSource: 'aws:kinesis' }] }, context()), InvalidSqsEventError)

  const started = []
  const fifo = middy()
    .use(boundedSqsBatch({ logger }))
    .handler(
      eachRecord(async ({ messageId }) => {
        started.push(messageId)
        if (messageId === 'a2') throw new Error('no')
      }),
    )
  assert.deepEqual(await fifo(fifoEvent('a1', 'b1', 'a2', 'a3', 'b2'), context()), {
    batchItemFailures: [{ itemIdentifier: 'a2' }, { itemIdentifier: 'a3' }],
  })
  assert.deepEqual(started.sort(), ['a1', 'a2', 'b1', 'b2'])
  assert.deepEqual(failures, [
    ['a2', 'Error', undefined],
    ['a3', 'RecordBlockedError', 'ERR_RECORD_BLOCKED'],
  ])
}

const job = z.object({ job: z.string() }).transform(({ job }) => job)

function handleJob(record, _context, { signal, index, receiveCount }) {
  assert.deepEqual([record.messageId, receiveCount], [BODIES[index][0], 2])
  switch (record.body) {
    case 'throw':
      throw new RangeError('no')
    case 'reject':
      return Promise.reject('no')
    case 'hang':
      return new Promise((resolve) => signal.addEventListener('abort', resolve))
    default:
      assert.equal(record.body, 'work')
      return new Promise(setImmediate)
  }
}

const BODIES = [
  ['first', '{"job":"work"}'],
  ['throws', '{"job":"throw"}'],
  ['rejects', '{"job":"reject"}'],
  ['hangs', '{"job":"hang"}'],
  ['no-json', '{"job":'],
  ['no-job', '{"job":1}'],
  ['last', '{"job":"work"}'],
]

function standardEvent() {
  return { Records: BODIES.map(([messageId, body]) => record(messageId, 'jobs', { body })) }
}

/** The group of a record is the first letter of its id. */
function fifoEvent(...ids) {
  const Records = ids.map((id) => record(id, 'jobs.fifo', { attributes: { MessageGroupId: id.charAt(0) } }))
  return { Records }
}

function record(messageId, queue, { body = '', attributes = {} }) {
  return {
    messageId,
    body,
    receiptHandle: '',
    attributes: { ApproximateReceiveCount: '2', ...attributes },
    messageAttributes: {},
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:${queue}`,
  }
}

function context() {
  return { getRemainingTimeInMillis: () => 10_000 }
}
