import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import { join, relative } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { folder, handlerFile, notebook, runHandler } from '../../support/runs.ts'

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
  const service2 = createHttp2Server((_request, response) => setTimeout(() => response.end('{}'), 20))
  const servers = [service, database, service2]
  await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')))
  t.teardown(() => {
    service.closeAllConnections()
    for (const server of servers) server.close()
  })
  const [servicePort, databasePort, port2] = servers.map((server) => (server.address() as AddressInfo).port)
  return {
    env: {
      SERVICE: `http://127.0.0.1:${servicePort}`,
      SERVICE2: `http://127.0.0.1:${port2}`,
      DATABASE: String(databasePort),
      FILE: join(folder(t), 'file'),
    },
    service: `GET http://127.0.0.1:${servicePort}`,
    database: `a call to port ${databasePort}`,
  }
}

/** Environment variables for a process that must find late work. */
const SLOW_CLOCK = { NODE_OPTIONS: `--import=${handlerFile('slow-clock.mjs')}` }

/** Runs a handler with five messages, and returns the invocations that responded early, and the warnings. */
async function runExport(exportName: string, env: NodeJS.Dict<string>, batchSize = 1, freeze = true) {
  const warnings: string[] = []
  const { respondedEarly, processed, crashes } = await runHandler('leftovers.mjs', {
    function: { exportName, env, timeout: 300_000, freeze },
    queue: { visibilityTimeout: 300, maxReceives: 3 },
    mapping: { batchSize },
    messages: numberedMessages(5),
    onWarning: (line) => warnings.push(line),
  })
  // Most of these handlers do not read their records, and some use intervals.
  const others = warnings.filter((line) => !/^(the handler read no property|not judged)/.test(line))
  return { respondedEarly, processed, crashes, warnings: others }
}

type Kind =
  | 'GET http://127.0.0.1:2'
  | 'service'
  | 'database'
  | 'a file operation'
  | 'work in the thread pool'
  | 'a child process'
  | 'a worker thread'
  | 'a call over HTTP/2'

const FORGOTTEN: Record<string, Kind> = {
  fetch: 'service',
  fetchInForEach: 'service',
  fetchAfterFile: 'a file operation',
  fetchAfterPromises: 'service',
  fetchInImmediate: 'service',
  fetchInShortTimer: 'service',
  query: 'database',
  queryInForEach: 'database',
  queuedQuery: 'database',
  refusedRequest: 'GET http://127.0.0.1:2',
  secondQuery: 'database',
  serialQueries: 'database',
  file: 'a file operation',
  fileHandle: 'a file operation',
  threadPool: 'work in the thread pool',
  fileWithCallback: 'a file operation',
  appendWithCallback: 'a file operation',
  readWithCallback: 'a file operation',
  renameWithCallback: 'a file operation',
  writeStream: 'a file operation',
  writeStreamLeftOpen: 'a file operation',
  longRead: 'a file operation',
  childProcess: 'a child process',
  worker: 'a worker thread',
  workerThatAnswers: 'a worker thread',
  forkThatAnswers: 'a child process',
  http2: 'a call over HTTP/2',
}

for (const [name, kind] of Object.entries(FORGOTTEN)) {
  test(`a forgotten await (${name}) fails the run, which names the work and a line of the handler`, async (t) => {
    const { env, ...names } = await startServers(t)
    // This one does not end, and is found without waiting for it.
    const clock = name === 'longRead' ? {} : SLOW_CLOCK
    const run = await runExport(`forgotten.${name}`, { ...env, ...clock })
    const { respondedEarly, processed, crashes } = run
    // The run can end before the last short timer fires, which is a warning of its own.
    const isOfTimer = (line: string) => name === 'fetchInShortTimer' && line.startsWith('timers that invocations had')
    const warnings = run.warnings.filter((line) => !isOfTimer(line))
    t.ok(respondedEarly > 0, `${respondedEarly} invocations responded early`)
    t.strictSame({ processed, crashes }, { processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
    const text = kind === 'service' || kind === 'database' ? names[kind] : kind
    t.match(warnings[0], `× ${text} (`)
    t.match(warnings[0], /\(\S*test\/handlers\/leftovers\.mjs:\d+\)[^(]*\. Lambda freezes .* Await it$/)
  })
}

const CORRECT = [
  'queries',
  'newClient',
  'refUnref',
  'farewell',
  'unreferencedTimer',
  'interval',
  'idle',
  'abortedRequest',
  'failedAttempt',
  'synchronousCrypto',
  'files',
  'streams',
  'firstChunk',
  'blob',
  'callbacks',
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

for (const [name, what] of [
  ['lazySubscription', undefined],
  ['spareWorker', 'a worker thread'],
]) {
  test(`what a process starts once (${name}) is only a warning`, async (t) => {
    const { env, database } = await startServers(t)
    const { warnings, ...counts } = await runExport(`correct.${name}`, { ...env, ...SLOW_CLOCK })
    t.strictSame(counts, { respondedEarly: 0, processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
    t.match(warnings[0], `an answer arrived for 1 × ${what ?? database} (`)
  })
}

test('an answer that arrives after the response of the only invocation is a warning', async (t) => {
  const { env, database } = await startServers(t)
  const { warnings, respondedEarly } = await runExport('forgotten.query', { ...env, ...SLOW_CLOCK }, 5)
  t.equal(respondedEarly, 0)
  t.equal(warnings.length, 1)
  t.match(warnings[0], `after a response, an answer arrived for 1 × ${database} (`)
})

const HANDLERS = readFileSync(handlerFile('leftovers.mjs'), 'utf8').split('\n')
/** The line of the handlers with this code, as it is named. */
function placeOf(code: string) {
  const file = relative(process.cwd(), handlerFile('leftovers.mjs'))
  return `${file}:${HANDLERS.findIndex((line) => line.includes(code)) + 1}`
}

const LEFT_TIMERS: Record<string, string> = {
  fetchInLongTimer: 'void setTimeout(request, HOUR)',
  fetchAfterLongSleep: 'void sleep(HOUR)',
  undone: 'void setTimeout(() => note(',
  timeLimit: 'setTimeout(reject, HOUR',
  watchdog: 'setTimeout(() => process.exit(1), HOUR)',
}
for (const [name, code] of Object.entries(LEFT_TIMERS)) {
  test(`a timer that is pending at the end of the run (${name}) is not fired, and is one warning with its line`, async (t) => {
    const { env } = await startServers(t)
    const notes = notebook(t)
    const { warnings, ...counts } = await runExport(`timers.${name}`, { ...env, RECORD_TO: notes.file })
    t.strictSame(counts, { respondedEarly: 0, processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
    t.match(
      warnings[0],
      `timers that invocations had started were left at the end of the run: 5 × a timer (${placeOf(code)}). `,
    )
    t.strictSame(notes.read(), [])
  })
}

for (const [name, how] of [
  ['slowHeartbeat', 'that go on after the end of the run'],
  ['fastHeartbeat', 'that fire after each response'],
]) {
  test(`timers that start each other, and that only the first invocation begins, do not fail the run: ${how}`, async (t) => {
    const { env } = await startServers(t)
    const { warnings, ...counts } = await runExport(`correct.${name}`, { ...env, ...SLOW_CLOCK })
    t.strictSame(counts, { respondedEarly: 0, processed: 5, crashes: 0 })
    t.equal(warnings.length, 1)
  })
}

test('intervals that are left are named as not judged, with their number and line, but not those of packages', async (t) => {
  const root = folder(t)
  mkdirSync(join(root, 'node_modules/client'), { recursive: true })
  writeFileSync(join(root, 'node_modules/client/index.mjs'), 'setInterval(() => {}, 60_000)')
  const lines = [
    "import './node_modules/client/index.mjs'",
    'setInterval(() => {}, 60_000)',
    'export const handler = async () => void setInterval(() => {}, 60_000)',
  ]
  writeFileSync(join(root, 'handler.mjs'), lines.join('\n'))
  const warnings: string[] = []
  await runHandler('', {
    function: { file: join(root, 'handler.mjs') },
    mapping: { batchSize: 1 },
    messages: numberedMessages(5),
    onWarning: (line) => warnings.push(line),
  })
  t.match(
    warnings.filter((line) => line.includes('interval')),
    [/^not judged: what is done in 5 × an interval \(\S*handler\.mjs:3\), 1 × an interval \(\S*handler\.mjs:2\)\. /],
  )
})

/** The warnings of a handler that calls `send()` of a package, and does not await it. */
async function warningsWith(t: Test, name: string, code: string, handler: string, messages = 2) {
  const { env, service } = await startServers(t)
  const root = folder(t)
  mkdirSync(join(root, 'node_modules', name), { recursive: true })
  writeFileSync(join(root, 'node_modules', name, 'index.mjs'), code)
  writeFileSync(join(root, 'handler.mjs'), `import { send } from './node_modules/${name}/index.mjs'\n${handler}`)
  const warnings: string[] = []
  const { respondedEarly } = await runHandler('', {
    function: { file: join(root, 'handler.mjs'), env: { ...env, ...SLOW_CLOCK } },
    mapping: { batchSize: 1 },
    messages: numberedMessages(messages),
    onWarning: (line) => warnings.push(line),
  })
  return { warnings: warnings.filter((line) => line.includes('GET ')), respondedEarly, service }
}
const SENDS = "export const send = () => fetch(process.env.SERVICE + '/secret')"

test('telemetry that is still in flight after the response is a warning', async (t) => {
  const handler = 'export const handler = async () => void send()'
  for (const name of ['@opentelemetry/exporter', 'winston', 'log4js']) {
    const { warnings, respondedEarly, service } = await warningsWith(t, name, SENDS, handler)
    t.equal(respondedEarly, 0, name)
    t.match(warnings, [`telemetry was still being sent after a response: 2 × ${service} (`], name)
  }
  t.equal((await warningsWith(t, 'other', SENDS, handler)).respondedEarly, 2, 'control: of another package')
})

for (const [client, call] of [
  ['fetch', "fetch(process.env.SERVICE + '/secret', { headers })"],
  ['node:http', "http.get(process.env.SERVICE + '/secret', { headers }).on('error', () => {})"],
] as const) {
  test(`an exporter of OpenTelemetry is known by its header, as in a bundle: ${client}`, async (t) => {
    const headers = "const headers = { 'User-Agent': 'OTel-OTLP-Exporter-JavaScript/0.219.0' }"
    const code = `import http from 'node:http'\n${headers}\nexport const send = () => void ${call}`
    const { warnings, respondedEarly, service } = await warningsWith(
      t,
      'other',
      code,
      'export const handler = async () => send()',
    )
    t.equal(respondedEarly, 0)
    t.match(warnings, [`telemetry was still being sent after a response: 2 × ${service} (`])
  })
}

test('a referenced timer in which only a package sends a heartbeat after each answer does not fail the run', async (t) => {
  const client = `import { connect } from 'node:net'
    const waiting = []
    let socket, timer
    function answered() {
      waiting.shift()?.()
      clearTimeout(timer)
      timer = setTimeout(() => socket.write('beat\\n'), 50)
    }
    export async function send() {
      socket ??= connect(process.env.DATABASE, '127.0.0.1').on('data', answered)
      await new Promise((resolve) => {
        waiting.push(resolve)
        socket.write('query\\n')
      })
    }`
  const { respondedEarly } = await warningsWith(t, 'client', client, 'export const handler = async () => send()', 5)
  t.equal(respondedEarly, 0)
})

test('if only a package is known to have started work, the package is named instead of a line in it', async (t) => {
  // Its interval goes on in the context of the invocation.
  const client = [
    "import { AsyncLocalStorage } from 'node:async_hooks'",
    'const jobs = []',
    'export const send = () => jobs.push(AsyncLocalStorage.snapshot())',
    "setInterval(() => jobs.shift()?.(() => fetch(process.env.SERVICE + '/secret')), 5)",
  ]
  const handler = 'export const handler = async () => void send()'
  const { warnings, service } = await warningsWith(t, '@x/client', client.join('\n'), handler)
  t.match(warnings, [`× ${service} (the client of @x/client). Lambda freezes`])
})

test('the line of the handler is named in the first invocation, also if a package awaits something before its request', async (t) => {
  const code =
    "export async function send() {\n  await null\n  await null\n  await fetch(process.env.SERVICE + '/secret')\n}"
  const { warnings, service } = await warningsWith(
    t,
    'client',
    code,
    'export const handler = async () => void send()',
    1,
  )
  t.match(warnings, [`had ended: 1 × ${service} (`])
  t.match(warnings, [/handler\.mjs:2\)\. Lambda freezes/])
})

test('if the environment is not frozen, nothing looks for work that is left', async (t) => {
  const { env } = await startServers(t)
  const { respondedEarly } = await runExport('forgotten.fetch', env, 1, false)
  t.equal(respondedEarly, 0)
})
