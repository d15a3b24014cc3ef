import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { freePort } from '../../../../test/support/free-port.ts'
import manifest from '../../../package.json' with { type: 'json' }
import { inProcess } from '../../support/in-process.ts'
import { command, folder, handlerFile, notebook } from '../../support/runs.ts'

const outcomes = handlerFile('outcomes.mjs')
const small = ['--batch-size', '10', '--retry-after', '0', '--idle', '0']

test('without a terminal: plain lines and a table', async (t) => {
  const env = { RECORD_TO: notebook(t).file }
  const args = ['local', outcomes, '--messages', '20', '--max-dead-lettered', '2', ...small]
  const { code, stdout, stderr } = await command(args, { env })
  t.equal(code, 0)
  t.equal(stderr, '')
  t.notMatch(stdout, '\u001b', 'no escape sequences')
  const lines = stdout.trimEnd().split('\n')
  t.match(
    lines[0],
    /^sent [\d,]+ · in the queue [\d,]+ · in flight [\d,]+ · processed [\d,]+ · failed [\d,]+ · dead-lettered [\d,]+ · [\d,]+ records\/s$/,
  )
  const rows = Object.fromEntries(
    lines
      .filter((line) => line.startsWith('│'))
      .map((line) =>
        line
          .split('│')
          .slice(1, 3)
          .map((cell) => cell.trim()),
      ),
  )
  t.match(rows, {
    sent: '20',
    processed: '18',
    'dead-lettered': '2',
    'records delivered': '30',
    redelivered: '10',
    invocations: /^\d+$/,
    'wall time': /^\d+\.\d s$/,
    'processed per second': /^\d{1,3}(,\d{3})*$/,
    'from the first delivery': '',
    'to the last processed message': '',
  })
})

test('--json: one object on stdout, everything else on stderr', async (t) => {
  const env = { RECORD_TO: notebook(t).file }
  const args = ['local', outcomes, '--messages', '20', '--json', ...small]
  const { stdout, stderr } = await command(args, { env })
  const ledger = JSON.parse(stdout)
  t.match(ledger, {
    sent: 20,
    delivered: 30,
    processed: 18,
    redelivered: 10,
    deadLettered: 2,
    remaining: 0,
    lost: 0,
    timeouts: 0,
    crashes: 0,
  })
  t.type(ledger.invocations, 'number')
  t.type(ledger.wallMs, 'number')
  t.equal(ledger.failures.length, 10)
  for (const failure of ledger.failures)
    t.match(
      failure,
      /^[0-9a-f-]{36}: reported as failed, receive count [1-5]: unknown error: the handler reported only the id of the record$/,
    )
  t.notMatch(stderr, '{')
})

test('if messages are lost, the first failure says why, and the exit code is 1', async (t) => {
  const env = { RECORD_TO: notebook(t).file }
  const { code, stdout } = await inProcess(
    ['local', outcomes, '--messages', '10', '--no-report-batch-item-failures', ...small],
    { env },
  )
  t.equal(code, 1)
  t.match(
    stdout,
    /^first failure: \S+: failed, but deleted \(ReportBatchItemFailures is off\): .*\nfailed: 2 messages were lost; /m,
  )
})

test('the reasons of failed invocations are listed below the table', async (t) => {
  const args = ['local', `${outcomes}#unavailable`, '--messages', '1', '--max-receives', '2', ...small]
  const { code, stdout } = await inProcess(args)
  t.equal(code, 1)
  t.match(stdout, /^Why invocations failed or processes died:\n {2}2 × Error: no database$/m)
})

test('the logs of the function go to stderr with a prefix; --quiet hides them', async (t) => {
  const file = join(folder(t), 'h.mjs')
  writeFileSync(
    file,
    "export const handler = async ({ Records: [{ body }] }) => { console.log('one\\ntwo'); console.error('three') }",
  )
  const loud = await command(['local', file, '--messages', '1', ...small])
  const logs = loud.stderr.trimEnd().split('\n')
  t.strictSame(logs.sort(), ['function | one', 'function | three', 'function | two'])
  t.notMatch(loud.stdout, /one|two|three/)
  const quiet = await command(['local', file, '--messages', '1', '--quiet', ...small])
  t.equal(quiet.stderr, '')
})

test('with --port, the queue accepts messages from other programs, and the run waits for the first message', async (t) => {
  const env = { RECORD_TO: notebook(t).file }
  const { SQSClient, SendMessageCommand } = await import('@aws-sdk/client-sqs')
  const port = await freePort()
  const { stdout, stderr } = await command(['local', outcomes, '--port', String(port), '--json', ...small], {
    env,
    during: async (child) => {
      await new Promise<void>((resolve) =>
        child.stderr?.on('data', (text) => `${text}`.includes('queue http') && resolve()),
      )
      const endpoint = `http://127.0.0.1:${port}`
      const client = new SQSClient({
        endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
      })
      await client.send(
        new SendMessageCommand({ QueueUrl: `${endpoint}/000000000000/local`, MessageBody: '{"number":5}' }),
      )
    },
  })
  t.match(JSON.parse(stdout || '{}'), { sent: 0, processed: 1, lost: 0, remaining: 0 }, stderr)
})

test('--messages-file: bodies, message groups and attributes arrive as written', async (t) => {
  const notes = notebook(t)
  const file = join(folder(t), 'm.jsonl')
  const written = [
    '{"a": 1}',
    '"text"',
    '[1]',
    '7',
    '{"body":"plain"}',
    '{"body":{"b":2},"messageAttributes":{"s":"x","n":4,"d":{"dataType":"Binary","binaryValue":"AP8="}}}',
    '',
    '{"no":"body 🎉"}',
  ]
  writeFileSync(file, written.join('\r\n'))
  await inProcess(['local', handlerFile('events.mjs'), '--messages-file', file, '--json', ...small], {
    env: { RECORD_TO: notes.file },
  })
  const records = notes.read().flatMap(({ event }) => event.Records)
  t.strictSame(
    records.map(({ body }: { body: string }) => body).sort(),
    ['{"a": 1}', 'text', '[1]', '7', 'plain', '{"b":2}', '{"no":"body 🎉"}'].sort(),
  )
  const { messageAttributes } = records.find(({ body }: { body: string }) => body === '{"b":2}')
  const lists = { stringListValues: [], binaryListValues: [] }
  t.strictSame(messageAttributes, {
    s: { stringValue: 'x', ...lists, dataType: 'String' },
    n: { stringValue: '4', ...lists, dataType: 'Number' },
    d: { binaryValue: 'AP8=', ...lists, dataType: 'Binary' },
  })
})

for (const args of [[], ['local'], ['doctor'], ['tune']]) {
  test(`${[...args, '--help'].join(' ')}: no line is longer than 80 columns`, async (t) => {
    const { stdout } = await inProcess([...args, '--help'])
    t.strictSame(
      stdout.split('\n').filter((line) => line.length > 80),
      [],
    )
  })
}

test('--help of local shows flags and examples, --version shows the version', async (t) => {
  const { code, stdout } = await command(['local', '--help'])
  t.equal(code, 0)
  for (const flag of ['--messages', '--queue-url', '--fifo', '--no-report-batch-item-failures', '--json']) {
    t.match(stdout, flag)
  }
  t.match(stdout, /Examples:/)
  t.equal((await command(['--version'])).stdout, `${manifest.version}\n`)
  t.equal((await command([])).code, 2)
})
