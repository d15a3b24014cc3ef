/**
 * The complete example, examples/orders, in `local` with a real PostgreSQL, while the payment service refuses calls, fails,
 * hangs after it has charged, and is down.
 */
import { cpSync, globSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { compile } from '../support/integrations.ts'
import { CLI, doctor, NOTHING, run } from '../support/pages.ts'
import { startPostgres } from '../support/postgres.ts'
import { close, listen } from '../support/services.ts'

interface Client {
  query(sql: string): Promise<{ rows: { id: string; cents: number }[] }>
  connect(): Promise<void>
  end(): Promise<void>
}
const pg: { Client: new (url: string) => Client } = createRequire(import.meta.url)('pg')

const ROOT = join(import.meta.dirname, '../..')
const folder = temporaryFolder(t)
cpSync(join(ROOT, 'examples/orders'), folder, { recursive: true })
symlinkSync(join(import.meta.dirname, 'node_modules'), join(folder, 'node_modules'))
/** Without the variables of tap, which `run()` cannot keep from the processes that it starts. */
const command = (script: string) => run(folder, 'sh', ['-c', `NODE_OPTIONS= ${script}`])

t.test('the example compiles, is short, and its unit test passes', async (t) => {
  t.doesNotThrow(() => compile(folder))
  const lines = globSync('*.ts', { cwd: folder }).map(
    (file) => readFileSync(join(folder, file), 'utf8').split('\n').length - 1,
  )
  t.ok(lines.reduce((sum, count) => sum + count, 0) <= 150, `${lines} lines`)
  const { code, stdout } = (await command(`"${process.execPath}" --test`)) as { code: number; stdout: string }
  t.equal(code, 0, stdout)
})

t.test('its script builds a bundle, and doctor --strict finds nothing in its template', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { code, stderr } = (await command(`"${ROOT}/node_modules/.bin/"${scripts.build}`)) as {
    code: number
    stderr: string
  }
  t.equal(code, 0, stderr)
  t.strictSame(await doctor(folder, 'template.yaml'), NOTHING)
})

const ORDERS = 5_000
const DECLINED = 61
const INVALID = 83

/** Charges each key once. Every order has at most one fault, in its first attempt. */
async function startPayments() {
  const charges = new Map<string, number>()
  const attempts = new Map<string, number>()
  let calls = 0
  let upAgain = Number.POSITIVE_INFINITY
  const server = createServer(async (request, response) => {
    const { id, cents } = JSON.parse(await text(request))
    const number = Number(id)
    const attempt = (attempts.get(id) ?? 0) + 1
    attempts.set(id, attempt)
    if (++calls === 1_500) upAgain = performance.now() + 3_000
    if (calls >= 1_500 && performance.now() < upAgain) return void request.socket.destroy() // the service is down
    if (number % DECLINED === 0) return void response.writeHead(402).end()
    if (attempt === 1 && number % 7 === 1) return void response.writeHead(429, { 'retry-after': '1' }).end()
    if (attempt === 1 && number % 7 === 2) return void response.writeHead(500).end()
    const key = String(request.headers['idempotency-key'])
    if (charges.has(key)) return void response.end()
    charges.set(key, cents)
    if (attempt === 1 && number % 250 === 3) return // it has charged, and hangs
    response.end()
  })
  return { server, url: await listen(server), charges, hadFaults: () => upAgain < performance.now() }
}

t.test('5,000 orders: each is charged and stored once, or dead-lettered because of itself', async (t) => {
  const database = await startPostgres(t, 100)
  const db = new pg.Client(database)
  await db.connect()
  t.teardown(() => db.end())
  await db.query('CREATE TABLE orders (id text PRIMARY KEY, cents int NOT NULL)')
  const { server, url, charges, hadFaults } = await startPayments()
  t.teardown(() => close(server))

  const numbers = Array.from({ length: ORDERS }, (_, number) => number + 1)
  const isInvalid = (number: number) => number % INVALID === 0
  const isDeclined = (number: number) => !isInvalid(number) && number % DECLINED === 0
  const bodyOf = (number: number) => {
    const Message = JSON.stringify({ id: `${number}`, cents: isInvalid(number) ? -1 : 100 + number })
    return JSON.stringify({ Type: 'Notification', Message })
  }
  writeFileSync(join(folder, 'orders.jsonl'), numbers.map((number) => `${bodyOf(number)}\n`).join(''))
  const bad = numbers.filter((number) => isInvalid(number) || isDeclined(number))
  const args = ['local', 'dist/handler.cjs', '--template', 'template.yaml', '--messages-file', 'orders.jsonl']
  const limits = ['--max-dead-lettered', `${2 * bad.length}`, '--duplicates', '0.05', '--json', '--quiet']
  const { code, stdout, stderr } = await run(
    folder,
    'sh',
    ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, CLI, ...args, ...limits],
    {
      DATABASE_URL: database,
      PAYMENTS_URL: url,
      POWERTOOLS_LOG_LEVEL: 'WARN',
    },
  )
  t.equal(code, 0, stderr.slice(-3_000))
  t.ok(hadFaults(), 'the service was down for three seconds')

  const good = numbers.filter((number) => !bad.includes(number))
  const expected = good.map((number) => [`${number}`, 100 + number])
  const byNumber = (one: (string | number)[], other: (string | number)[]) => Number(one[0]) - Number(other[0])
  t.strictSame([...charges].sort(byNumber), expected, 'charged')
  const { rows } = await db.query('SELECT id, cents FROM orders')
  t.strictSame(rows.map(({ id, cents }) => [id, cents]).sort(byNumber), expected, 'stored')
  const { processed, lost, deadLettered, sentDeadLetters } = JSON.parse(stdout)
  t.strictSame({ processed, lost, deadLettered }, { processed: ORDERS, lost: 0, deadLettered: 0 })
  t.ok(sentDeadLetters >= bad.length, `${sentDeadLetters}: a bad message that was delivered twice is sent twice`)
})
