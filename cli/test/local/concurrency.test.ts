import { test } from 'tap'
import { numberedMessages } from '../../src/engine.ts'
import { counts, notebook, runHandler } from '../support/runs.ts'

type Span = { began: number; ended: number; pid: number }
function most(spans: readonly Span[]) {
  return Math.max(
    ...spans.map(({ began }) => spans.filter((other) => other.began <= began && began < other.ended).length),
  )
}

test('one invocation at a time, always in the same process', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('concurrent.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(30),
  })
  const spans: Span[] = notes.read()
  t.match(counts(ledger), { invocations: 3, processed: 30 })
  t.equal(most(spans), 1)
  t.equal(new Set(spans.map(({ pid }) => pid)).size, 1)
})

test('a concurrency of 4: four concurrent invocations, each in a separate process', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('concurrent.mjs', {
    function: { env: { RECORD_TO: notes.file, AT_ONCE: '4' } },
    messages: numberedMessages(160),
    mapping: { concurrency: 4 },
  })
  const spans: Span[] = notes.read()
  t.match(counts(ledger), { invocations: 16, processed: 160, lost: 0 })
  t.equal(most(spans), 4)
  t.equal(new Set(spans.map(({ pid }) => pid)).size, 4)
})

test('Managed Instances: four concurrent invocations in one process', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('concurrent.mjs', {
    function: { env: { RECORD_TO: notes.file, AT_ONCE: '4', AWS_LAMBDA_MAX_CONCURRENCY: '4' }, perEnvironment: 4 },
    messages: numberedMessages(160),
    mapping: { concurrency: 4 },
  })
  const spans: Span[] = notes.read()
  t.match(counts(ledger), { invocations: 16, processed: 160, lost: 0 })
  t.equal(most(spans), 4)
  t.equal(new Set(spans.map(({ pid }) => pid)).size, 1)
})
