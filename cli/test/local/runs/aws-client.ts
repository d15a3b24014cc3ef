// `npm run test:aws-client -w cli` runs the same handlers on the runtime client of this package and on that of AWS. Both
// must give the same result. The client of AWS compiles native code for a minute, so only the nightly checks do this.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Test, test } from 'tap'
import { InitError, numberedMessages, type RunOptions, run } from '../../../src/engine.ts'
import { whyFailed } from '../../../src/local/command/verdict.ts'
import { counts, folder, notebook, runHandler } from '../../support/runs.ts'

const { AWS_LAMBDA_RIC: aws } = process.env
if (!aws)
  throw new Error("expected AWS_LAMBDA_RIC to be the command of AWS's runtime client. Run npm run test:aws-client")

interface Case {
  title: string
  files: Record<string, string>
  /** File and export, as the command accepts them. Default: handler.mjs and `handler`. */
  file?: string
  exportName?: string
  function?: Partial<RunOptions['function']>
  /** A part of the result: passed, why the run failed, or that the handler could not be loaded. */
  verdict: 'passed' | 'not loaded' | RegExp
}

const ROOT = resolve(import.meta.dirname, '../../../..')
const LIBRARY = pathToFileURL(join(ROOT, 'src/index.ts')).href
const MIDDY = `import middy from '@middy/core'\n`
const REPORTS_NOTHING = 'async () => ({ batchItemFailures: [] })'
const TEN_DEAD = /no message was processed; 2 invocations failed .*; 10 messages were dead-lettered/

const ES_MODULE = {
  'esm/package.json': '{ "type": "module" }',
  'esm/index.js': 'export const name = 1',
  'handler.cjs': `require('./esm/index.js')\nexports.handler = ${REPORTS_NOTHING}`,
}

const cases: Case[] = [
  {
    title: 'a named export',
    files: { 'handler.mjs': `export const handler = ${REPORTS_NOTHING}` },
    verdict: 'passed',
  },
  {
    title: 'export default middy()',
    files: { 'handler.mjs': `${MIDDY}export default middy().handler(${REPORTS_NOTHING})` },
    verdict: 'not loaded',
  },
  {
    title: 'export default of an object',
    files: { 'handler.mjs': `export default { handler: ${REPORTS_NOTHING} }` },
    verdict: 'passed',
  },
  {
    title: 'CommonJS, exports.handler',
    files: { 'handler.cjs': `exports.handler = ${REPORTS_NOTHING}` },
    file: 'handler.cjs',
    verdict: 'passed',
  },
  {
    title: 'CommonJS, an object made by a function',
    files: { 'handler.cjs': `module.exports = (() => ({ handler: ${REPORTS_NOTHING} }))()` },
    file: 'handler.cjs',
    verdict: 'passed',
  },
  {
    title: 'CommonJS, module.exports = middy()',
    files: { 'handler.cjs': `module.exports = require('@middy/core').default().handler(${REPORTS_NOTHING})` },
    file: 'handler.cjs',
    verdict: 'not loaded',
  },
  {
    title: 'an export of an object, by its path',
    files: { 'handler.mjs': `export const orders = { handler: ${REPORTS_NOTHING} }` },
    exportName: 'orders.handler',
    verdict: 'passed',
  },
  { title: 'no such export', files: { 'handler.mjs': 'export const main = () => {}' }, verdict: 'not loaded' },
  {
    title: 'an export that is an object',
    files: { 'handler.mjs': 'export const handler = {}' },
    verdict: 'not loaded',
  },
  {
    title: 'a handler with a callback',
    files: { 'handler.mjs': 'export const handler = (event, context, callback) => callback(null, {})' },
    verdict: 'not loaded',
  },
  {
    title: 'a dot in the name of the file',
    files: { 'orders.v2.mjs': `export const handler = ${REPORTS_NOTHING}` },
    file: 'orders.v2.mjs',
    verdict: 'not loaded',
  },
  { title: 'an import that throws', files: { 'handler.mjs': "throw new Error('no table')" }, verdict: 'not loaded' },
  { title: 'a syntax error', files: { 'handler.mjs': 'export const handler = (' }, verdict: 'not loaded' },
  {
    title: 'a file that ends the process',
    files: { 'handler.mjs': 'process.exit(4)' },
    verdict: 'not loaded',
  },
  {
    title: 'eachRecord without .use()',
    files: {
      'handler.mjs': `${MIDDY}import { eachRecord } from '${LIBRARY}'\nexport const handler = middy().handler(eachRecord(async () => {}))`,
    },
    verdict: TEN_DEAD,
  },
  {
    title: 'a handler that throws',
    files: { 'handler.mjs': "export const handler = async () => { throw new Error('no') }" },
    verdict: TEN_DEAD,
  },
  {
    title: 'a handler that throws null',
    files: { 'handler.mjs': 'export const handler = async () => { throw null }' },
    verdict: TEN_DEAD,
  },
  {
    title: 'a response that is not JSON',
    files: { 'handler.mjs': 'export const handler = async () => 1n' },
    verdict: TEN_DEAD,
  },
  {
    title: 'a handler that returns nothing',
    files: { 'handler.mjs': 'export const handler = async () => {}' },
    verdict: 'passed',
  },
  {
    title: 'a handler that is not async',
    files: { 'handler.mjs': 'export const handler = () => ({ batchItemFailures: [] })' },
    verdict: 'passed',
  },
  {
    title: 'a timeout',
    files: { 'handler.mjs': 'export const handler = () => new Promise((resolve) => setTimeout(resolve, 60_000))' },
    verdict: TEN_DEAD,
  },
  {
    title: 'process.exit(0)',
    files: { 'handler.mjs': 'export const handler = async () => process.exit(0)' },
    verdict: TEN_DEAD,
  },
  {
    title: 'a promise that nothing settles',
    files: { 'handler.mjs': 'export const handler = () => new Promise(() => {})' },
    verdict: TEN_DEAD,
  },
  {
    title: 'a floating promise that rejects after the response',
    files: {
      'handler.mjs': "export const handler = async () => { setTimeout(() => Promise.reject(new Error('late')), 50) }",
    },
    function: { freeze: false },
    verdict: /^the process died between invocations: 1 time$/,
  },
  {
    title: 'require() of an ES module',
    files: ES_MODULE,
    file: 'handler.cjs',
    verdict: 'not loaded',
  },
  {
    title: 'require() of an ES module, enabled in NODE_OPTIONS',
    files: ES_MODULE,
    file: 'handler.cjs',
    function: { env: { NODE_OPTIONS: '--experimental-require-module' } },
    verdict: 'passed',
  },
  {
    title: 'ES syntax in a .js file without "type"',
    files: { 'handler.js': `export const handler = ${REPORTS_NOTHING}` },
    file: 'handler.js',
    verdict: 'not loaded',
  },
]

/** Writes the files to a folder from which Middy can be imported. */
function project(t: Test, files: Record<string, string>) {
  const path = folder(t)
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), source)
  }
  mkdirSync(join(path, 'node_modules/@middy'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules/@middy/core'), join(path, 'node_modules/@middy/core'))
  return path
}

// By default, the client of AWS blocks the event loop while it waits for the next event. A promise that rejects after
// the last response would then never reject. With this variable, the client uses HTTP from JavaScript.
const env = { AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true' }

async function verdictOf(
  file: string,
  exportName: string,
  given: Partial<RunOptions['function']> = {},
  runtimeClient?: string,
): Promise<string> {
  try {
    const ledger = await run({
      queue: { visibilityTimeout: 40, maxReceives: 2 },
      function: {
        file,
        exportName,
        timeout: 2000,
        ...given,
        env: { ...env, ...given.env },
        ...(runtimeClient === undefined ? {} : { runtimeClient }),
      },
      onWarning: () => {},
      mapping: { batchSize: 10, windowMs: 0, retryAfter: 0 },
      messages: numberedMessages(10),
      idle: 1,
    })
    return whyFailed(ledger, { maxDeadLettered: 0, maxFailedInvocations: 0 }) ?? 'passed'
  } catch (error) {
    if (error instanceof InitError) return 'not loaded'
    throw error
  }
}

test('both runtime clients give the same ledger for a thousand messages', async (t) => {
  for (const runtimeClient of [undefined, aws]) {
    const notes = notebook(t)
    const client = runtimeClient === undefined ? {} : { runtimeClient }
    const ledger = await runHandler('outcomes.mjs', {
      function: { env: { RECORD_TO: notes.file }, ...client },
      messages: numberedMessages(1000),
      mapping: { batchSize: 1000, windowMs: 1000 },
    })
    t.match(counts(ledger), { processed: 900, deadLettered: 100, redelivered: 300, lost: 0, failedInvocations: 0 })
    t.strictSame(
      notes.read().toSorted((a, b) => a - b),
      Array.from({ length: 1000 }, (_, index) => index + 1).filter((number) => number % 10 !== 2),
    )
  }
})

const rows: string[] = []
for (const { title, files, file = 'handler.mjs', exportName = 'handler', function: given, verdict } of cases) {
  test(`both runtime clients give the same result: ${title}`, async (t) => {
    const path = join(project(t, files), file)
    const [ours, theirs] = [await verdictOf(path, exportName, given), await verdictOf(path, exportName, given, aws)]
    rows.push(`| ${title} | ${ours} | ${theirs} |`)
    t.equal(ours, theirs)
    t.match(ours, verdict)
  })
}

test('prints the results of both clients as a table', async (t) => {
  t.comment(['', '| handler | this client | aws-lambda-ric |', '| --- | --- | --- |', ...rows].join('\n'))
  t.equal(rows.length, cases.length)
})
