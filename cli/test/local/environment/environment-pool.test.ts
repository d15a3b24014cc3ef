import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { startRuntime } from '../../../src/local/environment/environment-pool.ts'
import { counts, folder, handlerFile, notebook, runHandler } from '../../support/runs.ts'

test('a missing file is refused before a queue is opened', async (t) => {
  const queue = { queueUrl: 'http://127.0.0.1:1/0/orders' }
  const ran = runHandler('', { queue, function: { file: 'nope.ts' } })
  await t.rejects(ran, { name: 'UsageError', message: 'there is no file nope.ts' })
})

test('a file that never finishes loading is refused', async (t) => {
  await t.rejects(startRuntime({ file: handlerFile('loads.mjs'), initTimeout: 100, timeout: 300 }), {
    name: 'InitError',
    message: 'it did not finish loading within 0.3 s',
  })
})

test('a function that cannot be loaded again after a crash is a failed invocation, and no message is lost', async (t) => {
  const path = join(folder(t), 'h.mjs')
  writeFileSync(
    path,
    "import { writeFileSync } from 'node:fs'\nexport const handler = () => { writeFileSync(process.env.FILE, 'throw new Error(`broken`)'); process.exit(1) }",
  )
  const ledger = await runHandler('', { function: { file: path, env: { FILE: path } }, messages: numberedMessages(10) })
  t.match(counts(ledger), { processed: 0, deadLettered: 10, crashes: 3, failedInvocations: 3, lost: 0 })
  t.strictSame(ledger.reasons, { 'the process ended with exit code 1': 1, 'Error: broken': 2 })
})

const SOURCES: Record<string, string> = {
  'h.js': 'exports.handler = async () => {}',
  'h.cjs': 'module.exports = { handler: async () => {} }',
  'h.mjs': 'export const handler = async () => {}',
  'h.ts': 'export const handler = async (event: { Records: unknown[] }): Promise<void> => {}',
  'h.mts': 'type Nothing = void\nexport const handler = async (): Promise<Nothing> => {}',
  'name.with.dots.ts': 'export const handler = () => null', // Lambda gets a bundle of it, under another name
  'with space.mjs': 'export default { handler: () => ({}) }',
}
for (const [name, source] of Object.entries(SOURCES)) {
  test(`a handler in ${name} is loaded and responds`, async (t) => {
    const path = join(folder(t), name)
    writeFileSync(path, source)
    const runtime = await startRuntime({ file: path })
    t.teardown(runtime.stop)
    t.match(await runtime.invoke('{"Records":[]}'), { type: 'response' })
  })
}

const OUTCOMES: [source: string, outcome: object][] = [
  ['() => undefined', { type: 'response', payload: 'null' }],
  ['() => ({ batchItemFailures: [] })', { type: 'response', payload: '{"batchItemFailures":[]}' }],
  ['() => 1n', { type: 'error', message: /^TypeError: Do not know how to serialize a BigInt/ }],
  ["() => { throw 'a string' }", { type: 'error', message: 'string: a string' }],
  ['() => { throw undefined }', { type: 'error', message: 'undefined: undefined' }],
  ["() => { throw new Error('two\\nlines') }", { type: 'error', message: 'Error: two lines' }],
  ['() => { throw Object.create(null) }', { type: 'error', message: 'Error: the thrown value cannot be read' }],
  [
    "() => { throw Object.defineProperty(new Error(), 'message', { get() { throw 1 } }) }",
    { type: 'error', message: 'Error: the thrown value cannot be read' },
  ],
]
test('return values and errors of a handler arrive as on Lambda', async (t) => {
  const path = join(folder(t), 'h.mjs')
  writeFileSync(path, OUTCOMES.map(([source], index) => `export const h${index} = ${source}`).join('\n'))
  for (const [index, [source, outcome]] of OUTCOMES.entries()) {
    const runtime = await startRuntime({ file: path, exportName: `h${index}` })
    t.match(await runtime.invoke('{}'), outcome, source)
    await runtime.stop()
  }
})

test('the file of the handler can remove the address of the Runtime API', async (t) => {
  const path = join(folder(t), 'h.mjs')
  writeFileSync(path, 'export const handler = async () => ({})\ndelete process.env.AWS_LAMBDA_RUNTIME_API')
  const runtime = await startRuntime({ file: path })
  t.teardown(runtime.stop)
  t.match(await runtime.invoke('{"Records":[]}'), { type: 'response', payload: '{}' })
})

test('after stop(), an invocation ends as stopped', async (t) => {
  const runtime = await startRuntime({ file: handlerFile('concurrent.mjs'), env: { RECORD_TO: notebook(t).file } })
  await runtime.stop()
  t.match(await runtime.invoke('{}'), { type: 'stopped' })
})

test('an abort ends invocations that run, and those whose environment starts, as stopped', async (t) => {
  const notes = notebook(t)
  const stopping = new AbortController()
  const runtime = await startRuntime({ file: handlerFile('slow.mjs'), env: { RECORD_TO: notes.file } }, stopping.signal)
  const outcomes = Promise.all([runtime.invoke('{"Records":[]}'), runtime.invoke('{"Records":[]}')])
  stopping.abort()
  t.match(await outcomes, [{ type: 'stopped' }, { type: 'stopped' }])
})
