import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { feed } from '../../src/local/feed.ts'
import { numberedMessages } from '../../src/local/messages.ts'
import { iterateExport } from '../../src/local/messages-from.ts'
import { splitExport } from '../../src/local/options.ts'
import { UsageError } from '../../src/shared/errors.ts'
import { BIN, command, environment, folder, handlerFile, notebook, runHandler, until } from '../support/runs.ts'

function write(t: Test, name: string, text: string) {
  const file = join(folder(t), name)
  writeFileSync(file, text)
  return file
}

test('--messages-file -: standard input', async (t) => {
  const notes = notebook(t)
  const args = [
    'local',
    handlerFile('outcomes.mjs'),
    '--messages-file',
    '-',
    '--json',
    '--idle',
    '0',
    '--batch-size',
    '10',
  ]
  const child = spawn(process.execPath, [BIN, ...args], { env: environment({ RECORD_TO: notes.file }) })
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stdin.end('{"number":3}\n{"number":4}\n')
  await new Promise((resolve) => child.on('close', resolve))
  t.match(JSON.parse(stdout), { sent: 2, processed: 2, verdict: 'passed', reason: undefined })
  t.strictSame(notes.read().sort(), [3, 4])
})

async function collect(file: string, name = 'default', fifo = false) {
  const messages = []
  for await (const message of await iterateExport(file, name, fifo)) messages.push(message)
  return messages
}

test('the path of a file may contain #', (t) => {
  const path = join(folder(t), 'a #1 dir')
  const file = join(path, 'h#1.ts')
  mkdirSync(path)
  writeFileSync(file, '')
  t.strictSame(splitExport(file, 'handler'), { file, exportName: 'handler' })
  t.strictSame(splitExport(`${file}#orders`, 'handler'), { file, exportName: 'orders' })
  const missing = join(path, 'nope.ts')
  t.strictSame(splitExport(missing, 'handler'), { file: missing, exportName: 'handler' })
  t.strictSame(splitExport(`${missing}#orders`, 'handler'), { file: missing, exportName: 'orders' })
  t.end()
})

test('--messages-from: an array, a generator, an async generator and promises', async (t) => {
  const file = write(
    t,
    'g.ts',
    `export default ['text', { a: 1 }, { body: { b: 2 }, messageGroupId: 'g' }] as const
     export function* generator(): Generator<number> { yield 7 }
     export async function* asyncGenerator(): AsyncGenerator<string> { yield 'later' }
     export const promises = [1, 2].map(async (id) => ({ body: { id } }))
     export const dates = [new Date(0), Object.create(null)]`,
  )
  t.strictSame(await collect(file), [{ body: 'text' }, { body: '{"a":1}' }, { body: '{"b":2}', messageGroupId: 'g' }])
  t.strictSame(await collect(file, 'generator'), [{ body: '7' }])
  t.strictSame(await collect(file, 'asyncGenerator'), [{ body: 'later' }])
  t.strictSame(await collect(file, 'promises'), [{ body: '{"id":1}' }, { body: '{"id":2}' }])
  t.strictSame(await collect(file, 'dates'), [{ body: '"1970-01-01T00:00:00.000Z"' }, { body: '{}' }])
})

test('--messages-from: an error is one line with the number of the message', async (t) => {
  const file = write(
    t,
    'g.mjs',
    `export default function* () { yield 'x'; yield '' }
     export function* throws() { yield 'x'; throw new Error('no more') }
     export const text = 'abc'
     export const nothing = [undefined]
     export const noBody = [{ body: undefined }]
     export const rejected = function* () { yield Promise.reject(new Error('no more')) }
     export const rejectedEarly = () => {
       const second = new Promise((resolve, reject) => setImmediate(reject, new Error('no more')))
       return [new Promise((resolve) => setImmediate(setImmediate, resolve, 1)), second]
     }
     export const map = [new Map([[1, 2]])]
     export const promisedBody = [{ body: Promise.resolve(1) }]
     export const cycle = [{}]
     cycle[0].self = cycle`,
  )
  const fails = async (name: string, message: string) => t.rejects(collect(file, name), { name: 'UsageError', message })
  await fails('default', `--messages-from: message 2 of ${file} has an empty body, which SQS rejects`)
  await fails('throws', `--messages-from: message 2 of ${file}: Error: no more`)
  await fails('nothing', `--messages-from: message 1 of ${file} is undefined, which JSON cannot represent`)
  await fails(
    'noBody',
    `--messages-from: message 1 of ${file} has a body that is undefined, which JSON cannot represent`,
  )
  await fails('rejected', `--messages-from: message 1 of ${file}: Error: no more`)
  await fails('rejectedEarly', `--messages-from: message 2 of ${file}: Error: no more`)
  await fails('map', `--messages-from: message 1 of ${file} is an object, which JSON cannot represent`)
  await fails(
    'promisedBody',
    `--messages-from: message 1 of ${file} has a body that is an object, which JSON cannot represent`,
  )
  await fails('cycle', `--messages-from: message 1 of ${file} is an object, which JSON cannot represent`)
  const expected = 'Expected an iterable, an async iterable, or a function that returns one'
  await fails('text', `--messages-from: the export text of ${file} is a string. ${expected}`)
  await fails('missing', `--messages-from: the export missing of ${file} is missing. ${expected}`)
  await t.rejects(iterateExport('nope.mjs', 'default', false), {
    message: '--messages-from: there is no file nope.mjs',
  })
})

/**
 * A queue in this process from which messages are received only while the feed waits. `sent` lists the messages in
 * order.
 */
function openFakeQueue(fifo: boolean) {
  const sent: string[] = []
  const state = { waiting: 0, most: 0 }
  return {
    sent,
    state,
    queue: {
      fifo,
      own: true,
      waiting: async () => {
        state.waiting = Math.max(0, state.waiting - 700)
        return state.waiting
      },
      send: async (entries: { Id?: string | undefined; MessageBody?: string | undefined }[]) => {
        await new Promise(setImmediate)
        state.waiting += entries.length
        state.most = Math.max(state.most, state.waiting)
        sent.push(...entries.map(({ MessageBody }) => `${MessageBody}`))
        return {
          Successful: entries.map(({ MessageBody }) => ({ Id: '', MessageId: `${MessageBody}`, MD5OfMessageBody: '' })),
          Failed: [],
        }
      },
    },
  }
}

for (const fifo of [false, true]) {
  test(`the feed keeps at most 10,000 messages and a few calls waiting, and keeps the order on FIFO (FIFO: ${fifo})`, async (t) => {
    const { queue, sent, state } = openFakeQueue(fifo)
    const pulled = { count: 0 }
    function* messages() {
      for (const message of numberedMessages(30_000, fifo ? 5 : 0)) {
        pulled.count++
        yield message
      }
    }
    let full = 0
    const ledger = { sent: () => {} }
    function onFull() {
      if (full++ === 0) t.equal(pulled.count, 10_001, 'all for which there is room, and one that waits')
    }
    t.ok(await feed({ queue, ledger, messages: messages(), onFull, signal: new AbortController().signal }))
    t.ok(full > 1, `it was full ${full} times`)
    t.ok(state.most >= 9000 && state.most <= 10_000 + 16 * 10, `${state.most} were waiting at most`)
    const numbers = sent.map((body) => JSON.parse(body).number)
    const expected = Array.from({ length: 30_000 }, (_, index) => index + 1)
    t.strictSame(fifo ? numbers : numbers.sort((a, b) => a - b), expected)
  })
}

test('a message is sent while the input waits for its next one', async (t) => {
  const { queue, sent } = openFakeQueue(false)
  const messages = (async function* () {
    yield { body: '1' }
    yield { body: '2' }
    await until(() => sent.length === 2)
    yield { body: '3' }
  })()
  const signal = new AbortController().signal
  await feed({ queue, ledger: { sent: () => {} }, messages, onFull: () => {}, signal })
  t.strictSame(sent, ['1', '2', '3'])
})

test('a response of SQS that names only some of the messages is an error', async (t) => {
  const { queue } = openFakeQueue(false)
  const ids: string[] = []
  const ledger = { sent: (sent: readonly string[]) => void ids.push(...sent) }
  const send = async (entries: Parameters<typeof queue.send>[0]) => queue.send(entries.slice(1))
  const messages = numberedMessages(3)
  const { signal } = new AbortController()
  await t.rejects(feed({ queue: { ...queue, send }, ledger, messages, onFull: () => {}, signal }), {
    message:
      'expected SQS to accept or refuse each of 3 messages, but its response names 2. Use an SQS that responds to SendMessageBatch as AWS does',
  })
  t.equal(ids.length, 2)
})

test('an aborted feed takes no more messages from its input, and says that the rest was not sent', async (t) => {
  const { queue } = openFakeQueue(false)
  const stopped = new AbortController()
  let pulled = 0
  const messages = (function* () {
    for (;;) {
      if (++pulled === 100) stopped.abort()
      yield { body: '1' }
    }
  })()
  const options = { queue, ledger: { sent: () => {} }, onFull: () => {} }
  t.notOk(await feed({ ...options, messages, signal: stopped.signal }))
  t.equal(pulled, 100)
})

test('a message that SQS refuses ends the feed with its code', async (t) => {
  const { queue } = openFakeQueue(false)
  const send = async () => ({
    Successful: [],
    Failed: [{ Id: '0', Code: 'Big', Message: 'too big', SenderFault: true }],
  })
  const options = { queue: { ...queue, send }, ledger: { sent: () => {} }, onFull: () => {} }
  await t.rejects(
    feed({ ...options, messages: [{ body: '1' }], signal: new AbortController().signal }),
    new UsageError('SQS refused a message: Big: too big'),
  )
})

test('a run that is interrupted before all messages were sent fails, even if the sent ones were processed', async (t) => {
  const file = write(
    t,
    'slow.mjs',
    `export default async function* () {
       yield { number: 1 }
       await new Promise((resolve) => setTimeout(resolve, 100_000))
       yield { number: 2 }
     }`,
  )
  const notes = notebook(t)
  const args = ['local', handlerFile('outcomes.mjs'), '--messages-from', file, '--batch-size', '1', '--json']
  const { code, stdout } = await command(args, {
    env: { RECORD_TO: notes.file },
    during: async (child) => {
      await until(() => notes.read().length > 0)
      child.kill('SIGINT')
    },
  })
  const reason = 'the run was interrupted before all messages were sent'
  t.match(JSON.parse(stdout), {
    sent: 1,
    processed: 1,
    remaining: 0,
    isInputComplete: false,
    verdict: 'failed',
    reason,
  })
  t.equal(code, 1)
})

test('the input of a run that is not interrupted is complete', async (t) => {
  const env = { RECORD_TO: notebook(t).file }
  const messages = numberedMessages(3)
  t.match(await runHandler('outcomes.mjs', { messages, function: { env } }), { sent: 3, isInputComplete: true })
})

test('--json: what the module of --messages-from prints is not on stdout', async (t) => {
  const file = write(
    t,
    'prints.mjs',
    `console.log('loading')
     export default function* () { console.info('one message'); yield 1 }`,
  )
  const args = ['local', handlerFile('outcomes.mjs'), '--messages-from', file, '--batch-size', '1', '--idle', '0']
  const { stdout, stderr } = await command([...args, '--json'], { env: { RECORD_TO: notebook(t).file } })
  t.match(JSON.parse(stdout), { sent: 1 })
  t.match(stderr, /^loading$/m)
  t.match(stderr, /^one message$/m)
})

test('a module of --messages-from that ends the process does not make the command succeed', async (t) => {
  for (const text of ['process.exit(0)', 'process.exit()', 'export default () => process.exit(0)']) {
    const args = ['local', handlerFile('outcomes.mjs'), '--messages-from', write(t, 'ends.mjs', text)]
    const { code, stdout, stderr } = await command(args)
    t.strictSame({ code, stdout }, { code: 2, stdout: '' }, text)
    t.equal(stderr, 'bounded-sqs-batch: the process was ended before the command had a result\n')
  }
})
