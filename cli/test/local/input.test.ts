import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../src/local/messages.ts'
import { splitExport } from '../../src/local/options.ts'
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
