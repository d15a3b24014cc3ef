import type { SQSEvent } from 'aws-lambda'
import t from 'tap'
import type { FailureHandler, FailureRequest, RecordFailure } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, sqsRecord, standardEvent } from '../support/events.ts'
import { idOf } from '../support/failures.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

/** A failure handler that notes what it receives, and the ids of the failures with those of the records behind them. */
function notes(handle: FailureHandler = (failures) => failures) {
  const requests: FailureRequest[] = []
  const given: (readonly RecordFailure[])[] = []
  const onFailure: FailureHandler = (failures, request) => {
    requests.push(request)
    given.push([...failures])
    return handle(failures, request)
  }
  const blocked = () =>
    requests.map(({ blocked }) =>
      Object.fromEntries(
        blocked.map(({ failure, records }) => [failure.record.messageId, records.map(({ messageId }) => messageId)]),
      ),
    )
  return { onFailure, requests, given, blocked }
}

t.test('request.blocked has the later reported records of each failed group, whatever their errors are', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const { onFailure, blocked, requests, given } = notes()
  const event = fifoEvent('a1', 'b1', 'a2', 'c1', 'b2', 'a3', 'd1', 'c2', 'd2')
  const handle = handlerOf(held.handle, { onFailure, concurrency: 3, timeBudget: { drain: 5_000, abort: 2_000 } })
  const result = handle(event, timedContext(10_000))
  await settled()
  held.fail('a1') // a2 and a3 are blocked
  held.succeed('b1')
  await settled()
  t.strictSame(held.running(), ['c1', 'd1', 'b2'])
  clock.advance(5_000) // no further record starts: c2 and d2 are not started
  held.succeed('d1')
  await settled()
  clock.advance(3_000) // c1 and b2 are aborted
  t.strictSame(failed(await result), ['a1', 'a2', 'c1', 'b2', 'a3', 'c2', 'd2'])
  t.strictSame(blocked(), [{ a1: ['a2', 'a3'], c1: ['c2'], b2: [] }])
  const [list = []] = requests.map(({ blocked }) => blocked)
  t.strictSame(
    list.map(({ failure }) => failure),
    given[0],
    'the failures are the same objects',
  )
  t.ok([list, ...list, ...list.map(({ records }) => records)].every(Object.isFrozen))
  t.equal(list[0]?.records[0], event.Records[2])
})

t.test('all failure handlers receive the same list, also after one has taken a failure over', async (t) => {
  const first = notes((failures) => failures.slice(1))
  const second = notes()
  const handle = handlerOf(
    ({ messageId }) => {
      if (messageId.endsWith('1')) throw undefined
    },
    { onFailure: [first.onFailure, second.onFailure] },
  )
  t.strictSame(failed(await handle(fifoEvent('a1', 'a2', 'b1', 'b2', 'c0', 'c2'))), ['a2', 'b1', 'b2'])
  t.strictSame(first.blocked(), [{ a1: ['a2'], b1: ['b2'] }])
  t.equal(second.requests[0]?.blocked, first.requests[0]?.blocked)
  t.strictSame(second.given[0]?.map(idOf), ['b1'])
})

t.test("with fifoFailure: 'batch', it also has the records of other groups that the failure blocked", async (t) => {
  const held = heldRecords()
  const { onFailure, blocked } = notes()
  const handle = handlerOf(held.handle, { onFailure, concurrency: 2, fifoFailure: 'batch' })
  const result = handle(fifoEvent('a1', 'b1', 'b2', 'c1', 'a2', 'c2'))
  await settled()
  held.fail('b1')
  await settled()
  held.succeed('a1')
  t.strictSame(failed(await result), ['b1', 'b2', 'c1', 'a2', 'c2'])
  t.strictSame(blocked(), [{ b1: ['b2', 'c1', 'a2', 'c2'] }])
})

t.test("with fifoFailure: 'batch', a record behind a failure of its own group waits for this one only", async (t) => {
  const held = heldRecords()
  const { onFailure, blocked } = notes()
  const handle = handlerOf(held.handle, { onFailure, concurrency: 2, fifoFailure: 'batch' })
  const result = handle(fifoEvent('a1', 'b1', 'a2', 'b2', 'c1'))
  await settled()
  held.fail('a1')
  await settled()
  held.fail('b1')
  t.strictSame(failed(await result), ['a1', 'b1', 'a2', 'b2', 'c1'])
  t.strictSame(blocked(), [{ a1: ['a2', 'c1'], b1: ['b2'] }])
})

t.test('it is empty for a standard queue, and for the standard queue of an event with both', async (t) => {
  for (const [event, expected] of [
    [standardEvent('a1', 'a2'), {}],
    [{ Records: [...fifoEvent('a1', 'a2').Records, sqsRecord('m1'), sqsRecord('m2')] }, { a1: ['a2'], m1: [], m2: [] }],
  ] as const) {
    const { onFailure, blocked } = notes()
    await handlerOf(() => Promise.reject(new Error('no')), { onFailure })(event as SQSEvent)
    t.strictSame(blocked(), [expected])
  }
})
