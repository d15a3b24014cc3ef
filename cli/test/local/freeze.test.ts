import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../src/engine.ts'
import { freezes } from '../../src/local/simulator/environment.ts'
import { startRuntime } from '../../src/local/simulator/runtime.ts'
import { command, counts, handlerFile, isAlive, notebook, runHandler, until } from '../support/runs.ts'

const LEFTOVERS = handlerFile('leftovers.mjs')
const small = ['--messages', '10', '--batch-size', '10', '--idle', '1', '--json']

/** A service that responds, unless the path is /secret. */
async function startService(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url !== '/secret') response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a request in flight at the response fails the run, which names the service without the path', async (t) => {
  const SERVICE = await startService(t)
  const { code, stdout, stderr } = await command(['local', `${LEFTOVERS}#fetches`, ...small], { env: { SERVICE } })
  t.match(JSON.parse(stdout), { verdict: 'failed', respondedEarly: 1 })
  t.equal(code, 1)
  t.match(stderr, `before its work had ended: 1 × GET ${SERVICE} (`)
  t.match(stderr, /leftovers\.mjs:\d+\)\. Lambda freezes .* Await it$/m)
  t.notMatch(stderr, 'secret')
})

test('a request that starts after the response, before the process asks for another event, fails the run', async (t) => {
  const SERVICE = await startService(t)
  const { code, stdout, stderr } = await command(['local', `${LEFTOVERS}#fetchesLater`, ...small], { env: { SERVICE } })
  t.match(JSON.parse(stdout), { verdict: 'failed', respondedEarly: 1 })
  t.equal(code, 1)
  t.match(stderr, `× GET ${SERVICE} (`)
})

test('control: requests of an interval or an unreferenced timer belong to no invocation', async (t) => {
  const SERVICE = await startService(t)
  const { code, stdout, stderr } = await command(['local', `${LEFTOVERS}#flushesMetrics`, ...small], {
    env: { SERVICE },
  })
  t.match(JSON.parse(stdout), { verdict: 'passed', respondedEarly: 0 })
  t.equal(code, 0)
  t.notMatch(stderr, 'warning |')
})

test('control: intervals, unreferenced and cleared timers and idle sockets are not work that is left', async (t) => {
  const env = { SERVICE: await startService(t), RECORD_TO: notebook(t).file }
  const args = ['local', `${LEFTOVERS}#leavesNothing`, '--messages', '100', '--batch-size', '10', '--json']
  const { code, stdout, stderr } = await command(args, { env })
  t.match(JSON.parse(stdout), { verdict: 'passed', processed: 100, respondedEarly: 0 })
  t.equal(code, 0)
  t.notMatch(stderr, 'warning |')
})

test('control: requests that were aborted at the end of the time budget are not work that is left', async (t) => {
  const env = { SERVICE: await startService(t) }
  const args = ['local', handlerFile('hangs.ts'), ...small, '--timeout', '10', '--max-receives', '1']
  const { stdout, stderr } = await command(args, { env })
  t.match(JSON.parse(stdout), { processed: 0, deadLettered: 10, respondedEarly: 0, failedInvocations: 0, timeouts: 0 })
  t.notMatch(stderr, 'warning |')
})

/** A timer that fires before the end of a run that does not freeze. */
const SHORT = { TIMER_MS: '200' }

for (const [flags, env] of [
  [['--no-freeze'], {}],
  [['--inspect=0'], {}],
  [['--env', 'NODE_OPTIONS=--inspect=0'], {}],
] as const) {
  test(`with ${flags.join(' ')}, environments are not frozen, and the run says so`, async (t) => {
    const notes = notebook(t)
    const args = ['local', `${LEFTOVERS}#inTimer`, ...small, ...flags]
    const { code, stdout, stderr } = await command(args, { env: { ...env, ...SHORT, RECORD_TO: notes.file } })
    t.match(JSON.parse(stdout), { verdict: 'passed', respondedEarly: 0 })
    t.equal(code, 0)
    t.equal(notes.read().flat().length, 10)
    t.match(
      stderr,
      /^warning \| environments are not frozen after a response, so work that the handler has not awaited goes on\. On Lambda, it stops$/m,
    )
  })
}

test('an inspector in the command of another runtime client is noticed, too', (t) => {
  const runtimeClient = 'node --inspect client.mjs'
  t.equal(freezes({ file: LEFTOVERS, env: {} }), true)
  t.equal(freezes({ file: LEFTOVERS, env: {}, runtimeClient }), false)
  t.end()
})

test('on Managed Instances, environments are not frozen', async (t) => {
  const notes = notebook(t)
  await runHandler('leftovers.mjs', {
    function: { exportName: 'inTimer', env: { ...SHORT, RECORD_TO: notes.file, AWS_LAMBDA_MAX_CONCURRENCY: '2' } },
    messages: numberedMessages(10),
    idle: 1,
    onWarning: () => {},
  })
  t.equal(notes.read().flat().length, 10)
})

/** The state of a process on Linux: T means stopped. */
function stateOf(pid: number): string | undefined {
  return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
}

test('a timer that is due fires with the next event, as on Lambda', async (t) => {
  const notes = notebook(t)
  const runtime = await startRuntime({
    file: LEFTOVERS,
    exportName: 'afterWait', // after 1 s: on a busy machine, it takes a while until the process is frozen
    env: { RECORD_TO: notes.file },
  })
  t.teardown(runtime.stop)
  const event = (number: number) => JSON.stringify({ Records: [{ messageId: 'm', body: JSON.stringify({ number }) }] })
  await runtime.invoke(event(1))
  await new Promise((resolve) => setTimeout(resolve, 1200))
  t.strictSame(notes.read(), [])
  await runtime.invoke(event(2))
  await runtime.invoke(event(3)) // on a busy machine, the process was frozen again before its timers could fire
  t.strictSame(notes.read()[0], [1])
})

const isLinux = { skip: process.platform === 'linux' ? false : 'reads /proc' }

/** Runs a handler in 20 environments, and calls `act` when all of their processes are stopped. */
async function whenFrozen(t: Test, act: (child: { kill: (signal: NodeJS.Signals) => unknown }) => unknown) {
  const notes = notebook(t)
  const handler = `${LEFTOVERS}#withChild`
  const args = ['local', handler, '--messages', '20', '--batch-size', '1', '--concurrency', '20', '--idle', '600']
  const pids = () => notes.read().flatMap(({ pid, child }) => [pid, child])
  await command(args, {
    env: { RECORD_TO: notes.file },
    during: async (child) => {
      await until(() => pids().length > 0 && pids().every((pid) => stateOf(pid) === 'T') && notes.read().length >= 20)
      await act(child)
    },
  })
  await until(() => !pids().some(isAlive))
  t.pass('no process is left')
}

for (const signal of ['SIGKILL', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal} to the command ends all processes of 20 environments, which are stopped`, isLinux, async (t) => {
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

test('control: an environment that is reused and frozen between events processes every message', async (t) => {
  const ledger = await runHandler('outcomes.mjs', {
    function: { env: { RECORD_TO: notebook(t).file } },
    messages: numberedMessages(1000),
  })
  t.match(counts(ledger), { processed: 900, deadLettered: 100, respondedEarly: 0, crashes: 0, timeouts: 0, lost: 0 })
})
