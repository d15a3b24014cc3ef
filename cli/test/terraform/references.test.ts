// What is found through references. resolve.test.ts has what each kind of reference resolves to.
import { test } from 'tap'
import { findingsInPlan, readShown, shownPlan } from '../support/terraform.ts'
import { lambda, mapping, queue, ref } from '../support/terraform-modules.ts'

const HANDLER = lambda('aws_lambda_function.work', { function_name: 'work' })

test('event_source_arn from a variable of a module in a module', (t) => {
  const inner = {
    resources: [mapping('aws_lambda_event_source_mapping.this', { function_name: 'work' }, ['var.arn'], [])],
  }
  const plan = {
    resources: [HANDLER, queue('aws_sqs_queue.one', { name: 'one' }), queue('aws_sqs_queue.two', { name: 'two' })],
    modules: {
      'module.outer': {
        call: { source_arn: { references: ref('aws_sqs_queue.two.arn') } },
        resources: [],
        modules: { 'module.inner': { ...inner, call: { arn: { references: ['var.source_arn'] } } } },
      },
    },
  }
  const [first] = readShown(shownPlan(plan)).mappings
  t.equal(first?.id, 'module.outer.module.inner.aws_lambda_event_source_mapping.this')
  t.strictSame([first?.queue.id, first?.function.id], ['aws_sqs_queue.two', 'aws_lambda_function.work'])
  t.end()
})

test('instances of one declaration with the same wrong setting give one finding', (t) => {
  const keys = ['["a.b"]', '["c"]', '["d"]']
  const module = (key: string) => ({
    resources: [
      queue('aws_sqs_queue.work', { name: `work-${key}`, ...(key === '["d"]' && { visibility_timeout_seconds: 2 }) }),
      mapping('aws_lambda_event_source_mapping.work', { function_name: 'work' }, ref('aws_sqs_queue.work.arn'), []),
    ],
  })
  const modules = Object.fromEntries(keys.map((key) => [`module.m${key}`, module(key)]))
  const short = { ...HANDLER, values: { ...HANDLER.values, timeout: 31 } }
  const findings = findingsInPlan(shownPlan({ resources: [short], modules }))
  const [visibility, other, reports] = findings
  t.strictSame(
    [reports, visibility, other].map((finding) => finding?.rule),
    ['report-batch-item-failures', 'visibility-below-timeout', 'visibility-below-timeout'],
  )
  const addresses = keys.map((key) => `module.m${key}.aws_lambda_event_source_mapping.work`).join(', ')
  t.ok(reports?.message.endsWith(` It applies to ${addresses}.`))
  t.ok(
    visibility?.message.endsWith(
      ' It applies to module.m["a.b"].aws_sqs_queue.work, module.m["c"].aws_sqs_queue.work.',
    ),
  )
  t.match(other, { resource: 'module.m["d"].aws_sqs_queue.work' })
  t.end()
})
