/** The code of the page "Which settings?" for the CDK and for Terraform has the settings of a result. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { recommend } from '../../docs/.vitepress/settings/recommend.ts'
import { codeFor } from '../../docs/.vitepress/settings/templates.ts'
import { CASES } from '../../docs/.vitepress/settings/workload.ts'
import { type Any, doctor, NOTHING, project, run, settingsIn, terraformSettings } from '../support/pages.ts'

const require = createRequire(import.meta.url)

/** The results of all typical cases differ, so a value in the wrong place is noticed. */
const results = CASES.map(({ name, workload }) => ({ name, settings: recommend(workload).settings }))

/** What a template must have. */
function expectedIn({ settings }: (typeof results)[number]) {
  const { concurrency, rateLimit, ...inTemplate } = settings
  return {
    ...inTemplate,
    runtime: 'nodejs24.x',
    responseTypes: ['ReportBatchItemFailures'],
    maxReceiveCount: 15,
    deadLetterRetention: 1_209_600,
  }
}

t.test('the CDK makes a template with these settings, in which doctor finds nothing', async (t) => {
  const [, , , partner] = results
  if (!partner) throw new Error('expected the case with a rate limit')
  const folder = project(t, {
    'stack.ts': codeFor('cdk', partner.settings),
    'app.ts': `import { App } from 'aws-cdk-lib'\nimport { OrdersStack } from './stack.ts'\nnew OrdersStack(new App(), 'Orders')\n`,
    'src/handler.ts': codeFor('handler', partner.settings),
    'src/process-record.ts': 'export const processRecord = async () => {}\n',
  })
  const { code, stderr } = await run(folder, process.execPath, ['app.ts'], { CDK_OUTDIR: join(folder, 'cdk.out') })
  t.equal(code, 0, stderr)
  const template = JSON.parse(readFileSync(join(folder, 'cdk.out/Orders.template.json'), 'utf8'))
  t.strictSame(settingsIn(template), expectedIn(partner))
  t.strictSame(await doctor(folder, 'cdk.out'), NOTHING)
})

t.test('the parser of Terraform reads the configuration of each typical case', async (t) => {
  const hcl: { parse(name: string, text: string): Promise<Any> } = require('@cdktf/hcl2json')
  for (const result of results) {
    const { resource } = await hcl.parse('main.tf', codeFor('terraform', result.settings))
    const { dead, orders } = resource.aws_sqs_queue
    const [lambda] = resource.aws_lambda_function.orders
    const [mapping] = resource.aws_lambda_event_source_mapping.orders
    t.strictSame(
      terraformSettings({ orders: orders[0], dead: dead[0], lambda, mapping }),
      expectedIn(result),
      result.name,
    )
  }
})

t.test('the code for the handler starts, with and without a rate limit', async (t) => {
  for (const { name, settings } of results) {
    const folder = project(t, {
      'handler.ts': codeFor('handler', settings),
      'process-record.ts': 'export const processRecord = async () => {}\n',
    })
    const { code, stderr } = await run(folder, process.execPath, ['handler.ts'])
    t.equal(code, 0, `${name}: ${stderr}`)
  }
})
