import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { inProcess } from '../../support/in-process.ts'
import { counts, folder, runHandler } from '../../support/runs.ts'

/** Runs a handler whose body can use `call(action, body)`, an SQS client, and `event`. */
async function run(t: Test, body: string, args: readonly string[] = []) {
  const file = join(folder(t), 'h.mjs')
  writeFileSync(
    file,
    `const url = process.env.AWS_ENDPOINT_URL_SQS
const QueueUrl = url + '/000000000000/local'
async function call(action, body) {
  const headers = { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': 'AmazonSQS.' + action }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ QueueUrl, ...body }) })
  if (!response.ok) throw new Error(await response.text())
}
const failures = ({ Records }) => ({ batchItemFailures: Records.map(({ messageId }) => ({ itemIdentifier: messageId })) })
export const handler = async (event) => { ${body} }`,
  )
  const small = ['--messages', '10', '--batch-size', '10', '--max-receives', '2', '--retry-after', '0', '--idle', '0']
  const result = await inProcess(['local', file, ...small, '--json', ...args])
  return { ...result, ledger: JSON.parse(result.stdout || '{}') }
}

test('a message that ends the process takes its batch to the dead-letter queue, and the run says so', async (t) => {
  const { ledger, stderr } = await run(t, 'process.exit(1)')
  t.match(ledger, { deadLettered: 10, deadLetteredWithoutError: 10, crashes: 2, verdict: 'failed' }, stderr)
  t.match(ledger.reason, '10 messages were dead-lettered (--max-dead-lettered 10 would allow it)')
})

test('deletes of a process that has ended are not lost, however late they arrive', async (t) => {
  const ledger = await runHandler('deletes-and-ends.mjs', {
    messages: numberedMessages(1000),
    // Not earlier: a delete counts only until the next delivery. The window ends when all messages are gathered.
    mapping: { batchSize: 1000, windowMs: 20_000, retryAfter: undefined },
    idle: 1,
  })
  const { processed, deadLettered, lost, remaining, crashes } = counts(ledger)
  t.strictSame(
    { processed, deadLettered, lost, remaining },
    { processed: 1000, deadLettered: 0, lost: 0, remaining: 0 },
  )
  t.equal(crashes, 1)
})

test('a visibility timeout that the handler sets is replaced by --retry-after, and a line says so', async (t) => {
  const sets = `for (const { receiptHandle } of event.Records)
    await call('ChangeMessageVisibility', { ReceiptHandle: receiptHandle, VisibilityTimeout: 2 })
  return failures(event)`
  const { ledger, stderr } = await run(t, sets)
  t.match(ledger, { deadLettered: 10, deadLetteredWithoutError: 0, replacedTimeouts: 20 }, stderr)
  t.strictSame(ledger.differences, [
    'redelivered after 0 s instead of the delays that the function had set (20 times): see --retry-after off',
  ])
  const off = await run(t, sets, ['--retry-after', 'off'])
  t.match(off.ledger, { deadLettered: 10, replacedTimeouts: 0 }, off.stderr)
  t.strictSame(off.ledger.differences, [])
  const others = await run(t, 'return failures(event)')
  t.match(others.ledger, { deadLettered: 10, replacedTimeouts: 0 }, others.stderr)
  t.strictSame(others.ledger.differences, ['redelivered after 0 s instead of 31 s: see --retry-after off'])
})

test('a handler that sends to the queue that it reads: the messages are counted, and a line says so', async (t) => {
  const { code, ledger, stderr } = await run(
    t,
    `for (const { body } of event.Records) if (!body.includes('again')) await call('SendMessage', { MessageBody: 'again' })`,
  )
  t.match(ledger, { sent: 10, sentByFunction: 10, processed: 20, lost: 0 }, stderr)
  t.equal(code, 0)
  t.match(ledger.differences, [/^the function sent 10 messages to the queue that it reads\./])
})
