import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { numberedMessages, type Progress } from '../../../src/engine.ts'
import { counts, folder, heldTimers, notebook, runHandler, runWhile, until } from '../../support/runs.ts'

const ONE_TO_TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

/** The handler fails at the first delivery. All ten messages are redelivered to a new environment, and none is lost. */
const cases: [exportName: string, kind: { timeouts: number; crashes: number }, reason: RegExp][] = [
  ['sleeps', { timeouts: 1, crashes: 0 }, /^timed out after 30\.00 seconds$/],
  ['blocks', { timeouts: 1, crashes: 0 }, /^timed out after 30\.00 seconds$/],
  ['exits', { timeouts: 0, crashes: 1 }, /^the process ended with exit code 0$/],
  ['exitsThree', { timeouts: 0, crashes: 1 }, /^the process ended with exit code 3$/],
  ['kills', { timeouts: 0, crashes: 1 }, /^the process was ended by SIGKILL$/],
  ['neverSettles', { timeouts: 0, crashes: 1 }, /exit code 13 \(it awaits a promise that never settles/],
  ['rejectsAside', { timeouts: 0, crashes: 1 }, /^the process ended with exit code 1$/],
  ['throwsNull', { timeouts: 0, crashes: 0 }, /^object: null$/],
]

for (const [exportName, kind, reason] of cases) {
  test(`${exportName}: the ledger counts the fault, and no message is lost`, async (t) => {
    const notes = notebook(t)
    const { startTimer, fireLast } = heldTimers()
    const ran = runHandler('faults.mjs', {
      function: { exportName, env: { RECORD_TO: notes.file }, startTimer },
      messages: numberedMessages(10),
    })
    if (kind.timeouts > 0) {
      await until(() => existsSync(`${notes.file}.begun`))
      fireLast()
    }
    const ledger = await ran
    t.strictSame(
      notes.read().sort((a, b) => a - b),
      ONE_TO_TEN,
    )
    t.match(counts(ledger), {
      ...kind,
      failedInvocations: 1,
      invocations: 2,
      delivered: 20,
      redelivered: 10,
      processed: 10,
      deadLettered: 0,
      lost: 0,
    })
    t.match(Object.keys(ledger.reasons), [reason])
  })
}

test('without freezing, a process that dies after its response is counted, and the next event goes to a new process', async (t) => {
  let deaths = 0
  const options = {
    function: { exportName: 'rejectsLater', freeze: false },
    onWarning: () => {},
    mapping: { batchSize: 1 },
    onProgress: ({ diedBetween }: Progress) => {
      deaths = diedBetween
    },
  }
  const ledger = await runWhile('faults.mjs', options, async (send) => {
    await send('1')
    await until(() => deaths === 1)
    await send('2')
    await until(() => deaths === 2)
  })
  const expected = { processed: 2, crashes: 2, diedBetween: 2, invocations: 2, failedInvocations: 0, lost: 0 }
  t.match(counts(ledger), expected)
  const reason = 'the process ended with exit code 1 after its response. Is an `await` missing?'
  t.strictSame(ledger.reasons, { [reason]: 2 })
})

test('a process that blocks after its response is killed at the timeout of the next event, which goes to a new process', async (t) => {
  const notes = notebook(t)
  const { startTimer, count, fireLast } = heldTimers()
  const options = {
    function: { exportName: 'blocksLater', env: { RECORD_TO: notes.file }, startTimer },
    mapping: { batchSize: 1 },
  }
  const ledger = await runWhile('faults.mjs', options, async (send) => {
    await send('{"number":1}')
    await until(() => notes.read().length === 1)
    await send('{"number":2}')
    await until(() => count() === 3) // the first event was waiting, then running
    fireLast()
    await until(() => notes.read().length === 2)
  })
  t.strictSame(notes.read(), [1, 2])
  t.match(counts(ledger), { processed: 2, invocations: 3, failedInvocations: 1, timeouts: 1, crashes: 0, lost: 0 })
  const reason =
    'timed out after 30.00 seconds, because the process did not take the event. Does it block the event loop after a response?'
  t.strictSame(ledger.reasons, { [reason]: 1 })
})

test('a process that ends before its first event is counted', async (t) => {
  let deaths = 0
  const MARK = join(folder(t), 'mark')
  let invoked = false
  const onProgress = ({ delivered, diedBetween }: Progress) => {
    invoked = delivered === 1
    deaths = diedBetween
  }
  const ledger = await runWhile('ends-early.mjs', { function: { env: { MARK } }, onProgress }, async (send) => {
    writeFileSync(`${MARK}.ready`, '')
    await until(() => deaths === 1)
    await send('1')
    await until(() => invoked)
  })
  t.match(counts(ledger), { processed: 1, diedBetween: 1, crashes: 1, failedInvocations: 0, lost: 0 })
  t.strictSame(ledger.reasons, { 'the process ended with exit code 0 before its first event': 1 })
})

test('out of memory: the ledger counts it, and no message is lost', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('faults.mjs', {
    function: { exportName: 'eatsMemory', env: { RECORD_TO: notes.file }, memory: 128 },
    messages: numberedMessages(10),
  })
  t.match(counts(ledger), { crashes: 1, timeouts: 0, processed: 10, redelivered: 10, lost: 0 })
  t.match(Object.keys(ledger.reasons), [/^the process .* \(out of memory: 128 MB\)$/])
})

test('descriptors leaked until EMFILE: failed messages are dead-lettered, and no message is lost', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('faults.mjs', {
    function: { exportName: 'leaks', env: { RECORD_TO: notes.file }, fdLimit: 128 },
    messages: numberedMessages(20),
  })
  const processed = notes.read().length
  t.ok(processed >= 1 && processed <= 6, `${processed} records of 20 descriptors each fit under 128`)
  t.match(counts(ledger), {
    processed,
    deadLettered: 20 - processed,
    lost: 0,
    remaining: 0,
    crashes: 0,
    failedInvocations: 0,
  })
})
