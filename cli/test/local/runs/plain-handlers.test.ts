import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { numberedMessages } from '../../../src/engine.ts'
import { inProcess } from '../../support/in-process.ts'
import { folder, handlerFile, notebook, runHandler } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

/** Runs an export of plain.mjs with 20 messages in batches of 4, as a user would. */
async function local(t: Test, exportName: string, args: readonly string[] = [], env: NodeJS.Dict<string> = {}) {
  const notes = notebook(t)
  const flags = [
    '--messages',
    '20',
    '--batch-size',
    '4',
    '--retry-after',
    '0',
    '--max-receives',
    '2',
    '--json',
    ...args,
  ]
  const result = await inProcess(['local', `${handlerFile('plain.mjs')}#${exportName}`, ...flags], {
    env: { RECORD_TO: notes.file, ...env },
  })
  const ledger = result.stdout === '' ? undefined : JSON.parse(result.stdout)
  return { ...result, ledger, noted: notes.read() }
}

for (const [exportName, place] of [
  ['misspelt', 'batchItemsFailures'],
  ['wrapped', 'body'],
] as const) {
  test(`a list of failures in \`${place}\` loses its messages: the run fails, and names the place`, async (t) => {
    const { code, ledger } = await local(t, exportName)
    t.match({ code, ...ledger }, { code: 1, sent: 20, processed: 16, lost: 4, ignoredLists: 5, failedInvocations: 0 })
    t.match(
      ledger.reason,
      /^4 messages were lost; 5 responses had a list of failures that Lambda does not read: return /,
    )
    t.match(Object.keys(ledger.reasons), [`the list of failures is in \`${place}\`, where Lambda does not read it`])
    t.strictSame(Object.values(ledger.causes), [4])
  })
}

test('a plain handler that throws: its error is shown, and its dead letters failed with their whole batch', async (t) => {
  const { ledger, stderr } = await local(t, 'throws')
  const { deadLettered } = ledger
  t.ok(deadLettered >= 4)
  t.equal(ledger.deadLetteredWithoutError, deadLettered)
  t.strictSame(Object.keys(ledger.reasons), ['Error: no stock'])
  t.notMatch(stderr, /simulator\//, 'the stack has no lines of this package')
})

for (const [exportName, processed, unread] of [
  ['firstThree', 15, 5],
  ['firstOnly', 5, 15],
] as const) {
  test(`records that a plain handler does not read are lost (${exportName}): as many as arrived are processed`, async (t) => {
    const { code, ledger, noted } = await local(t, exportName)
    t.equal(noted.length, processed)
    t.match({ code, ...ledger }, { code: 1, sent: 20, processed, lost: unread, delivered: 20 })
    t.strictSame(ledger.causes, {
      'the handler read no property of this record, though it read others of its event': unread,
    })
  })
}

test('records that are not read are found in all invocations, once the first have some', async (t) => {
  const { ledger } = await local(t, 'firstOnly', ['--messages', '60', '--quiet'])
  t.match(ledger, { sent: 60, invocations: 15, processed: 15, lost: 45 })
})

test('a handler that reads no record of any event is one warning', async (t) => {
  const { code, ledger, stderr } = await local(t, 'readsNothing')
  t.match({ code, ...ledger }, { code: 0, processed: 20, lost: 0 })
  t.match(stderr.match(/^warning \| .*/gm), [
    'warning | the handler read no property of any record that it received, although they count as processed',
  ])
})

test('control: records that a handler reports instead of reading them are not lost', async (t) => {
  const { code, ledger, noted } = await local(t, 'reportsRest', ['--retry-after', '0'])
  t.match({ code, ...ledger }, { code: 0, sent: 20, processed: 20, lost: 0 })
  t.ok(noted.length >= 20)
})

test('an event that is looked at is the same for the handler: logged, as JSON, cloned, spread, changed and frozen', async (t) => {
  const { code, noted } = await local(t, 'inspects', ['--messages', '1'])
  t.equal(code, 0)
  t.strictSame(noted.map(Object.entries), [Object.entries(noted[0]).map(([name]) => [name, true])])
  t.equal(Object.keys(noted[0]).length, 10)
})

/** The flags for a template with a Runtime. */
function runtime(t: Test, Runtime: string) {
  return ['--template', templateFile(t, sam({ function: { Runtime, Timeout: 5 } }))]
}

for (const [exportName, expected] of [
  ['calledBack', { code: 1, processed: 16, deadLettered: 4, lost: 0, ignoredLists: 0 }],
  ['thenable', { code: 1, processed: 16, deadLettered: 4, lost: 0, ignoredLists: 0 }],
  ['synchronous', { code: 1, processed: 16, deadLettered: 0, lost: 4, ignoredLists: 5 }],
  ['readsNothing', { code: 0, processed: 20, lost: 0, ignoredLists: 0 }],
  ['neverSettles', { code: 0, processed: 20, crashes: 0 }],
] as const) {
  test(`Node.js 22 waits for a promise or the callback, not for another value, whatever the number of parameters (${exportName})`, async (t) => {
    const { code, ledger } = await local(t, exportName, runtime(t, 'nodejs22.x'))
    t.match({ code, ...ledger }, expected)
  })
}

test('control: Node.js 24 uses a value without a promise', async (t) => {
  const { code, ledger } = await local(t, 'synchronous', runtime(t, 'nodejs24.x'))
  t.match({ code, ...ledger }, { code: 1, processed: 16, deadLettered: 4, lost: 0 })
})

for (const [exportName, reason] of [
  ['exits', 'the process ended with exit code 13'],
  ['neverSettles', 'the process ended with exit code 13 (it awaits a promise that never settles)'],
] as const) {
  test(`a process that ends with exit code 13 is explained only if its promise never settles (${exportName})`, async (t) => {
    const { ledger } = await local(t, exportName, ['--messages', '1'])
    t.strictSame(ledger.reasons, { [reason]: 2 })
  })
}

test('the environment has the trace of the invocation, with parent and sampling as on Lambda', async (t) => {
  const { noted } = await local(t, 'trace', ['--messages', '2', '--batch-size', '1'])
  const pattern = /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0$/
  t.match(noted, [
    [pattern, undefined],
    [pattern, undefined],
  ])
  t.not(noted[0][0], noted[1][0])
})

test('a message that the function sends to its own queue for ever is dead-lettered after 16 rounds, as the difference says', async (t) => {
  const { code, ledger } = await local(t, 'sendsAgain', ['--messages', '2'])
  const counts = { sent: 2, sentByFunction: 34, processed: 34, deadLettered: 2, stoppedLoops: 2, remaining: 0, lost: 0 }
  t.match({ code, ...ledger }, { code: 1, ...counts })
  t.equal(ledger.sent + ledger.sentByFunction, ledger.processed + ledger.deadLettered, 'the sum of the page')
  t.match(ledger.differences, [/^the function sent 34 messages to the queue that it reads\. Lambda stops a message/])
})

test('control: a message that comes back less often is processed, and one for ever if the template allows it', async (t) => {
  const { code, ledger } = await local(t, 'sendsAgain', ['--messages', '2'], { ROUNDS: '16' })
  t.match({ code, ...ledger }, { code: 0, sentByFunction: 32, processed: 34, deadLettered: 0 })
  const template = templateFile(t, sam({ function: { RecursiveLoop: 'Allow', Timeout: 30 } }))
  const allowed = await local(t, 'sendsAgain', ['--messages', '1', '--template', template], { ROUNDS: '20' })
  t.match({ code: allowed.code, ...allowed.ledger }, { code: 0, sentByFunction: 20, processed: 21, deadLettered: 0 })
})

test('a redelivery that was shortened before a dead letter is named', async (t) => {
  const file = `${handlerFile('plain.mjs')}#throws`
  const args = ['local', file, '--messages', '5', '--batch-size', '1', '--max-receives', '2', '--json', '--quiet']
  const { stdout } = await inProcess(args, { env: { RECORD_TO: '/dev/null' } })
  t.match(JSON.parse(stdout), {
    deadLettered: 1,
    differences: ['redelivered after 1 s instead of 31 s: see --retry-after off'],
  })
})

test('on a FIFO queue, the delays that the handler sets are replaced, which the run says, unless --retry-after is off', async (t) => {
  const run = async (...args: string[]) => {
    const flags = [
      '--messages',
      '4',
      '--batch-size',
      '4',
      '--groups',
      '2',
      '--fifo',
      '--max-receives',
      '2',
      '--timeout',
      '4',
    ]
    const file = `${handlerFile('plain.mjs')}#delays`
    const { stdout } = await inProcess(['local', file, ...flags, '--json', '--quiet', ...args], {
      env: { RECORD_TO: '/dev/null' },
    })
    return JSON.parse(stdout)
  }
  t.match(await run(), {
    deadLettered: 4,
    replacedTimeouts: 2,
    differences: [/^redelivered after 1 s instead of the delays that the function had set \(2 times\)/],
  })
  const kept = await run('--retry-after', 'off')
  t.match(kept, { deadLettered: 4, replacedTimeouts: 0, differences: [] })
  t.ok(kept.wallMs >= 3000, `the group waits for the delay of 3 s: ${kept.wallMs} ms`)
})

test('a template is refused for failures that the handler reports, not for a library that only package.json names', async (t) => {
  const root = folder(t)
  const change = {
    mapping: { FunctionResponseTypes: [] },
    function: { CodeUri: '.', Handler: 'h.handler', Timeout: 5 },
  }
  writeFileSync(join(root, 'template.json'), JSON.stringify(sam(change)))
  writeFileSync(join(root, 'package.json'), '{"dependencies":{"@aws-lambda-powertools/batch":"^2.0.0"}}')
  const args = (name: string) => [
    'local',
    join(root, name),
    '--messages',
    '1',
    '--template',
    join(root, 'template.json'),
  ]
  writeFileSync(join(root, 'plain.mjs'), 'export const handler = async ({ Records: [{ body }] }) => {}')
  t.equal((await inProcess(args('plain.mjs'))).code, 0)
  const list = 'const batchItemFailures = failed()'
  writeFileSync(
    join(root, 'reports.mjs'),
    `export const handler = async () => { ${list}; return { batchItemFailures } }`,
  )
  const { code, stderr } = await inProcess(args('reports.mjs'))
  t.equal(code, 2)
  t.match(stderr, /ReportBatchItemFailures is off/)
})

test('a line that is wrong ends the run with exit code 2, after the ledger so far', async (t) => {
  const lines = Array.from({ length: 20_500 }, (_, index) => JSON.stringify({ number: index + 1 }))
  const handler = `${handlerFile('plain.mjs')}#readsNothing`
  const input = lines.concat('{"number":').join('\n')
  const args = ['local', handler, '--messages-file', '-', '--timeout', '300', '--quiet']
  const { code, stdout, stderr } = await inProcess(args, { env: { RECORD_TO: '/dev/null' }, input })
  t.equal(code, 2)
  t.match(stdout, /^│ processed +│ +[\d,]*\d{3} │$/m)
  t.match(stderr, /line 20,501 of standard input is not valid JSON/)
  const early = await inProcess(['local', handler, '--messages-file', '-'], { input: '{"number":' })
  t.strictSame([early.code, early.stdout], [2, ''], 'nothing was delivered')
})

test('a handler that answers some batches itself, and passes the others to the library, loses nothing', async (t) => {
  const ledger = await runHandler('record-errors.ts', {
    function: { exportName: 'answersPings' },
    messages: numberedMessages(20),
    mapping: { batchSize: 1 },
  })
  t.match(ledger, { processed: 20, lost: 0, delivered: 20 })
})

test('the idiom of settled results: its failures are no records that did not start, and the log has their errors', async (t) => {
  const ledger = await runHandler('record-errors.ts', {
    queue: { visibilityTimeout: 40, maxReceives: 2 },
    function: { exportName: 'settled' },
    messages: numberedMessages(20),
    mapping: { batchSize: 4 },
  })
  t.match(ledger, { processed: 16, deadLettered: 4, deadLetteredWithoutError: 0 })
  t.strictSame(ledger.causes, { 'the result of the handler is rejected: the log of the function has its error': 8 })
})
