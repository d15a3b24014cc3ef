import { basename, join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { accept, readAcceptances } from '../../src/doctor/acceptances.ts'
import type { DoctorFlags } from '../../src/doctor/doctor.ts'
import { runDoctor } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { cloudFormation, getAtt, sam, templateFile } from '../support/templates.ts'
import { terraformState } from '../support/terraform.ts'

const RUNTIME = { Runtime: 'provided.al2023' }
const OFF = { mapping: { FunctionResponseTypes: undefined }, function: { InlineCode: 'batchItemFailures' } }
const RULE = 'report-batch-item-failures'

interface Printed {
  rule: string
  resource: string
  accepted?: string
}

async function print(t: Test, template: unknown, flags: Partial<DoctorFlags>) {
  const { code, stdout } = await runDoctor(t, [templateFile(t, template)], { format: 'json', ...flags })
  return { code, printed: stdout }
}

async function run(t: Test, template: unknown, flags: Partial<DoctorFlags> = {}) {
  const { code, printed } = await print(t, template, flags)
  const { findings, accepted } = JSON.parse(printed)
  const short = ({ rule, resource, accepted }: Printed) =>
    [rule, resource, ...(accepted === undefined ? [] : [accepted])].join(' ')
  return {
    code,
    findings: findings.map(short),
    accepted: accepted.map(short),
    messages: findings.map(({ message }: { message: string }) => message),
    fixes: findings.map(({ fix }: { fix: string }) => fix),
    places: findings.map(({ file, line }: { file: string; line: number }) => [file && basename(file), line]),
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
    const result = await run(t, withMetadata(template, id, { [RULE]: 'it only throws' }), { strict: true })
    t.strictSame([result.code, result.findings], [0, []])
    t.strictSame(result.accepted, [`${RULE} ${finding} it only throws`])
  })
}

for (const [title, template, resource] of [
  ['SAM', sam(OFF), 'Handler/Orders'],
  ['CloudFormation', cloudFormation(OFF), 'Orders'],
  ['Terraform', terraformState(OFF), 'aws_lambda_event_source_mapping.orders'],
] as const) {
  test(`${title}: a finding is accepted with --accept, and with --accept-file`, async (t) => {
    const text = `${RULE}@${resource}=it only throws`
    const root = filesIn(t, { accepted: `# Reviewed in 2026\n\n${text}\n` })
    for (const flags of [{ accept: [text] }, { acceptFile: [join(root, 'accepted')] }]) {
      const result = await run(t, template, flags)
      t.strictSame([result.code, result.findings], [0, []])
      t.strictSame(result.accepted, [`${RULE} ${resource} it only throws`])
    }
  })
}

const WHY = 'Without a reason, an acceptance accepts nothing. Without a finding, it may hide a later one.'
for (const [title, accept, message, fix] of [
  [
    'without a reason',
    { [RULE]: '' },
    `The acceptance of ${RULE} for Handler has no reason, so the finding is not accepted`,
    'Add the reason.',
  ],
  [
    'with an empty value',
    { [RULE]: null },
    `The acceptance of ${RULE} for Handler has no reason, so the finding is not accepted`,
    'Add the reason.',
  ],
  [
    'without a finding',
    { 'max-receive-count': 'agreed' },
    'There is no finding max-receive-count of Handler to accept',
    'Remove the acceptance, or correct its rule or resource.',
  ],
] as const) {
  test(`an acceptance ${title} is a warning, and accepts nothing`, async (t) => {
    const result = await run(t, withMetadata(sam(OFF), 'Handler', accept))
    t.strictSame([result.code, result.accepted], [1, []])
    t.strictSame(result.findings, [`${RULE} Handler/Orders`, 'acceptance Handler'])
    const clean = withMetadata(sam({ function: RUNTIME }), 'Handler', accept)
    const { code, findings, messages, fixes, places } = await run(t, clean)
    t.strictSame([code, findings], [0, ['acceptance Handler']])
    t.strictSame([messages, fixes], [[`${message}. ${WHY}`], [fix]])
    t.match(places, [['template.yaml', Number]])
    t.equal((await run(t, clean, { strict: true })).code, 1)
  })
}

test('an acceptance on the command line that matches nothing is a warning', async (t) => {
  const result = await run(t, sam({ function: RUNTIME }), { accept: ['max-receive-count@Queue=agreed'] })
  t.strictSame([result.code, result.findings], [0, ['acceptance Queue']])
  t.strictSame(result.places, [[undefined, undefined]])
})

test('an acceptance of a file that matches nothing is a warning at its line', async (t) => {
  const root = filesIn(t, { accepted: '\nmax-receive-count@Queue=agreed\n' })
  const result = await run(t, sam({ function: RUNTIME }), { acceptFile: [join(root, 'accepted')] })
  t.strictSame([result.findings, result.places], [['acceptance Queue'], [['accepted', 2]]])
})

test('a finding may be accepted twice, with and without a reason: the first reason counts', async (t) => {
  const accept = ['', 'one', 'two'].map((reason) => `${RULE}@Handler=${reason}`)
  const result = await run(t, sam(OFF), { accept })
  t.strictSame(result.accepted, [`${RULE} Handler/Orders one`])
  t.strictSame(result.findings, ['acceptance Handler'])
})

test('a finding that applies to several resources needs an acceptance for each', async (t) => {
  const { Resources } = sam()
  const two = {
    Globals: { Function: { TenancyConfig: { TenantIsolationMode: 'A' } } },
    Resources: { ...Resources, Other: Resources.Handler },
  }
  const found = async (...ids: string[]) => {
    const accept = ['shared-queue@Queue=agreed', ...ids.map((id) => `tenant-isolation@${id}=agreed`)]
    return (await run(t, two, { accept })).findings
  }
  t.strictSame(await found('Handler'), ['tenant-isolation Globals'])
  t.strictSame(await found('Handler', 'Other'), [])
  t.strictSame(await found('Globals'), [])
})

for (const [text, acceptance] of [
  ['a-rule@Queue=agreed', { rule: 'a-rule', resource: 'Queue', reason: 'agreed' }],
  ['  a-rule@ Queue = agreed = yes ', { rule: 'a-rule', resource: 'Queue', reason: 'agreed = yes' }],
  ['a-rule@Queue=two\nlines', { rule: 'a-rule', resource: 'Queue', reason: 'two\nlines' }],
  ['a-rule@Queue=', { rule: 'a-rule', resource: 'Queue', reason: '' }],
  ['a-rule@Queue', { rule: 'a-rule', resource: 'Queue', reason: '' }],
  ['a-rule@q["a=b"].x["c"]=agreed', { rule: 'a-rule', resource: 'q["a=b"].x["c"]', reason: 'agreed' }],
  ['a-rule@q["a=b"]', { rule: 'a-rule', resource: 'q["a=b"]', reason: '' }],
  ['a-rule@Shop/Queue=a@b', { rule: 'a-rule', resource: 'Shop/Queue', reason: 'a@b' }],
] as const) {
  test(`the acceptance ${JSON.stringify(text)}`, async (t) => t.strictSame(await readAcceptances([text]), [acceptance]))
}

for (const text of [
  '',
  'agreed',
  'a-rule=agreed',
  '@Queue=agreed',
  'a rule@Queue=agreed',
  'a-rule@',
  'a-rule@=agreed',
  'a-rule@q["a=b=agreed',
  'x a-rule@Queue=agreed',
]) {
  test(`the acceptance ${JSON.stringify(text)} is refused`, (t) => {
    const message = `--accept ${text}: write RULE@RESOURCE=REASON, as in max-receive-count@OrdersQueue=agreed`
    t.throws(() => readAcceptances([text]), { name: 'UsageError', message })
    t.end()
  })
}

test('a line of a file that is no acceptance is refused', (t) => {
  const file = join(filesIn(t, { accepted: 'agreed' }), 'accepted')
  t.throws(() => readAcceptances([], [file]), { message: /^--accept-file agreed: write RULE@RESOURCE=REASON/ })
  t.end()
})

test('a file has an acceptance on each line, and comments; the flags come first', (t) => {
  const root = filesIn(t, { one: '# a\r\n \t# b\r\na@Q=x\r\n\r\n  b@Q=y\n', two: 'c@Q=z' })
  const [one, two] = [join(root, 'one'), join(root, 'two')]
  t.strictSame(readAcceptances(['d@Q=w'], [one, two]), [
    { rule: 'd', resource: 'Q', reason: 'w' },
    { rule: 'a', resource: 'Q', reason: 'x', place: { file: one, line: 3 } },
    { rule: 'b', resource: 'Q', reason: 'y', place: { file: one, line: 5 } },
    { rule: 'c', resource: 'Q', reason: 'z', place: { file: two, line: 1 } },
  ])
  t.strictSame(readAcceptances(), [])
  t.end()
})

test('accepted findings are listed as such, without a fix and a link, and not counted', async (t) => {
  const template = withMetadata(sam(OFF), 'Handler', { [RULE]: 'it only throws' })
  const { printed } = await print(t, template, { format: 'text' })
  t.match(
    printed,
    /:\d+ accepted report-batch-item-failures Handler\/Orders {2}ReportBatchItemFailures is off.*\n {2}Accepted: it only throws\n1 mapping/,
  )
  t.match(printed, '1 mapping checked: 0 errors, 0 warnings, 0 info, 1 accepted')
})

test('an acceptance in a template does not apply to another template', async (t) => {
  const wrong = sam(OFF)
  const root = filesIn(t, {
    'dev.json': JSON.stringify(withMetadata(wrong, 'Queue', { [RULE]: 'a test system' })),
    'prod.json': JSON.stringify(wrong),
  })
  const { code, stdout } = await runDoctor(t, [root], { format: 'json' })
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
  const { code, stdout } = await runDoctor(t, [root], { format: 'json', strict: true })
  const { findings, accepted } = JSON.parse(stdout)
  const short = ({ rule, resource }: Printed) => `${rule} ${resource}`
  t.strictSame(
    [code, findings.map(short), accepted.map(short)],
    [0, [], ['visibility-below-timeout Queue', 'shared-queue Shop/Queue']],
  )
})

test('acceptances of several stacks are the same if their place, rule and resource are, apart from the stack', async (t) => {
  const finding = {
    rule: RULE,
    severity: 'error',
    resource: 'Queue',
    message: '',
    fix: '',
    source: '',
    help: '',
  } as const
  const used = [{ finding, scopes: [['Queue']] }]
  const acceptance = { rule: RULE, resource: 'Queue', reason: 'agreed', place: { file: 'a.json', line: 1 } }
  const warned = (other: Partial<typeof acceptance>) =>
    accept([
      { detected: used, acceptances: [acceptance] },
      { detected: [], acceptances: [{ ...acceptance, ...other }] },
    ])
      .filter(({ rule }) => rule === 'acceptance')
      .map(({ resource }) => resource)
  t.strictSame(warned({ resource: 'Shop/Queue' }), [])
  t.strictSame(warned({ resource: 'Cue' }), ['Cue'], 'another resource on the same line')
  t.strictSame(warned({ rule: 'max-receive-count' }), ['Queue'])
  t.strictSame(warned({ place: { file: 'b.json', line: 1 } }), ['Queue'])
})

test('rule@* accepts a finding of all resources, on the command line and in the metadata of the template', async (t) => {
  const two = sam({ ...OFF, second: { FunctionResponseTypes: undefined } })
  const own = ['duplicate-mapping Handler/Second']
  const given = await run(t, two, { accept: [`${RULE}@*=a test system`] })
  t.strictSame([given.findings, given.accepted.length], [own, 2])
  const Metadata = { 'bounded-sqs-batch': { accept: { [RULE]: 'a test system' } } }
  const written = await run(t, { ...two, Metadata })
  t.strictSame([written.findings, written.accepted.length], [own, 2])
  const unused = await run(t, sam({ function: RUNTIME }), { accept: [`${RULE}@*=a test system`] })
  t.strictSame(unused.findings, ['acceptance *'])
})
