import { createHook } from 'node:async_hooks'
import { pbkdf2, randomBytes, scrypt } from 'node:crypto'
import { lookup, lookupService, resolve4 } from 'node:dns'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { appendFile, mkdtemp, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompress, gzip } from 'node:zlib'
import { type Test, test } from 'tap'
import { ON_FILE, OVER_HTTP2, operationOf } from '../../../src/local/in-function/operations.ts'
import { folder } from '../../support/runs.ts'

const THREAD_POOL = 'work in the thread pool'
const ignore = () => {}

/** What starts each kind of operation, and how the table names it. Each has to call its first operation at once. */
const STARTS: Record<string, [what: string, start: (file: string, t: Test) => unknown]> = {
  'fsPromises.writeFile()': [ON_FILE, (file) => writeFile(file, 'x')],
  'fsPromises.appendFile()': [ON_FILE, (file) => appendFile(file, 'x')],
  'fsPromises.readFile()': [ON_FILE, (file) => readFile(file)],
  'fsPromises.stat()': [ON_FILE, (file) => stat(file)],
  'fsPromises.readdir()': [ON_FILE, () => readdir(tmpdir())],
  'fsPromises.mkdtemp()': [ON_FILE, (file) => mkdtemp(file)],
  'fsPromises.open()': [ON_FILE, async (file) => (await open(file)).close()],
  'fs.writeFile()': [ON_FILE, (file) => fs.writeFile(file, 'x', ignore)],
  'fs.appendFile()': [ON_FILE, (file) => fs.appendFile(file, 'x', ignore)],
  'fs.readFile()': [ON_FILE, (file) => fs.readFile(file, ignore)],
  'fs.rename()': [ON_FILE, (file) => fs.rename(file, file, ignore)],
  'dns.lookup()': ['', () => lookup('localhost', ignore)],
  'dns.lookupService()': ['', () => lookupService('127.0.0.1', 22, ignore)],
  'dns.resolve4()': ['', () => resolve4('localhost', ignore)],
  'net.connect() to a port': ['', async (_file, t) => connectTo(t, { port: 0, host: '127.0.0.1' })],
  'net.connect() to a path': ['', async (file, t) => connectTo(t, { path: `${file}.socket` })],
  'zlib.gzip()': [THREAD_POOL, () => gzip('x', ignore)],
  'zlib.brotliCompress()': [THREAD_POOL, () => brotliCompress('x', ignore)],
  'crypto.pbkdf2()': [THREAD_POOL, () => pbkdf2('x', 'x', 1, 8, 'sha256', ignore)],
  'crypto.scrypt()': [THREAD_POOL, () => scrypt('x', 'x', 8, ignore)],
  'crypto.randomBytes()': [THREAD_POOL, () => randomBytes(8, ignore)],
  'crypto.subtle.digest()': [THREAD_POOL, () => crypto.subtle.digest('SHA-256', new Uint8Array(1))],
  'http2 request()': [OVER_HTTP2, (_file, t) => requestHttp2(t)],
}

async function connectTo(t: Test, at: { port: number; host: string } | { path: string }) {
  const server = createServer((socket) => socket.destroy())
  t.teardown(() => server.close())
  await once(server.listen(at), 'listening')
  const address = server.address() as AddressInfo | string
  const socket = typeof address === 'string' ? connect(address) : connect(address.port, '127.0.0.1')
  socket.on('error', ignore)
  await once(socket, 'close')
}

async function requestHttp2(t: Test) {
  const server = createHttp2Server((_request, response) => response.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => {
    session.destroy()
    server.close()
  })
  const request = session.request({ ':path': '/' }).resume()
  await once(request, 'close')
}

for (const [name, [what, start]] of Object.entries(STARTS)) {
  test(`on this Node, ${name} is an operation of the kind "${what || 'no work yet'}"`, async (t) => {
    const file = join(folder(t), 'file')
    fs.writeFileSync(file, 'x')
    const types: string[] = []
    const hook = createHook({ init: (_id, type) => void types.push(type) }).enable()
    const started = start(file, t)
    await started
    hook.disable()
    const found = new Set(types.flatMap((type) => operationOf(type) ?? []))
    t.ok(found.has(what), `the types are ${types.join(', ')}`)
  })
}
