/** The README of the tool has what `doctor` and `local` really print. WRITE_DOCS=1 writes it. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { wrapWords } from '../../cli/src/shared/wrap.ts'
import { CLI, read, run, sampleOf, samTemplateOfPage } from '../support/pages.ts'
import { startDownstream } from '../support/services.ts'

const ROOT = new URL('../../', import.meta.url)
const URL_OF_SAMPLE = 'https://example.com/orders'
/** Each run has other message ids. */
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const MESSAGE_ID = 'f4ae9ffd-f996-4e44-9c08-38a30856ebb1'

/** The first sample of the README, without the `await` of its call. */
const handler = sampleOf('README.md', 'start')
  .replace('const response = await fetch', 'fetch')
  .replace(/^ +(await response|if \(!response).*\n/gm, '')
const setting = /^ +FunctionResponseTypes: .*\n/m

/** A project of a user. Outside of the repository, because `local` names a file by its path in the project. */
function project(t: Test, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'readme-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'))
  for (const [path, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** What a command prints. The shell removes NODE_OPTIONS, because tap's hooks change the stacks that `local` reads. */
function print(folder: string, ...args: string[]) {
  const shell = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', process.execPath, CLI, ...args]
  return run(folder, 'sh', shell)
}

/** Compares the block after this comment of a page with a new output, or writes it. `mask` removes what varies. */
function checkOutput(t: Test, page: string, comment: string, output: string, mask = (text: string) => text): void {
  const block = new RegExp(`^(<!-- ${comment}: .* -->\\n\`\`\`console\\n)([\\s\\S]*?)^\`\`\`$`, 'm')
  const [, , shown = ''] = block.exec(read(page)) ?? []
  if (!process.env.WRITE_DOCS) {
    t.equal(mask(shown), mask(output), `${page}: after a change, run: WRITE_DOCS=1 with this test`)
  } else if (mask(shown) !== mask(output)) {
    writeFileSync(
      new URL(page, ROOT),
      read(page).replace(block, (_block, start) => `${start}${output}\`\`\``),
    )
  }
}

t.test('the README of the tool has the output of doctor', async (t) => {
  const template = samTemplateOfPage().replace(setting, '').replace('maxReceiveCount: 15', 'maxReceiveCount: 3')
  const folder = project(t, { 'template.yaml': template, 'dist/handler.mjs': handler })
  const { stdout } = await print(folder, 'doctor', 'template.yaml')
  const output = wrapWords(stdout.trimEnd(), 110, 4)
  checkOutput(t, 'cli/README.md', 'output of doctor', `$ npx bounded-sqs-batch doctor template.yaml\n${output}\n`)
})

t.test('the README of the tool has the output of local', async (t) => {
  const refused = new Set<string>()
  const service = await startDownstream(t, ({ body }) => {
    const { number } = JSON.parse(body)
    const isRefused = number % 200 === 0 || (number % 50 === 1 && !refused.has(body))
    refused.add(body)
    return isRefused ? 503 : 200
  })
  const code = sampleOf('README.md', 'start').replace(URL_OF_SAMPLE, service)
  const folder = project(t, { 'src/handler.ts': code })
  const { stdout } = await print(folder, 'local', 'src/handler.ts', '--messages', '2000', '--quiet')
  const lines = wrapWords(stdout.replaceAll(UUID, MESSAGE_ID), 110).split('\n')
  const output = lines
    .slice(lines.findIndex((line) => line.startsWith('┌')))
    .join('\n')
    .trimEnd()
  const command = '$ npx bounded-sqs-batch local src/handler.ts --messages 2000'
  // The times, and the number of invocations, vary. The width of the column depends on them.
  const mask = (text: string) =>
    text
      .replaceAll(/^(│ (?:invocations|wall time|processed per)[^│]*│).*$/gm, '$1')
      .replaceAll(/ {2,}|─+/g, ([char = '']) => char)
  checkOutput(t, 'cli/README.md', 'output of local', `${command}\n…\n${output}\n`, mask)
})
