import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { openInterrupt } from '../../../src/local/command/local.ts'
import {
  command,
  counts,
  environment,
  folder,
  handlerFile,
  heldTimers,
  isAlive,
  notebook,
  type Result,
  runHandler,
  until,
} from '../../support/runs.ts'

const FINISHING = 'finishing the running batches'

/** Starts the command, waits until the handler has begun its first batch, then calls `act`. */
async function interrupted(
  notes: ReturnType<typeof notebook>,
  exportName: string,
  act: (child: ChildProcess, output: Result) => unknown,
) {
  const flags = ['--messages', '20', '--batch-size', '10', '--json', '--timeout', '300']
  const result = await command(['local', `${handlerFile('slow.mjs')}#${exportName}`, ...flags], {
    env: { RECORD_TO: notes.file },
    during: async (child, output) => {
      await until(() => notes.read().length > 0)
      await act(child, output)
    },
  })
  const [{ pid, child }] = notes.read()
  return { ...result, pids: [pid, child].filter((id) => id !== undefined) as number[] }
}

async function gone(pids: readonly number[]) {
  return until(() => !pids.some(isAlive))
}

test('Ctrl-C: the running batch is finished and deleted, the rest stays in the queue', async (t) => {
  const notes = notebook(t)
  const { code, stdout, stderr, pids } = await interrupted(notes, 'handler', async (child, output) => {
    child.kill('SIGINT')
    await until(() => output.stderr.includes(FINISHING))
    notes.release()
  })
  t.match(stderr, /^finishing the running batches; press Ctrl-C again to stop immediately$/m)
  t.match(JSON.parse(stdout), {
    sent: 20,
    invocations: 1,
    processed: 10,
    remaining: 10,
    lost: 0,
    crashes: 0,
    redelivered: 0,
  })
  t.equal(code, 1)
  await gone(pids)
})

test('signals within 300 ms count as one, and the next one stops the run', (t) => {
  const controllers = { draining: new AbortController(), stopping: new AbortController() }
  const lines: string[] = []
  let now = 1000
  const interrupt = openInterrupt(controllers, lines.push.bind(lines), () => now)
  const aborted = [0, 0, 299, 1].map((ms) => {
    now += ms
    interrupt()
    return Object.values(controllers).filter(({ signal }) => signal.aborted).length
  })
  t.strictSame(aborted, [1, 1, 1, 2])
  t.match(lines, [FINISHING, 'stopping immediately'])
  t.equal(lines.length, 2)
  t.end()
})

/** Interrupts the command, and then sends signals until one of them counts as the second one. */
async function interruptTwice(child: ChildProcess, output: Result) {
  child.kill('SIGINT')
  await until(() => output.stderr.includes(FINISHING))
  await until(() => {
    if (output.stderr.includes('stopping immediately')) return true
    child.kill('SIGTERM')
    return false
  })
}

test('a second Ctrl-C stops the run immediately: no message is deleted, and the ledger counts the remaining ones', async (t) => {
  const notes = notebook(t)
  const { code, stdout, stderr, pids } = await interrupted(notes, 'blocks', interruptTwice)
  t.match(stderr, /^stopping immediately: the messages of running invocations stay in the queue$/m)
  t.match(JSON.parse(stdout), {
    invocations: 1,
    processed: 0,
    remaining: 20,
    lost: 0,
    crashes: 0,
    timeouts: 0,
    failedInvocations: 0,
  })
  t.equal(code, 1)
  t.equal(pids.length, 2)
  await gone(pids)
})

test('a second Ctrl-C while the handler is loading ends the run, which failed', async (t) => {
  const file = join(folder(t), 'h.mjs')
  writeFileSync(file, "console.log('loading')\nawait new Promise((resolve) => setTimeout(resolve, 3_600_000))")
  const { code, stdout, stderr } = await command(['local', file, '--messages', '20', '--json'], {
    during: async (child, output) => {
      await until(() => output.stderr.includes('function | loading'))
      await interruptTwice(child, output)
    },
  })
  t.match(JSON.parse(stdout), {
    verdict: 'failed',
    reason: 'the run was interrupted before all messages were sent; no message was processed',
    sent: 0,
    crashes: 0,
  })
  t.notMatch(stderr, 'could not be loaded')
  t.equal(code, 1)
})

for (const signal of ['SIGKILL', 'SIGQUIT'] as const) {
  test(`${signal} to the command also ends its processes, even with a blocked event loop, and their children`, async (t) => {
    const notes = notebook(t)
    const { pids } = await interrupted(notes, 'blocks', (child) => child.kill(signal))
    t.equal(pids.length, 2)
    await gone(pids)
  })
}

test('a timeout also kills processes that the handler started', async (t) => {
  const notes = notebook(t)
  const { startTimer, fireLast } = heldTimers()
  const ran = runHandler('slow.mjs', {
    queue: { visibilityTimeout: 40, maxReceives: 1 },
    function: { exportName: 'blocks', env: { RECORD_TO: notes.file }, startTimer },
    messages: numberedMessages(1),
  })
  await until(() => notes.read().length > 0)
  fireLast()
  t.match(counts(await ran), { timeouts: 1, deadLettered: 1, lost: 0 })
  const [{ pid, child }] = notes.read()
  await gone([pid, child])
})

test('a closed pipe ends the command with the exit code of SIGPIPE, without a message', async (t) => {
  const notes = notebook(t)
  const child = spawn(
    'sh',
    [
      '-c',
      '{ "$0" "$@"; echo "exit code $?" >&2; } | head -1',
      process.execPath,
      new URL('../../../src/bin.ts', import.meta.url).pathname,
      'local',
      handlerFile('slow.mjs'),
      '--messages',
      '20',
      '--batch-size',
      '10',
    ],
    { env: environment({ RECORD_TO: notes.file }), stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout.resume()
  await new Promise((resolve) => child.on('close', resolve))
  t.match(stderr, /^exit code 141$/m)
  t.notMatch(stderr, /error| at /)
  await gone(
    notes
      .read()
      .map(({ pid }) => pid)
      .filter((pid) => pid !== undefined),
  )
})
