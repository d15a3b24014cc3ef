import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createGzip, gzip } from 'node:zlib'
import { note, numberOf } from './notes.ts'

/** Responds, and processes the records in a timer. */
export async function inTimer({ Records }) {
  setTimeout(() => note(Records.map(numberOf)), 200)
}

/** Notes its process, and processes the records in the first of many timers that fires after the test calls `release()`. */
export async function inTimers({ Records }) {
  note({ pid: process.pid })
  const check = () => (fs.existsSync(`${process.env.RECORD_TO}.released`) ? note(Records.map(numberOf)) : start())
  const start = () => setTimeout(check, 20)
  start()
}

/** Starts a child process, notes both processes, and leaves a timer. */
export async function withChild() {
  const child = spawn('sleep', ['3600'], { stdio: 'ignore' })
  note({ pid: process.pid, child: child.pid })
}

const { DATABASE, SERVICE, FILE } = process.env
/** Longer than any test. */
const HOUR = 3_600_000
// Work of 100 ms, which answers with a message. The thread or process then stays for more.
const SLOW_THREAD = `
  const { parentPort } = require('node:worker_threads')
  parentPort.on('message', () => {})
  setTimeout(() => parentPort.postMessage('done'), 100)`
const SLOW_FORK = "process.on('message', () => {}); setTimeout(() => process.send('done'), 100)"
const ignore = () => {}

/** A client of a database that responds to each line, like the usual ones: one socket, and an idle timer that closes it. */
class Client {
  waiting = []

  connect() {
    this.socket = connect(Number(DATABASE), '127.0.0.1')
    this.socket.on('data', (lines) => {
      for (const _ of String(lines).trim().split('\n')) this.waiting.shift()?.()
    })
    return this.query('hello')
  }

  async query(line) {
    clearTimeout(this.idle)
    await new Promise((resolve) => {
      this.waiting.push(resolve)
      this.socket.write(`${line}\n`)
    })
    this.idle = setTimeout(() => this.socket.end(), HOUR).unref()
  }
}

let client
async function insert() {
  if (!client) {
    client = new Client()
    client.connected = client.connect()
  }
  await client.connected
  await client.query('insert')
}

/** A client that is connected before the invocations, and that writes a query once the one before has been answered. */
class SerialClient {
  queries = []
  socket = connect(Number(DATABASE), '127.0.0.1').on('data', () => {
    this.queries.shift().resolve()
    this.writeNext()
  })

  query(line) {
    const { promise, resolve } = Promise.withResolvers()
    this.queries.push({ line, resolve })
    if (this.queries.length === 1) this.writeNext()
    return promise
  }

  writeNext() {
    if (this.queries.length > 0) this.socket.write(`${this.queries[0].line}\n`)
  }
}

const serial = process.env._HANDLER?.endsWith('.serialQueries') ? new SerialClient() : undefined

const request = () => fetch(SERVICE).then((response) => response.text())

/** What a handler forgets to await. */
export const forgotten = {
  fetch: async () => void request(),
  fetchInForEach: async ({ Records }) => Records.forEach(async () => void (await request())),
  fetchAfterFile: async () => void readFile(import.meta.filename).then(request),
  fetchAfterPromises: async () =>
    void (async () => {
      for (let round = 0; round < 100; round++) await null
      await request()
    })(),
  fetchInImmediate: async () => void setImmediate(request),
  fetchInShortTimer: async () => void setTimeout(request, 20),
  query: async () => void insert(),
  queryInForEach: async ({ Records }) => Records.forEach(insert),
  // Its client writes it when the first one is answered.
  queuedQuery: async () => {
    const first = insert()
    client.socket.once('data', () => client.query('queued'))
    await first
  },
  // What is left delays the queries of the next invocation. All but the first are written in the context of the socket.
  serialQueries: async () => {
    async function insertAndAudit() {
      await serial.query('insert')
      serial.query('slow')
    }
    await Promise.all([insertAndAudit(), insertAndAudit()])
  },
  refusedRequest: async () => void fetch('http://127.0.0.1:2').catch(ignore),
  secondQuery: async () => {
    await insert()
    insert()
  },
  file: async () => void writeFile(FILE, 'x'),
  fileHandle: async () => {
    const file = await open(FILE, 'w')
    file.write('x')
    globalThis.files = [...(globalThis.files ?? []), file] // Node 26 throws if a file is collected that is open
  },
  fileWithCallback: async () => fs.writeFile(FILE, 'x', ignore),
  appendWithCallback: async () => fs.appendFile(FILE, 'x', ignore),
  readWithCallback: async () => fs.readFile(import.meta.filename, ignore),
  renameWithCallback: async () => fs.rename(import.meta.filename, `${FILE}/none`, ignore),
  writeStream: async () => void fs.createWriteStream(FILE).end('x'),
  writeStreamLeftOpen: async () => {
    globalThis.log ??= fs.createWriteStream(FILE)
    globalThis.log.write('x')
  },
  threadPool: async () => void gzip(Buffer.alloc(100_000), ignore),
  longRead: async () => {
    if (fs.existsSync(`${FILE}.pipe`)) return
    execFileSync('mkfifo', [`${FILE}.pipe`])
    readFile(`${FILE}.pipe`)
  },
  childProcess: async () => void spawn('true'),
  worker: async () => void new Worker('', { eval: true }),
  workerThatAnswers: async () => void new Worker(SLOW_THREAD, { eval: true }),
  forkThatAnswers: async () => void spawn(process.execPath, ['-e', SLOW_FORK], { stdio: ['ipc'] }),
  http2: async () => {
    globalThis.session ??= connectHttp2(process.env.SERVICE2)
    globalThis.session.request({ ':path': '/secret' }).resume()
  },
}

/** What fires only after an hour, and is not run. */
export const timers = {
  fetchInLongTimer: async () => void setTimeout(request, HOUR),
  fetchAfterLongSleep: async () => void sleep(HOUR).then(request),
  undone: async ({ Records }) => void setTimeout(() => note(Records.map(numberOf)), HOUR),
  timeLimit: async () => {
    const late = new Promise((_, reject) => setTimeout(reject, HOUR, new Error('too late')))
    await Promise.race([request(), late])
  },
  watchdog: async () => {
    await request()
    setTimeout(() => process.exit(1), HOUR)
  },
}

/** The timers of a client that starts them once: each starts the next one, and sends something on its socket. */
class Heartbeat extends Client {
  async beat(ms) {
    await this.query('ping')
    setTimeout(() => this.beat(ms), ms)
  }
}

async function startHeartbeat(ms) {
  const client = new Heartbeat()
  await client.connect()
  await client.beat(ms)
}

let attempts = 0

/** Correct handlers, and what they may leave. */
export const correct = {
  queries: async ({ Records }) => {
    await Promise.all(Records.map(insert))
  },
  newClient: async () => {
    const own = new Client()
    await own.connect()
    own.socket.end()
  },
  lazySubscription: async () => {
    if (globalThis.subscription) return
    globalThis.subscription = new Client()
    globalThis.subscription.connect()
  },
  slowHeartbeat: async () => {
    globalThis.heartbeat ??= startHeartbeat(HOUR)
    await globalThis.heartbeat
  },
  fastHeartbeat: async () => {
    globalThis.heartbeat ??= startHeartbeat(20)
    await globalThis.heartbeat
  },
  refUnref: async () => {
    const timer = setTimeout(ignore, HOUR)
    for (let round = 0; round < 20_000; round++) timer.ref().unref()
    timer._onTimeout() // as if it fired
  },
  // The server still answers the farewell of the client, which needs no answer.
  farewell: async () => {
    const own = new Client()
    await own.connect()
    own.socket.end('slow\n')
  },
  unreferencedTimer: async () => {
    setTimeout(request, HOUR).unref()
    setTimeout(request, 10).unref()
  },
  interval: async () => {
    globalThis.flush ??= setInterval(request, 10)
    await sleep(20)
  },
  // Nothing of this is due, and the client keeps its socket.
  idle: async () => {
    globalThis.idle ??= setInterval(ignore, HOUR)
    clearTimeout(setTimeout(request, 100))
    await request()
  },
  abortedRequest: async () => {
    const controller = new AbortController()
    const silent = fetch(`${SERVICE}/secret`, { signal: controller.signal }).catch(ignore)
    await request()
    controller.abort()
    await silent
  },
  failedAttempt: async () => {
    attempts += 1
    if (attempts > 1) return
    fetch(`${SERVICE}/secret`).catch(ignore)
    throw new Error('its messages come back')
  },
  synchronousCrypto: async () => void generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  files: async () => {
    await writeFile(FILE, 'x')
    const file = await open(FILE)
    await file.read()
    file.close()
    fs.write(1, 'a line\n', () => fs.fsync(1, ignore)) // as loggers do
    for await (const _ of fs.createReadStream(import.meta.filename, { highWaterMark: 10 })) break // was read ahead
    globalThis.log ??= fs.createWriteStream(FILE, { flags: 'a' }) // has no data yet
  },
  streams: async () => {
    await pipeline(fs.createReadStream(import.meta.filename), fs.createWriteStream(FILE))
    const awaited = fs.createWriteStream(FILE)
    awaited.end('x')
    await finished(awaited)
    await once(fs.createWriteStream(FILE).end('x'), 'finish') // closes after this
    for await (const _ of fs.createReadStream(import.meta.filename));
  },
  firstChunk: async () => {
    const file = await open(import.meta.filename)
    try {
      for await (const _ of file.createReadStream({ highWaterMark: 10, autoClose: false })) break
    } finally {
      file.close()
    }
  },
  blob: async () => {
    const blob = await fs.openAsBlob(import.meta.filename)
    await blob.text()
    for await (const _ of blob.stream());
  },
  callbacks: async () => {
    await new Promise((resolve) => fs.writeFile(FILE, 'x', resolve))
    await new Promise((resolve) => fs.readFile(FILE, resolve))
  },
  childProcess: async () => {
    // It ends a little after its output.
    const child = spawn('sh', ['-c', 'echo x; exec >&-; sleep 0.05'])
    for await (const _ of child.stdout);
  },
  endedChildProcess: async () => {
    const child = spawn('sleep', ['3600'])
    await new Promise((resolve) => child.once('spawn', resolve))
    child.kill()
  },
  workers: async () => {
    const echo =
      "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m))"
    const worker = new Worker(echo, { eval: true })
    worker.postMessage('x')
    await new Promise((resolve) => worker.once('message', resolve))
    worker.terminate()
  },
  // A pool can start more worker threads than it needs. They send a message when they are ready.
  spareWorker: async () => {
    const ready =
      "const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => {}).postMessage('ready')"
    globalThis.spare ??= new Worker(ready, { eval: true })
  },
  zip: async () => {
    const zip = createGzip()
    zip.end('x')
    for await (const _ of zip);
  },
}
