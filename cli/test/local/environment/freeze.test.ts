import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { toRunOptions } from '../../../src/local/command/options.ts'
import { freezes } from '../../../src/local/environment/environment.ts'
import { startRuntime } from '../../../src/local/environment/environment-pool.ts'
import { command, folder, handlerFile, isAlive, notebook, runHandler, until } from '../../support/runs.ts'

const LEFTOVERS = handlerFile('leftovers.mjs')

/** Attaches a debugger to the process of the handler, which has not loaded it yet. Returns what stops at a breakpoint. */
async function attach(t: Test, output: { stderr: string }) {
  const address = () => /Debugger listening on (ws:\S+)/.exec(output.stderr)?.[1]
  await until(() => address() !== undefined)
  const socket = new WebSocket(`${address()}`)
  t.teardown(() => socket.close())
  const paused: { functionName: string }[] = []
  let id = 0
  const call = (method: string) => socket.send(JSON.stringify({ id: ++id, method }))
  socket.addEventListener('message', ({ data }) => {
    const { method, params } = JSON.parse(data)
    if (method !== 'Debugger.paused') return
    paused.push(params.callFrames[0])
    call('Debugger.resume')
  })
  await once(socket, 'open')
  call('Debugger.enable')
  call('Runtime.runIfWaitingForDebugger')
  return paused
}

test('with --inspect, the handler is loaded once a debugger is attached, which can stop it at a breakpoint', async (t) => {
  const file = join(folder(t), 'h.mjs')
  writeFileSync(file, 'export async function handler() {\n  debugger\n}\n')
  let paused: { functionName: string }[] = []
  const { code, stdout, stderr } = await command(['local', file, '--messages', '1', '--inspect', '0', '--json'], {
    during: async (_, output) => {
      paused = await attach(t, output)
    },
  })
  t.strictSame(
    paused.map(({ functionName }) => functionName),
    ['handler'],
  )
  t.match(JSON.parse(stdout), { verdict: 'passed', processed: 1 })
  t.equal(code, 0)
  t.notMatch(stderr, 'loading the function took')
})

for (const flag of ['--no-freeze', '--inspect=0']) {
  test(`with ${flag}, environments are not frozen, and the run says so`, async (t) => {
    const notes = notebook(t)
    const args = ['local', `${LEFTOVERS}#inTimer`, '--messages', '10', '--idle', '600', '--json', flag]
    const { code, stdout, stderr } = await command(args, {
      env: { RECORD_TO: notes.file },
      during: async (child, output) => {
        if (flag.startsWith('--inspect')) await attach(t, output)
        await until(() => notes.read().flat().length === 10)
        child.kill('SIGINT') // ends the run
      },
    })
    t.match(JSON.parse(stdout), { verdict: 'passed', processed: 10, respondedEarly: 0 })
    t.equal(code, 0)
    t.match(
      stderr,
      /^warning \| environments are not frozen after a response, so work that the handler has not awaited goes on\. On Lambda, it stops$/m,
    )
    t.equal(stderr.includes('Debugger listening on'), flag.startsWith('--inspect'))
  })
}

test('environments are frozen, unless flags or environment variables prevent it', async (t) => {
  const defaults = {
    messages: 1,
    reportBatchItemFailures: true,
    freeze: true,
    maxDeadLettered: 0,
    maxFailedInvocations: 0,
  }
  const of = async (flags: object) => freezes((await toRunOptions(LEFTOVERS, { ...defaults, ...flags })).function)
  t.equal(await of({}), true)
  t.equal(await of({ runtimeClient: 'node client.mjs' }), true)
  t.equal(await of({ freeze: false }), false)
  t.equal(await of({ inspect: true }), false)
  t.equal(await of({ inspect: '0' }), false)
  t.equal(await of({ env: ['NODE_OPTIONS=--inspect=0'] }), false)
  t.equal(await of({ runtimeClient: 'node --inspect client.mjs' }), false)
})

const isLinux = { skip: process.platform === 'linux' ? false : 'reads /proc' }

/** The state of a process on Linux: T means stopped. */
function stateOf(pid: number): string | undefined {
  return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
}

test('a timer that is due fires with the next event, as on Lambda', isLinux, async (t) => {
  const notes = notebook(t)
  const env = { RECORD_TO: notes.file }
  const runtime = await startRuntime({ file: LEFTOVERS, exportName: 'inTimers', env })
  t.teardown(runtime.stop)
  const invoke = (number: number) =>
    runtime.invoke(JSON.stringify({ Records: [{ messageId: 'm', body: JSON.stringify({ number }) }] }))
  await invoke(1)
  const [{ pid }] = notes.read()
  await until(() => stateOf(pid) === 'T')
  notes.release()
  const processed = () => notes.read().filter(Array.isArray)
  t.strictSame(processed(), [])
  // On a busy machine, the process can be frozen again before its timers fire.
  for (let number = 2; processed().length === 0; number++) await invoke(number)
  t.strictSame(processed()[0], [1])
})

/** Runs a handler in 5 environments, and calls `act` when all of their processes are stopped. */
async function whenFrozen(t: Test, act: (child: { kill: (signal: NodeJS.Signals) => unknown }) => unknown) {
  const notes = notebook(t)
  const handler = `${LEFTOVERS}#withChild`
  const flags = ['--messages', '5', '--batch-size', '1', '--concurrency', '5', '--idle', '600', '--timeout', '300']
  const pids = () => notes.read().flatMap(({ pid, child }) => [pid, child])
  await command(['local', handler, ...flags], {
    env: { RECORD_TO: notes.file },
    during: async (child) => {
      await until(() => pids().length > 0 && pids().every((pid) => stateOf(pid) === 'T') && notes.read().length >= 5)
      await act(child)
    },
  })
  await until(() => !pids().some(isAlive))
  t.pass('no process is left')
}

for (const signal of ['SIGKILL', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal} to the command ends all processes of five environments, which are stopped`, isLinux, async (t) => {
    await whenFrozen(t, (child) => child.kill(signal))
  })
}

test('a run that throws ends all stopped processes', isLinux, async (t) => {
  const notes = notebook(t)
  const pids = () => notes.read().flatMap(({ pid, child }) => [pid, child])
  const ran = runHandler('leftovers.mjs', {
    function: { exportName: 'withChild', env: { RECORD_TO: notes.file } },
    messages: [{ body: '1' }],
    mapping: { batchSize: 1 },
    idle: undefined,
    onProgress: () => {
      if (pids().length === 2 && pids().every((pid) => stateOf(pid) === 'T')) throw new Error('from the test')
    },
  })
  await t.rejects(ran, { message: 'from the test' })
  await until(() => !pids().some(isAlive))
})
