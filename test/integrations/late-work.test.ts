/** `local` on handlers with real clients. Those that await their work pass, and those that do not fail the run. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { startFauxqs } from 'fauxqs'
import t from 'tap'
import { numberedMessages, run } from '../../cli/src/engine.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/services.ts'

interface Client {
  query(sql: string): Promise<unknown>
  connect(): Promise<void>
  end(): Promise<void>
}
const pg: { Client: new (url: string) => Client } = createRequire(import.meta.url)('pg')

const REGION = 'eu-west-1'
const MESSAGES = 5
const SOURCE = join(import.meta.dirname, 'late-work.mjs')
const BUNDLE = join(temporaryFolder(t), 'bundle.cjs')
await build({
  entryPoints: [SOURCE],
  outfile: BUNDLE,
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'cjs',
  mainFields: ['module', 'main'],
  external: ['pg-native'],
  logLevel: 'error',
})

const DATABASE_URL = await startPostgres(t, 20)
const db = new pg.Client(DATABASE_URL)
await db.connect()
t.teardown(() => db.end())
await db.query('CREATE TABLE work (id serial)')

const SERVICE = await startServer(t, (_request, response) => setTimeout(() => response.end('{}'), 20))

const fauxqs = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION })
t.teardown(() => fauxqs.stop())
fauxqs.createQueue('work', { region: REGION })

const env = {
  DATABASE_URL,
  SERVICE,
  QUEUE_URL: `${fauxqs.address}/000000000000/work`,
  FILE: join(temporaryFolder(t), 'file'),
  AWS_ENDPOINT_URL_SQS: fauxqs.address,
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: 'x',
  AWS_SECRET_ACCESS_KEY: 'x',
}

/** Runs a handler with one message in each invocation. */
async function runHandler(file: string, exportName: string) {
  const warnings: string[] = []
  const { respondedEarly, processed, crashes, timeouts } = await run({
    queue: { visibilityTimeout: 40, maxReceives: 3 },
    function: { file, exportName, env, initTimeout: 120_000 },
    mapping: { batchSize: 1, windowMs: 0, retryAfter: 0 },
    messages: numberedMessages(MESSAGES),
    idle: 0,
    onWarning(line) {
      if (!line.startsWith('the handler read no property')) warnings.push(line)
    },
  })
  return { respondedEarly, warnings, outcome: { processed, crashes, timeouts } }
}

/** Handlers that leave a timer, which is one warning: a time limit, the pause of a retry, the idle timer of a pool. */
const LEAVE_TIMERS = ['transaction', 'timeLimit', 'retry']
const isAboutTimers = (line: string) => line.startsWith('timers that invocations had started were left')

const { fine, bad } = await import(SOURCE)
const EXPECTED = { processed: MESSAGES, crashes: 0, timeouts: 0 }

for (const [form, file] of [
  ['', SOURCE],
  [' in a bundle', BUNDLE],
] as const) {
  for (const name of Object.keys(fine)) {
    t.test(`a handler that awaits its work passes${form}: ${name}`, async (t) => {
      const { respondedEarly, warnings, outcome } = await runHandler(file, `fine.${name}`)
      const others = LEAVE_TIMERS.includes(name) ? warnings.filter((line) => !isAboutTimers(line)) : warnings
      t.strictSame({ respondedEarly, others, outcome }, { respondedEarly: 0, others: [], outcome: EXPECTED })
    })
  }
  for (const name of Object.keys(bad)) {
    t.test(`a handler that does not await its work fails the run${form}: ${name}`, async (t) => {
      const { respondedEarly, outcome } = await runHandler(file, `bad.${name}`)
      t.ok(respondedEarly > 0, `${respondedEarly} invocations responded early`)
      t.strictSame(outcome, EXPECTED)
    })
  }
}
