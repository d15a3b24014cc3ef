import { test } from 'tap'
import { assignmentLine } from '../../src/doctor/assignment-line.ts'
import { MAPPING_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../../src/model/settings.ts'

const REPORT = { row: MAPPING_SETTINGS.reportBatchItemFailures, value: ['ReportBatchItemFailures'] }
const LIMIT = { row: MAPPING_SETTINGS.maximumConcurrency, value: 5 }
const VISIBLE = { row: QUEUE_SETTINGS.visibilityTimeout, value: 361 }
const RECEIVES = { row: REDRIVE_SETTINGS.maxReceiveCount, value: 5 }

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
] as const) {
  test(`a new value as a line of ${syntax}`, (t) => {
    const written = [VISIBLE, REPORT, LIMIT, RECEIVES].map((assignment) => assignmentLine(assignment, syntax))
    t.strictSame(written, lines)
    t.end()
  })
}

test('an input without a syntax gets a line of YAML', (t) => {
  t.equal(assignmentLine(VISIBLE), 'VisibilityTimeout: 361')
  t.end()
})
