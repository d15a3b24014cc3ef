import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import { inProcess } from '../../support/in-process.ts'
import { settling } from '../../support/ledger.ts'
import { counts, folder, heldTimers, received, runHandler } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

const queue = { visibilityTimeout: 40, maxReceives: 1 }
const mapping = { batchSize: 100, windowMs: 500, retryAfter: undefined }

test('dead letters that the handler sends do not make waiting messages count as dead-lettered', async (t) => {
  const drained = new AbortController()
  const ledger = await runHandler('dead-letters.ts', {
    queue,
    function: { env: { BACKOFF: '20' } },
    messages: numberedMessages(100),
    mapping,
    drain: drained.signal,
    onProgress: ({ processed }) => {
      if (processed === 90) drained.abort()
    },
  })
  t.match(counts(ledger), { sent: 100, processed: 90, sentDeadLetters: 10, deadLettered: 0, remaining: 10, lost: 0 })
})

test('the ledger distinguishes messages that the queue moves from those that the handler sends', async (t) => {
  const ledger = await runHandler('dead-letters.ts', {
    queue,
    messages: numberedMessages(100),
    mapping,
  })
  t.match(counts(ledger), { sent: 100, processed: 90, sentDeadLetters: 10, deadLettered: 10, remaining: 0, lost: 0 })
  t.strictSame(
    ledger.causes,
    { 'PermanentError: invalid': 10, 'Error: not now': 10 },
    'also of the records that it sends',
  )
})

test('dead letters that the handler sends do not hide lost messages', async (t) => {
  const ledger = await runHandler('dead-letters.ts', {
    queue,
    function: { exportName: 'deletes' },
    messages: numberedMessages(100),
    mapping,
  })
  t.match(counts(ledger), { sent: 100, processed: 90, sentDeadLetters: 10, deadLettered: 0, remaining: 0, lost: 10 })
})

test('messages that the queue moves while their batch is gathered count as dead-lettered, although they are processed', async (t) => {
  const file = join(folder(t), 'h.mjs')
  writeFileSync(file, 'export const handler = async () => {}')
  const ledger = await runHandler('', {
    queue: { visibilityTimeout: 1, maxReceives: 1 },
    // A longer timeout than the visibility timeout is refused. Its timer never fires.
    function: { file, timeout: 1000, startTimer: heldTimers().startTimer },
    messages: numberedMessages(10),
    mapping: { batchSize: 100, windowMs: 2000 },
    idle: 3, // longer than the window, because the queue is empty once it has moved the messages
  })
  t.match(counts(ledger), { sent: 10, processed: 10, expiredDeadLetters: 10, deadLettered: 0, remaining: 0, lost: 0 })
})

test('DEAD_LETTER_QUEUE_URL is the dead-letter queue of the run, and replaces a value of the shell or the template', async (t) => {
  const path = folder(t)
  const file = join(path, 'h.mjs')
  const print = "console.log('dead letters: ' + process.env.DEAD_LETTER_QUEUE_URL)"
  writeFileSync(file, `export const handler = async ({ Records: [{ body }] }) => ${print}`)
  const args = ['local', file, '--messages', '1', '--batch-size', '1', '--idle', '0']
  const env = { DEAD_LETTER_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dead' }
  const own = await inProcess(args, { env })
  t.match(own.stderr, /^function \| dead letters: http:\/\/127\.0\.0\.1:\d+\/000000000000\/local-dead-letters\n$/)
  const fifo = await inProcess([...args, '--fifo'], { env })
  t.match(fifo.stderr, /^function \| dead letters: http:\S+\/000000000000\/local-dead-letters\.fifo\n$/)
  const given = await inProcess([...args, '--env', 'DEAD_LETTER_QUEUE_URL=mine'], { env })
  t.equal(given.stderr, 'function | dead letters: mine\n')
  for (const value of [{ Ref: 'Dead' }, env.DEAD_LETTER_QUEUE_URL]) {
    const Environment = { Variables: { DEAD_LETTER_QUEUE_URL: value } }
    const template = templateFile(t, sam({ function: { Environment, Timeout: 5 } }))
    const fromTemplate = await inProcess([...args, '--template', template], { env })
    t.match(fromTemplate.stderr, /^function \| dead letters: http:\S+\/local-dead-letters\n$/)
    t.notMatch(fromTemplate.stdout, 'DEAD_LETTER_QUEUE_URL')
  }
})

test('a dead letter that is a duplicate on a FIFO queue counts once', async (t) => {
  const ledger = await runHandler('dead-letters.ts', {
    queue: { fifo: true, visibilityTimeout: 40, maxReceives: 2 },
    function: { exportName: 'sendsAgain' },
    messages: numberedMessages(10, 10),
  })
  t.match(counts(ledger), { sent: 10, processed: 9, sentDeadLetters: 1, deadLettered: 1, remaining: 0, lost: 0 })
})

test('property: the ledger counts every message as processed, dead-lettered, remaining or lost, whatever the handler sends', async () => {
  const some = fc.nat(20)
  const kinds = { open: some, processed: some, waiting: some, moved: some, gone: some, deleted: some }
  await fc.assert(
    fc.property(fc.record({ ...kinds, sentDeadLetters: some }), ({ sentDeadLetters, ...numbers }) => {
      const { open, processed, waiting, moved, gone, deleted } = numbers
      const all = Object.entries(numbers).flatMap(([kind, count]) =>
        Array.from({ length: count }, (_, index) => ({ kind, message: received(`${kind}-${index}`) })),
      )
      const of = (...wanted: string[]) => all.filter(({ kind }) => wanted.includes(kind)).map(({ message }) => message)
      const ledger = new OpenLedger()
      const settle = settling(ledger, 1)
      ledger.sent(all.map(({ message }) => message.messageId))
      settle.processed(of('processed'))
      settle.failed(of('waiting', 'moved', 'gone'))
      settle.lost(of('deleted'))
      const seen = ledger.snapshot({ queue: open + waiting, deadLetter: moved + sentDeadLetters, sentDeadLetters })
      const expected = { processed, deadLettered: moved, remaining: open + waiting, lost: gone + deleted }
      for (const [name, value] of Object.entries(expected)) {
        const found = seen[name as keyof typeof expected]
        if (found !== value) throw new Error(`${name} ${found}, expected ${value}`)
      }
    }),
    { numRuns: 300 },
  )
})
