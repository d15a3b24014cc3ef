import type { SQSBatchResponse, SQSRecord } from 'aws-lambda'
import PQueue from 'p-queue'
import t from 'tap'
import { RecordBlockedError } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { fifoEvent, sqsRecord } from '../support/events.ts'
import { batchHandlerOf, failed, handlerOf, testContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

t.test('records of one group run one after another, groups in parallel', async (t) => {
  const held = heldRecords()
  const result = handlerOf(held.handle)(fifoEvent('a1', 'a2', 'b1', 'a3', 'b2', 'c1'))
  await settled()
  t.strictSame(held.running(), ['a1', 'b1', 'c1'])
  held.succeed('b1')
  await settled()
  t.strictSame(held.running(), ['a1', 'c1', 'b2'])
  held.succeed('a1')
  await settled()
  held.succeed('a2')
  await settled()
  t.strictSame(held.running(), ['c1', 'b2', 'a3'])
  for (const id of held.running()) held.succeed(id)
  t.strictSame(failed(await result), [])
})

t.test('a worker that finds no record that may start does not wait for a slot again', async (t) => {
  const held = heldRecords()
  const result = handlerOf(held.handle, { concurrency: 5 })(fifoEvent('a1', 'a2', 'b1'))
  await settled()
  t.strictSame(held.running(), ['a1', 'b1'])
  const added = t.capture(PQueue.prototype, 'add', PQueue.prototype.add)
  held.succeed('b1')
  await settled()
  t.equal(added().length, 0)
  held.succeed('a1')
  await settled()
  held.succeed('a2')
  t.strictSame(failed(await result), [])
})

t.test('a failure blocks the rest of its group, which is reported with the failure as its cause', async (t) => {
  const errors = new Map<string, unknown>()
  const started: string[] = []
  const handle = handlerOf(
    async ({ messageId }) => {
      started.push(messageId)
      if (messageId === 'a2') throw new Error('a2 failed')
    },
    { logger: (error, record) => errors.set(record.messageId, error) },
  )
  const response = await handle(fifoEvent('a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4'))
  t.strictSame(failed(response), ['a2', 'a3', 'a4'])
  t.strictSame(started.sort(), ['a1', 'a2', 'b1', 'b2', 'b3'])
  for (const id of ['a3', 'a4']) {
    const error = errors.get(id)
    t.ok(error instanceof RecordBlockedError)
    t.match(error, { name: 'RecordBlockedError', code: 'ERR_RECORD_BLOCKED', cause: errors.get('a2') as Error })
  }
})

t.test("fifoFailure: 'batch' blocks every record that has not started", async (t) => {
  const held = heldRecords()
  const handle = handlerOf(held.handle, { fifoFailure: 'batch', concurrency: 2 })
  const result = handle(fifoEvent('a1', 'b1', 'c1', 'a2', 'b2'))
  await settled()
  held.fail('b1')
  await settled()
  t.strictSame(held.running(), ['a1'])
  held.succeed('a1')
  t.strictSame(failed(await result), ['b1', 'c1', 'a2', 'b2'])
  t.strictSame(held.started, ['a1', 'b1'])
})

t.test('a standard queue with the MessageGroupId of fair queues is not a FIFO queue', async (t) => {
  const event = fifoEvent('a1', 'a2', 'a3')
  for (const record of event.Records) record.eventSourceARN = 'arn:aws:sqs:eu-west-1:123456789012:orders'
  const held = heldRecords()
  const result = handlerOf(held.handle)(event)
  await settled()
  t.strictSame(held.running(), ['a1', 'a2', 'a3'])
  held.fail('a1')
  held.succeed('a2')
  held.succeed('a3')
  t.strictSame(failed(await result), ['a1'])
})

t.test('records of a FIFO queue without a group form one group; records of a standard queue do not wait', async (t) => {
  const event = fifoEvent('a1', 'x1', 'x2', 'y1')
  for (const record of event.Records.slice(1, 3)) delete record.attributes.MessageGroupId
  event.Records.push(sqsRecord('s1'), sqsRecord('s2'))
  const held = heldRecords()
  const result = handlerOf(held.handle)(event)
  await settled()
  t.strictSame(held.running(), ['a1', 'x1', 'y1', 's1', 's2'])
  for (const id of ['a1', 'y1', 's2']) held.succeed(id)
  held.fail('x1')
  held.fail('s1')
  t.strictSame(failed(await result), ['x1', 'x2', 's1'])
})

t.test('if another inner handler reports a record, the rest of its message group is reported, too', async (t) => {
  function reportOf(returned: unknown) {
    const handler = batchHandlerOf(async () => returned as SQSBatchResponse)
    return handler(fifoEvent('a1', 'b1', 'a2', 'b2', 'a3') as never, testContext())
  }
  const ok = { status: 'fulfilled', value: 1 }
  const no = { status: 'rejected', reason: new Error('x') }
  t.strictSame(failed(await reportOf([ok, ok, no, ok, ok])), ['a2', 'a3'])
  t.strictSame(failed(await reportOf([no, ok, ok, no, ok])), ['a1', 'a2', 'b2', 'a3'])
  t.strictSame(failed(await reportOf({ batchItemFailures: [{ itemIdentifier: 'b1' }] })), ['b1', 'b2'])
  t.strictSame(failed(await reportOf([ok, ok, ok, ok, ok])), [])
})

t.test('a record made by hand without a group follows one whose group is empty', async (t) => {
  const { eventSourceARN } = fifoEvent('a1').Records[0] as SQSRecord
  const [a, b] = ['a', 'b'].map((messageId) => ({ messageId, body: '', eventSourceARN }))
  const started: string[] = []
  const handle = handlerOf(({ messageId }) => {
    started.push(messageId)
    throw new Error(messageId)
  })
  const event = { Records: [{ ...a, attributes: { MessageGroupId: '' } }, b] }
  t.strictSame(failed(await handle(event as never)), ['a', 'b'])
  t.strictSame(started, ['a'])
})
