/** The samples and the claims of docs/databases.md, on a real PostgreSQL. */
import { cpSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { sqsEvent } from '../../src/testing/index.ts'
import { failed } from '../support/handlers.ts'
import { compile, folderOf } from '../support/integrations.ts'
import { logged } from '../support/output.ts'
import { read, run } from '../support/pages.ts'
import { startPostgres } from '../support/postgres.ts'

interface Client {
  query(sql: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[]; command: string }>
  connect(): Promise<void>
  end(): Promise<void>
}
const pg: { Client: new (url: string) => Client } = createRequire(import.meta.url)('pg')

const MAX_CONNECTIONS = 14
const page = read('docs/databases.md')
const url = await startPostgres(t, MAX_CONNECTIONS)
const { hostname, port } = new URL(url)
const env = { PGHOST: hostname, PGPORT: port, PGUSER: 'test', PGDATABASE: 'postgres' }
Object.assign(process.env, env)

const folder = folderOf(t, 'docs/databases.md')
type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
cpSync(join(import.meta.dirname, '../../examples/transactions.ts'), join(folder, 'transactions.ts'))
const { handler } = (await import(`${folder}/orders.ts`)) as { handler: Handler }
const { handler: transactions } = (await import(`${folder}/transactions.ts`)) as { handler: Handler }

const db = new pg.Client(url)
await db.connect()
t.teardown(() => db.end())

async function column(sql: string): Promise<unknown[]> {
  return (await db.query(sql)).rows.map((row) => Object.values(row)[0])
}

/** Empties the tables. An order needs an amount above 0. */
async function createTables(): Promise<void> {
  await db.query('DROP TABLE IF EXISTS orders, messages')
  await db.query('CREATE TABLE orders (id text PRIMARY KEY, amount int CHECK (amount > 0))')
  await db.query('CREATE TABLE messages (id text PRIMARY KEY)')
}

/** How many connections this process has, beside that of the test. */
async function connections(): Promise<number> {
  const sql =
    "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
  return (await column(sql))[0] as number
}

function records(bodies: readonly (string | object)[]): SQSEvent {
  return sqsEvent(bodies.map((body, index) => ({ messageId: `m${index}`, body })))
}

t.test('the samples compile', async (t) => {
  t.doesNotThrow(() => compile(folder))
})

t.test(
  'one statement for many records: only the refused rows fail, and a second delivery changes nothing',
  async (t) => {
    await createTables()
    const event = records(
      Array.from({ length: 1_000 }, (_, index) => ({ id: `o${index}`, amount: index % 400 === 7 ? -1 : 1 })),
    )
    for (let delivery = 1; delivery <= 2; delivery++) {
      await logged(async () => t.strictSame(failed(await handler(event, {} as Context)), ['m7', 'm407', 'm807']))
      t.strictSame(await column('SELECT count(*)::int FROM orders'), [997])
    }
    t.equal(await connections(), 5)
  },
)

t.test('the variable sets the size of the pool and the concurrency', async (t) => {
  await createTables()
  process.env.BOUNDED_SQS_BATCH_CONCURRENCY = '2'
  t.teardown(() => {
    delete process.env.BOUNDED_SQS_BATCH_CONCURRENCY
  })
  const before = await connections()
  const { handler: withVariable } = (await import(`${folder}/orders.ts?two`)) as { handler: Handler }
  const event = records(Array.from({ length: 1_000 }, (_, index) => ({ id: `o${index}`, amount: 1 })))
  t.strictSame(failed(await withVariable(event, {} as Context)), [])
  t.equal((await connections()) - before, 2)
})

t.test('an error that is not about data fails the whole chunk', async (t) => {
  await createTables()
  await db.query('DROP TABLE orders')
  const event = records(Array.from({ length: 150 }, (_, index) => ({ id: `o${index}`, amount: 1 })))
  const log = await logged(async () => t.equal(failed(await handler(event, {} as Context)).length, 150))
  t.match(log, [/150 × error: relation "orders" does not exist/])
})

t.test('a transaction for each record undoes all of its changes, and no other', async (t) => {
  await createTables()
  await db.query("INSERT INTO orders VALUES ('o1', 1)")
  const event = records(['o1', 'o2', 'o1', 'o3'])
  await logged(async () => t.strictSame(failed(await transactions(event, {} as Context)), ['m0', 'm2']))
  t.strictSame(await column('SELECT id FROM orders ORDER BY id'), ['o1', 'o2', 'o3'])
  t.strictSame(await column('SELECT id FROM messages ORDER BY id'), ['m1', 'm3'])
  // A second delivery of a message changes nothing, and does not fail.
  await logged(async () => t.strictSame(failed(await transactions(event, {} as Context)), ['m0', 'm2']))
  t.strictSame(await column('SELECT id FROM orders ORDER BY id'), ['o1', 'o2', 'o3'])
})

t.test('a transaction around a batch: after an error, COMMIT throws nothing and undoes everything', async (t) => {
  await createTables()
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  await client.query('BEGIN')
  await client.query("INSERT INTO orders VALUES ('o1', 1)")
  await t.rejects(client.query("INSERT INTO orders VALUES ('o2', -1)"), { code: '23514' })
  await t.rejects(client.query("INSERT INTO orders VALUES ('o3', 1)"), { code: '25P02' })
  const { command } = await client.query('COMMIT')
  t.equal(command, 'ROLLBACK')
  t.strictSame(await column('SELECT id FROM orders'), [])
})

t.test('the page has the text and the code of PostgreSQL if there are no connections left', async (t) => {
  const clients = Array.from({ length: MAX_CONNECTIONS }, () => new pg.Client(url))
  const results = await Promise.allSettled(clients.map((client) => client.connect()))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  await Promise.all(clients.map((client) => client.end().catch(() => {})))
  const [, text, code] = /refuses a connection with `([^`]+)` \(code (\d+)\)/.exec(page) ?? []
  t.ok(errors.length > 0)
  t.match(errors[0], { message: text, code })
})

/** Milliseconds until a process ends, counted from its last query. */
async function idleTime(t: Test, options: string): Promise<number> {
  const code = `import pg from 'pg'
    const pool = new pg.Pool({ ${options} })
    await pool.query('SELECT 1')
    const start = performance.now()
    process.on('exit', () => console.log(performance.now() - start))`
  const { stdout, stderr } = await run(folder, process.execPath, ['--input-type=module', '-e', code], env)
  t.equal(stderr, '')
  return Number(stdout)
}

t.test('allowExitOnIdle: without it, a process ends only after ten idle seconds', async (t) => {
  t.ok(page.includes('allowExitOnIdle: true'))
  const [without, withOption] = await Promise.all([idleTime(t, ''), idleTime(t, 'allowExitOnIdle: true')])
  t.ok(without >= 9_900, `${without} ms`)
  t.ok(withOption < 9_000, `${withOption} ms`)
})
