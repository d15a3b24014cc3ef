import { type Test, test } from 'tap'
import { type OpenLedger, openCounter, openLedger } from '../../src/local/simulator/ledger.ts'
import { received } from '../support/runs.ts'

const [a, b, c] = [received('a'), received('b'), received('c')]
const response = { type: 'response', payload: '' } as const

/** A ledger on a clock that the test sets. */
function onClock(t: Test, maxReceives?: number) {
  const clock = { now: 10_000 }
  t.intercept(performance, 'now', { value: () => clock.now })
  return { clock, ledger: openLedger(maxReceives) }
}

const EMPTY = {
  sent: 0,
  sentByFunction: 0,
  isInputComplete: false,
  invocations: 0,
  delivered: 0,
  processed: 0,
  redelivered: 0,
  replacedTimeouts: 0,
  deadLettered: 0,
  deadLetteredWithoutError: 0,
  sentDeadLetters: 0,
  expiredDeadLetters: 0,
  filtered: 0,
  dropped: 0,
  outOfOrder: 0,
  remaining: 0,
  lost: 0,
  timeouts: 0,
  crashes: 0,
  diedBetween: 0,
  failedInvocations: 0,
  respondedEarly: 0,
  wouldTimeOut: 0,
  reasons: {},
  causes: {},
  wallMs: 0,
  perSecond: 0,
  inFlight: 0,
  finished: 0,
  failed: 0,
}
const NO_MESSAGES = { queue: 0, deadLetter: 0 }

test('the ledger of a run without messages', async (t) => {
  const { ledger, clock } = onClock(t)
  clock.now += 1499.6
  t.strictSame(ledger.snapshot(NO_MESSAGES), { ...EMPTY, wallMs: 1500 })
})

test('the ledger of a run: all counts', async (t) => {
  const { ledger, clock } = onClock(t, 2)
  ledger.sent(['a', 'b'])
  ledger.sent(['c'])
  t.strictSame(ledger.snapshot({ queue: 3, deadLetter: 0 }), { ...EMPTY, sent: 3, remaining: 3 })
  ledger.inputComplete()
  clock.now += 1000
  ledger.delivered([a, b])
  ledger.add('finished', 2)
  t.strictSame(ledger.snapshot({ queue: 3, deadLetter: 0 }), {
    ...EMPTY,
    sent: 3,
    isInputComplete: true,
    invocations: 1,
    delivered: 2,
    inFlight: 2,
    finished: 2,
    remaining: 3,
    wallMs: 1000,
  })
  ledger.delivered([c])
  ledger.add('finished')
  ledger.invocationEnded({ ...response, finished: 2 }, [a, b])
  ledger.processed([a])
  ledger.failed([b])
  ledger.cause('Error: x')
  const counts = { ...EMPTY, sent: 3, isInputComplete: true, invocations: 2, delivered: 3, failed: 1 }
  t.strictSame(ledger.snapshot({ queue: 2, deadLetter: 0 }), {
    ...counts,
    processed: 1,
    inFlight: 1,
    finished: 1,
    remaining: 2,
    causes: { 'Error: x': 1 },
    wallMs: 1000,
  })
  clock.now += 3000
  ledger.invocationEnded(response, [c])
  ledger.processed([c])
  ledger.delivered([b])
  ledger.invocationEnded(response, [b])
  ledger.failed([{ ...b, receiveCount: 2 }])
  clock.now += 1000
  ledger.processed([])
  ledger.add('outOfOrder')
  ledger.add('outOfOrder', 2)
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
    outOfOrder: 3,
    respondedEarly: 2,
    finished: 1,
    failed: 2,
    causes: { 'Error: x': 1 },
    wallMs: 5000,
    perSecond: 1, // 2 in 3 s, rounded
  })
})

test('messages per second: from the first delivery to the last response that processed a message', async (t) => {
  const { ledger, clock } = onClock(t)
  clock.now += 5000
  ledger.delivered([a])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 0)
  ledger.processed([a])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 0, 'in no time')
  clock.now += 100
  ledger.delivered([b])
  clock.now += 100
  ledger.processed([b])
  clock.now += 5000
  ledger.processed([])
  t.equal(ledger.snapshot(NO_MESSAGES).perSecond, 10)
})

test('invocations that failed, timed out or crashed, and processes that died', async (t) => {
  const { ledger } = onClock(t)
  ledger.invocationEnded({ type: 'timeout', message: 'x' }, [])
  ledger.invocationEnded({ type: 'crash', message: 'x' }, [])
  ledger.invocationEnded({ type: 'crash', message: 'x' }, [])
  ledger.invocationEnded({ type: 'error', message: 'x' }, [])
  t.strictSame(ledger.snapshot(NO_MESSAGES), { ...EMPTY, timeouts: 1, crashes: 2 })
  ledger.failedInvocation('it failed')
  ledger.failedInvocation('it failed again')
  t.strictSame(ledger.snapshot(NO_MESSAGES), {
    ...EMPTY,
    timeouts: 1,
    crashes: 2,
    failedInvocations: 2,
    reasons: { 'it failed': 1, 'it failed again': 1 },
  })
  ledger.diedBetween('it died')
  ledger.diedBetween('it died')
  t.strictSame(ledger.snapshot(NO_MESSAGES), {
    ...EMPTY,
    timeouts: 1,
    crashes: 4,
    diedBetween: 2,
    failedInvocations: 2,
    reasons: { 'it failed': 1, 'it failed again': 1, 'it died': 2 },
  })
})

test('a message that failed and was deleted is lost', async (t) => {
  const { ledger } = onClock(t)
  ledger.sent(['a', 'b'])
  ledger.delivered([a, b])
  ledger.invocationEnded(response, [a, b])
  ledger.deletedThoughFailed([a])
  ledger.processed([b])
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
  const { ledger } = onClock(t)
  ledger.delivered([a, b])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { sent: 0, delivered: 2, redelivered: 0, lost: 0 })
  ledger.delivered([a])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { sent: 0, delivered: 3, redelivered: 1, lost: 0 })
  t.match(ledger.snapshot(NO_MESSAGES), { lost: 0 }, 'another program may have received it')
  ledger.sent(['a'])
  t.match(ledger.snapshot(NO_MESSAGES), { sent: 1, lost: 1 }, 'now it is known')
  ledger.failed([b])
  t.match(ledger.snapshot(NO_MESSAGES), { sent: 1, lost: 2 })
})

test('without a limit, a message is never exhausted', async (t) => {
  const ledger = openLedger()
  ledger.failed([{ ...a, receiveCount: 1000 }])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 0, lost: 0 })
  const limited = openLedger(3)
  limited.failed([{ ...a, receiveCount: 2 }])
  t.match(limited.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 0, lost: 0 })
  limited.failed([{ ...a, receiveCount: 3 }])
  t.match(limited.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, lost: 0 })
  const exceeded = openLedger(3)
  exceeded.failed([{ ...a, receiveCount: 4 }])
  t.match(exceeded.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, lost: 0 })
})

test('a message without a result that is not in the queue is lost', async (t) => {
  const ledger = openLedger(3)
  ledger.sent(['a', 'b', 'c', 'd'])
  ledger.delivered([a, b])
  t.match(ledger.snapshot({ queue: 4, deadLetter: 0 }), { sent: 4, inFlight: 2, remaining: 4, lost: 0 })
  ledger.invocationEnded(response, [a, b])
  ledger.processed([a])
  ledger.failed([b])
  t.match(ledger.snapshot({ queue: 3, deadLetter: 0 }), { processed: 1, failed: 1, remaining: 3, lost: 0 })
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { remaining: 1, lost: 2 })
})

test('a message is dead-lettered if its last delivery failed and the dead-letter queue has it', async (t) => {
  const ledger = openLedger(2)
  ledger.sent(['a', 'b'])
  const last = { ...a, receiveCount: 2 }
  ledger.delivered([last, b])
  ledger.invocationEnded(response, [last, b])
  ledger.failed([last, b])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), { deadLettered: 0, remaining: 2, lost: 0 }, 'not yet moved')
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, remaining: 1, lost: 0 })
  t.match(ledger.snapshot({ queue: 1, deadLetter: 5 }), { deadLettered: 1 }, "the dead-letter queue has others' too")
})

test('a message that was received for the last time but never delivered counts as dead-lettered, not lost', async (t) => {
  const ledger = openLedger(2)
  ledger.sent(['a', 'b'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 1 }), { deadLettered: 1, remaining: 1, lost: 0 })
})

test('messages that the function dead-letters itself count as processed', async (t) => {
  const ledger = openLedger(2)
  ledger.sent(['a', 'b'])
  ledger.delivered([a, b])
  ledger.invocationEnded(response, [a, b])
  ledger.processed([a, b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 1 }), { processed: 2, deadLettered: 0, remaining: 0, lost: 0 })
})

test('if it is not known who sent dead letters, only those count that a failure explains', async (t) => {
  const ledger = openLedger(2)
  ledger.sent(['a', 'b'])
  const last = { ...a, receiveCount: 2 }
  ledger.delivered([last, b])
  ledger.invocationEnded(response, [last, b])
  ledger.failed([last])
  ledger.processed([b])
  const counts = { queue: 0, deadLetter: 4 }
  const none = { sentDeadLetters: 0, expiredDeadLetters: 0, lost: 0 }
  t.match(ledger.snapshot({ ...counts, deadLetter: 1 }), { deadLettered: 1, ...none })
  t.match(ledger.snapshot(counts), { deadLettered: 1, ...none })
  t.match(ledger.snapshot({ ...counts, sentDeadLetters: 2 }), { deadLettered: 1, sentDeadLetters: 2 })
  t.match(ledger.snapshot({ ...counts, deadLetter: -1 }), { deadLettered: 0 }, 'some were removed')
})

test('if the queue in this process moves processed messages, they are counted separately', async (t) => {
  const ledger = openLedger(1)
  ledger.sent(['a', 'b', 'c'])
  ledger.delivered([a, b, c])
  ledger.invocationEnded(response, [a, b, c])
  ledger.processed([a])
  ledger.failed([b])
  const counts = { queue: 0, deadLetter: 3, sentDeadLetters: 1 }
  t.match(ledger.snapshot(counts), {
    processed: 1,
    deadLettered: 2,
    sentDeadLetters: 1,
    expiredDeadLetters: 0,
    lost: 0,
  })
  ledger.processed([c])
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
  const ledger = openLedger(3)
  ledger.sent(['c'])
  for (const settle of [ledger.processed, ledger.failed, ledger.deletedThoughFailed]) {
    ledger.delivered([c])
    ledger.invocationEnded(response, [c])
    settle([c])
  }
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { delivered: 3, redelivered: 2, processed: 1, lost: 0 })
})

test('a message that was delivered or settled before the response to its sender is counted once', async (t) => {
  const ledger = openLedger(3)
  ledger.delivered([a, b])
  ledger.invocationEnded(response, [a, b])
  ledger.processed([a])
  ledger.sent(['a', 'b'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), {
    sent: 2,
    processed: 1,
    remaining: 1,
    redelivered: 0,
    lost: 0,
  })
  ledger.processed([b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { sent: 2, processed: 2, lost: 0 })
})

test('texts that differ only in numbers and UUIDs are counted together, under the first of them', async (t) => {
  for (const [texts, counts] of [
    [['order 1', 'order 22', 'order 1,234.5', 'order 1.2.3'], { 'order 1': 4 }],
    [['order 1.', 'order 2.'], { 'order 1.': 2 }],
    [['order 1', 'order x', 'order '], { 'order 1': 1, 'order x': 1, 'order ': 1 }],
    [['a1b', 'a2b', 'ab', 'b1a'], { a1b: 2, ab: 1, b1a: 1 }],
    [['1 and 2', '3 and 4', '3 and'], { '1 and 2': 2, '3 and': 1 }],
    [['1, 2', '1,2'], { '1, 2': 1, '1,2': 1 }],
    [
      ['id abcdefab-abcd-abcd-abcd-abcdefabcdef.', 'id BBBBBBBB-cccc-dddd-eeee-ffffffffffff.', 'id 5.'],
      { 'id abcdefab-abcd-abcd-abcd-abcdefabcdef.': 3 },
    ],
    [
      ['abcdefab-abcd-abcd-abcd', 'bbbbbbbb-abcd-abcd-abcd'],
      { 'abcdefab-abcd-abcd-abcd': 1, 'bbbbbbbb-abcd-abcd-abcd': 1 },
    ],
  ] as const) {
    const counter = openCounter()
    for (const text of texts) counter.add(text)
    t.strictSame(counter.counts(), counts)
  }
})

test('the most frequent text is first; a text can be counted several times at once', async (t) => {
  const counter = openCounter()
  counter.add('a')
  counter.add('b', 3)
  counter.add('c', 2)
  counter.add('c', 4)
  t.strictSame(Object.entries(counter.counts()), [
    ['c', 6],
    ['b', 3],
    ['a', 1],
  ])
})

test('at most a hundred kinds of text are kept, and the others are counted together', async (t) => {
  const letters = (index: number) => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))
  const kinds = Array.from({ length: 103 }, (_, index) => letters(index))
  const counter = openCounter()
  for (const kind of kinds) counter.add(kind, 2)
  counter.add(letters(0))
  counter.add(letters(102), 5)
  const kept = kinds.slice(1, 100).map((kind) => [kind, 2] as const)
  t.strictSame(Object.entries(counter.counts()), [['other errors', 11], [letters(0), 3], ...kept])
})

test('a text that is called like the others together does not hide them', async (t) => {
  const counter = openCounter()
  counter.add('other errors')
  counter.add('other errors')
  t.strictSame(counter.counts(), { 'other errors': 2 })
})

test('a hundred kinds of reasons are counted, and the others together', async (t) => {
  const ledger = openLedger()
  const letters = (index: number) => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))
  for (let index = 0; index < 110; index++) ledger.failedInvocation(letters(index))
  const { reasons, failedInvocations } = ledger.snapshot({ queue: 0, deadLetter: 0 })
  t.equal(failedInvocations, 110)
  t.equal(Object.keys(reasons).length, 101)
  t.equal(reasons['other reasons'], 10)
})

test('failures that left the report count as dropped, unless as many dead letters were sent', async (t) => {
  const ledger = openLedger(3)
  ledger.sent(['a', 'b', 'c'])
  ledger.processed([a, b, c])
  for (let count = 0; count < 3; count++) ledger.add('removedFromReport')
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 0, sentDeadLetters: 0 }).dropped, 3)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 2, sentDeadLetters: 2 }).dropped, 1)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 5, sentDeadLetters: 5 }).dropped, 0)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 1 }).dropped, 2, 'of an existing queue')
  ledger.failed([{ ...received('d'), receiveCount: 3 }])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 2 }), { deadLettered: 1, dropped: 2 }, 'one of two has exhausted')
})

test('filtered messages are not lost, also if they are received before the response to their sender', async (t) => {
  const ledger = openLedger(3)
  ledger.filtered([a])
  ledger.sent(['a', 'b'])
  ledger.filtered([b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { sent: 2, filtered: 2, processed: 0, lost: 0, delivered: 0 })
})

test('dead-lettered messages for which no handler had thrown: in no delivery, and only in the last one', async (t) => {
  const ledger = openLedger(2)
  const last = [a, b, c].map((message) => ({ ...message, receiveCount: 2 }))
  const seen = (deadLetter: number) => {
    const { deadLettered, deadLetteredWithoutError, lost } = ledger.snapshot({ queue: 3 - deadLetter, deadLetter })
    return { deadLettered, deadLetteredWithoutError, lost }
  }
  ledger.sent(['a', 'b', 'c'])
  ledger.delivered([a, b, c])
  ledger.failed([a, b, c])
  ledger.thrown('a')
  t.strictSame(seen(0), { deadLettered: 0, deadLetteredWithoutError: 0, lost: 0 })
  ledger.delivered(last)
  ledger.failed(last)
  ledger.thrown('b')
  t.strictSame(seen(3), { deadLettered: 3, deadLetteredWithoutError: 1, lost: 0 })
  t.strictSame(seen(0), { deadLettered: 0, deadLetteredWithoutError: 0, lost: 0 }, 'not moved yet')
  ledger.processed([c])
  t.strictSame(seen(2), { deadLettered: 2, deadLetteredWithoutError: 0, lost: 0 })
})

test('a message that was deleted late is processed, not lost', async (t) => {
  const ledger = openLedger(1)
  ledger.sent(['a', 'b'])
  ledger.failed([a, b])
  t.match(ledger.snapshot(NO_MESSAGES), { processed: 0, lost: 2 })
  ledger.processed([{ messageId: 'a' }], true)
  t.match(ledger.snapshot(NO_MESSAGES), { processed: 1, lost: 1, perSecond: 0 })
})

test('the first message that was not processed', async (t) => {
  const ledger = openLedger(1)
  const first = () => ledger.total({ ...NO_MESSAGES, visible: 0 }).firstUnprocessed
  t.equal(first(), undefined)
  ledger.sent(['a', 'b', 'c'])
  t.equal(first(), 'a')
  ledger.processed([a])
  ledger.filtered([b])
  t.equal(first(), 'c')
  ledger.failed([c])
  t.equal(first(), 'c', 'dead-lettered')
  ledger.deletedThoughFailed([c])
  t.equal(first(), 'c', 'lost')
})

test('the first message of what failed a run', async (t) => {
  const causes: ((ledger: OpenLedger) => void)[] = [
    (ledger) => ledger.failedInvocation('timed out', 'a'),
    (ledger) => ledger.diedBetween('the process ended', 'a'),
    (ledger) => ledger.add('outOfOrder', 1, 'a'),
  ]
  for (const cause of causes) {
    const ledger = openLedger()
    const first = () => ledger.total({ ...NO_MESSAGES, visible: 0 }).firstFailed
    t.equal(first(), undefined)
    cause(ledger)
    ledger.add('respondedEarly', 1, 'b')
    t.equal(first(), 'a')
  }
})

test('counts of the queue, and invocations that would time out', async (t) => {
  const ledger = openLedger()
  ledger.add('wouldTimeOut')
  const counts = { ...NO_MESSAGES, sentByFunction: 3, replacedTimeouts: 2 }
  t.match(ledger.snapshot(counts), { sentByFunction: 3, replacedTimeouts: 2, wouldTimeOut: 1 })
})
