import { test } from 'tap'
import { UsageError } from '../../src/shared/errors.ts'
import { parseTerraformJson, toPlan } from '../../src/terraform/plan.ts'

const NOT_SHOWN =
  'x.json is of Terraform, but not the output of "terraform show -json". Run: ' +
  'terraform show -json plan.out | bounded-sqs-batch doctor -'

for (const [title, text, expected] of [
  ['the log of a plan', '{"@level":"info"}\n', NOT_SHOWN],
  ['a plan in its binary form', 'PK\u0003\u0004x', NOT_SHOWN],
  ['a state file', '{"format_version":"1.0","serial":1,"lineage":"x"}', NOT_SHOWN],
  [
    'another major version',
    '{"format_version":"2.1.0"}',
    'x.json has format version 2.1.0, but doctor can read only versions 0 and 1',
  ],
  [
    'a major version with two digits',
    '{"format_version":"10.0"}',
    'x.json has format version 10.0, but doctor can read only versions 0 and 1',
  ],
] as const) {
  test(`refused: ${title}`, async (t) => {
    t.equal(messageOf(text), expected)
  })
}
function messageOf(text: string): string | undefined {
  try {
    parseTerraformJson('x.json', text)
    return undefined
  } catch (error) {
    return error instanceof UsageError ? error.message : 'another error'
  }
}

for (const [title, document] of [
  ['a template', { Resources: {}, format_version: '1.0' }],
  ['JSON of another program', { serial: 1 }],
  ['JSON with a lineage', { lineage: 'x' }],
  ['a version that is a number', { format_version: 1 }],
] as const) {
  test(`not read: ${title}`, async (t) => {
    t.equal(parseTerraformJson('x.json', JSON.stringify(document)), undefined)
  })
}

test('not read: text that is not JSON, even if it mentions a log', async (t) => {
  t.equal(parseTerraformJson('x.json', 'Resources: {}'), undefined)
  t.equal(parseTerraformJson('x.json', '# {"@level":"info"} PK\u0003\u0004'), undefined)
})

for (const format_version of ['0.2', '1.2']) {
  test(`read: format version ${format_version}`, async (t) => {
    t.strictSame(parseTerraformJson('x.json', JSON.stringify({ format_version })), { format_version })
  })
}

function shown(address: string, more: Record<string, unknown> = {}) {
  const parts = address.replace(/.*module\.[^.]+\./, '').split('.')
  const [mode = '', type = '', name = ''] = parts[0] === 'data' ? parts : ['managed', ...parts]
  return { address, mode, type, name: name.replace(/\[.*/, ''), values: { of: address }, ...more }
}

test('a plan or a state without resources', async (t) => {
  const none = { instances: [], data: [], incomplete: undefined }
  for (const empty of [{}, { values: {} }, { values: { root_module: {} } }]) t.strictSame(toPlan(empty), none)
  for (const prior of [{}, { prior_state: {} }, { prior_state: { values: {} } }]) {
    t.strictSame(toPlan({ planned_values: { root_module: {} }, ...prior }), none)
  }
})

test('what is unknown of an instance, without that of an object that is replaced', async (t) => {
  const address = 'aws_sqs_queue.work[1]'
  const { instances } = toPlan({
    planned_values: { root_module: { resources: [shown(address), shown('aws_sns_topic.work')] } },
    resource_changes: [
      { address, change: { after_unknown: { arn: true } } },
      { address, deposed: 'x', change: { after_unknown: {} } },
    ],
  })
  t.strictSame(
    instances.map(({ unknown }) => unknown),
    [{ arn: true }, undefined],
  )
})

test('the instances of all modules, and the data sources of the plan and of the prior state', async (t) => {
  const inA = 'module.queues["a.b"]'
  const { instances, data } = toPlan({
    planned_values: {
      root_module: {
        resources: [shown('aws_sqs_queue.root'), shown('data.archive_file.planned')],
        child_modules: [
          {
            address: inA,
            resources: [shown(`${inA}.aws_sqs_queue.one`)],
            child_modules: [
              { address: `${inA}.module.inner`, resources: [shown(`${inA}.module.inner.aws_sqs_queue.inner`)] },
            ],
          },
          { address: 'module.queues["c"]' },
          { address: 'module.other[10]', resources: [shown('module.other[10].aws_sqs_queue.one')] },
        ],
      },
    },
    prior_state: {
      values: {
        root_module: {
          resources: [shown('data.archive_file.root'), shown('aws_sqs_queue.old')],
          child_modules: [{ address: 'module.queues["c"]', resources: [shown('data.archive_file.read')] }],
        },
      },
    },
  })
  t.strictSame(
    instances.map(({ address, module }) => [address, module.address, module.name]),
    [
      ['aws_sqs_queue.root', '', ''],
      [`${inA}.aws_sqs_queue.one`, inA, 'queues'],
      [`${inA}.module.inner.aws_sqs_queue.inner`, `${inA}.module.inner`, 'inner'],
      ['module.other[10].aws_sqs_queue.one', 'module.other[10]', 'other'],
    ],
  )
  t.strictSame(
    data.map(({ address }) => address),
    ['planned', 'root', 'read'].map((name) => `data.archive_file.${name}`),
  )
})

const INCOMPLETE = 'the plan is not complete: planning failed, or -target or a deferred change omits resources'
for (const [title, changes, expected] of [
  ['errored', { errored: true }, INCOMPLETE],
  ['not complete', { complete: false }, INCOMPLETE],
  ['complete', { errored: false, complete: true }, undefined],
] as const) {
  test(`a plan that is ${title}`, async (t) => {
    t.equal(toPlan({ planned_values: {}, ...changes }).incomplete, expected)
  })
}
