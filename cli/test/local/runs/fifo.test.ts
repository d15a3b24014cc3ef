import type { SQSRecord } from 'aws-lambda'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { counts, notebook, runHandler } from '../../support/runs.ts'

for (const concurrency of [1, 4]) {
  test(`50 groups with failures, concurrency ${concurrency}: the handler processes each group in order`, async (t) => {
    const notes = notebook(t)
    const ledger = await runHandler('fifo.mjs', {
      queue: { fifo: true, visibilityTimeout: 40, maxReceives: 3 },
      function: { env: { RECORD_TO: notes.file } },
      messages: numberedMessages(500, 50),
      mapping: { concurrency },
    })
    const seen: Record<string, number[]> = {}
    for (const { group, number } of notes.read()) seen[group] = [...(seen[group] ?? []), number]
    // numberedMessages() gives message n the group n modulo 50.
    const groups = Array.from({ length: 50 }, (_, group) => [
      `group-${group}`,
      Array.from({ length: 10 }, (_, index) => (group || 50) + index * 50),
    ])
    t.strictSame(seen, Object.fromEntries(groups))
    t.match(counts(ledger), { sent: 500, processed: 500, deadLettered: 0, remaining: 0, lost: 0 })
    t.ok(ledger.redelivered > 71, 'the multiples of seven, and later messages of their groups')
    t.equal(ledger.outOfOrder, 0)
  })
}

test('a batch has several messages of a message group, in their order, and mixes groups', async (t) => {
  const batchesOf = async (count: number, groups: number) => {
    const notes = notebook(t)
    const queue = { fifo: true, visibilityTimeout: 40, maxReceives: 3 }
    const env = { RECORD_TO: notes.file }
    await runHandler('events.mjs', { queue, function: { env }, messages: numberedMessages(count, groups) })
    return notes.read().map(({ event }) => event.Records.map((record: SQSRecord) => JSON.parse(record.body).number))
  }
  t.strictSame(await batchesOf(9, 3), [[1, 4, 7, 2, 5, 8, 3, 6, 9]])
  const [first] = await batchesOf(40, 4)
  t.strictSame(first, [1, 5, 9, 13, 2, 6, 10, 14, 3, 7], 'at most ten, of groups 1, 2 and 3')
})

test('a message that always fails is dead-lettered, and the rest of its group is processed', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('outcomes.mjs', {
    queue: { fifo: true, visibilityTimeout: 40, maxReceives: 2 },
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(20, 2),
  })
  t.match(counts(ledger), { sent: 20, processed: 18, deadLettered: 2, remaining: 0, lost: 0 })
  const even = notes.read().filter((number: number) => number % 2 === 0)
  t.strictSame(even, [4, 6, 8, 10, 14, 16, 18, 20], 'without 2 and 12')
})
