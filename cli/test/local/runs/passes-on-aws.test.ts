import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { inProcess } from '../../support/in-process.ts'
import { folder, handlerFile, notebook, runHandler } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

const HANDLERS = handlerFile('passes-on-aws.ts')
const nowhere = { RECORD_TO: '/dev/null' }

/** Runs an export of the handlers above, as a user would. */
async function local(t: Test, exportName: string, args: readonly string[], env: Record<string, string> = nowhere) {
  const { stdout, stderr, code } = await inProcess(['local', `${HANDLERS}#${exportName}`, '--json', ...args], { env })
  if (code === 2) return { code, stderr, ledger: undefined as never }
  t.match(
    stderr.trimEnd().split('\n').at(-1),
    code === 0 ? /^passed: [\d,]+ processed in [\d,]+ invocations? of \d process(es)?$/ : /^failed: /,
  )
  return { code, stderr, ledger: JSON.parse(stdout) }
}

test('FIFO: a handler that starts a group at once and reports only the failed record deletes later ones: the run fails', async (t) => {
  const { code, ledger } = await local(t, 'allAtOnce', ['--fifo', '--messages', '40', '--groups', '4'])
  t.equal(code, 1)
  t.ok(ledger.outOfOrder > 0)
  const text = new RegExp(
    `^${ledger.outOfOrder} messages were deleted before an earlier message of the same message group`,
  )
  t.match(ledger.reason, text)
})

test('FIFO: a handler that reports the rest of the group passes', async (t) => {
  const { code, ledger } = await local(t, 'inOrder', ['--fifo', '--messages', '40', '--groups', '4'])
  t.match({ code, ...ledger }, { code: 0, processed: 40, outOfOrder: 0, lost: 0 })
})

test('a handler that needs the order of a standard queue fails', async (t) => {
  const args = ['--messages', '100', '--batch-size', '10', '--max-receives', '1']
  t.equal((await local(t, 'needsOrder', args)).code, 1)
})

async function orderOf(t: Test, ...args: string[]): Promise<number[]> {
  const notes = notebook(t)
  const { code } = await local(t, 'notes', ['--messages', '500', '--batch-size', '10', ...args], {
    RECORD_TO: notes.file,
  })
  t.equal(code, 0)
  return notes.read().map(([number]) => number)
}

test('the same seed gives the same order over a few batches, another seed another order, and no message is missing', async (t) => {
  const order = await orderOf(t)
  t.strictSame(await orderOf(t), order)
  t.strictSame(await orderOf(t, '--seed', '1'), order, 'the default is 1')
  t.notSame(await orderOf(t, '--seed', '2'), order)
  const numbers = Array.from({ length: 500 }, (_, index) => index + 1)
  t.strictSame(
    order.toSorted((a, b) => a - b),
    numbers,
  )
  const batches = order.filter((number, index) => Math.floor((number - 1) / 10) !== Math.floor(index / 10))
  t.ok(batches.length > 300, `${batches.length} of 500 messages are in another batch than without mixing`)
})

test('--duplicates 0.2: about a fifth of the messages is delivered a second time, with the same id', async (t) => {
  const notes = notebook(t)
  const args = ['--messages', '200', '--batch-size', '10', '--duplicates', '0.2']
  const { code, ledger } = await local(t, 'notes', args, { RECORD_TO: notes.file })
  t.match({ code, ...ledger }, { code: 0, sent: 200, processed: 200, remaining: 0, lost: 0, deadLettered: 0 })
  t.notMatch(ledger.differences.join(), 'failed messages', 'no message has failed')
  const ids = notes.read().map(([, , id]) => id)
  t.equal(new Set(ids).size, 200)
  t.equal(ids.length - 200, ledger.redelivered)
  t.ok(ledger.redelivered >= 20 && ledger.redelivered <= 60, `${ledger.redelivered} were delivered twice`)
})

test('a failure that onFailure dropped and that is in no dead-letter queue counts for --max-dead-lettered', async (t) => {
  const { code, ledger } = await local(t, 'swallows', ['--messages', '10'])
  t.match({ code, ...ledger }, { code: 1, dropped: 10, lost: 0, processed: 10 })
  t.equal(
    ledger.reason,
    '10 messages were dropped by onFailure and sent to no dead-letter queue (--max-dead-lettered 10 would allow it)',
  )
  t.equal(ledger.failures.length, 10)
  for (const failure of ledger.failures) {
    t.match(failure, /^[0-9a-f-]{36}: failed, but a failure handler removed it from the report: /)
  }
  t.equal((await local(t, 'swallows', ['--messages', '10', '--max-dead-lettered', '10'])).code, 0)
})

test('a dead letter of deadLetter() is not dropped, and --json lists it', async (t) => {
  const args = ['local', handlerFile('dead-letters.ts'), '--messages', '3', '--json']
  const { stdout } = await inProcess(args)
  t.match(JSON.parse(stdout), {
    dropped: 0,
    sentDeadLetters: 1,
    reason: '1 message was dead-lettered by the handler (--max-dead-lettered 1 would allow it)',
    failures: [/: failed, but a failure handler removed it from the report: PermanentError: invalid$/],
  })
})

for (const exportName of ['passesHalf', 'filtersRecords']) {
  test(`${exportName}: records that the library did not receive are lost`, async (t) => {
    const { code, ledger } = await local(t, exportName, ['--messages', '100', '--batch-size', '10'])
    t.match({ code, ...ledger }, { code: 1, sent: 100, processed: 50, lost: 50, reason: '50 messages were lost' })
    t.strictSame(ledger.causes, {
      'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it': 50,
    })
  })
}

test('a handler that deletes what succeeded, then throws for the rest, loses nothing', async (t) => {
  const { code, ledger } = await local(t, 'deletesThenThrows', [
    '--messages',
    '20',
    '--batch-size',
    '10',
    '--max-failed-invocations',
    '9',
  ])
  t.match({ code, ...ledger }, { code: 0, sent: 20, processed: 20, lost: 0, remaining: 0, deadLettered: 0 })
})

function filterTemplate(t: Test, pattern: object) {
  const FilterCriteria = { Filters: [{ Pattern: JSON.stringify(pattern) }] }
  return templateFile(t, sam({ mapping: { FilterCriteria } }))
}

test('the filters of the template delete what they do not match, and a row counts it', async (t) => {
  const template = filterTemplate(t, { body: { number: [{ numeric: ['<=', 12] }] } })
  const { code, ledger } = await local(t, 'notes', ['--messages', '20', '--template', template])
  t.match({ code, ...ledger }, { code: 0, sent: 20, delivered: 12, processed: 12, filtered: 8, lost: 0, remaining: 0 })
})

test('generated messages that match no filter are refused, and other messages fail the run', async (t) => {
  const template = filterTemplate(t, { body: { kind: ['order'] } })
  const { code, stderr } = await local(t, 'notes', ['--messages', '20', '--template', template])
  t.equal(code, 2)
  t.match(
    stderr,
    /none of the 20 messages of --messages matches a filter of .*Use --messages-file with messages that match/,
  )
  const file = join(folder(t), 'm.jsonl')
  writeFileSync(file, '{"kind":"a"}\n{"kind":"b"}\n')
  const other = await local(t, 'notes', ['--messages-file', file, '--template', template])
  t.match(
    { code: other.code, ...other.ledger },
    {
      code: 1,
      filtered: 2,
      processed: 0,
      lost: 0,
      reason: 'no message was processed, because 2 messages were deleted by a filter',
    },
  )
})

test('a batch does not wait for its window if nothing more can arrive, unless a message can expire in it', async (t) => {
  const wallMs = async (visibilityTimeout: number, windowMs: number) => {
    const ledger = await runHandler('passes-on-aws.ts', {
      queue: { visibilityTimeout, maxReceives: 3 },
      function: { exportName: 'notes', env: nowhere, timeout: 20_000 },
      messages: numberedMessages(5),
      mapping: { batchSize: 1000, windowMs },
    })
    t.equal(ledger.processed, 5)
    return ledger.wallMs
  }
  t.ok((await wallMs(40, 20_000)) < 20_000)
  t.ok((await wallMs(22, 3000)) >= 3000)
})

test('a standard queue keeps message groups, also those of other clients', async (t) => {
  const notes = notebook(t)
  const { SendMessageCommand, SendMessageBatchCommand, SQSClient } = await import('@aws-sdk/client-sqs')
  const queueUrl = Promise.withResolvers<string>()
  await runHandler('events.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    onStart: (queue) => queueUrl.resolve(queue.queueUrl),
    messages: (async function* () {
      const QueueUrl = await queueUrl.promise
      const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
      const client = new SQSClient({ endpoint: new URL(QueueUrl).origin, region: 'us-east-1', credentials })
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'one', MessageGroupId: 'b' }))
      const Entries = [
        { Id: '1', MessageBody: 'two', MessageGroupId: 'c' },
        { Id: '2', MessageBody: 'three' },
      ]
      await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
      client.destroy()
      yield { body: 'mine', messageGroupId: 'a' }
    })(),
  })
  const records = notes.read().flatMap(({ event }) => event.Records)
  const groups = records.map(({ body, attributes }) => [body, attributes.MessageGroupId])
  t.strictSame(Object.fromEntries(groups), { mine: 'a', one: 'b', two: 'c', three: undefined })
})
