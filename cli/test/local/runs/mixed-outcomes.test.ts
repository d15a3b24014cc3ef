import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { counts, notebook, runHandler } from '../../support/runs.ts'

test('of 200 messages, 20 fail once and 20 always: the ledger counts what the handler did', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('outcomes.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(200),
    mapping: { batchSize: 50, windowMs: 100 },
  })
  const expected = Array.from({ length: 200 }, (_, index) => index + 1).filter((number) => number % 10 !== 2)
  t.strictSame(
    notes.read().sort((a, b) => a - b),
    expected,
    'each was processed, and once',
  )
  t.match(counts(ledger), {
    sent: 200,
    delivered: 200 + 20 + 20 * 2,
    processed: 180,
    redelivered: 60,
    deadLettered: 20,
    remaining: 0,
    lost: 0,
    failedInvocations: 0,
  })
})

test('the whole batch of an invocation that throws is redelivered', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('outcomes.mjs', {
    function: { exportName: 'throwsOnce', env: { RECORD_TO: notes.file } },
    messages: numberedMessages(10),
  })
  t.strictSame(
    notes.read().sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  t.match(counts(ledger), {
    processed: 10,
    delivered: 20,
    redelivered: 10,
    failedInvocations: 1,
    timeouts: 0,
    crashes: 0,
  })
  t.strictSame(ledger.reasons, { 'RangeError: not yet': 1 })
})
