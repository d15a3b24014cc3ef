import diagnostics from 'node:diagnostics_channel'
import middy from '@middy/core'
import t from 'tap'
import { type BatchSummary, boundedSqsBatch, eachChunk, eachRecord } from '../../src/index.ts'
import { busyClock, mockClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { batchHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { RECORD, summaries } from '../support/tracing.ts'

function durationsOf(noted: ReturnType<typeof summaries>) {
  return noted.get('m0')?.durations
}

t.test('each record is counted by its outcome, and durations end when the outcome is known', async (t) => {
  const clock = mockClock(t)
  const noted = summaries(t)
  const held = heldRecords()
  const handler = middy()
    .use(
      boundedSqsBatch({
        logger: false,
        concurrency: 2,
        recordTimeout: 5_000,
        onFailure: (failures) => failures.filter(({ record }) => record.messageId !== 'b1'),
      }),
    )
    .handler(eachRecord(held.handle as never, { body: 'json' }))
  const event = fifoEvent('a1', 'b1', 'b2', 'x1', 'c1', 'd1', 'd2', 'e1', 'e2')
  for (const record of event.Records) record.body = record.messageId === 'x1' ? '{' : '{}'
  const result = handler(event, timedContext(10_000))
  await settled()
  clock.advance(1_000)
  held.fail('b1')
  await settled()
  t.strictSame(held.running(), ['a1', 'c1'], 'x1 has failed at once because of its bad body')
  clock.advance(3_000)
  held.succeed('a1')
  await settled()
  t.strictSame(held.running(), ['c1', 'd1'])
  clock.advance(2_000)
  clock.advance(2_000)
  t.strictSame(failed(await result), ['b2', 'x1', 'c1', 'd1', 'd2', 'e1', 'e2'])
  t.strictSame(noted.get('a1'), {
    records: 9,
    succeeded: 1,
    failed: 2, // b1 and x1
    timedOut: 1, // c1
    aborted: 1, // d1
    blocked: 1, // b2
    notStarted: 3, // d2, e1 and e2
    handled: 1, // b1
    reported: 7,
    // a1 4,000 ms, b1 1,000, x1 0, c1 5,000, d1 4,000
    durations: { p50: 4_000, p95: 5_000, max: 5_000 },
    peakInFlight: 2,
    timeLeft: 2_000,
  })
})

t.test('p50 and p95 are the smallest durations that 50 % and 95 % of the durations do not exceed', async (t) => {
  const cases: [records: number, p50: number, p95: number][] = [
    [1, 1, 1],
    [2, 1, 2],
    [3, 2, 3],
    [19, 10, 19],
    [20, 10, 19],
    [21, 11, 20],
    [100, 50, 95],
    [1000, 500, 950],
  ]
  for (const [records, p50, p95] of cases) {
    const clock = mockClock(t)
    const noted = summaries(t)
    const held = heldRecords()
    const result = handlerOf(held.handle, { concurrency: records })(standardEvent(...ids(records)))
    await settled()
    // The last record is the shortest, so the durations are not in record order.
    for (const id of ids(records).reverse()) {
      clock.advance(1)
      held.succeed(id)
      await settled()
    }
    t.strictSame(failed(await result), [])
    t.strictSame(durationsOf(noted), { p50, p95, max: records }, `${records} records`)
    t.equal(noted.get('m0')?.peakInFlight, records)
    clock.exit()
  }
})

t.test('durations are rounded to a microsecond', async (t) => {
  const keepBusy = busyClock(t)
  const noted = summaries(t)
  await handlerOf(() => keepBusy(1.23456))(standardEvent('m0'))
  t.strictSame(durationsOf(noted), { p50: 1.235, p95: 1.235, max: 1.235 })
})

t.test('a duration does not include waiting for a slot or the rate limit', async (t) => {
  const clock = mockClock(t)
  const noted = summaries(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1, rateLimit: { limit: 1, interval: 1000 } })
  const result = handle(standardEvent('m0', 'm1', 'm2'))
  for (const id of ['m0', 'm1', 'm2']) {
    await settled()
    clock.advance(10)
    held.succeed(id)
    await settled()
    clock.advance(1000)
  }
  t.strictSame(failed(await result), [])
  t.strictSame(durationsOf(noted), { p50: 10, p95: 10, max: 10 })
  t.equal(noted.get('m0')?.peakInFlight, 1)
})

t.test('a duration does not include the time that a tracing subscriber takes for the record before', async (t) => {
  const keepBusy = busyClock(t)
  const block = () => keepBusy(60)
  diagnostics.subscribe(`tracing:${RECORD}:asyncEnd`, block)
  t.teardown(() => diagnostics.unsubscribe(`tracing:${RECORD}:asyncEnd`, block))
  const noted: BatchSummary[] = []
  const handle = handlerOf(
    async () => {
      await null
      keepBusy(2) // so little that the worker does not yield before the next record
      throw new Error()
    },
    { concurrency: 1, onSummary: (summary) => noted.push(summary) },
  )
  t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'))), ['a', 'b', 'c'])
  t.match(noted, [{ durations: { p50: 2, p95: 2, max: 2 } }])
})

t.test('with chunks, the summary counts records, and peakInFlight counts chunks', async (t) => {
  const clock = mockClock(t)
  const noted = summaries(t)
  const handler = batchHandlerOf(
    eachChunk(3, async (records) => {
      await settled()
      clock.advance(5)
      if (records[0]?.messageId === 'm3') return [records[1], records[2]].map(String) as never
      return { batchItemFailures: records.slice(2).map(({ messageId }) => ({ itemIdentifier: messageId })) }
    }),
    { concurrency: 2 },
  )
  t.strictSame(failed(await handler(standardEvent(...ids(7)), testContext())), ['m2', 'm3', 'm4', 'm5'])
  t.match(noted.get('m0'), { records: 7, succeeded: 3, failed: 4, reported: 4, handled: 0, peakInFlight: 2 })
})

t.test('if no handler ran, the summary has no durations', async (t) => {
  const none = { timedOut: 0, aborted: 0, blocked: 0, notStarted: 0, handled: 0 }
  const nothing = { durations: undefined, peakInFlight: 0, timeLeft: undefined }
  const noted = summaries(t)
  await handlerOf(() => {})({ Records: [] })
  t.strictSame(noted.get(undefined), { records: 0, succeeded: 0, failed: 0, ...none, reported: 0, ...nothing })

  const other = batchHandlerOf(async () => ({ batchItemFailures: [{ itemIdentifier: 'm1' }] }))
  await other(standardEvent('m0', 'm1', 'm2'), testContext())
  t.strictSame(noted.get('m0'), { records: 3, succeeded: 2, failed: 1, ...none, reported: 1, ...nothing })

  await other({ Records: ['m0', 'm1', 'm2'].map((id) => sqsRecord(id, fifo)) }, testContext())
  t.match(
    noted.get('m0'),
    { succeeded: 1, failed: 1, blocked: 1, reported: 2 },
    'including the record that the reported failure blocks',
  )
})
const fifo = { eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:orders.fifo' }

t.test('peakInFlight counts only the records of its own batch', async (t) => {
  const noted = summaries(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 5 })
  const first = handle(standardEvent('a1', 'a2', 'a3'))
  await settled()
  const second = handle(standardEvent('b1', 'b2', 'b3', 'b4', 'b5'))
  await settled()
  t.strictSame(held.running(), ['a1', 'a2', 'a3', 'b1', 'b2'])
  for (const id of ['b1', 'b2', 'a1', 'b3', 'a2', 'b4', 'a3', 'b5']) {
    held.succeed(id)
    await settled()
  }
  await Promise.all([first, second])
  t.equal(noted.get('a1')?.peakInFlight, 3)
  t.equal(noted.get('b1')?.peakInFlight, 3)
})

t.test('timeLeft is 0 if the batch ends after the timeout of the function', async (t) => {
  const clock = mockClock(t)
  const noted = summaries(t)
  const handle = handlerOf(() => clock.advance(10_001), { timeBudget: false })
  await handle(standardEvent('m0'), timedContext(10_000))
  t.equal(noted.get('m0')?.timeLeft, 0)
})
