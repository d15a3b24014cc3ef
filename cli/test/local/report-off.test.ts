import { test } from 'tap'
import { numberedMessages } from '../../src/engine.ts'
import { counts, notebook, runHandler } from '../support/runs.ts'

const mapping = { reportBatchItemFailures: false }

test('without ReportBatchItemFailures, reported messages are deleted, and the ledger counts them as lost', async (t) => {
  const notes = notebook(t)
  const failures: string[] = []
  const ledger = await runHandler('outcomes.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(100),
    mapping: { ...mapping, onFailure: (line) => failures.push(line) },
  })
  t.match(counts(ledger), {
    sent: 100,
    delivered: 100,
    processed: 80,
    redelivered: 0,
    deadLettered: 0,
    remaining: 0,
    lost: 20,
  })
  t.equal(failures.length, 20)
  t.match(failures[0], /^[0-9a-f-]{36}: failed, but deleted \(ReportBatchItemFailures is off\): unknown error/)
})

test('an invalid response is ignored', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('outcomes.mjs', {
    function: { exportName: 'respondsWith', env: { RECORD_TO: notes.file, RESPONSE: '"done"' } },
    messages: numberedMessages(10),
    mapping,
  })
  t.match(counts(ledger), { processed: 10, delivered: 10, lost: 0 })
})

test('the batch of a handler that throws is still redelivered', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('outcomes.mjs', {
    function: { exportName: 'throwsOnce', env: { RECORD_TO: notes.file } },
    messages: numberedMessages(10),
    mapping,
  })
  t.match(counts(ledger), { processed: 10, delivered: 20, lost: 0 })
})
