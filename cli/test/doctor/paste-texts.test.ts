// The text to paste for a change, in each language.
import { test } from 'tap'
import { createPaste, inServerlessWords, type Paste, pastedLines } from '../../src/doctor/paste.ts'
import type { TemplateSource } from '../../src/model/model.ts'
import { FUNCTION_SETTINGS, MAPPING_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../../src/model/settings.ts'
import { type Change, set } from '../../src/rules/rule.ts'
import { functionOf, mappingOf, queueOf } from '../support/models.ts'

function shown(paste: readonly Paste[]) {
  return paste.map(({ language, where, text }) => [language, where, text])
}
function addQueue(id: string, fifo = false): Change {
  return { kind: 'dead-letter-queue', resource: queueOf({ id }), fifo }
}
/** A source that has a resource of each of these types, by its id. */
function sourceOf(
  text: string,
  types: Record<string, string> = {},
  more: Partial<TemplateSource> = {},
): TemplateSource {
  return { text, constructOf: () => undefined, typeOf: (id) => types[id] ?? '', ...more }
}

const MAPPING = mappingOf()
const HANDLER = functionOf()
const QUEUE = queueOf()

const CDK: [Change, string, string][] = [
  [set(MAPPING, MAPPING_SETTINGS.batchSize, 10), 'In the construct Shop/Orders/Orders', 'batchSize: 10'],
  [
    set(MAPPING, MAPPING_SETTINGS.window, 1),
    'In the construct Shop/Orders/Orders',
    'maxBatchingWindow: Duration.seconds(1)',
  ],
  [
    set(MAPPING, MAPPING_SETTINGS.reportBatchItemFailures, ['ReportBatchItemFailures']),
    'In the construct Shop/Orders/Orders',
    'reportBatchItemFailures: true',
  ],
  [
    set(MAPPING, MAPPING_SETTINGS.maximumPollers, 2),
    'In the construct Shop/Orders/Orders',
    'provisionedPollerConfig: { maximumPollers: 2 }',
  ],
  [
    set(HANDLER, FUNCTION_SETTINGS.runtime, 'nodejs24.x'),
    'In the construct Shop/Orders/Handler',
    'runtime: Runtime.NODEJS_24_X',
  ],
  [
    set(HANDLER, FUNCTION_SETTINGS.recursiveLoop, 'Terminate'),
    'In the construct Shop/Orders/Handler',
    'recursiveLoop: RecursiveLoop.TERMINATE',
  ],
  [
    set(HANDLER, FUNCTION_SETTINGS.logLevel, 'INFO'),
    'In the construct Shop/Orders/Handler',
    'applicationLogLevelV2: ApplicationLogLevel.INFO',
  ],
  [
    set(HANDLER, FUNCTION_SETTINGS.executionTimeout, 30),
    'In the construct Shop/Orders/Handler',
    'durableConfig: { executionTimeout: Duration.seconds(30) }',
  ],
  [
    set(QUEUE, REDRIVE_SETTINGS.maxReceiveCount, 5),
    'In deadLetterQueue of the construct Shop/Orders/Queue',
    'maxReceiveCount: 5',
  ],
  [
    addQueue('Queue'),
    'In the construct Shop/Orders/Queue',
    "deadLetterQueue: { queue: new Queue(this, 'QueueDeadLetterQueue', { retentionPeriod: Duration.days(14) }), maxReceiveCount: 5 }",
  ],
  [
    addQueue('Queue', true),
    'In the construct Shop/Orders/Queue',
    "deadLetterQueue: { queue: new Queue(this, 'QueueDeadLetterQueue', { fifo: true, retentionPeriod: Duration.days(14) }), maxReceiveCount: 5 }",
  ],
]
test('CDK: the place and the text of each change', (t) => {
  const pasteOf = createPaste({ source: sourceOf('{}', {}, { constructOf: (id) => `Shop/Orders/${id}` }) })
  for (const [change, where, text] of CDK) t.strictSame(shown(pasteOf(change)), [['cdk', where, text]])
  t.strictSame(pasteOf(set(MAPPING, MAPPING_SETTINGS.arn, 'x')), [], 'a setting without a property of the construct')
  t.end()
})

function deadLetterTerraform(queue: string, beside: string, name: string, fifo = '') {
  return [
    [
      'terraform',
      `In ${queue}`,
      `redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.${name}_dead_letter.arn, maxReceiveCount = 5 })`,
    ],
    [
      'terraform',
      `Beside ${beside}`,
      `resource "aws_sqs_queue" "${name}_dead_letter" {\n  ${fifo}message_retention_seconds = 1209600\n}`,
    ],
  ]
}
test('Terraform: the place and the text of each change', (t) => {
  const pasteOf = createPaste({ language: 'terraform' })
  const texts = (change: Change) => shown(pasteOf(change))
  t.strictSame(texts(set(MAPPING, MAPPING_SETTINGS.batchSize, 10)), [['terraform', 'In Orders', 'batch_size = 10']])
  t.strictSame(texts(set(MAPPING, MAPPING_SETTINGS.reportBatchItemFailures, ['ReportBatchItemFailures', 'x'])), [
    ['terraform', 'In Orders', 'function_response_types = ["ReportBatchItemFailures", "x"]'],
  ])
  t.strictSame(texts(set(MAPPING, MAPPING_SETTINGS.maximumConcurrency, 5)), [
    ['terraform', 'In Orders', 'scaling_config { maximum_concurrency = 5 }'],
  ])
  t.strictSame(texts(set(QUEUE, REDRIVE_SETTINGS.maxReceiveCount, 5)), [
    ['terraform', 'In redrive_policy of Queue', 'maxReceiveCount = 5'],
  ])
  t.strictSame(texts(set(HANDLER, FUNCTION_SETTINGS.recursiveLoop, 'Terminate')), [], 'Terraform has no such argument')
  for (const [id, beside, name] of [
    ['aws_sqs_queue.orders', 'aws_sqs_queue.orders', 'orders'],
    ['aws_sqs_queue.orders-eu["a"]', 'aws_sqs_queue.orders-eu["a"]', 'orders-eu'],
    ['module.shop.aws_sqs_queue.this[0]', 'module.shop.aws_sqs_queue.this[0], in its module', 'this'],
    [
      'module.shop["eu.west"].module.queue.aws_sqs_queue.this',
      'module.shop["eu.west"].module.queue.aws_sqs_queue.this, in its module',
      'this',
    ],
  ] as const) {
    t.strictSame(texts(addQueue(id)), deadLetterTerraform(id, beside, name))
  }
  t.strictSame(
    texts(addQueue('aws_sqs_queue.orders', true)),
    deadLetterTerraform('aws_sqs_queue.orders', 'aws_sqs_queue.orders', 'orders', 'fifo_queue = true\n  '),
  )
  t.end()
})

test('serverless.yml: the place and the text of each change', (t) => {
  const names: Record<string, string> = { Orders: 'functions.ship', Handler: 'functions.ship' }
  const types = { Orders: 'AWS::Lambda::EventSourceMapping', Handler: 'AWS::Lambda::Function' }
  const pasteOf = createPaste({ source: sourceOf('{}', types, { serverlessOf: (id) => names[id] }) })
  const texts = (change: Change) => shown(pasteOf(change))
  t.strictSame(texts(set(MAPPING, MAPPING_SETTINGS.reportBatchItemFailures, ['ReportBatchItemFailures'])), [
    ['yaml', 'In the sqs event of functions.ship in serverless.yml', 'functionResponseType: ReportBatchItemFailures'],
  ])
  t.strictSame(texts(set(HANDLER, FUNCTION_SETTINGS.memory, 512)), [
    ['yaml', 'In functions.ship of serverless.yml', 'memorySize: 512'],
  ])
  t.strictSame(texts(set(HANDLER, FUNCTION_SETTINGS.recursiveLoop, 'Terminate')), [], 'serverless.yml has no such key')
  t.strictSame(texts(addQueue('Handler')), [], 'nothing is added beside a function')
  t.strictSame(texts(set(QUEUE, QUEUE_SETTINGS.visibilityTimeout, 36)), [
    ['yaml', 'In resources.Resources.Queue.Properties of serverless.yml', 'VisibilityTimeout: 36'],
  ])
  t.strictSame(texts(set(QUEUE, REDRIVE_SETTINGS.maxReceiveCount, 5)), [
    ['yaml', 'In resources.Resources.Queue.Properties.RedrivePolicy of serverless.yml', 'maxReceiveCount: 5'],
  ])
  t.strictSame(texts(addQueue('Queue', true)), [
    [
      'yaml',
      'In resources.Resources.Queue.Properties of serverless.yml',
      'RedrivePolicy: { deadLetterTargetArn: !GetAtt QueueDeadLetterQueue.Arn, maxReceiveCount: 5 }',
    ],
    [
      'yaml',
      'In resources.Resources of serverless.yml',
      'QueueDeadLetterQueue: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, MessageRetentionPeriod: 1209600 } }',
    ],
  ])
  t.end()
})

test('serverless.yml: a fix in its words', (t) => {
  for (const [fix, words] of [
    ['Set FunctionResponseTypes to [ReportBatchItemFailures].', 'Set functionResponseType to ReportBatchItemFailures.'],
    ['Set MaximumConcurrency in ScalingConfig, to at most 4.', 'Set maximumConcurrency to at most 4.'],
    ['Raise Timeout and VisibilityTimeout, or Timeout.', 'Raise timeout and VisibilityTimeout, or timeout.'],
    ['Set RecursiveLoop.', 'Set RecursiveLoop.'],
  ]) {
    t.equal(inServerlessWords(fix as string), words)
  }
  t.end()
})

const YAML = `Resources:
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      MemorySize: 128
      Events:
        Orders:
          Type: SQS
          Properties:
            FunctionResponseTypes:
              - x
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 5
      RedrivePolicy: { maxReceiveCount: 3 }
`
test('YAML: the place and the text of each change, with the edit', (t) => {
  const pasteOf = createPaste({ language: 'template', source: sourceOf(YAML) })
  const orders = mappingOf({ id: 'Handler/Orders' })
  const at = (startLine: number, startColumn: number, endLine: number, endColumn: number, text: string) => {
    return { startLine, startColumn, endLine, endColumn, text }
  }
  t.strictSame(pasteOf(set(HANDLER, FUNCTION_SETTINGS.memory, 512)), [
    { language: 'yaml', where: 'Instead of line 5', text: 'MemorySize: 512', edit: at(5, 7, 5, 22, 'MemorySize: 512') },
  ])
  const types = 'FunctionResponseTypes: [ReportBatchItemFailures]'
  t.strictSame(pasteOf(set(orders, MAPPING_SETTINGS.reportBatchItemFailures, ['ReportBatchItemFailures'])), [
    { language: 'yaml', where: 'Instead of lines 10 to 11', text: types, edit: at(10, 13, 11, 18, types) },
  ])
  t.strictSame(shown(pasteOf(set(orders, MAPPING_SETTINGS.batchSize, 10))), [
    ['yaml', 'Before line 10', '            BatchSize: 10'],
  ])
  t.strictSame(shown(pasteOf(set(QUEUE, REDRIVE_SETTINGS.maxReceiveCount, 5))), [
    ['yaml', 'Instead of line 16', 'maxReceiveCount: 5'],
  ])
  t.strictSame(shown(pasteOf(set(QUEUE, REDRIVE_SETTINGS.arn, 'x'))), [
    ['yaml', 'Before column 24 of line 16', 'deadLetterTargetArn: x,'],
  ])
  t.strictSame(pasteOf(set(queueOf({ id: 'Elsewhere/Queue/x' }), QUEUE_SETTINGS.delay, 1), 'Elsewhere').length, 1)
  t.end()
})

test('JSON: a value that ends in the column in which its key begins, on another line', (t) => {
  const text = '{"Resources":{"Queue":{"Properties":{\n        "VisibilityTimeout":\n      30}}}}'
  const paste = createPaste({ source: sourceOf(text) })(set(QUEUE, QUEUE_SETTINGS.visibilityTimeout, 36))
  t.strictSame(shown(paste), [['json', 'Instead of lines 2 to 3', '"VisibilityTimeout": 36']])
  t.end()
})

test('SAM: a setting of an SNS event is changed in its SqsSubscription', (t) => {
  const text =
    'Resources: { Handler: { Properties: { Events: { Topic: { Properties: { SqsSubscription: { BatchSize: 11 } } } } } } }\n'
  const change = set(mappingOf({ id: 'Handler/Topic', isFromSnsEvent: true }), MAPPING_SETTINGS.batchSize, 10)
  const [paste, ...more] = createPaste({ source: sourceOf(text) })(change)
  t.strictSame(more, [])
  t.match(paste, { text: 'BatchSize: 10', edit: { startColumn: text.indexOf('BatchSize') + 1 } })
  t.strictSame(createPaste({ source: sourceOf(text.replace('{ BatchSize: 11 }', 'true')) })(change), [])
  t.end()
})

test('SAM: a setting of Globals is changed there', (t) => {
  const text = 'Globals: { Function: { Timeout: 3 } }\nResources: { Handler: {} }\n'
  const pasteOf = createPaste({ source: sourceOf(text) })
  const change = set(HANDLER, FUNCTION_SETTINGS.timeout, 5)
  t.strictSame(shown(pasteOf(change, 'Globals')), [['yaml', 'Instead of line 1', 'Timeout: 5']])
  t.strictSame(shown(pasteOf(change)), [['yaml', 'Before column 24 of line 2', 'Properties: { Timeout: 5 }']])
  t.end()
})

test('a queue without a redrive policy: the names of the added queue, and its type', (t) => {
  const texts = (types: Record<string, string>, fifo?: boolean) =>
    createPaste({ source: sourceOf(YAML.replace(/ +RedrivePolicy.*\n/, ''), types) })(addQueue('Queue', fifo)).map(
      ({ text }) => text.trim(),
    )
  const policy = (name: string) => `RedrivePolicy: { deadLetterTargetArn: !GetAtt ${name}.Arn, maxReceiveCount: 5 }`
  const queue = (name: string, fifo = '') =>
    `${name}: { Type: AWS::SQS::Queue, Properties: { ${fifo}MessageRetentionPeriod: 1209600 } }`
  const name = 'QueueDeadLetterQueue'
  t.strictSame(texts({}), [policy(name), queue(name)])
  t.strictSame(texts({}, true), [policy(name), queue(name, 'FifoQueue: true, ')])
  t.strictSame(texts({ [name]: 'x' }), [policy(`${name}2`), queue(`${name}2`)])
  t.strictSame(texts({ [name]: 'x', [`${name}2`]: 'x' }), [policy(`${name}22`), queue(`${name}22`)])
  t.end()
})

test('JSON: the language, and the place on a line with other values', (t) => {
  const text = '\n {"Resources":{"Queue":{"Properties":{"VisibilityTimeout":5}}}}'
  const pasteOf = createPaste({ source: sourceOf(text) })
  t.strictSame(shown(pasteOf(set(QUEUE, QUEUE_SETTINGS.visibilityTimeout, 36))), [
    ['json', 'Instead of line 2', '"VisibilityTimeout": 36'],
  ])
  t.strictSame(shown(pasteOf(set(QUEUE, QUEUE_SETTINGS.delay, 1))), [
    ['json', 'Before column 39 of line 2', '"DelaySeconds": 1,'],
  ])
  t.end()
})

test('nothing to paste: without a template, and if one of two edits is not possible', (t) => {
  t.strictSame(createPaste()(set(QUEUE, QUEUE_SETTINGS.delay, 1)), [])
  t.strictSame(createPaste({ language: 'template' })(set(QUEUE, QUEUE_SETTINGS.delay, 1)), [])
  const pasteOf = createPaste({ source: sourceOf('Resources: { Queue: { Properties: !Ref x } }\n') })
  t.strictSame(pasteOf(addQueue('Queue')), [])
  t.end()
})

test('the lines of a finding: each place, and its text without spaces around it', (t) => {
  t.strictSame(pastedLines(), [])
  t.strictSame(
    pastedLines([
      { language: 'yaml', where: 'Before line 2', text: '    A: 1' },
      { language: 'yaml', where: 'Instead of line 5', text: 'B: 2' },
    ]),
    ['Before line 2:', '  A: 1', 'Instead of line 5:', '  B: 2'],
  )
  t.end()
})
