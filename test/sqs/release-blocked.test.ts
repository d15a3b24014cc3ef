import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type BlockedRecords, PermanentError, type RecordFailure } from '../../src/index.ts'
import { deadLetter, type ReleaseBlockedOptions, releaseBlocked } from '../../src/sqs/index.ts'
import { SOURCE } from '../support/dead-letters.ts'
import { sqsRecord } from '../support/events.ts'
import { idsOf } from '../support/failures.ts'
import { type Call, type Faults, failure, failureRequest, startSqs } from '../support/sqs.ts'

const permanent = new PermanentError('not valid')

/** The calls without what the SDK adds: operation and queue, then the receipt handles with their visibility timeouts. */
function changesOf(calls: readonly Call[]) {
  return calls.map(({ operation, input }) => [
    operation,
    ...input.Entries.map(({ ReceiptHandle, VisibilityTimeout }: Record<string, unknown>) =>
      ReceiptHandle === undefined ? 'a message' : `${ReceiptHandle} ${VisibilityTimeout}`,
    ),
  ])
}

const CHANGE = 'ChangeMessageVisibilityBatch'

/** Passes two failures of a FIFO queue to `deadLetter()`: a1, which is permanent, with two records behind it, and b1. */
async function run(t: Test, faults: Faults = {}, signal?: AbortSignal) {
  const sqs = await startSqs(t, {
    respond: (response, { operation, input }) =>
      operation === CHANGE ? { Successful: input.Entries.map(({ Id }: { Id: string }) => ({ Id })) } : response,
    ...faults,
  })
  const fifo = { FifoQueue: 'true' }
  const { arn } = sqs.queue('orders.fifo', fifo)
  const { url } = sqs.queue('dead.fifo', fifo)
  const record = (id: string) => sqsRecord(id, { eventSourceARN: arn })
  const [a1, b1] = [failure('a1', permanent, { eventSourceARN: arn }), failure('b1', 'no', { eventSourceARN: arn })]
  const { request, lines } = failureRequest(signal, [
    { failure: a1, records: [record('a2'), record('a3')] },
    { failure: b1, records: [record('b2')] },
  ])
  const remaining = await deadLetter({ client: sqs.client(), queueUrl: url })([a1, b1], request)
  return { remaining: idsOf(remaining), lines, calls: changesOf(sqs.calls) }
}

t.test('deadLetter() makes the records behind a dead letter visible after 1 s, once it has sent', async (t) => {
  const { remaining, lines, calls } = await run(t)
  t.strictSame(remaining, ['b1'])
  t.strictSame(calls, [
    ['SendMessageBatch', 'a message'],
    [CHANGE, 'receipt-of-a2 1', 'receipt-of-a3 1'],
  ])
  t.strictSame(lines, [])
})

t.test('deadLetter() releases nothing behind a failure that SQS has not accepted', async (t) => {
  const entry: Faults['entry'] = (_entry, { operation }) =>
    operation === 'SendMessageBatch' ? 'InternalError' : undefined
  const { remaining, calls } = await run(t, { entry })
  t.strictSame(remaining, ['a1', 'b1'])
  t.strictSame(calls, [['SendMessageBatch', 'a message']])
})

const LINE =
  'deadLetter(): SQS did not confirm the delay of 2 of 2 records. They may keep the visibility timeout of their queue'

t.test(
  'if the time ends during the change, deadLetter() writes one line, and keeps what SQS has accepted',
  async (t) => {
    const controller = new AbortController()
    const call: Faults['call'] = ({ operation }) => {
      if (operation !== CHANGE) return undefined
      controller.abort()
      return 'hang'
    }
    const { remaining, lines } = await run(t, { call }, controller.signal)
    t.strictSame(remaining, ['b1'])
    t.strictSame(lines, [`${LINE}: 2 × no time was left`])
  },
)

t.test('a failure handler can release the records behind the failures that it takes over', async (t) => {
  const sqs = await startSqs(t, { call: () => undefined, respond: () => ({ Successful: [{ Id: '0' }, { Id: '1' }] }) })
  const { url } = sqs.queue('orders')
  const [a1, b1] = [failure('a1', permanent), failure('b1', 'no')]
  const blocked: BlockedRecords[] = [
    {
      failure: a1,
      records: [sqsRecord('a2', { eventSourceARN: SOURCE }), sqsRecord('a3', { eventSourceARN: SOURCE })],
    },
    { failure: b1, records: [sqsRecord('b2')] },
  ]
  const options: ReleaseBlockedOptions = { client: sqs.client(), sourceQueueUrl: url }
  const { request, lines } = failureRequest(undefined, blocked)
  const storeFailures = async (failures: readonly RecordFailure[]) => {
    const taken = failures.filter(({ error }) => error === permanent)
    await releaseBlocked(taken, request, options)
    return failures.filter((one) => !taken.includes(one))
  }
  t.strictSame(idsOf(await storeFailures([a1, b1])), ['b1'])
  t.strictSame(changesOf(sqs.calls), [[CHANGE, 'receipt-of-a2 1', 'receipt-of-a3 1']])
  t.equal(sqs.calls[0]?.input.QueueUrl, url)
  t.strictSame(lines, [])
  await releaseBlocked([b1], failureRequest().request, options)
  t.equal(sqs.calls.length, 1, 'no call if no record waits')
})

t.test('releaseBlocked() refuses options that are not valid', async (t) => {
  const { request } = failureRequest()
  for (const [options, message] of [
    [{}, 'releaseBlocked(): expected option client to be an SQSClient of @aws-sdk/client-sqs, got undefined'],
    [
      { client: { send: sleep }, max: 1 },
      'releaseBlocked(): unknown option "max", expected one of client, sourceQueueUrl',
    ],
  ] as const) {
    await t.rejects(releaseBlocked([], request, options as never), { name: 'TypeError', message })
  }
})

t.test('if SQS refuses the change, releaseBlocked() writes one line and does not reject', async (t) => {
  const sqs = await startSqs(t, { call: () => [403, 'AccessDenied', 'no'] })
  const { url } = sqs.queue('orders')
  const a1 = failure('a1', permanent)
  const { request, lines } = failureRequest(undefined, [{ failure: a1, records: [sqsRecord('a2')] }])
  await releaseBlocked([a1], request, { client: sqs.client(), sourceQueueUrl: url })
  t.match(lines, [/^releaseBlocked\(\): SQS did not confirm the delay of 1 of 1 records\. .*: 1 × AccessDenied: no$/])
  t.equal(lines.length, 1)
})

t.test('a copy of a failure releases the records behind it, too', async (t) => {
  const sqs = await startSqs(t, { respond: () => ({ Successful: [{ Id: '0' }] }) })
  const { url } = sqs.queue('orders')
  const a1 = failure('a1', permanent)
  const { request, lines } = failureRequest(undefined, [{ failure: a1, records: [sqsRecord('a2')] }])
  await releaseBlocked([{ ...a1 }], request, { client: sqs.client(), sourceQueueUrl: url })
  t.strictSame(changesOf(sqs.calls), [[CHANGE, 'receipt-of-a2 1']])
  t.strictSame(lines, [])
})
