import { rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { toRunOptions } from '../../../src/local/command/options.ts'
import { inProcess } from '../../support/in-process.ts'
import { counts, folder, handlerFile, notebook, runHandler } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

/** The most invocations that ran at once, and the number of processes. */
function spansOf(notes: ReturnType<typeof notebook>) {
  const lines: { pid: number; running: 1 | -1 }[] = notes.read()
  let [running, most] = [0, 0]
  for (const line of lines) {
    running += line.running
    most = Math.max(most, running)
  }
  return { most, processes: new Set(lines.map(({ pid }) => pid)).size }
}

test('one invocation at a time, always in the same process', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('concurrent.mjs', {
    function: { env: { RECORD_TO: notes.file } },
    messages: numberedMessages(30),
  })
  t.match(counts(ledger), { invocations: 3, processed: 30 })
  t.strictSame(spansOf(notes), { most: 1, processes: 1 })
})

test('a concurrency of 4: four concurrent invocations, each in a separate process', async (t) => {
  const notes = notebook(t)
  const ledger = await runHandler('concurrent.mjs', {
    function: { env: { RECORD_TO: notes.file, AT_ONCE: '4' } },
    messages: numberedMessages(160),
    mapping: { concurrency: 4 },
  })
  t.match(counts(ledger), { invocations: 16, processed: 160, lost: 0 })
  t.strictSame(spansOf(notes), { most: 4, processes: 4 })
})

const FLAGS = {
  messages: 1,
  reportBatchItemFailures: true,
  freeze: true,
  maxDeadLettered: 0,
  maxFailedInvocations: 0,
  idle: 0,
}

test('the default of --concurrency: 1 without a template, else at most five and what machine and mapping allow', async (t) => {
  const processors = Math.max(2, availableParallelism())
  const HANDLER = handlerFile('concurrent.mjs')
  const of = async (flags: object) => (await toRunOptions(HANDLER, { ...FLAGS, ...flags })).mapping.concurrency
  const template = 'template.yaml'
  t.equal(await of({}), 1)
  t.equal(await of({ template }), Math.min(5, processors))
  t.equal(await of({ template, maximumConcurrency: 2 }), 2)
  t.equal(await of({ template, maximumConcurrency: 10 }), Math.min(5, processors))
  t.equal(await of({ template, concurrency: 3 }), 3)
  t.equal(await of({ template, inspect: true }), 1)
  t.equal(await of({ template, env: ['NODE_OPTIONS=--inspect-brk'] }), 1)
})

test('with a template, a handler that fails if two environments run at once fails', async (t) => {
  const file = join(folder(t), 'h.mjs')
  // The first invocation waits for a second one.
  writeFileSync(
    file,
    `import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
const { LOCK, WAITS } = process.env
export const handler = async () => {
  try {
    writeFileSync(LOCK, '', { flag: 'wx' })
  } catch (error) {
    writeFileSync(LOCK + '.tried', '')
    throw error
  }
  while (WAITS && !existsSync(LOCK + '.tried')) await sleep(20)
  rmSync(LOCK)
}`,
  )
  const mapping = { BatchSize: 10, MaximumBatchingWindowInSeconds: 0, ScalingConfig: { MaximumConcurrency: 10 } }
  const template = templateFile(t, sam({ mapping, function: { Timeout: 300 }, queue: { VisibilityTimeout: 1800 } }))
  const LOCK = join(folder(t), 'lock')
  const args = ['local', file, '--messages', '100', '--template', template, '--json', '--idle', '0']
  const failed = await inProcess(args, { env: { LOCK, WAITS: 'yes' } })
  t.match(failed.stderr, /^settings of \S+ in \S+: .*, maximum concurrency 10$/m)
  t.match(JSON.parse(failed.stdout), { verdict: 'failed' })
  t.ok(JSON.parse(failed.stdout).failedInvocations > 0)
  rmSync(LOCK, { force: true })
  const one = await inProcess([...args, '--concurrency', '1'], { env: { LOCK } })
  t.match(JSON.parse(one.stdout), { verdict: 'passed', processed: 100, failedInvocations: 0 })
})
