import type { Test } from 'tap'
import { test } from 'tap'
import { stringify } from 'yaml'
import { check, type Finding } from '../../src/doctor/check.ts'
import { parseTemplate, readCases } from '../../src/template/read-template.ts'
import { applyEdits } from '../support/apply-edits.ts'
import { CASES, concurrency } from '../support/rule-cases.ts'
import { type Change, cdkOutput, cloudFormation, getAtt, OPTIONS, sam } from '../support/templates.ts'
import { findingsInPlan, terraformState } from '../support/terraform.ts'

function findingsIn(text: string, options = {}): Finding[] {
  return check(readCases(parseTemplate('template.yaml', text), new Map()), { ...OPTIONS, ...options })
}

function keyOf({ rule, resource }: Finding) {
  return `${rule} ${resource}`
}

/** Pastes all fixes into the text. Returns the text, and the findings of which it had one. */
function pasted(text: string, options = {}) {
  const fixable = findingsIn(text, options).filter(({ paste }) => paste !== undefined)
  const edits = fixable.flatMap(({ paste = [] }) => paste.flatMap(({ edit }) => edit ?? []))
  return { result: applyEdits(text, edits), fixed: fixable.map(keyOf) }
}

const FORMS: readonly [title: string, write: (template: object) => string][] = [
  ['JSON', (template) => JSON.stringify(template, undefined, 2)],
  ['JSON on one line', (template) => JSON.stringify(template)],
  ['YAML', (template) => stringify(template)],
  ['YAML in flow style', (template) => `# YAML\n${stringify(template, { collectionStyle: 'flow' })}`],
]
for (const [title, write] of FORMS) {
  test(`${title}: a fix that is pasted is valid, and the finding is gone`, (t) => {
    let count = 0
    for (const { change, options } of CASES) {
      for (const template of [sam(change), cloudFormation(change)]) {
        const { result, fixed } = pasted(write(template), options)
        count += fixed.length
        const left = findingsIn(result, options).map(keyOf)
        t.strictSame(
          fixed.filter((key) => left.includes(key)),
          [],
          result,
        )
      }
    }
    t.ok(count > 100, `${count} fixes`)
    t.end()
  })
}

const TEMPLATE = `Resources:
  Orders:
    Type: AWS::SQS::Queue # the queue
    Properties:
      VisibilityTimeout: 100 # seconds
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 3
  Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Timeout: 30
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Orders.Arn
`

test('YAML: the place and the text of each fix', (t) => {
  const found = findingsIn(TEMPLATE).map(({ rule, paste = [] }) => [
    rule,
    ...paste.map(({ where, text }) => `${where}: ${text}`),
  ])
  t.strictSame(found, [
    ['report-batch-item-failures', 'Before line 19:             FunctionResponseTypes: [ReportBatchItemFailures]'],
    ['visibility-headroom', 'Instead of line 5: VisibilityTimeout: 180'],
    ['max-receive-count', 'Instead of line 8: maxReceiveCount: 5'],
  ])
  const { result } = pasted(TEMPLATE)
  t.match(result, '      VisibilityTimeout: 180 # seconds\n')
  t.match(
    result,
    '          Properties:\n            FunctionResponseTypes: [ReportBatchItemFailures]\n            Queue: ',
  )
  t.end()
})

test('a queue without a redrive policy gets one, and a dead-letter queue', (t) => {
  const text = TEMPLATE.replace(/ {6}RedrivePolicy:\n.*\n.*\n/, '')
  const { result } = pasted(text)
  t.match(
    result,
    '      RedrivePolicy: { deadLetterTargetArn: !GetAtt OrdersDeadLetterQueue.Arn, maxReceiveCount: 5 }\n',
  )
  t.match(
    result,
    'Resources:\n  OrdersDeadLetterQueue: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }\n  Orders:\n',
  )
  t.strictSame(findingsIn(result), [])
  t.end()
})

test('a source queue that keeps messages for 14 days: the fix of its dead-letter queue changes both', (t) => {
  const text = TEMPLATE.replace(
    'VisibilityTimeout: 100',
    'VisibilityTimeout: 180\n      MessageRetentionPeriod: 1209600',
  ).replace('{ MessageRetentionPeriod: 1209600 }', '{ MessageRetentionPeriod: 345600 }')
  const { result } = pasted(text)
  t.match(result, '      MessageRetentionPeriod: 345600 # seconds\n')
  t.match(result, 'Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }')
  t.strictSame(findingsIn(result), [])
  t.end()
})

test('a dead-letter queue does not replace a resource of the same name', (t) => {
  const taken = '  OrdersDeadLetterQueue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 5 } }\n'
  const text = TEMPLATE.replace(/ {6}RedrivePolicy:\n.*\n.*\n/, '') + taken
  const { result } = pasted(text)
  t.match(result, '!GetAtt OrdersDeadLetterQueue2.Arn')
  t.match(result, taken)
  t.strictSame(findingsIn(result), [])
  t.end()
})

test('a resource without properties', (t) => {
  const text = `Resources:
  Orders:
    Type: AWS::SQS::Queue
  Handler:
    Type: AWS::Serverless::Function
    Properties: { PackageType: Image, Timeout: 30, Events: { Orders: { Type: SQS, Properties: { Queue: !GetAtt Orders.Arn } } } }
`
  const { result } = pasted(text)
  t.match(result, '    Properties: { VisibilityTimeout: 180 }\n')
  t.match(result, 'Properties: { FunctionResponseTypes: [ReportBatchItemFailures], Queue: ')
  t.end()
})

test('a place to which nothing can be pasted: a call of a function, or an alias of YAML', (t) => {
  const paste = (properties: string) => {
    const text = TEMPLATE.replace(
      / {4}Properties:\n {6}VisibilityTimeout[\s\S]*?(?= {2}Dead)/,
      `    Properties: ${properties}\n`,
    )
    return findingsIn(text)
      .filter(({ resource }) => resource === 'Orders')
      .map(({ rule, paste }) => [rule, paste])
  }
  t.strictSame(paste('{ Ref: AWS::NoValue }'), [
    ['visibility-headroom', undefined],
    ['no-redrive-policy', undefined],
  ])
  t.end()
})

/** The texts to paste, by the rules. */
function texts(findings: readonly Finding[]) {
  return Object.fromEntries(
    findings.flatMap(({ rule, paste }) => (paste ? [[rule, paste.map(({ where, text }) => [where, text])]] : [])),
  )
}

const WRONG: Change = {
  mapping: { FunctionResponseTypes: undefined, ...concurrency(1001) },
  queue: { VisibilityTimeout: 100, RedrivePolicy: undefined },
  function: { Runtime: 'nodejs18.x' },
}

function checkTexts(t: Test, findings: readonly Finding[], expected: Record<string, [string, string][]>) {
  t.strictSame(texts(findings), expected)
  t.end()
}

test('CDK: the properties of the constructs', (t) => {
  const found = check(
    readCases(parseTemplate('t.json', JSON.stringify(cdkOutput(WRONG))), new Map([['AWS::Region', 'x']])),
    OPTIONS,
  )
  checkTexts(t, found, {
    'report-batch-item-failures': [['In the construct Shop/Orders', 'reportBatchItemFailures: true']],
    'concurrency-range': [['In the construct Shop/Orders', 'maxConcurrency: 1000']],
    'visibility-headroom': [['In the construct Shop/Queue', 'visibilityTimeout: Duration.seconds(185)']],
    'no-redrive-policy': [
      [
        'In the construct Shop/Queue',
        "deadLetterQueue: { queue: new Queue(this, 'QueueDeadLetterQueue', { retentionPeriod: Duration.days(14) }), maxReceiveCount: 5 }",
      ],
    ],
    'runtime-deprecated': [['In the construct Shop/Handler', 'runtime: Runtime.NODEJS_24_X']],
  })
})

test('CDK: for a low max receive count, the text has only the count and names no queue', (t) => {
  const queue = { RedrivePolicy: { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 3 } }
  const found = check(
    readCases(parseTemplate('t.json', JSON.stringify(cdkOutput({ queue }))), new Map([['AWS::Region', 'x']])),
    OPTIONS,
  )
  checkTexts(t, found, {
    'max-receive-count': [['In deadLetterQueue of the construct Shop/Queue', 'maxReceiveCount: 5']],
  })
})

test('Terraform: the arguments and blocks of HCL', (t) => {
  checkTexts(t, findingsInPlan(terraformState(WRONG)), {
    'report-batch-item-failures': [
      ['In aws_lambda_event_source_mapping.orders', 'function_response_types = ["ReportBatchItemFailures"]'],
    ],
    'concurrency-range': [
      ['In aws_lambda_event_source_mapping.orders', 'scaling_config { maximum_concurrency = 1000 }'],
    ],
    'visibility-headroom': [['In aws_sqs_queue.queue', 'visibility_timeout_seconds = 185']],
    'no-redrive-policy': [
      [
        'In aws_sqs_queue.queue',
        'redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.queue_dead_letter.arn, maxReceiveCount = 5 })',
      ],
      [
        'Beside aws_sqs_queue.queue',
        'resource "aws_sqs_queue" "queue_dead_letter" {\n  message_retention_seconds = 1209600\n}',
      ],
    ],
    'runtime-deprecated': [['In aws_lambda_function.handler', 'runtime = "nodejs24.x"']],
  })
})
