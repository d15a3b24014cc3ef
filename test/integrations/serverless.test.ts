/** The Serverless Framework packages examples/deploy/serverless. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import t from 'tap'
import { doctor, NOTHING, project, read, run, SETTINGS, settingsIn } from '../support/pages.ts'

const require = createRequire(import.meta.url)

t.test(
  'the package of the Serverless Framework has the settings of docs/deploy.md, and doctor finds nothing',
  async (t) => {
    const folder = project(t, {
      'serverless.yml': read('examples/deploy/serverless/serverless.yml'),
      'dist/handler.mjs': 'export const handler = async () => ({ batchItemFailures: [] })',
      'src/handler.ts': 'not in the package',
    })
    const serverless = require.resolve('serverless/bin/serverless.js')
    const { code, stdout, stderr } = await run(folder, process.execPath, [serverless, 'package'])
    t.equal(code, 0, `${stdout}${stderr}`)
    const [, file = ''] = /doctor (\.serverless\/\S+)/.exec(read('docs/deploy.md')) ?? []
    t.strictSame(settingsIn(JSON.parse(readFileSync(join(folder, file), 'utf8'))), SETTINGS)
    t.strictSame(await doctor(folder, file), NOTHING)
    const archive = readFileSync(join(folder, '.serverless/orders.zip'))
    t.strictSame(Object.keys(unzipSync(archive)), ['dist/handler.mjs'])
  },
)
