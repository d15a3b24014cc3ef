import { relative } from 'node:path'
import { test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { counts, handlerFile, notebook, runHandler } from '../../support/runs.ts'

const [node, foreign] = [process.execPath, handlerFile('foreign-client.mjs')]

test('another runtime client gives the same ledger', async (t) => {
  const notes = notebook(t)
  async function run(runtimeClient?: string) {
    const ledger = await runHandler('outcomes.mjs', {
      function: {
        env: { RECORD_TO: notes.file },
        timeout: 70_000,
        memory: 256,
        ...(runtimeClient ? { runtimeClient } : {}),
      },
      queue: { visibilityTimeout: 80, maxReceives: 3 },
      messages: numberedMessages(100),
      mapping: { batchSize: 100, windowMs: 200 },
    })
    const { invocations, ...others } = counts(ledger) // on a busy machine, the window can end before a batch is full
    return others
  }
  const ours = await run()
  const before = notes.read().length
  const theirs = await run(`${node} '${foreign}'`)
  t.strictSame(theirs, ours)
  t.match(theirs, { processed: 90, deadLettered: 10, redelivered: 30, lost: 0, failedInvocations: 0 })

  const [start, first] = notes.read().slice(before)
  const name = relative(process.cwd(), handlerFile('outcomes.handler'))
  t.match(start, { argument: name, handler: name, nodeOptions: /--max-old-space-size=230"?$/ })
  t.ok(first.deadline > 40_000 && first.deadline <= 70_000)
  t.strictSame(first.statuses, [400, 404], 'an unknown request and an unknown path')
})

test('a NODE_OPTIONS of the template or of --env keeps the limits of the memory', async (t) => {
  const notes = notebook(t)
  await runHandler('outcomes.mjs', {
    function: {
      env: { RECORD_TO: notes.file, NODE_OPTIONS: '--no-warnings --max-old-space-size=4000' },
      memory: 256,
      runtimeClient: `${node} '${foreign}'`,
    },
    messages: numberedMessages(1),
  })
  const [start] = notes.read()
  // If a flag is repeated, Node uses the last one. tap adds quotes and flags of its own.
  const lambda =
    '--no-experimental-require-module --no-experimental-detect-module --max-semi-space-size=12 --max-old-space-size=230'
  const expected = `--no-warnings --max-old-space-size=4000 ${lambda}`
  t.equal(start.nodeOptions.replaceAll('"', '').replace(/ --import=.*/, ''), expected)
})
