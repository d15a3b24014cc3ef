import { test } from 'tap'
import { ids } from '../support/templates.ts'
import { findingsInPlan } from '../support/terraform.ts'
import { lambdaModule, sqsModule, triggerModule } from '../support/terraform-modules.ts'

const MAPPING = 'module.parcels.aws_lambda_event_source_mapping.this["sqs"]'

test('the Lambda module with mappings of several services: the queue of a mapping is known only after apply', (t) => {
  const sources = [
    'aws_sqs_queue.parcels.arn',
    'aws_kinesis_stream.scans.arn',
    'aws_sqs_queue.failed.arn',
    'aws_mq_broker.labels.arn',
  ]
  const [finding, ...more] = findingsInPlan(
    lambdaModule(sources, {
      sqs: { function_response_types: ['ReportBatchItemFailures'], scaling_config: [{ maximum_concurrency: 20 }] },
      kinesis: { starting_position: 'LATEST' },
      mq: { queues: ['labels'] },
    }),
  )
  t.strictSame(more, [])
  t.match(finding, { rule: 'not-checked', resource: MAPPING })
  t.equal(
    finding?.message,
    'Not checked: the visibility timeout, redrive policy and retention of its queue, whether it is a FIFO queue, and whether other mappings read it. Reason: ' +
      'it is known only after apply whether it is aws_sqs_queue.parcels or aws_sqs_queue.failed.',
  )
  t.equal(finding?.fix, 'Check the state after apply: terraform show -json | bounded-sqs-batch doctor -')
  t.end()
})

test('the Lambda module with one queue: the queue is checked, and a finding says that it is not certain', (t) => {
  const findings = findingsInPlan(lambdaModule(['aws_sqs_queue.parcels.arn'], { sqs: {} }))
  t.strictSame(ids(findings), [
    `report-batch-item-failures ${MAPPING}`,
    'no-redrive-policy aws_sqs_queue.parcels',
    `not-checked ${MAPPING}`,
  ])
  t.equal(
    findings[2]?.message,
    'Not checked: whether its queue is aws_sqs_queue.parcels. Reason: it also depends on local.create, which a plan does not show.',
  )
  t.end()
})

test('the SQS module: queues and redrive policies of other module calls are found', (t) => {
  const findings = findingsInPlan(sqsModule())
  t.strictSame(ids(findings), [
    'no-redrive-policy module.invoices.aws_sqs_queue.this[0]',
    'not-checked module.payments.aws_sqs_queue.this[0]',
    'not-checked module.refunds.aws_sqs_queue.this[0]',
  ])
  t.equal(findings[2]?.message, 'Not checked: maxReceiveCount. Reason: the redrive policy is known only after apply.')
  t.end()
})

test('the trigger module: no function_response_types, and a visibility timeout without the window', (t) => {
  const findings = findingsInPlan(triggerModule())
  t.strictSame(ids(findings), [
    'report-batch-item-failures module.trigger.aws_lambda_event_source_mapping.this',
    'visibility-headroom module.trigger.aws_sqs_queue.main',
    'not-checked module.trigger.aws_sqs_queue.main',
  ])
  t.match(
    findings[1]?.message,
    'below 6 times the timeout of aws_lambda_function.audit (10 s) plus the batching window (20 s).',
  )
  t.end()
})

test('the trigger module with its default batch: 6 timeouts are enough', (t) => {
  const settings = {
    batch_size: 10,
    maximum_batching_window_in_seconds: 0,
    function_response_types: ['ReportBatchItemFailures'],
  }
  t.strictSame(ids(findingsInPlan(triggerModule(settings))), ['not-checked module.trigger.aws_sqs_queue.main'])
  t.end()
})
