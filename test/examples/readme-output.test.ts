/** The READMEs have what `doctor` and `local` really print. WRITE_DOCS=1 writes it. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { wrapWords } from '../../cli/src/shared/wrap.ts'
import { blockOf, CLI, read, run, sampleOf } from '../support/pages.ts'
import { close, listen, startDownstream } from '../support/services.ts'

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

/** The lines of an output that start like this, as a terminal with 110 columns shows them. */
function pick(output: string, starts: readonly string[]): string {
  const lines = output.split('\n')
  return starts
    .map((start) => {
      const line = lines.find((line) => line.startsWith(start))
      if (line === undefined) throw new Error(`Expected a line with "${start}":\n${output}`)
      return wrapWords(line, 110, 2)
    })
    .join('\n')
}

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

async function doctorOutput(t: Test): Promise<string> {
  const template = blockOf('docs/sam.md', 'yaml').replace(setting, '')
  const folder = project(t, { 'template.yaml': template, 'dist/handler.mjs': handler })
  const { stdout } = await print(folder, 'doctor', 'template.yaml')
  return pick(stdout, ['template.yaml:', '  Fix: '])
}

async function localOutput(t: Test): Promise<string> {
  const server = createServer(async (request, response) => {
    request.resume()
    await sleep(100)
    response.end()
  })
  const url = await listen(server)
  t.teardown(() => close(server))
  const folder = project(t, { 'src/handler.ts': handler.replace(URL_OF_SAMPLE, url) })
  const { stdout, stderr } = await print(folder, 'local', 'src/handler.ts', '--messages', '1')
  const shown = `${stdout}\n${stderr}`.replaceAll(url, new URL(URL_OF_SAMPLE).origin).replaceAll(UUID, MESSAGE_ID)
  return pick(shown, ['warning | 1 invocation', 'failed: '])
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

t.test('the README has the output of doctor and of local', async (t) => {
  const output = [
    '$ npx bounded-sqs-batch doctor template.yaml',
    await doctorOutput(t),
    '$ npx bounded-sqs-batch local src/handler.ts --messages 1',
    await localOutput(t),
    '',
  ].join('\n')
  checkOutput(t, 'README.md', 'output', output)
})

t.test('the README of the tool has the output of doctor', async (t) => {
  const template = blockOf('docs/sam.md', 'yaml')
    .replace(setting, '')
    .replace('maxReceiveCount: 15', 'maxReceiveCount: 3')
  const folder = project(t, { 'template.yaml': template, 'dist/handler.mjs': handler })
  const { stdout } = await print(folder, 'doctor', 'template.yaml')
  const output = wrapWords(stdout.trimEnd(), 110, 4)
  checkOutput(t, 'cli/README.md', 'output of doctor', `$ npx bounded-sqs-batch doctor template.yaml\n${output}\n`)
})

t.test('the README of the tool has the output of local', async (t) => {
  const refused = new Set<string>()
  const service = await startDownstream(({ body }) => {
    const { number } = JSON.parse(body)
    const isRefused = number % 200 === 0 || (number % 50 === 1 && !refused.has(body))
    refused.add(body)
    return isRefused ? 503 : 200
  })
  t.teardown(service.close)
  const code = sampleOf('README.md', 'start').replace(URL_OF_SAMPLE, service.url)
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
