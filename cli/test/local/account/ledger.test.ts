import { type Test, test } from 'tap'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import { settling } from '../../support/ledger.ts'
import { received } from '../../support/runs.ts'

const [a, b, c] = [received('a'), received('b'), received('c')]
const response = { type: 'response', payload: '' } as const

/** A ledger on a clock that the test sets. */
function onClock(t: Test, maxReceives?: number) {
  const clock = { now: 10_000 }
  t.intercept(performance, 'now', { value: () => clock.now })
  const ledger = new OpenLedger()
  return { clock, ledger, settle: settling(ledger, maxReceives) }
}

const COUNTS = `
  sent sentByFunction invocations processes delivered processed redelivered replacedTimeouts deadLettered
  stoppedLoops deadLetteredWithoutError sentDeadLetters expiredDeadLetters filtered dropped outOfOrder
  remaining lost timeouts crashes diedBetween failedInvocations respondedEarly ignoredLists
  wouldTimeOut wallMs perSecond inFlight failed
`
const ZEROS = Object.fromEntries(
  COUNTS.trim()
    .split(/\s+/)
    .map((name) => [name, 0]),
)
const EMPTY = { ...ZEROS, isInputComplete: false, reasons: {}, causes: {}, failures: [] }
const NO_MESSAGES = { queue: 0, deadLetter: 0 }

test('the ledger of a run: all counts', async (t) => {
  const { ledger, clock, settle } = onClock(t, 2)
  ledger.sent(['a', 'b'])
  ledger.sent(['c'])
  t.strictSame(ledger.snapshot({ queue: 3, deadLetter: 0 }), { ...EMPTY, sent: 3, remaining: 3 })
  ledger.inputComplete()
  clock.now += 1000
  ledger.delivered([a, b])
  t.strictSame(ledger.snapshot({ queue: 3, deadLetter: 0 }), {
    ...EMPTY,
    sent: 3,
    isInputComplete: true,
    invocations: 1,
    delivered: 2,
    inFlight: 2,
    remaining: 3,
    wallMs: 1000,
  })
  ledger.delivered([c])
  ledger.invocationEnded(response, [a, b])
  settle.processed([a])
  settle.failed([b])
  ledger.cause('Error: x')
  const counts = { ...EMPTY, sent: 3, isInputComplete: true, invocations: 2, delivered: 3, failed: 1 }
  t.strictSame(ledger.snapshot({ queue: 2, deadLetter: 0 }), {
    ...counts,
    processed: 1,
    inFlight: 1,
    remaining: 2,
    causes: { 'Error: x': 1 },
    wallMs: 1000,
  })
  clock.now += 3000
  ledger.invocationEnded(response, [c])
  settle.processed([c])
  ledger.delivered([b])
  ledger.invocationEnded(response, [b])
  settle.failed([{ ...b, receiveCount: 2 }])
  clock.now += 1000
  settle.processed([])
  ledger.add('outOfOrder')
  ledger.add('respondedEarly')
  ledger.add('respondedEarly')
  t.strictSame(ledger.snapshot({ queue: 0, deadLetter: 1 }), {
    ...counts,
    invocations: 3,
    delivered: 4,
    redelivered: 1,
    processed: 2,
    deadLettered: 1,
    deadLetteredWithoutError: 1,
    outOfOrder: 1,
    respondedEarly: 2,
    failed: 2,
    causes: { 'Error: x': 1 },
    wallMs: 5000,
    perSecond: 1, // 2 in 3 s, rounded
  })
})

test('messages per second: from the first delivery to the last response that processed a message', async (t) => {
  const { ledger, clock, settle } = onClock(t)
  clock.now += 5000
  ledger.delivered([a])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 0)
  settle.processed([a])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 0, 'in no time')
  clock.now += 100
  ledger.delivered([b])
  clock.now += 100
  settle.processed([b])
  clock.now += 5000
  settle.processed([])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 10)
})

test('a message that a failure handler took over counts as processed, whatever a later delivery does', async (t) => {
  const { ledger, clock } = onClock(t)
  ledger.sent(['a'])
  ledger.delivered([a])
  clock.now += 100
  ledger.settle('a', 'dropped')
  const counts = { processed: 1, dropped: 1, perSecond: 10, lost: 0 }
  t.match(ledger.snapshot(NO_MESSAGES), counts)
  clock.now += 100
  ledger.settle('a', 'failed')
  t.match(ledger.snapshot(NO_MESSAGES), counts, 'a failure is no response that processed a message')
  t.equal(ledger.total({ ...NO_MESSAGES, visible: 0 }).firstUnprocessed, undefined)
})

test('a message that the run has not sent is not the first unprocessed one', async (t) => {
  const ledger = new OpenLedger()
  ledger.delivered([a])
  ledger.sent(['b'])
  t.equal(ledger.total({ ...NO_MESSAGES, visible: 0 }).firstUnprocessed, 'b')
})

test('a dead letter for which nothing is said to be thrown failed with its whole batch', async (t) => {
  const ledger = new OpenLedger()
  ledger.settle('a', 'exhausted')
  t.match(ledger.snapshot({ queue: 0, deadLetter: 1 }), { deadLettered: 1, deadLetteredWithoutError: 1 })
})

test('invocations that failed, timed out or crashed, and processes that died', async (t) => {
  const { ledger } = onClock(t)
  for (const type of ['timeout', 'crash', 'crash', 'error'] as const) ledger.invocationEnded({ type, message: 'x' }, [])
  const counts = { ...EMPTY, timeouts: 1, crashes: 2 }
  t.strictSame(ledger.snapshot(NO_MESSAGES), counts)
  ledger.add('failedInvocations', undefined, 'it failed')
  ledger.add('diedBetween', undefined, 'it died')
  ledger.add('diedBetween', undefined, 'it died')
  const reasons = { 'it failed': 1, 'it died': 2 }
  t.strictSame(ledger.snapshot(NO_MESSAGES), { ...counts, crashes: 4, diedBetween: 2, failedInvocations: 1, reasons })
})

test('a message that failed and was deleted is lost', async (t) => {
  const { ledger, settle } = onClock(t)
  ledger.sent(['a', 'b'])
  ledger.delivered([a, b])
  ledger.invocationEnded(response, [a, b])
  settle.lost([a])
  settle.processed([b])
  t.strictSame(ledger.snapshot(NO_MESSAGES), {
    ...EMPTY,
    sent: 2,
    invocations: 1,
    delivered: 2,
    processed: 1,
    failed: 1,
    lost: 1,
  })
})

test('a message of another program counts when it has a result, and as sent by nobody', async (t) => {
  const { ledger, settle } = onClock(t)
  ledger.delivered([a, b])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { sent: 0, delivered: 2, redelivered: 0, lost: 0 })
  ledger.delivered([a])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { sent: 0, delivered: 3, redelivered: 1, lost: 0 })
  t.match(ledger.snapshot(NO_MESSAGES), { lost: 0 }, 'another program may have received it')
  ledger.sent(['a'])
  t.match(ledger.snapshot(NO_MESSAGES), { sent: 1, lost: 1 }, 'now it is known')
  settle.failed([b])
  t.match(ledger.snapshot(NO_MESSAGES), { sent: 1, lost: 2 })
})

test('without a limit, a message is never exhausted', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger)
  settle.failed([{ ...a, receiveCount: 1000 }])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 0, lost: 0 })
  const limited = new OpenLedger()
  const settleLimited = settling(limited, 3)
  settleLimited.failed([{ ...a, receiveCount: 2 }])
  t.match(limited.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 0, lost: 0 })
  settleLimited.failed([{ ...a, receiveCount: 3 }])
  t.match(limited.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, lost: 0 })
  const exceeded = new OpenLedger()
  const settleExceeded = settling(exceeded, 3)
  settleExceeded.failed([{ ...a, receiveCount: 4 }])
  t.match(exceeded.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, lost: 0 })
})

test('a message without a result that is not in the queue is lost', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 3)
  ledger.sent(['a', 'b', 'c', 'd'])
  ledger.delivered([a, b])
  t.match(ledger.snapshot({ queue: 4, deadLetter: 0 }), { sent: 4, inFlight: 2, remaining: 4, lost: 0 })
  ledger.invocationEnded(response, [a, b])
  settle.processed([a])
  settle.failed([b])
  t.match(ledger.snapshot({ queue: 3, deadLetter: 0 }), { processed: 1, failed: 1, remaining: 3, lost: 0 })
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { remaining: 1, lost: 2 })
})

test('a message is dead-lettered if its last delivery failed and the dead-letter queue has it', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 2)
  ledger.sent(['a', 'b'])
  const last = { ...a, receiveCount: 2 }
  ledger.delivered([last, b])
  ledger.invocationEnded(response, [last, b])
  settle.failed([last, b])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { deadLettered: 0, remaining: 2, lost: 0 }, 'not yet moved')
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, remaining: 1, lost: 0 })
  t.match(ledger.snapshot({ queue: 1, deadLetter: 5 }), { deadLettered: 1 }, "the dead-letter queue has others' too")
})

test('a message that was received for the last time but never delivered counts as dead-lettered, not lost', async (t) => {
  const ledger = new OpenLedger()
  ledger.sent(['a', 'b'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, remaining: 1, lost: 0 })
})

test('if it is not known who sent dead letters, only those count that a failure explains', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 2)
  ledger.sent(['a', 'b'])
  const last = { ...a, receiveCount: 2 }
  ledger.delivered([last, b])
  ledger.invocationEnded(response, [last, b])
  settle.failed([last])
  settle.processed([b])
  const counts = { queue: 0, deadLetter: 4 }
  const none = { sentDeadLetters: 0, expiredDeadLetters: 0, lost: 0 }
  t.match(ledger.snapshot({ ...counts, deadLetter: 1 }), { deadLettered: 1, ...none })
  t.match(ledger.snapshot(counts), { deadLettered: 1, ...none })
  t.match(ledger.snapshot({ ...counts, sentDeadLetters: 2 }), { deadLettered: 1, sentDeadLetters: 2 })
  t.match(ledger.snapshot({ ...counts, deadLetter: -1 }), { deadLettered: 0 }, 'some were removed')
})

test('if the queue in this process moves processed messages, they are counted separately', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 1)
  ledger.sent(['a', 'b', 'c'])
  ledger.delivered([a, b, c])
  ledger.invocationEnded(response, [a, b, c])
  settle.processed([a])
  settle.failed([b])
  const counts = { queue: 0, deadLetter: 3, sentDeadLetters: 1 }
  t.match(ledger.snapshot(counts), {
    processed: 1,
    deadLettered: 2,
    sentDeadLetters: 1,
    expiredDeadLetters: 0,
    lost: 0,
  })
  settle.processed([c])
  t.match(ledger.snapshot(counts), {
    processed: 2,
    deadLettered: 1,
    sentDeadLetters: 1,
    expiredDeadLetters: 1,
    lost: 0,
  })
  t.match(ledger.snapshot({ queue: 0, deadLetter: 3 }), { deadLettered: 1, expiredDeadLetters: 0 })
})

test('a processed message stays processed after another delivery', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 3)
  ledger.sent(['c'])
  for (const act of [settle.processed, settle.failed, settle.lost]) {
    ledger.delivered([c])
    ledger.invocationEnded(response, [c])
    act([c])
  }
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { delivered: 3, redelivered: 2, processed: 1, lost: 0 })
})

test('a message that was delivered or settled before the response to its sender is counted once', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 3)
  ledger.delivered([a, b])
  ledger.invocationEnded(response, [a, b])
  settle.processed([a])
  ledger.sent(['a', 'b'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), {
    sent: 2,
    processed: 1,
    remaining: 1,
    redelivered: 0,
    lost: 0,
  })
  settle.processed([b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { sent: 2, processed: 2, lost: 0 })
})

test('failures that left the report count as dropped, unless as many dead letters were sent', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 3)
  ledger.sent(['a', 'b', 'c'])
  for (const id of ['a', 'b', 'c']) ledger.settle(id, 'dropped')
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 0, sentDeadLetters: 0 }).dropped, 3)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 2, sentDeadLetters: 2 }).dropped, 1)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 5, sentDeadLetters: 5 }).dropped, 0)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 1 }).dropped, 2, 'of an existing queue')
  settle.failed([{ ...received('d'), receiveCount: 3 }])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 2 }), { deadLettered: 1, dropped: 2 }, 'one of two has exhausted')
})

test('filtered messages are not lost, also if they are received before the response to their sender', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 3)
  settle.filtered([a])
  ledger.sent(['a', 'b'])
  settle.filtered([b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { sent: 2, filtered: 2, processed: 0, lost: 0, delivered: 0 })
})

test('dead-lettered messages that failed with their whole batch: in no delivery, and only in the last one', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 2)
  const last = [a, b, c].map((message) => ({ ...message, receiveCount: 2 }))
  const seen = (deadLetter: number) => {
    const { deadLettered, deadLetteredWithoutError, lost } = ledger.snapshot({ queue: 3 - deadLetter, deadLetter })
    return { deadLettered, deadLetteredWithoutError, lost }
  }
  ledger.sent(['a', 'b', 'c'])
  ledger.delivered([a, b, c])
  settle.failed([a], true)
  settle.failed([b, c])
  t.strictSame(seen(0), { deadLettered: 0, deadLetteredWithoutError: 0, lost: 0 })
  ledger.delivered(last)
  settle.failed(last.slice(1, 2), true)
  settle.failed([...last.slice(0, 1), ...last.slice(2)])
  t.strictSame(seen(3), { deadLettered: 3, deadLetteredWithoutError: 1, lost: 0 })
  t.strictSame(seen(0), { deadLettered: 0, deadLetteredWithoutError: 0, lost: 0 }, 'not moved yet')
  settle.processed([c])
  t.strictSame(seen(2), { deadLettered: 2, deadLetteredWithoutError: 0, lost: 0 })
})

test('the first message that was not processed', async (t) => {
  const ledger = new OpenLedger()
  const settle = settling(ledger, 1)
  const first = () => ledger.total({ ...NO_MESSAGES, visible: 0 }).firstUnprocessed
  t.equal(first(), undefined)
  ledger.sent(['a', 'b', 'c'])
  t.equal(first(), 'a')
  settle.processed([a])
  settle.filtered([b])
  t.equal(first(), 'c')
  settle.failed([c])
  t.equal(first(), 'c', 'dead-lettered')
  settle.lost([c])
  t.equal(first(), 'c', 'lost')
})

test('counts of the queue, and invocations that would time out', async (t) => {
  const ledger = new OpenLedger()
  ledger.add('wouldTimeOut')
  const counts = { ...NO_MESSAGES, sentByFunction: 3, replacedTimeouts: 2 }
  t.match(ledger.snapshot(counts), { sentByFunction: 3, replacedTimeouts: 2, wouldTimeOut: 1 })
})

test('messages that came back from their function too often are dead-lettered, and no other message is', async (t) => {
  const ledger = new OpenLedger()
  ledger.sent(['a'])
  ledger.settle('a', 'processed')
  ledger.settle('b', 'processed') // the function has sent it
  const counts = { queue: 0, deadLetter: 2, sentDeadLetters: 1, sentByFunction: 2, stoppedLoops: 1 }
  t.match(ledger.snapshot(counts), {
    sent: 1,
    processed: 2,
    deadLettered: 1,
    stoppedLoops: 1,
    expiredDeadLetters: 0,
    lost: 0,
  })
})

test('the first ten failures are kept', async (t) => {
  const ledger = new OpenLedger()
  const lines = Array.from({ length: 11 }, (_, index) => `failure ${index}`)
  ledger.add('outOfOrder', lines[0])
  ledger.add('respondedEarly')
  for (const line of lines.slice(1)) ledger.failure(line)
  t.strictSame(ledger.snapshot(NO_MESSAGES).failures, lines.slice(0, 10))
})
