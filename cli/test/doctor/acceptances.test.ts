import { basename, join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { filesIn } from '../support/files.ts'
import { command } from '../support/runs.ts'
import { cdkOutput, cloudFormation, getAtt, sam, templateFile } from '../support/templates.ts'
import { terraformState } from '../support/terraform.ts'

const RUNTIME = { Runtime: 'provided.al2023' }
const OFF = { mapping: { FunctionResponseTypes: undefined }, function: RUNTIME }
const RULE = 'report-batch-item-failures'

interface Printed {
  rule: string
  resource: string
  accepted?: string
}

async function run(t: Test, template: unknown, ...flags: string[]) {
  const { code, stdout } = await command(['doctor', templateFile(t, template), '--json', ...flags])
  const { findings, accepted } = JSON.parse(stdout)
  const short = ({ rule, resource, accepted }: Printed) =>
    [rule, resource, ...(accepted === undefined ? [] : [accepted])].join(' ')
  return {
    code,
    findings: findings.map(short),
    accepted: accepted.map(short),
    messages: findings.map(({ message }: { message: string }) => message),
  }
}

function withMetadata(template: { Resources: object }, id: string, accept: Record<string, unknown>) {
  const resource = (template.Resources as Record<string, object>)[id]
  const Metadata = { 'bounded-sqs-batch': { accept } }
  return { ...template, Resources: { ...template.Resources, [id]: { ...resource, Metadata } } }
}

for (const [title, template, id, finding] of [
  ['the function of SAM', sam(OFF), 'Handler', 'Handler/Orders'],
  ['the queue', sam(OFF), 'Queue', 'Handler/Orders'],
  ['the mapping', cloudFormation(OFF), 'Orders', 'Orders'],
  ['the function', cloudFormation(OFF), 'Handler', 'Orders'],
] as const) {
  test(`a finding is accepted in the metadata of ${title}`, async (t) => {
    const result = await run(t, withMetadata(template, id, { [RULE]: 'it only throws' }), '--strict')
    t.match(result, { code: 0, findings: [], accepted: [`${RULE} ${finding} it only throws`] })
  })
}

for (const [title, template, resource] of [
  ['SAM', sam(OFF), 'Handler/Orders'],
  ['CloudFormation', cloudFormation(OFF), 'Orders'],
  ['Terraform', terraformState(OFF), 'aws_lambda_event_source_mapping.orders'],
] as const) {
  test(`${title}: a finding is accepted with --accept, and with --accept-file`, async (t) => {
    const expected = { code: 0, findings: [], accepted: [`${RULE} ${resource} it only throws`] }
    const text = `${RULE}@${resource}=it only throws`
    t.match(await run(t, template, '--accept', text), expected)
    const root = filesIn(t, { accepted: `# Reviewed in 2026\n\n${text}\n` })
    t.match(await run(t, template, '--accept-file', join(root, 'accepted')), expected)
  })
}

for (const [title, resource] of [
  ['the logical id of the queue', 'Queue'],
  ['the construct path of the queue', 'Shop/Queue'],
  ['the construct path of the mapping', 'Shop/Orders'],
] as const) {
  test(`the CDK: a finding is accepted with ${title}`, async (t) => {
    const queue = { RedrivePolicy: { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 3 } }
    const template = cdkOutput({ queue, function: RUNTIME })
    const result = await run(t, template, '--accept', `max-receive-count@${resource}=agreed`)
    t.match(result, { code: 0, accepted: ['max-receive-count Queue agreed'] })
    t.strictSame(result.findings, [])
  })
}

test('the CDK: the construct path of another resource accepts nothing', async (t) => {
  const template = cdkOutput({ ...OFF })
  const result = await run(t, template, '--accept', `${RULE}@Shop/Dead=agreed`)
  t.strictSame(result.findings, [`${RULE} Orders`, 'acceptance Shop/Dead'])
  t.strictSame([result.code, result.accepted], [1, []])
})

for (const [title, accept, finding, message] of [
  ['without a reason', { [RULE]: '' }, 'acceptance Handler', 'has no reason'],
  ['with an empty value', { [RULE]: null }, 'acceptance Handler', 'has no reason'],
  [
    'without a finding',
    { 'max-receive-count': 'agreed' },
    'acceptance Handler',
    'There is no finding max-receive-count of Handler',
  ],
  ['of a rule that does not exist', { [`${RULE}s`]: 'agreed' }, 'acceptance Handler', `There is no rule ${RULE}s`],
] as const) {
  test(`an acceptance ${title} is a warning, and accepts nothing`, async (t) => {
    const template = withMetadata(sam(OFF), 'Handler', accept)
    const result = await run(t, template)
    t.match(result, { code: 1, findings: [`${RULE} Handler/Orders`, finding], accepted: [] })
    t.match(result.messages[1], message)
    const clean = withMetadata(sam({ function: RUNTIME }), 'Handler', accept)
    t.match(await run(t, clean), { code: 0, findings: ['acceptance Handler'] })
    t.match(await run(t, clean, '--strict'), { code: 1 })
  })
}

test('an acceptance on the command line that matches nothing is a warning', async (t) => {
  t.match(await run(t, sam({ function: RUNTIME }), '--accept', 'max-receive-count@Queue=agreed'), {
    code: 0,
    findings: ['acceptance Queue'],
  })
})

test('a finding that applies to several resources needs an acceptance for each', async (t) => {
  const { Resources } = sam({ function: { Runtime: undefined } })
  const two = {
    Globals: { Function: { Runtime: 'nodejs18.x' } },
    Resources: { ...Resources, Other: Resources.Handler },
  }
  const accept = (id: string) => [
    '--accept',
    `runtime-deprecated@${id}=agreed`,
    '--accept',
    `shared-queue@Queue=agreed`,
  ]
  t.match(await run(t, two, ...accept('Handler')), { findings: ['runtime-deprecated Globals'] })
  t.match(await run(t, two, ...accept('Handler'), '--accept', 'runtime-deprecated@Other=agreed'), { findings: [] })
  t.match(await run(t, two, ...accept('Globals')), { findings: [] })
})

test('an address of Terraform with = in its key', async (t) => {
  const state = terraformState(OFF)
  for (const resource of state.values.root_module.resources) {
    if (resource.type === 'aws_lambda_event_source_mapping') resource.address += '["a=b"]'
  }
  const result = await run(t, state, '--accept', `${RULE}@aws_lambda_event_source_mapping.orders["a=b"]=a = b`)
  t.match(result, { code: 0, accepted: [`${RULE} aws_lambda_event_source_mapping.orders["a=b"] a = b`] })
})

test('--accept without a rule and a resource is refused', async (t) => {
  const { code, stdout, stderr } = await command(['doctor', templateFile(t, sam()), '--accept', 'agreed'])
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^bounded-sqs-batch: --accept agreed: write RULE@RESOURCE=REASON/)
})

test('accepted findings are listed as such in the table, and not counted', async (t) => {
  const file = templateFile(t, withMetadata(sam(OFF), 'Handler', { [RULE]: 'it only throws' }))
  const { stdout } = await command(['doctor', file])
  t.match(stdout, /│ accepted /)
  t.match(stdout, /Accepted: it only throws/)
  t.match(stdout, '1 mapping checked: 0 errors, 0 warnings, 0 info, 1 accepted')
})

test('an acceptance in a template does not apply to another template', async (t) => {
  const wrong = sam(OFF)
  const root = filesIn(t, {
    'dev.json': JSON.stringify(withMetadata(wrong, 'Queue', { [RULE]: 'a test system' })),
    'prod.json': JSON.stringify(wrong),
  })
  const { code, stdout } = await command(['doctor', '--json', root])
  const { findings, accepted } = JSON.parse(stdout)
  const short = ({ rule, file }: { rule: string; file: string }) => `${rule} ${basename(file)}`
  t.strictSame([code, findings.map(short), accepted.map(short)], [1, [`${RULE} prod.json`], [`${RULE} dev.json`]])
})

test('the CDK: an acceptance of a queue applies to the stacks that import it, and is then no warning', async (t) => {
  const name = 'Shop:ExportsOutputFnGetAttQueueArn1A2B'
  const { Handler, Orders, Queue, Dead } = cloudFormation({
    function: RUNTIME,
    queue: { VisibilityTimeout: 20 },
  }).Resources
  const Metadata = {
    'bounded-sqs-batch': { accept: { 'visibility-below-timeout': 'agreed', 'shared-queue': 'agreed' } },
  }
  const Export = { Value: getAtt('Queue'), Export: { Name: name } }
  const shop = { Resources: { Handler, Orders, Queue: { ...Queue, Metadata }, Dead }, Outputs: { Export } }
  const imported = { ...Orders, Properties: { ...Orders.Properties, EventSourceArn: { 'Fn::ImportValue': name } } }
  const stack = (file: string) => ({ type: 'aws:cloudformation:stack', properties: { templateFile: file } })
  const root = filesIn(t, {
    'manifest.json': JSON.stringify({ artifacts: { A: stack('Shop.template.json'), B: stack('Other.template.json') } }),
    'Shop.template.json': JSON.stringify(shop),
    'Other.template.json': JSON.stringify({ Resources: { Handler, Orders: imported } }),
  })
  const { code, stdout } = await command(['doctor', '--json', '--strict', root])
  const { findings, accepted } = JSON.parse(stdout)
  const short = ({ rule, resource }: Printed) => `${rule} ${resource}`
  t.strictSame(
    [code, findings.map(short), accepted.map(short)],
    [0, [], ['visibility-below-timeout Queue', 'shared-queue Shop/Queue']],
  )
})
