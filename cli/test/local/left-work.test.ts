import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../src/engine.ts'
import { folder, handlerFile, runHandler } from '../support/runs.ts'

/** A service that responds after a while, unless the path is /secret, and a database that responds to each line, to some after a while. */
async function startServers(t: Test) {
  const service = createHttpServer((request, response) => {
    if (request.url !== '/secret') setTimeout(() => response.end('{}'), 20)
  })
  const database = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (lines) => {
      const respond = () => socket.write(String(lines).replace(/.+/g, 'done'))
      if (String(lines).startsWith('slow')) setTimeout(respond, 200)
      else respond()
    })
  })
  await Promise.all([service, database].map((server) => once(server.listen(0, '127.0.0.1'), 'listening')))
  t.teardown(() => {
    service.closeAllConnections()
    service.close()
    database.close()
  })
  const [servicePort, databasePort] = [service, database].map((server) => (server.address() as AddressInfo).port)
  return {
    env: { SERVICE: `http://127.0.0.1:${servicePort}`, DATABASE: String(databasePort), FILE: join(folder(t), 'file') },
    service: `GET http://127.0.0.1:${servicePort}`,
    database: `a call to port ${databasePort}`,
  }
}

/** Environment variables for a process that must find late work. */
const SLOW_CLOCK = { NODE_OPTIONS: `--import=${handlerFile('slow-clock.mjs')}` }

/** Runs a handler with five messages, and returns the invocations that responded early, and the warnings. */
async function runExport(exportName: string, env: NodeJS.Dict<string>, batchSize = 1) {
  const warnings: string[] = []
  const { respondedEarly, processed, crashes } = await runHandler('leftovers.mjs', {
    function: { exportName, env, timeout: 300_000 },
    queue: { visibilityTimeout: 300, maxReceives: 3 },
    mapping: { batchSize },
    messages: numberedMessages(5),
    onWarning: (line) => warnings.push(line),
  })
  return { respondedEarly, processed, crashes, warnings }
}

type Kind =
  | 'GET http://127.0.0.1:2'
  | 'service'
  | 'database'
  | 'a file operation'
  | 'work in the thread pool'
  | 'a child process'
  | 'a worker thread'

const FORGOTTEN: Record<string, Kind> = {
  fetch: 'service',
  fetchInForEach: 'service',
  fetchAfterFile: 'a file operation',
  fetchAfterPromises: 'service',
  fetchInImmediate: 'service',
  fetchInShortTimer: 'service',
  fetchInLongTimer: 'service',
  fetchAfterLongSleep: 'service',
  query: 'database',
  queryInForEach: 'database',
  queuedQuery: 'database',
  refusedRequest: 'GET http://127.0.0.1:2',
  secondQuery: 'database',
  serialQueries: 'database',
  queryInLongTimer: 'database',
  file: 'a file operation',
  fileHandle: 'a file operation',
  fileStream: 'a file operation',
  threadPool: 'work in the thread pool',
  longRead: 'a file operation',
  childProcess: 'a child process',
  worker: 'a worker thread',
}

for (const [name, kind] of Object.entries(FORGOTTEN)) {
  test(`a forgotten await (${name}) fails the run, which names the work and a line of the handler`, async (t) => {
    const { env, ...names } = await startServers(t)
    // This one does not end, and is found without waiting for it.
    const clock = name === 'longRead' ? {} : SLOW_CLOCK
    const { respondedEarly, processed, crashes, warnings } = await runExport(`forgotten.${name}`, { ...env, ...clock })
    t.ok(respondedEarly > 0, `${respondedEarly} invocations responded early`)
    t.strictSame({ processed, crashes }, { processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
    const text = kind === 'service' || kind === 'database' ? names[kind] : kind
    const isFired = /InLongTimer|AfterLongSleep/.test(name)
    t.match(warnings[0], `× ${text}${isFired ? ' in a timer that was fired at the end of the run' : ''} (`)
    t.match(warnings[0], /\(\S*test\/handlers\/leftovers\.mjs:\d+\)[^(]*\. Lambda freezes .* Await it/)
    t.equal(warnings[0]?.endsWith('Await it, or unref() the timer of work that may be late'), isFired)
  })
}

const CORRECT = [
  'queries',
  'newClient',
  'timeLimit',
  'watchdog',
  'unreferencedTimer',
  'interval',
  'idle',
  'abortedRequest',
  'failedAttempt',
  'synchronousCrypto',
  'logs',
  'files',
  'childProcess',
  'endedChildProcess',
  'workers',
  'zip',
]

for (const name of CORRECT) {
  test(`control: correct work (${name}) does not fail the run`, async (t) => {
    const { env } = await startServers(t)
    const { warnings, ...counts } = await runExport(`correct.${name}`, env)
    t.strictSame({ ...counts, warnings }, { respondedEarly: 0, processed: 5, crashes: 0, warnings: [] })
  })
}

for (const name of ['lazySubscription', 'spareWorker']) {
  test(`what a process starts once (${name}) is only a warning`, async (t) => {
    const { env, database } = await startServers(t)
    const { warnings, ...counts } = await runExport(`correct.${name}`, { ...env, ...SLOW_CLOCK })
    t.strictSame(counts, { respondedEarly: 0, processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
    t.match(warnings[0], `an answer arrived for 1 × ${name === 'spareWorker' ? 'a worker thread' : database} (`)
  })
}

test('an answer that arrives after the response of the only invocation is a warning', async (t) => {
  const { env, database } = await startServers(t)
  const { warnings, respondedEarly } = await runExport('forgotten.query', { ...env, ...SLOW_CLOCK }, 5)
  t.equal(respondedEarly, 0)
  t.equal(warnings.length, 1)
  t.match(warnings[0], `after a response, an answer arrived for 1 × ${database} (`)
})

test('what a timer starts at the end of the run fails it, also after a single invocation', async (t) => {
  const { env, database } = await startServers(t)
  const { warnings, respondedEarly } = await runExport('forgotten.queryInLongTimer', { ...env, ...SLOW_CLOCK }, 5)
  t.equal(respondedEarly, 1)
  t.equal(warnings.length, 1)
  t.match(warnings[0], `had ended: 1 × ${database} in a timer that was fired at the end of the run (`)
})

test('the line of the handler is named, also if a package awaits something before its request', async (t) => {
  const { env, service } = await startServers(t)
  const root = folder(t)
  mkdirSync(join(root, 'node_modules/client'), { recursive: true })
  const client =
    "export async function send() {\n  await null\n  await null\n  await fetch(process.env.SERVICE + '/secret')\n}"
  writeFileSync(join(root, 'node_modules/client/index.mjs'), client)
  const handler =
    "import { send } from './node_modules/client/index.mjs'\nexport const handler = async () => void send()\n"
  writeFileSync(join(root, 'handler.mjs'), handler)
  const warnings: string[] = []
  await runHandler('', {
    function: { file: join(root, 'handler.mjs'), env: { ...env, ...SLOW_CLOCK } },
    mapping: { batchSize: 1 },
    messages: numberedMessages(5),
    onWarning: (line) => warnings.push(line),
  })
  t.equal(warnings.length, 1)
  t.match(warnings[0], `had ended: 5 × ${service} (`)
  t.match(warnings[0], /handler\.mjs:2\)\. Lambda freezes/)
})

test('if the environment is not frozen, nothing looks for work that is left', async (t) => {
  const { env } = await startServers(t)
  const { respondedEarly } = await runExport('forgotten.fetch', { ...env, AWS_LAMBDA_MAX_CONCURRENCY: '1' })
  t.equal(respondedEarly, 0)
})

const CPU_CLOCK = { NODE_OPTIONS: `--import=${handlerFile('cpu-clock.mjs')}` }
const FAILURES: Record<string, { code: string; counted: 'respondedEarly' | 'diedBetween' | 'wouldTimeOut' }> = {
  'work that it did not await': { code: 'fetch(process.env.SERVICE)', counted: 'respondedEarly' },
  'a death after its response': { code: 'setImmediate(() => process.exit(1))', counted: 'diedBetween' },
  'a block of the thread': {
    code: 'burn(1000)',
    counted: 'wouldTimeOut',
  },
}

for (const [what, { code, counted }] of Object.entries(FAILURES)) {
  test(`the first message of an invocation that fails a run is named: ${what}`, async (t) => {
    const { env } = await startServers(t)
    const path = join(folder(t), 'handler.mjs')
    const source = `import { writeFileSync } from 'node:fs'
export async function handler({ Records: [{ messageId, body }] }) {
  if (JSON.parse(body).number === 3) {
    writeFileSync(process.env.FILE, messageId)
    ${code}
  }
  return { batchItemFailures: [] }
}`
    writeFileSync(path, source)
    const { [counted]: count, firstFailed } = await runHandler('', {
      function: { file: path, env: { ...env, ...CPU_CLOCK }, memory: 128, timeout: 5000 },
      mapping: { batchSize: 1 },
      messages: numberedMessages(5),
    })
    t.strictSame({ count, firstFailed }, { count: 1, firstFailed: readFileSync(env.FILE, 'utf8') })
  })
}
