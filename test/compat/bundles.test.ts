import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import t from 'tap'
import { standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'

// test/package bundles the packed library without other middlewares, also for Node 22 and its require().
for (const format of ['esm', 'cjs'] as const) {
  t.test(`a handler and its middlewares work as one minified ${format} file`, async (t) => {
    const folder = temporaryFolder(t)
    const outfile = `${folder}/handler.${format === 'esm' ? 'mjs' : 'cjs'}`
    await build({
      entryPoints: [fileURLToPath(new URL('./bundled-handler.ts', import.meta.url))],
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node22',
      format,
      outfile,
      logLevel: 'error',
    })
    const load = format === 'esm' ? 'await import' : 'require'
    const code = `
        const { handler } = ${load}(${JSON.stringify(outfile)})
        const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 10_000 }
        const print = (response) => process.stdout.write(JSON.stringify(response) + '\\n')
        handler(${JSON.stringify(standardEvent('a', 'b', 'c'))}, context).then(print)`
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [`--input-type=${format === 'esm' ? 'module' : 'commonjs'}`, '--eval', code],
      { cwd: folder, env: { PATH: process.env.PATH } },
    )
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.match(lines[0], { message: 'refused', messageId: 'b', function_request_id: 'request-1' })
    t.match(lines[1], { refused: 1 })
    t.strictSame(lines.slice(2), [{ batchItemFailures: [{ itemIdentifier: 'b' }] }])
    t.match(
      stderr,
      /^middy-bounded-sqs-batch: 1 of 3 records of orders failed; [^\n]+\n {2}1 × Error: b failed \[b\]; /,
    )
  })
}
