import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import manifest from '../package.json' with { type: 'json' }
import { BIN } from './support/runs.ts'

/** Runs the command on a Node that reports this version. */
function onNode(version: string, args: readonly string[]) {
  const change = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const preload = `data:text/javascript,${encodeURIComponent(change)}`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, BIN, ...args], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

for (const args of [[], ['local', 'handler.mjs', '--messages', '1'], ['doctor', 'template.yaml'], ['--version']]) {
  test(`Node 20.20.2: ${['bounded-sqs-batch', ...args].join(' ')} prints the version that it needs, and exits with 2`, async (t) => {
    const stderr = 'bounded-sqs-batch needs Node 22.18 or later, but this is Node 20.20.2\n'
    t.strictSame(onNode('20.20.2', args), { status: 2, stdout: '', stderr })
  })
}

test('Node 22.17 is too old, Node 22.18 and 24.0 are not', async (t) => {
  t.equal(onNode('22.17.0', ['--version']).status, 2)
  for (const version of ['22.18.0', '24.0.0']) {
    t.strictSame(onNode(version, ['--version']), { status: 0, stdout: `${manifest.version}\n`, stderr: '' })
  }
})
