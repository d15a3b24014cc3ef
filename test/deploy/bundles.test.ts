import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'
import { cdkTemplate, partsOf, samFile, samTemplate } from '../support/templates.ts'

type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

/** The bodies that a bundled http-fanout.ts posts, and the record that it reports if the downstream refuses the second. */
async function invoke(folder: string, handlerSetting: string) {
  const posted: string[] = []
  const downstream = await startDownstream(({ body }) => {
    posted.push(body)
    return body === 'body of b' ? 503 : 200
  })
  process.env.DOWNSTREAM_URL = downstream.url
  try {
    const [module, name = ''] = handlerSetting.split('.')
    const handler: Handler = (await import(`${folder}/${module}.mjs`))[name]
    let reported: string[] = []
    await logged(async () => {
      reported = failed(await handler(standardEvent('a', 'b', 'c'), timedContext(30_000)))
    })
    return { posted: posted.sort(), reported }
  } finally {
    await downstream.close()
  }
}

const expected = { posted: ['body of a', 'body of b', 'body of c'], reported: ['b'] }

t.test('the function of the SAM template, bundled with its BuildProperties, responds to an SQS event', async (t) => {
  const folder = temporaryFolder(t)
  const { Metadata } = samTemplate().Resources.Function ?? {}
  t.equal(Metadata?.BuildMethod, 'esbuild')
  const { EntryPoints, ...options } = Metadata?.BuildProperties ?? {}
  // This is the command of aws-lambda-builders, which `sam build` calls. Without a package.json beside the template it
  // installs nothing and bundles the sources in place.
  const flags = Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replaceAll(/(?<=.)[A-Z]/g, '-$&').toLowerCase()}`
    if (typeof value === 'boolean') return value ? [flag] : []
    return Array.isArray(value) ? value.map((item) => `${flag}:${item}`) : [`${flag}=${value}`]
  })
  await promisify(execFile)(
    fileURLToPath(new URL('../../node_modules/.bin/esbuild', import.meta.url)),
    [...EntryPoints, '--bundle', '--platform=node', `--outdir=${folder}`, ...flags],
    { cwd: dirname(samFile), env: { PATH: process.env.PATH } },
  )
  t.strictSame(await invoke(folder, partsOf(samTemplate()).lambda.Handler), expected)
})

t.test('the function of the CDK app, bundled by its synthesis, responds to an SQS event', async (t) => {
  const folder = temporaryFolder(t)
  const { template } = cdkTemplate(folder)
  const assets = globSync(`${folder}/asset.*`)
  t.equal(assets.length, 1)
  t.strictSame(await invoke(assets[0] as string, partsOf(template).lambda.Handler), expected)
})
