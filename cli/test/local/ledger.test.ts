import { test } from 'tap'
import { openLedger } from '../../src/local/ledger.ts'
import { received } from '../support/runs.ts'

const [a, b, c] = [received('a'), received('b'), received('c')]
const response = { type: 'response', payload: '' } as const

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

test('if it is not known who sent dead letters, those that no failure explains are counted separately', async (t) => {
  const ledger = openLedger(2)
  ledger.sent(['a', 'b'])
  const last = { ...a, receiveCount: 2 }
  ledger.delivered([last, b])
  ledger.invocationEnded(response, [last, b])
  ledger.failed([last])
  ledger.processed([b])
  const counts = { queue: 0, deadLetter: 4 }
  t.match(ledger.snapshot({ ...counts, deadLetter: 1 }), { deadLettered: 1, sentDeadLetters: 0, otherDeadLetters: 0 })
  t.match(ledger.snapshot(counts), { deadLettered: 1, sentDeadLetters: 0, otherDeadLetters: 3 })
  t.match(ledger.snapshot({ ...counts, sentDeadLetters: 2 }), {
    deadLettered: 1,
    sentDeadLetters: 2,
    otherDeadLetters: 0,
  })
  t.match(ledger.snapshot({ ...counts, deadLetter: -1 }), { deadLettered: 0, otherDeadLetters: 0 }, 'some were removed')
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
    otherDeadLetters: 0,
    expiredDeadLetters: 1,
    lost: 0,
  })
  t.match(ledger.snapshot({ queue: 0, deadLetter: 3 }), { deadLettered: 1, otherDeadLetters: 2, expiredDeadLetters: 0 })
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

test('UUIDs are distinguished from each other and from other ids', async (t) => {
  const ledger = openLedger()
  const ids = ['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'a']
  ledger.sent(ids)
  ledger.processed(ids.slice(0, 2).map((id) => received(id)))
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { sent: 3, processed: 2, remaining: 1, lost: 0 })
})

test('ten reasons are counted, and the others together', async (t) => {
  const ledger = openLedger()
  for (let index = 0; index < 40; index++) ledger.failedInvocation(`reason ${index % 20}`)
  const { reasons, failedInvocations } = ledger.snapshot({ queue: 0, deadLetter: 0 })
  t.equal(failedInvocations, 40)
  const ten = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`reason ${index}`, 2]))
  t.strictSame(reasons, { ...ten, 'other reasons': 20 })
})

test('failures that left the report count as dropped, unless as many dead letters were sent', async (t) => {
  const ledger = openLedger(3)
  ledger.sent(['a', 'b', 'c'])
  ledger.processed([a, b, c])
  for (let count = 0; count < 3; count++) ledger.removedFromReport()
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 0, sentDeadLetters: 0 }).dropped, 3)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 2, sentDeadLetters: 2 }).dropped, 1)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 5, sentDeadLetters: 5 }).dropped, 0)
  t.equal(ledger.snapshot({ queue: 0, deadLetter: 1 }).dropped, 2, 'of an existing queue')
})

test('filtered messages are not lost, also if they are received before the response to their sender', async (t) => {
  const ledger = openLedger(3)
  ledger.filtered([a])
  ledger.sent(['a', 'b'])
  ledger.filtered([b])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { sent: 2, filtered: 2, processed: 0, lost: 0, delivered: 0 })
})
