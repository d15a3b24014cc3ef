import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { freePort } from '../../../../test/support/free-port.ts'
import { whyFailed } from '../../../src/local/command/verdict.ts'
import { numberedMessages } from '../../../src/local/queue/messages-file.ts'
import { splitExport } from '../../../src/shared/handler-file.ts'
import { BIN, command, environment, folder, handlerFile, notebook, runHandler, until } from '../../support/runs.ts'

test('--messages-file -: standard input', async (t) => {
  const notes = notebook(t)
  const args = ['local', handlerFile('outcomes.mjs'), '--messages-file', '-', '--json', '--idle', '0']
  const { stdout } = await command(args, { env: { RECORD_TO: notes.file }, input: '{"number":3}\n{"number":4}\n' })
  t.match(JSON.parse(stdout), { sent: 2, processed: 2, verdict: 'passed', reason: undefined })
  t.strictSame(notes.read().sort(), [3, 4])
})

test('the path of a file may contain #', (t) => {
  const path = join(folder(t), 'a #1 dir')
  const file = join(path, 'h#1.ts')
  mkdirSync(path)
  writeFileSync(file, '')
  t.strictSame(splitExport(file), { file, exportName: 'handler' })
  t.strictSame(splitExport(`${file}#orders`), { file, exportName: 'orders' })
  const missing = join(path, 'nope.ts')
  t.strictSame(splitExport(missing), { file: missing, exportName: 'handler' })
  t.strictSame(splitExport(`${missing}#orders`), { file: missing, exportName: 'orders' })
  t.end()
})

test('a run that is interrupted before all messages were sent fails, even if the sent ones were processed', async (t) => {
  const notes = notebook(t)
  const over = new AbortController()
  const ledger = await runHandler('outcomes.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(Number.POSITIVE_INFINITY),
    drain: over.signal,
    onProgress: ({ processed }) => {
      if (processed > 0) over.abort()
    },
  })
  t.equal(ledger.isInputComplete, false)
  t.equal(ledger.lost, 0)
  t.ok(ledger.processed > 0 && ledger.remaining > 0)
  t.equal(ledger.processed + ledger.remaining + ledger.deadLettered, ledger.sent)
  const reason = whyFailed(ledger, { maxDeadLettered: 1e9, maxFailedInvocations: 0 })
  t.match(reason, /^the run was interrupted before all messages were sent; [\d,]+ messages were left in the queue$/)
})

test('Ctrl-C ends a run whose standard input has not ended', async (t) => {
  const args = [
    'local',
    handlerFile('outcomes.mjs'),
    '--messages-file',
    '-',
    '--json',
    '--port',
    String(await freePort()),
  ]
  const child = spawn(process.execPath, [BIN, ...args], { env: environment({ RECORD_TO: notebook(t).file }) })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk
  })
  child.stdin.write('{"number":3}\n')
  await until(() => output.stderr.includes('queue http'))
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  const reason = 'the run was interrupted before all messages were sent; no message was processed'
  t.match(JSON.parse(output.stdout), { sent: 0, isInputComplete: false, verdict: 'failed', reason })
})
