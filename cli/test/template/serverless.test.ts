import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { check } from '../../src/doctor/check.ts'
import { parseTemplate, readCases, readTemplate } from '../../src/template/read-template.ts'
import { CASES } from '../support/rule-cases.ts'
import { command, folder } from '../support/runs.ts'
import { cloudFormation, OPTIONS, only, serverlessPackage, short } from '../support/templates.ts'

/**
 * What `serverless package` of the Serverless Framework 3.40 wrote for the functions `ship`, `bill-all` and `Audit_log`.
 * Of serverless-state.json, only the functions are left.
 */
const FOLDER = fileURLToPath(new URL('./fixtures/serverless', import.meta.url))
const FILE = join(FOLDER, 'cloudformation-template-update-stack.json')

test('the output of serverless package: the fix and the text to paste have the words of serverless.yml', async (t) => {
  const findings = check(await readTemplate(FILE, new Map()), OPTIONS)
  const billing = 'In the sqs event of functions.bill-all in serverless.yml'
  const queue = (name: string) => `In resources.Resources.${name}.Properties of serverless.yml`
  t.strictSame(
    findings.map(({ rule, resource, fix, paste = [] }) => [
      `${rule} ${resource}`,
      fix,
      ...paste.map(({ where, text }) => `${where}: ${text}`),
    ]),
    [
      [
        'report-batch-item-failures BillDashallEventSourceMappingSQSBillingQueue',
        'Set functionResponseType to ReportBatchItemFailures.',
        `${billing}: functionResponseType: ReportBatchItemFailures`,
      ],
      [
        'report-batch-item-failures BillDashallEventSourceMappingSQSRefunds',
        'Set functionResponseType to ReportBatchItemFailures.',
        `${billing}: functionResponseType: ReportBatchItemFailures`,
      ],
      [
        'batch-needs-window BillDashallEventSourceMappingSQSRefunds',
        'Set maximumBatchingWindow to 1 or more, or set batchSize to at most 10.',
        `${billing}: maximumBatchingWindow: 1`,
      ],
      [
        'runtime-deprecated ShipLambdaFunction',
        'Use nodejs24.x. It does not accept handlers with a callback.',
        'In functions.ship of serverless.yml: runtime: nodejs24.x',
      ],
      [
        'reserved-concurrency BillDashallEventSourceMappingSQSBillingQueue',
        'Set maximumConcurrency to at most 4 in total for all mappings of the function.',
        `${billing}: maximumConcurrency: 2`,
      ],
      [
        'visibility-headroom BillingQueue',
        'Set VisibilityTimeout to 36.',
        `${queue('BillingQueue')}: VisibilityTimeout: 36`,
      ],
      [
        'no-redrive-policy BillingQueue',
        'Set RedrivePolicy with a dead-letter queue and a maxReceiveCount of 5 or more.',
        `${queue('BillingQueue')}: RedrivePolicy: { deadLetterTargetArn: !GetAtt BillingQueueDeadLetterQueue.Arn, maxReceiveCount: 5 }`,
        'In resources.Resources of serverless.yml: BillingQueueDeadLetterQueue: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }',
      ],
      [
        'runtime-deprecated BillDashallLambdaFunction',
        'Use nodejs24.x. It does not accept handlers with a callback.',
        'In functions.bill-all of serverless.yml: runtime: nodejs24.x',
      ],
      [
        'reserved-concurrency BillDashallEventSourceMappingSQSRefunds',
        'Set maximumConcurrency to at most 4 in total for all mappings of the function.',
        `${billing}: maximumConcurrency: 2`,
      ],
      [
        'visibility-headroom AuditQueue',
        'Set VisibilityTimeout to 36.',
        `${queue('AuditQueue')}: VisibilityTimeout: 36`,
      ],
      [
        'max-receive-count AuditQueue',
        'Set maxReceiveCount to 5 or more.',
        'In resources.Resources.AuditQueue.Properties.RedrivePolicy of serverless.yml: maxReceiveCount: 5',
      ],
      [
        'runtime-deprecated AuditUnderscorelogLambdaFunction',
        'Use nodejs24.x. It does not accept handlers with a callback.',
        'In functions.Audit_log of serverless.yml: runtime: nodejs24.x',
      ],
      ['filter-criteria ShipEventSourceMappingSQSOrdersQueue', 'Make sure that you do not need these messages.'],
      ['not-checked BillDashallEventSourceMappingSQSRefunds', 'Check the deployed function with --function NAME.'],
    ],
  )
})

test('the folder .serverless: the code is found in it, and findings name the function of serverless.yml', async (t) => {
  const { code, stdout, stderr } = await command(['doctor', '--json', FOLDER])
  t.strictSame([code, stderr], [1, ''])
  const { findings, inputs } = JSON.parse(stdout)
  t.match(inputs, [{ name: FILE, mappings: 4 }])
  t.match(
    findings[0].message,
    /the function can report failures: middy-bounded-sqs-batch in .+orders\.zip\/dist\/handler\.mjs/,
  )
  t.match(findings[0].message, /\. In serverless\.yml: functions\.bill-all\.$/)
})

test('a finding is accepted for the function of serverless.yml', async (t) => {
  const { stdout } = await command([
    'doctor',
    '--json',
    FOLDER,
    '--accept',
    'report-batch-item-failures@functions.bill-all=x',
  ])
  const { accepted } = JSON.parse(stdout)
  t.strictSame(
    accepted.map(({ resource }: { resource: string }) => resource),
    ['BillDashallEventSourceMappingSQSBillingQueue', 'BillDashallEventSourceMappingSQSRefunds'],
  )
})

test('without serverless-state.json, the name of a function comes from its logical id', async (t) => {
  const copy = join(folder(t), 'template.json')
  copyFileSync(FILE, copy)
  const findings = check(await readTemplate(copy, new Map()), OPTIONS)
  const named = findings.map(({ message }) => /functions\.[\w-]+/.exec(message)?.[0])
  t.strictSame([...new Set(named)], ['functions.bill-all', 'functions.ship', undefined, 'functions.audit_log'])
})

test('serverless-state.json is not a template', async (t) => {
  const { code, stderr } = await command(['doctor', join(FOLDER, 'serverless-state.json')])
  t.equal(code, 2)
  t.match(stderr, /serverless-state\.json belongs to the Serverless Framework\. .+ use the template that it writes: /)
})

test('every rule: a fix of a function or of its event has no name of CloudFormation', (t) => {
  const NAMES = /FunctionResponseTypes|BatchSize|MaximumBatchingWindow|MaximumConcurrency|\bTimeout|MemorySize|Reserved/
  let count = 0
  for (const { change, options } of CASES) {
    const template = serverlessPackage(change)
    const cases = readCases(parseTemplate('template.json', JSON.stringify(template)), new Map())
    for (const { resource, fix, message } of check(cases, { ...OPTIONS, ...options })) {
      if (!resource.startsWith('Orders')) continue
      count += 1
      t.match(message, / In serverless\.yml: functions\.orders\./)
      t.notMatch(fix, NAMES)
    }
  }
  t.ok(count > 20, `${count} findings`)
  t.end()
})

test('a function that serverless.yml declares as a resource keeps the words of CloudFormation', (t) => {
  const template = {
    ...cloudFormation({ mapping: { FunctionResponseTypes: [] } }),
    Outputs: { ServerlessDeploymentBucketName: { Value: 'bucket' } },
  }
  const [finding] = check(readCases(parseTemplate('template.json', JSON.stringify(template)), new Map()), OPTIONS)
  t.notMatch(finding?.message, 'serverless.yml')
  t.equal(finding?.fix, 'Set FunctionResponseTypes to [ReportBatchItemFailures].')
  const pasted = finding?.paste?.map(({ where, text }) => `${where}: ${text}`)
  t.strictSame(pasted, [
    'In resources.Resources.Orders.Properties of serverless.yml: FunctionResponseTypes: [ReportBatchItemFailures]',
  ])
  t.end()
})

test('all settings of an event are read from the output of serverless package', async (t) => {
  const { mappings } = await readTemplate(FILE, new Map())
  const ship = only(mappings.filter(({ id }) => id.startsWith('Ship')))
  const { batchSize, window, reportBatchItemFailures, maximumConcurrency, function: target, queue } = ship
  t.strictSame(
    [batchSize, window, reportBatchItemFailures, maximumConcurrency, target.timeout, target.reservedConcurrency].map(
      short,
    ),
    [100, 5, true, 10, 20, 20],
  )
  t.strictSame([target.id, queue.id], ['ShipLambdaFunction', 'OrdersQueue'])
})
