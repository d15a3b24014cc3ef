import { test } from 'tap'
import { assignmentLine, fixOfUnchecked, withNamesOf } from '../../src/doctor/presentation.ts'
import { MAPPING_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../../src/model/settings-table.ts'

const REPORT = [MAPPING_SETTINGS.reportBatchItemFailures, ['ReportBatchItemFailures']] as const
const LIMIT = [MAPPING_SETTINGS.maximumConcurrency, 5] as const
const VISIBLE = [QUEUE_SETTINGS.visibilityTimeout, 361] as const
const RECEIVES = [REDRIVE_SETTINGS.maxReceiveCount, 5] as const

for (const [syntax, lines] of [
  [
    'yaml',
    [
      'VisibilityTimeout: 361',
      'FunctionResponseTypes: [ReportBatchItemFailures]',
      'ScalingConfig: { MaximumConcurrency: 5 }',
      'maxReceiveCount: 5',
    ],
  ],
  [
    'json',
    [
      '"VisibilityTimeout": 361',
      '"FunctionResponseTypes": ["ReportBatchItemFailures"]',
      '"ScalingConfig": { "MaximumConcurrency": 5 }',
      '"maxReceiveCount": 5',
    ],
  ],
  [
    'terraform',
    [
      'visibility_timeout_seconds = 361',
      'function_response_types = ["ReportBatchItemFailures"]',
      'scaling_config { maximum_concurrency = 5 }',
      'maxReceiveCount = 5',
    ],
  ],
  [
    'cdk',
    [
      'visibilityTimeout: Duration.seconds(361)',
      'reportBatchItemFailures: true',
      'maxConcurrency: 5',
      'maxReceiveCount: 5',
    ],
  ],
] as const) {
  test(`a new value as a line of ${syntax}`, (t) => {
    const written = [VISIBLE, REPORT, LIMIT, RECEIVES].map((assignment) =>
      assignmentLine(assignment, { kind: 'template', syntax }),
    )
    t.strictSame(written, lines)
    t.end()
  })
}

test('an input without a syntax gets a line of YAML', (t) => {
  t.equal(assignmentLine(VISIBLE, { kind: 'deployed' }), 'VisibilityTimeout: 361')
  t.end()
})

for (const [kind, reason, fix] of [
  ['template', 'x', 'Check the deployed function with --function NAME.'],
  [
    'template',
    'set it with --parameter A=…',
    'Set the parameter, or check the deployed function with --function NAME.',
  ],
  ['plan', 'x', 'Check the state after apply: terraform show -json | bounded-sqs-batch doctor -'],
  ['state', 'x', 'Check the deployed function with --function NAME.'],
  ['deployed', 'x', 'If access was denied, allow the call. Otherwise check the setting yourself.'],
] as const) {
  test(`what to do about something that could not be checked in a ${kind}: ${reason}`, async (t) => {
    t.equal(fixOfUnchecked({ kind }, reason), fix)
  })
}

const TEXT =
  'MaximumConcurrency and VisibilityTimeout of BigQueue: see ScalingConfig, RedrivePolicy, maxReceiveCount and FifoQueue. ' +
  'Set FunctionResponseTypes to [ReportBatchItemFailures].'
for (const [syntax, expected] of [
  ['yaml', TEXT],
  ['json', TEXT],
  [
    'terraform',
    'maximum_concurrency and visibility_timeout_seconds of BigQueue: see scaling_config, redrive_policy, maxReceiveCount ' +
      'and fifo_queue. Set function_response_types to [ReportBatchItemFailures].',
  ],
  [
    'cdk',
    'maxConcurrency and visibilityTimeout of BigQueue: see scalingConfig, deadLetterQueue, maxReceiveCount and fifo. ' +
      'Set reportBatchItemFailures to true.',
  ],
] as const) {
  test(`the names of settings in a text for ${syntax}`, async (t) => {
    t.equal(withNamesOf({ kind: 'template', syntax }, TEXT), expected)
  })
}

test('a setting with a name of one word has the name of Terraform at the beginning of a text', async (t) => {
  const text = 'Timeout: it is 1000. Timeout is at most 900'
  t.equal(withNamesOf({ kind: 'plan', syntax: 'terraform' }, text), 'timeout: it is 1000. Timeout is at most 900')
})
