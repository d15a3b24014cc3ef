/** The settings of docs/testing.md: Jest with ts-jest, and Vitest, run a unit test of a handler. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/testing.md', root), 'utf8')
const recipes =
  readFileSync(new URL('docs/envelopes.md', root), 'utf8') + readFileSync(new URL('docs/dead-letters.md', root), 'utf8')

function match(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? []
  if (found === undefined) throw new Error(`Expected ${pattern} in the page`)
  return found
}

const unitTest = match(page, /^<!-- fragment: Vitest and Jest run it -->\n```ts\n([\s\S]*?)^```$/m)
const config = match(page, /^```json\n([\s\S]*?)^```$/m)
const command = match(page, /`(NODE_OPTIONS=\S+ npx jest)`/)
const sample = (name: string) =>
  match(recipes, new RegExp(`<!-- sample: ${name} -->\\n\`\`\`ts\\n([\\s\\S]*?)^\`\`\`$`, 'm'))

/** A unit test of the recipe for dead letters, with a fake SQS. */
const fakeSqs = (runner: string, spyOn: string) => `
import { SQSClient } from '@aws-sdk/client-sqs'
import { invoke, sqsEvent } from 'middy-bounded-sqs-batch/testing'
import { expect, ${spyOn}, test } from '${runner}'

test('a negative amount is dead-lettered', async () => {
  const send = ${spyOn}.spyOn(SQSClient.prototype, 'send')
  send.mockImplementation((async ({ input }: { input: { Entries: { Id: string }[] } }) => ({
    Successful: input.Entries.map(({ Id }) => ({ Id })),
  })) as never)
  process.env.DEAD_LETTER_QUEUE_URL = 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders-dead'
  const { handler } = await import('./dead-letters.ts')
  const { failed } = await invoke(handler, sqsEvent([{ amount: 3 }, { amount: -1 }]))
  expect(failed).toEqual([])
  expect(send).toHaveBeenCalledTimes(1)
})
`

/** A project with two tests, which has the tools of this folder. */
function project(t: Test, runner: string, spyOn: string): string {
  const folder = temporaryFolder(t, {
    'package.json': '{ "type": "module" }',
    'jest.config.json': config,
    'tsconfig.json': match(readFileSync(new URL('docs/modules.md', root), 'utf8'), /^```json\n([\s\S]*?)^```$/m),
  })
  const files = {
    'validation.ts': sample('validation'),
    'validation.test.ts': unitTest.replace("'vitest'", `'${runner}'`),
    'dead-letters.ts': sample('dead-letters'),
    'dead-letters.test.ts': fakeSqs(runner, spyOn),
  }
  mkdirSync(join(folder, 'src'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'src', name), text)
  mkdirSync(join(folder, 'node_modules/@jest'), { recursive: true })
  for (const name of ['.bin', 'jest', 'ts-jest', 'typescript', 'vitest', '@jest/globals']) {
    symlinkSync(join(import.meta.dirname, 'node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

/** Runs a command in a shell with this version of Node, and without the environment of tap. */
async function run(cwd: string, line: string): Promise<string> {
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: cwd, NO_COLOR: '1', CI: 'true' }
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line], { cwd, env })
  return stdout + stderr
}

t.test('Jest with ts-jest runs the tests with the settings and the command of the page', async (t) => {
  const output = await run(project(t, '@jest/globals', 'jest'), command)
  t.match(output, /^Tests: +2 passed, 2 total$/m)
})

t.test('without these settings, Jest fails with the error of the page', async (t) => {
  const folder = project(t, '@jest/globals', 'jest')
  writeFileSync(
    join(folder, 'jest.config.json'),
    '{ "transform": { "^.+\\\\.tsx?$": ["ts-jest", { "diagnostics": false }] } }',
  )
  await t.rejects(run(folder, 'npx jest'), /Must use import to load ES Module|Cannot find module '@middy\/core'/)
})

t.test('Vitest runs the tests without a configuration', async (t) => {
  t.match(await run(project(t, 'vitest', 'vi'), 'npx vitest run'), /^ +Tests +2 passed \(2\)$/m)
})
