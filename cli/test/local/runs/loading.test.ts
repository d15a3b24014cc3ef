import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { inProcess } from '../../support/in-process.ts'
import { folder } from '../../support/runs.ts'
import { sam, templateFile } from '../../support/templates.ts'

const small = ['--messages', '1', '--batch-size', '1', '--idle', '0', '--json']
const NOTHING = 'async () => ({ batchItemFailures: [] })'

const FILES = {
  'esm/package.json': '{ "type": "module" }',
  'esm/index.js': 'export const name = "esm"',
  'require.cjs': `const { name } = require('./esm/index.js')\nexports.handler = ${NOTHING}`,
  'syntax.js': `export const handler = ${NOTHING}`,
  'callback.mjs': 'export const handler = (event, context, callback) => { callback(null, { batchItemFailures: [] }) }',
  'late.mjs':
    'let calls = 0\nexport const handler = (event, context, callback) => { setTimeout(() => { calls += 1; console.log("calls", calls) }, 50); callback(null, {}) }',
  'fails.mjs': "export const handler = (event, context, callback) => callback(new Error('no'))",
}

function files(t: Test) {
  const path = folder(t)
  mkdirSync(join(path, 'esm'))
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(path, name), text)
  return path
}

for (const [name, message] of [
  [
    'require.cjs',
    /require\.cjs could not be loaded: Error: require\(\) of ES Module \S+index\.js from \S+ not supported.*\. Lambda turns off require\(\) of ES modules/,
  ],
  ['syntax.js', /syntax\.js could not be loaded: SyntaxError: Unexpected token 'export'\. Add "type": "module"/],
] as const) {
  test(`${name}, which Lambda does not load, is refused`, async (t) => {
    const { code, stderr } = await inProcess(['local', join(files(t), name), ...small])
    t.match(stderr, message)
    t.equal(code, 2)
  })
}

for (const [name, flag] of [
  ['require.cjs', '--experimental-require-module'],
  ['syntax.js', '--experimental-detect-module'],
] as const) {
  test(`${name} is loaded if NODE_OPTIONS has ${flag}, as on Lambda`, async (t) => {
    const args = ['local', join(files(t), name), ...small, '--env', `NODE_OPTIONS=--no-warnings ${flag}`]
    const { code, stderr } = await inProcess(args)
    t.equal(code, 0, stderr)
  })
}

const node22 = (t: Test) =>
  templateFile(t, sam({ function: { Runtime: 'nodejs22.x', Timeout: 5 }, mapping: { BatchSize: 1 } }))

test('a handler with a callback runs if the template says nodejs22.x', async (t) => {
  const args = ['local', join(files(t), 'callback.mjs'), ...small, '--window', '0', '--template', node22(t)]
  const { code, stdout } = await inProcess(args)
  t.match(JSON.parse(stdout), { verdict: 'passed', processed: 1, respondedEarly: 0 })
  t.equal(code, 0)
})

test('with a callback, the response waits until the event loop is empty', async (t) => {
  const args = ['local', join(files(t), 'late.mjs'), ...small, '--window', '0', '--template', node22(t)]
  const { stdout, stderr } = await inProcess(args)
  t.match(JSON.parse(stdout), { verdict: 'passed', processed: 1, respondedEarly: 0 })
  t.match(stderr, /^function \| calls 1$/m)
})

test('an error that a handler gives to its callback fails the invocation', async (t) => {
  const args = ['local', join(files(t), 'fails.mjs'), ...small, '--window', '0', '--template', node22(t)]
  const { stdout } = await inProcess([...args, '--max-receives', '1'])
  t.match(JSON.parse(stdout), { processed: 0, deadLettered: 1, failedInvocations: 1, reasons: { 'Error: no': 1 } })
})

for (const [title, flags] of [
  ['without a template', () => []],
  [
    'if the template says nodejs24.x',
    (t: Test) => ['--template', templateFile(t, sam({ function: { Timeout: 5 }, mapping: { BatchSize: 1 } }))],
  ],
] as const) {
  test(`a handler with a callback is refused ${title}`, async (t) => {
    const args = ['local', join(files(t), 'callback.mjs'), ...small, '--window', '0', ...flags(t)]
    const { code, stderr } = await inProcess(args)
    t.match(stderr, /handler has 3 parameters\..*Lambda does not run handlers with a callback on Node\.js 24 and newer/)
    t.equal(code, 2)
  })
}
