// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { cloudFormation, findingsIn, getAtt, ids, sam } from '../support/templates.ts'

// A loop or a macro may add settings. These are unknown: neither absent nor ignored.

const LOOP = { 'Fn::ForEach::More': ['Name', ['x'], { '${Name}': {} }] }
const INCLUDE = { 'Fn::Transform': { Name: 'AWS::Include', Parameters: { Location: 's3://x' } } }
const MAKERS = [
  ['Fn::ForEach::More', LOOP],
  ['Fn::Transform', INCLUDE],
] as const

/** A macro receives all entries next to it, and may change them. A loop adds entries. */
function mayChange(maker: string, id: string) {
  return Array(maker === 'Fn::Transform' ? 2 : 1).fill(`not-checked ${id}`)
}

for (const [name, maker] of MAKERS) {
  test(`${name} among the events of a function is listed`, async (t) => {
    const { Resources } = sam()
    const { Properties } = Resources.Handler
    const Handler = { ...Resources.Handler, Properties: { ...Properties, Events: { ...Properties.Events, ...maker } } }
    t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Handler } })), [`not-checked Handler/${name}`])
    const alone = { ...Resources.Handler, Properties: { ...Properties, Events: maker } }
    const { Orders } = cloudFormation().Resources
    t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Handler: alone, Orders } })), [
      'not-checked Handler',
    ])
  })

  test(`${name} in the properties of a queue may set its visibility timeout`, async (t) => {
    const findings = await findingsIn(t, sam({ queue: { VisibilityTimeout: undefined, ...maker } }))
    t.strictSame(ids(findings), mayChange(name, 'Queue'))
    t.match(findings[0]?.message, `VisibilityTimeout, MessageRetentionPeriod. Reason: ${name} may add it.`)
  })

  test(`${name} in the properties of a function may set its events, and other settings`, async (t) => {
    const { Resources } = sam()
    const Handler = {
      ...Resources.Handler,
      Properties: { ...Resources.Handler.Properties, Events: undefined, ...maker },
    }
    const { Orders } = cloudFormation().Resources
    const findings = await findingsIn(t, { Resources: { ...Resources, Handler, Orders } })
    t.strictSame(ids(findings), [...mayChange(name, 'Handler'), 'not-checked Handler'])
    const messages = findings.map(({ message }) => message)
    t.ok(messages.includes(`Not checked: this item. Reason: its Events are not known: ${name} may add it.`))
  })

  test(`${name} in the properties of a mapping may set its types of response`, async (t) => {
    const findings = await findingsIn(t, cloudFormation({ mapping: { FunctionResponseTypes: undefined, ...maker } }))
    t.strictSame(ids(findings), ['report-batch-item-failures Orders', ...mayChange(name, 'Orders')])
    t.match(findings[0], { severity: 'warning' })
    t.match(findings[1], { message: /^Not checked: MaximumConcurrency, / })
  })
}

test('a macro beside the properties of a queue may set or change any of them', async (t) => {
  const { Resources } = sam()
  const { RedrivePolicy, VisibilityTimeout } = Resources.Queue.Properties
  const macro = { 'Fn::Transform': { Name: 'QueueDefaults' } }
  async function findings(Properties: unknown) {
    const found = await findingsIn(t, {
      Resources: { ...Resources, Queue: { ...Resources.Queue, ...macro, Properties } },
    })
    return found.map(({ rule, resource, message }) => `${rule} ${resource} ${message}`)
  }
  const CHANGE = 'not-checked Queue Not checked: this item. Reason: a macro may change it.'
  const all = { RedrivePolicy, VisibilityTimeout, FifoQueue: false, MessageRetentionPeriod: 345_600 }
  t.strictSame(await findings(all), [CHANGE])
  t.strictSame(await findings({}), [
    'not-checked Queue Not checked: FifoQueue, VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy. Reason: Fn::Transform may add it.',
    CHANGE,
  ])
})

/** A mapping to an unknown queue, with a property that only other services have. */
function stream(StartingPosition: unknown, Parameters = {}) {
  const template = cloudFormation({ mapping: { EventSourceArn: { 'Fn::ImportValue': 'x' }, StartingPosition } })
  const Conditions = { Stream: { 'Fn::Equals': [{ Ref: 'Kind' }, 'stream'] } }
  const { Orders, ...Resources } = template.Resources
  const Second = {
    ...Orders,
    Properties: { ...Orders.Properties, EventSourceArn: getAtt('Queue'), StartingPosition: undefined },
  }
  return {
    Parameters: { Kind: { Type: 'String', ...Parameters } },
    Conditions,
    Resources: { ...Resources, Second, Orders },
  }
}

const IF_STREAM = { 'Fn::If': ['Stream', 'LATEST', { Ref: 'AWS::NoValue' }] }

test('a starting position that is AWS::NoValue counts as absent, so the mapping reads SQS', async (t) => {
  const template = stream(IF_STREAM, { Default: 'sqs' })
  const findings = await findingsIn(t, template)
  t.strictSame(ids(findings), ['not-checked Orders'])
  t.match(findings[0]?.message, 'redrive policy and retention of its queue')
  t.strictSame(ids(await findingsIn(t, template, { Kind: 'stream' })), [])
})

test('with a starting position that is known only after deployment, it is unknown whether the mapping reads SQS', async (t) => {
  const findings = await findingsIn(t, stream(IF_STREAM))
  t.strictSame(ids(findings), ['not-checked Orders'])
  t.match(findings[0], {
    message: /whether it reads SQS\. Reason: the parameter Kind has no default/,
    fix: 'Set the parameter, or check the deployed function with --function NAME.',
  })
})

test('a ProvisionedPollerConfig that is AWS::NoValue counts as absent', async (t) => {
  const settings = { ProvisionedPollerConfig: { MinimumPollers: { Ref: 'AWS::NoValue' } } }
  t.strictSame(
    ids(await findingsIn(t, sam({ mapping: { ...settings, ScalingConfig: { MaximumConcurrency: 5 } } }))),
    [],
  )
})
