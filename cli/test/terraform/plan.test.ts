import { test } from 'tap'
import { UsageError } from '../../src/shared/errors.ts'
import { type Module, parseTerraformJson, toPlan } from '../../src/terraform/plan.ts'

const SHOW = 'terraform show -json'

for (const [title, text, expected] of [
  [
    'the log of a plan',
    '{"@level":"info"}\n',
    'x.json is the log of "terraform plan -json". Run: terraform plan -out plan.out && ' +
      `${SHOW} plan.out | bounded-sqs-batch doctor -`,
  ],
  [
    'a plan in its binary form',
    'PK\u0003\u0004x',
    `x.json is a plan of Terraform in its binary form. Run: ${SHOW} x.json | bounded-sqs-batch doctor -`,
  ],
  [
    'a state file',
    '{"format_version":"1.0","serial":1,"lineage":"x"}',
    `x.json is a state file of Terraform. Run: ${SHOW} | bounded-sqs-batch doctor -`,
  ],
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

function declared(address: string) {
  const { mode, type, name } = shown(address)
  return { mode, type, name, expressions: { of: address } }
}

/** A module with its children, each with its address. */
function tree({ address, key, caller, children, config, instances }: Module): unknown {
  return {
    address,
    key,
    parent: caller?.parent.address,
    siblings: caller?.siblings.map((sibling) => sibling.address),
    call: caller?.call,
    config,
    instances: instances.map((instance) => instance.address),
    children: [...children].map(([name, modules]) => [name, modules.map(tree)]),
  }
}

test('an empty state has no instances', async (t) => {
  for (const empty of [{}, { values: {} }, { values: { root_module: {} } }]) {
    t.strictSame(toPlan({ format_version: '1.0', ...empty }), {
      instances: [],
      isState: true,
      incomplete: undefined,
    })
  }
})

test('a plan without resources, and with a prior state that shows nothing', async (t) => {
  for (const prior of [{}, { prior_state: {} }, { prior_state: { values: {} } }]) {
    const { isState, instances } = toPlan({ planned_values: { root_module: {} }, ...prior })
    t.strictSame([isState, instances], [false, []])
  }
})

test('the instances of a plan, with their values, what is unknown, and their declarations', async (t) => {
  const root_module = {
    resources: [
      shown('aws_sqs_queue.work["a.b"]', { index: 'a.b' }),
      shown('aws_sqs_queue.work[1]', { index: 1 }),
      shown('aws_sqs_queue.other', { values: undefined }),
      shown('aws_sns_topic.work'),
    ],
  }
  const queue = declared('aws_sqs_queue.work')
  const { instances } = toPlan({
    planned_values: { root_module },
    resource_changes: [
      {
        address: 'aws_sqs_queue.work[1]',
        change: { after_unknown: { arn: true } },
      },
      {
        address: 'aws_sqs_queue.work[1]',
        deposed: 'x',
        change: { after_unknown: {} },
      },
    ],
    configuration: {
      root_module: { resources: [declared('data.aws_sqs_queue.work'), queue, declared('aws_sns_topic.x')] },
    },
  })
  const [module] = instances.map((one) => one.module)
  t.strictSame(module && tree(module), {
    address: '',
    key: '',
    parent: undefined,
    siblings: undefined,
    call: undefined,
    config: { resources: [declared('data.aws_sqs_queue.work'), queue, declared('aws_sns_topic.x')] },
    instances: root_module.resources.map(({ address }) => address),
    children: [],
  })
  const of = { mode: 'managed', type: 'aws_sqs_queue', name: 'work', unknown: undefined, module }
  t.strictSame(instances, [
    {
      ...of,
      address: 'aws_sqs_queue.work["a.b"]',
      key: '["a.b"]',
      values: { of: 'aws_sqs_queue.work["a.b"]' },
      config: queue,
    },
    {
      ...of,
      address: 'aws_sqs_queue.work[1]',
      key: '[1]',
      values: { of: 'aws_sqs_queue.work[1]' },
      unknown: { arn: true },
      config: queue,
    },
    { ...of, address: 'aws_sqs_queue.other', name: 'other', key: '', values: {}, config: undefined },
    {
      ...of,
      address: 'aws_sns_topic.work',
      type: 'aws_sns_topic',
      key: '',
      values: { of: 'aws_sns_topic.work' },
      config: undefined,
    },
  ])
})

test('the modules of a plan, with the calls that make them', async (t) => {
  const inner = { resources: [declared('aws_sqs_queue.inner')] }
  const queues = { expressions: { name: {} }, module: { module_calls: { inner: { module: inner } } } }
  const { instances } = toPlan({
    planned_values: {
      root_module: {
        resources: [shown('aws_sqs_queue.root')],
        child_modules: [
          {
            address: 'module.queues["a.b"]',
            resources: [shown('module.queues["a.b"].aws_sqs_queue.one')],
            child_modules: [
              {
                address: 'module.queues["a.b"].module.inner',
                resources: [shown('module.queues["a.b"].module.inner.aws_sqs_queue.inner')],
              },
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
          resources: [shown('data.aws_sqs_queue.root'), shown('aws_sqs_queue.old')],
          child_modules: [
            {
              address: 'module.queues["c"]',
              resources: [shown('module.queues["c"].data.aws_sqs_queue.read', { mode: 'data' })],
            },
          ],
        },
      },
    },
    configuration: { root_module: { module_calls: { queues } } },
  })
  const [root] = instances.map((one) => one.module)
  const inA = 'module.queues["a.b"]'
  const siblings = [inA, 'module.queues["c"]']
  t.strictSame(root && tree(root), {
    address: '',
    key: '',
    parent: undefined,
    siblings: undefined,
    call: undefined,
    config: { module_calls: { queues } },
    instances: ['aws_sqs_queue.root', 'data.aws_sqs_queue.root'],
    children: [
      [
        'queues',
        [
          {
            address: inA,
            key: '["a.b"]',
            parent: '',
            siblings,
            call: queues,
            config: queues.module,
            instances: [`${inA}.aws_sqs_queue.one`],
            children: [
              [
                'inner',
                [
                  {
                    address: `${inA}.module.inner`,
                    key: '',
                    parent: inA,
                    siblings: [`${inA}.module.inner`],
                    call: { module: inner },
                    config: inner,
                    instances: [`${inA}.module.inner.aws_sqs_queue.inner`],
                    children: [],
                  },
                ],
              ],
            ],
          },
          {
            address: 'module.queues["c"]',
            key: '["c"]',
            parent: '',
            siblings,
            call: queues,
            config: queues.module,
            instances: ['module.queues["c"].data.aws_sqs_queue.read'],
            children: [],
          },
        ],
      ],
      [
        'other',
        [
          {
            address: 'module.other[10]',
            key: '[10]',
            parent: '',
            siblings: ['module.other[10]'],
            call: {},
            config: {},
            instances: ['module.other[10].aws_sqs_queue.one'],
            children: [],
          },
        ],
      ],
    ],
  })
  t.strictSame(
    instances.map(({ address }) => address),
    [
      'aws_sqs_queue.root',
      'data.aws_sqs_queue.root',
      `${inA}.aws_sqs_queue.one`,
      `${inA}.module.inner.aws_sqs_queue.inner`,
      'module.queues["c"].data.aws_sqs_queue.read',
      'module.other[10].aws_sqs_queue.one',
    ],
  )
})

test('the modules of a state', async (t) => {
  const resources = [shown('module.queues.aws_sqs_queue.one')]
  const root_module = { child_modules: [{ address: 'module.queues', resources }] }
  const { instances, isState } = toPlan({ values: { root_module } })
  t.equal(isState, true)
  t.strictSame(
    instances.map(({ address, module }) => [address, module.address, module.config]),
    [['module.queues.aws_sqs_queue.one', 'module.queues', {}]],
  )
})

test('a data source that is read during apply is listed once, with its planned values', async (t) => {
  const address = 'data.aws_sqs_queue.one'
  const { instances } = toPlan({
    planned_values: { root_module: { resources: [shown(address, { values: { planned: true } })] } },
    prior_state: { values: { root_module: { resources: [shown(address)] } } },
  })
  t.strictSame(
    instances.map(({ address, values }) => [address, values]),
    [[address, { planned: true }]],
  )
})

for (const [title, changes, expected] of [
  ['errored', { errored: true }, 'planning failed, so the plan is not complete'],
  ['not complete', { complete: false }, 'the plan is not complete: -target or a deferred change omits resources'],
  ['complete', { errored: false, complete: true }, undefined],
] as const) {
  test(`a plan that is ${title}`, async (t) => {
    t.equal(toPlan({ planned_values: {}, ...changes }).incomplete, expected)
  })
}
