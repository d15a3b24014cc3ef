import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { check } from '../../src/doctor/check.ts'
import { readTemplate } from '../../src/template/read-template.ts'
import { OPTIONS, only, short } from '../support/templates.ts'

/**
 * What `serverless package` wrote for a service with three `sqs` events (osls 4.3, the maintained fork of the Serverless
 * Framework 3), without log groups, policies and outputs.
 */
const FILE = fileURLToPath(new URL('./fixtures/serverless-package.json', import.meta.url))

test('the output of serverless package is checked like a template', async (t) => {
  const findings = check(await readTemplate(FILE, new Map()), OPTIONS)
  t.strictSame(
    findings.map(({ rule, resource, fix }) => [rule, resource, fix]),
    [
      [
        'report-batch-item-failures',
        'BillEventSourceMappingSQSBillingQueue',
        'Set FunctionResponseTypes to [ReportBatchItemFailures].',
      ],
      [
        'report-batch-item-failures',
        'BillEventSourceMappingSQSRefunds',
        'Set FunctionResponseTypes to [ReportBatchItemFailures].',
      ],
      ['runtime-deprecated', 'ShipLambdaFunction', 'Use nodejs24.x. It does not accept handlers with a callback.'],
      ['visibility-headroom', 'BillingQueue', 'Set VisibilityTimeout to 36.'],
      [
        'no-redrive-policy',
        'BillingQueue',
        'Set RedrivePolicy with a dead-letter queue and a maxReceiveCount of 5 or more.',
      ],
      ['runtime-deprecated', 'BillLambdaFunction', 'Use nodejs24.x. It does not accept handlers with a callback.'],
      ['filter-criteria', 'ShipEventSourceMappingSQSOrdersQueue', 'Make sure that you do not need these messages.'],
      ['not-checked', 'BillEventSourceMappingSQSRefunds', 'Check the deployed function with --function NAME.'],
    ],
  )
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
