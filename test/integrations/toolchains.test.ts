/**
 * The pages on SAM, the CDK and Terraform have the same settings. The CDK and the parser of Terraform read the pages, and
 * `doctor` finds nothing. `serverless` and `sst` do the same for the other toolchains.
 */
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { shownPlan } from '../../cli/test/support/terraform.ts'
import {
  type Any,
  blockOf,
  CLI,
  doctor,
  NOTHING,
  project,
  read,
  resourcesOf,
  run,
  SETTINGS,
  sampleOf,
  samTemplateOfPage,
  settingsIn,
  terraformSettings,
} from '../support/pages.ts'

const require = createRequire(import.meta.url)

t.test(
  'docs/deploy.md: the template for SAM has the visibility timeout that AWS recommends, and doctor finds nothing',
  async (t) => {
    const { timeout, window, visibilityTimeout } = SETTINGS
    t.equal(visibilityTimeout, 6 * timeout + window)
    t.strictSame(await doctor(project(t, { 'template.yaml': samTemplateOfPage() }), 'template.yaml'), NOTHING)
  },
)

/** Runs the command in the cdk.json of docs/cdk.md, and returns the template. */
async function synthesise(folder: string, context: object = {}) {
  const [program = '', ...args] = JSON.parse(blockOf('docs/cdk.md', 'json')).app.split(' ')
  const { code, stderr } = await run(folder, program, args, {
    CDK_OUTDIR: join(folder, 'cdk.out'),
    CDK_CONTEXT_JSON: JSON.stringify(context),
  })
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(readFileSync(join(folder, 'cdk.out/Orders.template.json'), 'utf8'))
}

t.test('docs/cdk.md: the app has the settings for SAM, doctor finds nothing, and local runs its bundle', async (t) => {
  const folder = project(t, {
    'infra.ts': sampleOf('docs/cdk.md', 'cdk'),
    'src/handler.ts': sampleOf('docs/envelopes.md', 'validation'),
    'orders.jsonl': '{"amount":3}\n{"amount":4}\n',
  })
  const template = await synthesise(folder)
  t.strictSame(settingsIn(template), SETTINGS)
  t.strictSame(await doctor(folder, 'cdk.out'), NOTHING)

  const id = (type: string, start = '') =>
    Object.keys(template.Resources).find((key) => template.Resources[key].Type === type && key.startsWith(start))
  t.strictSame(resourcesOf(template, 'AWS::Lambda::Function')[0].Environment.Variables.DEAD_LETTER_QUEUE_URL, {
    Ref: id('AWS::SQS::Queue', 'DeadLetterQueue'),
  })
  const [{ Protocol, Endpoint }] = resourcesOf(template, 'AWS::SNS::Subscription')
  t.strictSame([Protocol, Endpoint], ['sqs', { 'Fn::GetAtt': [id('AWS::SQS::Queue', 'Queue'), 'Arn'] }])
  t.strictSame(
    resourcesOf(template, 'AWS::SQS::QueuePolicy').map(({ Queues }) => Queues),
    [[{ Ref: id('AWS::SQS::Queue', 'Queue') }]],
  )
  const permissions = resourcesOf(template, 'AWS::IAM::Policy').flatMap(({ PolicyDocument }) =>
    PolicyDocument.Statement.flatMap(({ Action }: Any) => Action),
  )
  for (const action of ['sqs:SendMessage', 'sqs:ChangeMessageVisibility']) t.ok(permissions.includes(action), action)

  const [bundle = ''] = globSync('cdk.out/asset.*/index.mjs', { cwd: folder })
  const path = 'cdk.out/Orders.template.json'
  const local = ['local', bundle, '--messages-file', 'orders.jsonl', '--template', path, '--json']
  const { code, stdout, stderr } = await run(folder, process.execPath, [CLI, ...local])
  t.equal(code, 0, stderr)
  t.match(JSON.parse(stdout), { verdict: 'passed', processed: 2 })
})

t.test(
  'docs/doctor.md: findings of the queue and of the mapping are accepted in the CDK, also with a handler.mts',
  async (t) => {
    const app = sampleOf('docs/cdk.md', 'cdk')
      .replace('maxReceiveCount: 15', 'maxReceiveCount: 3')
      .replace('reportBatchItemFailures: true', 'reportBatchItemFailures: false')
      .replace('src/handler.ts', 'src/handler.mts')
      .replace('    // Only for deadLetter():\n', '    acceptFindings(queue, handler)\n')
    const folder = project(t, {
      'infra.ts': `import { acceptFindings } from './accept.ts'\n${app}`,
      'accept.ts': sampleOf('docs/doctor.md', 'cdk-accept'),
      'src/handler.mts': 'export const handler = async () => {}',
    })
    await synthesise(folder, { 'aws:cdk:bundling-stacks': [] }) // without bundling, which needs a second
    const { code, findings, accepted } = await doctor(folder, 'cdk.out')
    t.strictSame([code, findings], [0, []])
    t.match(accepted, [/^report-batch-item-failures FunctionSqsEventSource/, /^max-receive-count Queue/])
    t.equal(accepted.length, 2)
  },
)

t.test('sst.config.ts has the settings of docs/deploy.md', async (t) => {
  const code = read('examples/deploy/sst/sst.config.ts')
  for (const text of [
    `timeout: '${SETTINGS.timeout} seconds'`,
    `memory: '${SETTINGS.memory} MB'`,
    `runtime: '${SETTINGS.runtime}'`,
    'partialResponses: true',
    `size: ${SETTINGS.batchSize}`,
    `window: '${SETTINGS.window} seconds'`,
    `maximumConcurrency: ${SETTINGS.maximumConcurrency}`,
    `visibilityTimeout: '${SETTINGS.visibilityTimeout} seconds'`,
    `retry: ${SETTINGS.maxReceiveCount}`,
    `messageRetentionSeconds: ${SETTINGS.deadLetterRetention}`,
  ]) {
    t.ok(code.includes(text), text)
  }
})

/** The resources of a configuration: their arguments, and the other resources that these refer to. */
async function parseTerraform(text: string) {
  const hcl: { parse(name: string, text: string): Promise<Any> } = require('@cdktf/hcl2json')
  const { resource, data } = await hcl.parse('main.tf', text)
  const of = (kind: Any, prefix: string) =>
    Object.entries<Any>(kind).flatMap(([type, named]) =>
      Object.entries<Any>(named).map(([name, [values]]) => ({ address: `${prefix}${type}.${name}`, values })),
    )
  return [...of(data, 'data.'), ...of(resource, '')]
}

/** The names of the resources in an expression, with their attributes. */
function referencesIn(value: unknown): string[] {
  const found = Array.from(String(value).matchAll(/((?:data\.)?aws_\w+\.\w+)\.\w+/g), ([all, to = '']) => [all, to])
  return found.flat()
}

/** What Terraform plans: it knows no expression before the apply. */
function planOf(resources: Awaited<ReturnType<typeof parseTerraform>>) {
  return shownPlan({
    resources: resources.map(({ address, values }) => {
      const isUnknown = (value: unknown) => typeof value === 'string' && value.startsWith('${')
      const entries = Object.entries(values)
      const unknown = entries.filter(([, value]) => isUnknown(value))
      return {
        address,
        values: Object.fromEntries(entries.filter(([, value]) => !isUnknown(value))),
        unknown: [...unknown.map(([name]) => name), 'arn', 'id'],
        expressions: Object.fromEntries(unknown.map(([name, value]) => [name, { references: referencesIn(value) }])),
      }
    }),
  })
}

t.test('main.tf has the settings of docs/deploy.md, and doctor finds nothing in its plan', async (t) => {
  const resources = await parseTerraform(read('examples/deploy/terraform/main.tf'))
  const at = (address: string) => resources.find((resource) => resource.address === address)?.values
  const [orders, dead] = [at('aws_sqs_queue.orders'), at('aws_sqs_queue.dead')]
  const [lambda, mapping] = [at('aws_lambda_function.orders'), at('aws_lambda_event_source_mapping.orders')]
  t.strictSame(terraformSettings({ orders, dead, lambda, mapping }), SETTINGS)
  const folder = project(t, { 'plan.json': JSON.stringify(planOf(resources)) })
  t.strictSame(await doctor(folder, 'plan.json'), { ...NOTHING, findings: ['not-checked aws_sqs_queue.orders'] })
})
