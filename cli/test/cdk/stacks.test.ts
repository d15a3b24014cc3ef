import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  App,
  type AppProps,
  CfnOutput,
  CfnResource,
  type IPolicyValidationPlugin,
  NestedStack,
  Stack,
  Stage,
  Validations,
} from 'aws-cdk-lib'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { type Test, test } from 'tap'
import { SqsBatchDoctor } from '../../src/cdk.ts'
import { inProcess } from '../support/in-process.ts'
import { CASES } from '../support/rule-cases.ts'
import { folder } from '../support/runs.ts'
import { cloudFormation } from '../support/templates.ts'
import { addHandler, addOrders, addQueue, DEFECTS } from './orders.ts'

// The CDK's own checks of the templates are slow.
process.env.CDK_VALIDATION = 'false'

/** What the CLI of the CDK sets. */
const CLI = { 'aws:cdk:enable-path-metadata': true, 'aws:cdk:enable-asset-metadata': true }
/** The synthesis neither prints the report nor throws. */
const QUIET = { '@aws-cdk/core:failSynthOnValidationErrors': false }

interface Violation {
  ruleName: string
  severity: string
  suggestedFix?: string
  description: string
  violatingConstructs: { constructPath: string; cloudFormationResource?: { templatePath: string; logicalId: string } }[]
}

function synth(
  t: Test,
  build: (app: App) => void,
  plugin: IPolicyValidationPlugin | null = new SqsBatchDoctor(),
  props: AppProps = { context: CLI },
) {
  const outdir = folder(t)
  const app = new App({ outdir, analyticsReporting: false, ...props, context: { ...props.context, ...QUIET } })
  build(app)
  if (plugin) Validations.of(app).addPlugins(plugin)
  app.synth()
  return { outdir, ...reportIn(outdir) }
}

function reportIn(outdir: string) {
  const { pluginReports } = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'))
  const [{ conclusion = 'success', violations = [], suppressedViolations = [] } = {}] = pluginReports
  return {
    conclusion,
    violations: violations as Violation[],
    found: violations.map(line),
    suppressed: suppressedViolations.map(line),
  }
}

function line({ ruleName, violatingConstructs: [construct] }: Violation) {
  return `${ruleName} ${construct?.constructPath}`
}

const OFF = { mapping: { reportBatchItemFailures: false } }
const MAPPING = 'Handler/SqsEventSource:ShopQueue2BB62074/Resource'

test('warnings do not fail the synthesis', (t) => {
  const build = (app: App) => void addOrders(new Stack(app, 'Shop'), { maxReceiveCount: 1 })
  const found = ['max-receive-count Shop/Queue/Resource']
  t.match(synth(t, build), { conclusion: 'success', found, violations: [{ severity: 'warning' }] })
  t.end()
})

for (const [title, context] of [
  ['with the metadata of the CLI', CLI],
  ['without the metadata of the CLI', {}],
] as const) {
  test(`${title}: each violation has its fix and its pages`, (t) => {
    const { outdir } = synth(t, (app) => void addOrders(new Stack(app, 'Shop'), DEFECTS), undefined, { context })
    const { violations } = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')).pluginReports[0]
    t.match(violations[0], {
      ruleName: 'report-batch-item-failures',
      description:
        /^ReportBatchItemFailures is off, but the function can report failures: .*\/asset\.\w+\/index\.mjs\./,
      suggestedFix: 'Set reportBatchItemFailures to true. In the construct: reportBatchItemFailures: true.',
      ruleMetadata: {
        source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
      },
      violatingConstructs: [
        {
          constructPath: `Shop/${MAPPING}`,
          cloudFormationResource: {
            templatePath: 'Shop.template.json',
            logicalId: 'HandlerSqsEventSourceShopQueue2BB620741016B200',
          },
        },
      ],
    })
    t.end()
  })

  test(`${title}: a queue in another stack, which the violation names`, (t) => {
    const { found, conclusion } = synth(
      t,
      (app) => {
        const queue = addQueue(new Stack(app, 'Queues'), { visibilityTimeout: 20 })
        addHandler(new Stack(app, 'Workers'), queue)
      },
      undefined,
      { context },
    )
    t.strictSame([conclusion, found], ['failure', ['visibility-below-timeout Queues/Queue/Resource']])
    t.end()
  })

  test(`${title}: an error in a stage is also an error of the app`, (t) => {
    const { found, violations } = synth(
      t,
      (app) => {
        addOrders(new Stack(new Stage(app, 'Prod'), 'Shop'), OFF)
      },
      undefined,
      { context },
    )
    t.strictSame(found, [
      'report-batch-item-failures Prod/Shop/Handler/SqsEventSource:ProdShopQueue46DB7200/Resource',
      'stages ',
    ])
    t.match(violations[0]?.description, /the function can report failures: .*\/asset\.\w+\/index\.mjs\./)
    t.match(violations[1], {
      severity: 'error',
      description: 'Findings that fail the synthesis are in stages: Prod/Shop.',
      suggestedFix: "To see them, run cdk synth '**'.",
    })
    t.end()
  })
}

for (const [title, context, expected] of [
  [
    'with the metadata of the CLI',
    CLI,
    [
      'report-batch-item-failures Shop/Workers/Handler/SqsEventSource:ShopQueue2BB62074/Resource',
      'not-checked Shop/Workers/Handler/SqsEventSource:ShopQueue2BB62074/Resource',
    ],
  ],
  ['without the metadata of the CLI, which names its template', {}, ['not-checked Shop', 'not-checked ']],
] as const) {
  test(`a nested stack, and a queue of the stack around it, which is not followed, ${title}`, (t) => {
    const build = (app: App) => {
      const stack = new Stack(app, 'Shop')
      addHandler(new NestedStack(stack, 'Workers'), addQueue(stack, { visibilityTimeout: 20 }), OFF)
    }
    t.strictSame(synth(t, build, undefined, { context }).found, expected)
    t.end()
  })
}

test('a plugin of a stage checks the stacks of this stage only', (t) => {
  function build(app: App) {
    for (const id of ['Dev', 'Prod']) {
      const stage = new Stage(app, id)
      addOrders(new Stack(stage, 'Shop'), { visibilityTimeout: 20 })
      if (id === 'Prod') Validations.of(stage).addPlugins(new SqsBatchDoctor())
    }
  }
  t.strictSame(synth(t, build, null).found, ['visibility-below-timeout Prod/Shop/Queue/Resource', 'stages '])
  t.end()
})

test('an acceptance in the metadata applies to its own stage', (t) => {
  const { found } = synth(t, (app) => {
    for (const id of ['Dev', 'Prod']) {
      const { queue } = addOrders(new Stack(new Stage(app, id), 'Shop'), { visibilityTimeout: 20 })
      const resource = queue.node.defaultChild as CfnResource
      const accept = { 'visibility-below-timeout': 'a test system' }
      if (id === 'Dev') resource.addMetadata('bounded-sqs-batch', { accept })
    }
  })
  t.strictSame(found, ['visibility-below-timeout Prod/Shop/Queue/Resource', 'stages '])
  t.end()
})

for (const [title, selected, expected] of [
  ['no stack', [], []],
  [
    'one stack and its nested stacks',
    ['Shop'],
    ['report-batch-item-failures Shop/Workers', 'not-checked Shop/Workers'],
  ],
] as const) {
  test(`the command bundles ${title}: the others are not checked`, (t) => {
    const { found } = synth(
      t,
      (app) => {
        const stack = new Stack(app, 'Shop')
        addHandler(new NestedStack(stack, 'Workers'), addQueue(stack), OFF)
        addOrders(new Stack(app, 'Other'), OFF)
      },
      undefined,
      { context: { ...CLI, 'aws:cdk:bundling-stacks': selected } },
    )
    t.strictSame(
      found.map((one: string) => one.replace(/\/Handler.*/, '')),
      expected,
    )
    t.end()
  })
}

test('several stacks without a mapping: one warning', (t) => {
  const build = (app: App) => {
    addQueue(new Stack(app, 'Queues'))
    new CfnOutput(new Stack(app, 'Empty'), 'Output', { value: 'none' })
  }
  const { conclusion, violations, found } = synth(t, build)
  t.strictSame([conclusion, found], ['success', ['not-checked ']])
  t.match(violations[0], {
    severity: 'warning',
    description: 'No stack has an SQS event source mapping, so nothing was checked.',
  })
  t.end()
})

test('a stack without a mapping, in which a macro may add one, beside a stack that is checked', (t) => {
  const { conclusion, found, violations } = synth(t, (app) => {
    addOrders(new Stack(app, 'Shop'))
    const stack = new Stack(app, 'Other')
    stack.addTransform('MyMacro')
    addQueue(stack)
  })
  t.strictSame([conclusion, found], ['success', ['not-checked Other']])
  t.match(violations[0], {
    severity: 'info',
    description:
      /has no SQS event source mapping, so nothing was checked\. Not read: MyMacro.*: a macro may change the template\.$/,
  })
  t.end()
})

test('a queue that is not in the app: the stack is named', (t) => {
  const { found, violations } = synth(t, (app) => {
    const stack = new Stack(app, 'Shop')
    addHandler(stack, Queue.fromQueueArn(stack, 'Queue', 'arn:aws:sqs:eu-west-1:123456789012:orders'))
  })
  t.match(found, ['not-checked Shop/Handler/SqsEventSource:ShopQueue2BB62074/Resource'])
  t.match(violations[0]?.description, 'arn:aws:sqs:eu-west-1:123456789012:orders')
  t.end()
})

test('what the app acknowledges is suppressed by the CDK, and the rest still fails', (t) => {
  const { conclusion, found, suppressed } = synth(t, (app) => {
    const { queue } = addOrders(new Stack(app, 'Shop'), { visibilityTimeout: 20, ...OFF })
    Validations.of(queue).acknowledge({ id: 'bounded-sqs-batch::visibility-below-timeout', reason: 'agreed' })
  })
  t.strictSame(
    [conclusion, found, suppressed],
    ['failure', [`report-batch-item-failures Shop/${MAPPING}`], ['visibility-below-timeout Shop/Queue/Resource']],
  )
  t.end()
})

test('an acceptance without a finding is a warning, unless the command leaves a stack out', (t) => {
  const build = (app: App) => {
    const { queue } = addOrders(new Stack(app, 'Shop'))
    const resource = queue.node.defaultChild as CfnResource
    resource.addMetadata('bounded-sqs-batch', { accept: { 'max-receive-count': 'agreed' } })
    addOrders(new Stack(app, 'Other'))
  }
  t.strictSame(synth(t, build).found, ['acceptance Shop/Queue/Resource'])
  const context = { ...CLI, 'aws:cdk:bundling-stacks': ['Shop'] }
  t.strictSame(synth(t, build, undefined, { context }).found, [])
  t.end()
})

for (const [title, file, content, message] of [
  [
    'a template that the manifest does not name',
    'Other.template.json',
    '{}',
    /^Not all stacks could be checked: the manifest in .* does not name .*\/Other\.template\.json$/,
  ],
  [
    'a template that is not JSON',
    'Shop.template.json',
    '{ "Resources": ',
    /^Not all stacks could be checked: .*\/Shop\.template\.json:1:\d+: not valid JSON: /,
  ],
  [
    'no manifest',
    'manifest.json',
    '{}',
    /^Not all stacks could be checked: the manifest in .* does not name .*\/Shop\.template\.json$/,
  ],
] as const) {
  test(`${title}: a finding that the app cannot acknowledge`, (t) => {
    const plugin = new SqsBatchDoctor()
    const { outdir } = synth(t, (app) => void addOrders(new Stack(app, 'Shop')), plugin)
    writeFileSync(join(outdir, file), content)
    const templatePaths = [...new Set(['Shop.template.json', file])].filter((name) => name !== 'manifest.json')
    const context = { templatePaths: templatePaths.map((name) => join(outdir, name)), stackTemplates: [] }
    t.match(plugin.validate({ ...context, appConstruct: new App({ outdir }) }), {
      success: false,
      violations: [{ ruleName: 'not-checked', severity: 'fatal', description: message }],
    })
    t.end()
  })
}

test('every template that breaks a rule: the same findings as doctor reports for cdk.out', async (t) => {
  const cases = CASES
  const { outdir, violations } = synth(t, (app) => {
    for (const [index, { change }] of cases.entries()) {
      const stack = new Stack(app, `Case${index}`)
      for (const [id, resource] of Object.entries(cloudFormation(change).Resources)) {
        const { Type: type, Properties: properties } = resource as { Type: string; Properties: object }
        new CfnResource(stack, id, { type, properties: { ...properties } })
      }
    }
  })
  const { stdout } = await inProcess(['doctor', '--json', outdir])
  const found = JSON.parse(stdout).findings.map(
    ({ rule, resource, file }: Record<string, string>) =>
      `${rule} ${basename(file ?? '', '.template.json')} ${resource}`,
  )
  const inPlugin = violations.map(({ ruleName, description, violatingConstructs: [construct] }) => {
    const { constructPath = '', cloudFormationResource } = construct ?? {}
    const resource = cloudFormationResource?.logicalId ?? description.split(': ')[0]
    return `${ruleName} ${constructPath.split('/')[0]} ${resource}`
  })
  t.ok(found.length > cases.length / 2)
  t.strictSame(inPlugin.sort(), found.sort())
})
